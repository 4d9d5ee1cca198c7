import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { removeSession } from '../../src/archive/remove-session.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { Store } from '../../src/store/store.ts';
import { write, type Written } from '../catalogue/archive.ts';
import { CliFolder } from '../cli/run.ts';

const MINUTE = 60_000;
const at = (day: number): number => Date.UTC(2026, 4, day, 12);

let folder: CliFolder;
let store: Store;
let tea: Written;
let games: Written;
let night: Written;
let live: Written;
beforeAll(async () => {
  folder = await CliFolder.make();
  store = openStore(join(folder.path, 'archive'));
  tea = await write(store, {
    handle: 'alice',
    foundAtMs: at(1),
    title: 'Tea & TALK',
    recordedMs: 90 * MINUTE,
  });
  games = await write(store, { handle: 'bob', foundAtMs: at(2), title: 'games', bytes: 9_000_000, gaps: 2 });
  night = await write(store, { handle: 'alice', foundAtMs: at(3), title: 'ночь', codecs: ['h265'], gaps: 1 });
  live = await write(store, {
    handle: 'carol',
    foundAtMs: at(4),
    title: '\u001B[31m"; drop',
    isSealed: false,
  });
});
afterAll(async () => {
  store.close();
  await folder[Symbol.asyncDispose]();
});

const ls = async (...args: string[]): Promise<string[]> => {
  const { stdout, exitCode, stderr } = await folder.run(['ls', '--json', ...args]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return stdout.split('\n').flatMap((line) => (line === '' ? [] : [(JSON.parse(line) as Written).session]));
};

describe('ls lists', () => {
  test.each<[args: string[], which: () => Written[]]>([
    [['--from', '2026-05-03'], () => [live, night]],
    [['--to', '2026-05-02'], () => [games, tea]],
    [['--from', '2026-05-02T12:00:00Z', '--to', '2026-05-03T12:00:00Z'], () => [games]],
    [['--text', 'talk tea'], () => [tea]],
    [['--text', 'НОЧ'], () => [night]],
    [['--text', '"; drop'], () => [live]],
    [['--text', '@alice'], () => [night, tea]],
    [['--min-length', '1h'], () => [tea]],
    [['alice', '--max-length', '1h'], () => [night]],
    [['--gaps'], () => [night, games]],
    [['--no-gaps'], () => [live, tea]],
    [['--codec', 'h265'], () => [night]],
    [['--unsealed'], () => [live]],
    [['--sealed', '--limit', '2'], () => [night, games]],
    [['--sort', 'size', '--limit', '1'], () => [games]],
    [['--sort', 'length', '--limit', '1'], () => [tea]],
    [['--sort', 'gaps', '--limit', '2'], () => [games, night]],
    [['--reverse'], () => [tea, games, night, live]],
  ])('%j', async (args, which) => {
    expect(await ls(...args)).toEqual(which().map(({ session }) => session));
  });

  test.each([
    ['--from', 'yesterday'],
    ['--sort', 'title'],
    ['--codec', 'av1'],
    ['--limit', '0'],
    ['--min-length', 'long'],
    ['--sealed', '--unsealed'],
    ['--deleted', '--gaps'],
  ])('%s %s: exit 2', async (...args) => {
    const { exitCode, stdout, stderr } = await folder.run(['ls', ...args]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain(args[0]?.replace(/^--/, ''));
  });

  test('nothing like that, and says so', async () => {
    expect(await folder.run(['ls', 'alice', '--text', 'games'])).toMatchObject({
      exitCode: 0,
      stdout: '',
      stderr: expect.stringContaining('no sessions of @alice like that'),
    });
  });
});

test('what somebody sealed, added or removed since is so at once; the cache may go at any time', async () => {
  const elsewhere = openStore(join(folder.path, 'archive'));
  const spec = { handle: 'dora', foundAtMs: at(5), isSealed: false };
  const dora = await write(elsewhere, spec);
  expect(await ls('dora', '--unsealed')).toEqual([dora.session]);
  await write(elsewhere, { ...spec, isSealed: true });
  expect(await ls('dora', '--unsealed')).toEqual([]);
  expect(await ls('dora', '--sealed')).toEqual([dora.session]);
  const { signal } = new AbortController();
  await removeSession(elsewhere, dora, { reason: 'rm', clock: systemClock, signal });
  expect(await ls('dora')).toEqual([]);
  elsewhere.close();

  const cache = join(folder.path, '.cache', 'livestow');
  const files = await readdir(cache);
  const file = files.find((name) => /^catalogue-[0-9a-f]{16}\.sqlite$/.test(name)) ?? 'none';
  await writeFile(join(cache, file), 'spoilt');
  expect(await ls()).toHaveLength(4);
  await rm(cache, { recursive: true });
  expect(await ls('--refresh')).toHaveLength(4);
});

test('--cache names another folder, and off keeps nothing', async () => {
  await using other = await CliFolder.make();
  const store = ['--store', join(folder.path, 'archive')];
  expect((await other.run(['ls', '--cache', 'off', ...store])).stdout.split('\n')).toHaveLength(5);
  expect(await readdir(other.path)).toEqual([]);
  await other.run(['ls', '--cache', 'kept', ...store]);
  expect(await readdir(join(other.path, 'kept'))).toEqual([expect.stringMatching(/^catalogue-.*\.sqlite$/)]);
});
