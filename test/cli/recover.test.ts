import { existsSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/schema.ts';
import { Roster } from '../../src/daemon/roster.ts';
import { encodeJournalEntry } from '../../src/layout/journal.ts';
import { leaveBehind } from '../spool/leftover.ts';
import { CliFolder } from './run.ts';

const SESSION = '20261122T140307Z-7300000000000000001';

/** What is left of a recorder that died before any media came. */
async function withLeftover(): Promise<CliFolder> {
  const folder = await CliFolder.make();
  const journal = join(folder.path, 'spool/alice', SESSION, 'journal');
  await mkdir(journal, { recursive: true });
  const term = encodeJournalEntry({
    type: 'term',
    at: '2026-11-22T14:03:07.000Z',
    format: 'livestow/1',
    writer: { name: 'livestow', version: '0.0.0' },
    session: SESSION,
    term: 1,
    creator: { handle: 'alice', platformUserId: null, displayName: null },
    room: { roomId: '7300000000000000001', title: null, startedAt: null },
    foundAt: '2026-11-22T14:03:07.000Z',
  });
  await writeFile(join(journal, '0001-000001.ndjson'), term);
  return folder;
}

const configIn = async (cwd: string): Promise<Config> =>
  (await loadConfig({ flags: {}, env: {}, cwd })).config;

const ENGINE = ['--engine', 'builtin'];

describe('recover', () => {
  test('gives up when the store does not answer, and says what is left; later it seals it', async () => {
    await using folder = await withLeftover();
    await writeFile(join(folder.path, 'no-folder'), '');
    const away = ['recover', ...ENGINE, '--timeout', '500ms', '--store', './no-folder/archive'];
    const vain = await folder.run([...away, '--json']);
    expect([vain.exitCode, JSON.parse(vain.stdout)]).toEqual([
      3,
      { handle: 'alice', session: SESSION, outcome: 'left', why: expect.any(String), setAside: null },
    ]);
    expect(JSON.parse(vain.stdout)).toMatchObject({ why: expect.stringContaining('the store') });
    await writeFile(join(folder.path, 'spool/alice', SESSION, 'notes.txt'), 'precious');
    const recovered = await folder.run(['recover', ...ENGINE]);
    const aside = join('spool/alice', `${SESSION}.set-aside`);
    expect(recovered.exitCode).toBe(0);
    expect(recovered.stdout).toMatch(new RegExp(`^@alice ${SESSION}: sealed: set aside: .*${aside}$`));
    expect(await readdir(join(folder.path, aside))).toEqual(['notes.txt']);
    const again = await folder.run(['recover', ...ENGINE]);
    expect([again.exitCode, again.stdout]).toEqual([0, '']);
  });

  test.each([
    ['into the store of a creator who was added with one', [], 'own'],
    ['into that also where another one is named for all', ['--store', './said'], 'own'],
    ['into the one that is named for her', ['alice', '--store', './said'], 'said'],
  ])('ships %s', async (_, flags, store) => {
    await using folder = await withLeftover();
    const roster = await Roster.open(await configIn(folder.path));
    await roster.add({ handle: 'alice', store: join(folder.path, 'own') });
    const recovered = await folder.run(['recover', ...ENGINE, ...flags]);
    expect(recovered.exitCode).toBe(0);
    expect(await readdir(join(folder.path, store, 'creators/alice'))).toContain(SESSION);
    const stores = ['archive', 'own', 'said'].filter((name) => existsSync(join(folder.path, name)));
    expect(stores).toEqual([store]);
  });

  test('takes a bandwidth of its own for no silence of the store', async () => {
    await using folder = await CliFolder.make();
    const room = { roomId: '7300000000000000001', fromMs: Date.UTC(2026, 10, 22) };
    const session = await leaveBehind(join(folder.path, 'spool'), 'alice', room, 4);
    // A segment takes longer than the store is waited for.
    const slowly = ['--upload-bandwidth', '30B/s', '--timeout', '500ms'];
    const recovered = await folder.run(['recover', ...ENGINE, ...slowly]);
    expect([recovered.exitCode, recovered.stdout]).toEqual([0, `@alice ${session}: sealed`]);
  });

  test('refuses a time-out that is none', async () => {
    await using folder = await CliFolder.make();
    const refused = await folder.run(['recover', '--timeout', 'soon']);
    expect([refused.exitCode, refused.stderr]).toEqual([2, expect.stringContaining('--timeout')]);
  });
});
