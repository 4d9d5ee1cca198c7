/** `rm`, `prune`, `hold` and `ls --deleted` as people and scripts use them. */
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { removeSession } from '../../src/archive/remove-session.ts';
import { listSessions } from '../../src/archive/catalogue.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { lockCreator } from '../../src/spool/creator-lock.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { CliFolder } from '../cli/run.ts';
import { Terminal } from '../e2e/terminal.ts';
import { BreakingStore } from './breaking-store.ts';
import { buildSession, LANDSCAPE, tempStore, type BuiltSession, type TempStore } from './fixture.ts';

const DAY = 86_400_000;
const T = Date.UTC(2024, 10, 22, 14, 3, 7);
const small = { epochs: [LANDSCAPE] };

let template: TempStore;
let old: BuiltSession;
let young: BuiltSession;
let bob: BuiltSession;
let folder: CliFolder;
beforeAll(async () => {
  template = await tempStore();
  old = await buildSession(template.store, { ...small, foundAtMs: T });
  young = await buildSession(template.store, { ...small, foundAtMs: T + DAY });
  bob = await buildSession(template.store, {
    ...small,
    handle: 'bob',
    state: 'recording',
    foundAtMs: T - DAY,
  });
  folder = await CliFolder.make();
});
afterAll(async () => {
  await template[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

async function archive(): Promise<{
  root: string;
  livestow: (...args: string[]) => Promise<Run>;
  there: () => Promise<string[]>;
}> {
  const root = await mkdtemp(join(tmpdir(), 'livestow-archive-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  await cp(template.root, root, { recursive: true });
  return {
    root,
    livestow: async (...args) => {
      const { exitCode, stdout, stderr } = await folder.run([...args, '--store', root]);
      return { exitCode, stdout, stderr };
    },
    there: async () => (await listSessions(new DirectoryStore(root))).map(({ session }) => session),
  };
}

interface Run {
  exitCode?: number | undefined;
  stdout: string;
  stderr: string;
}

const jsonLines = (text: string): unknown[] => text.split('\n').map((line) => JSON.parse(line) as unknown);
const everything = (): string[] => [young.session, old.session, bob.session];

describe('rm', () => {
  test('removes one session; show, ls and ls --deleted know', async () => {
    const { livestow, there } = await archive();
    expect(await livestow('rm', old.session, '--dry-run', '--json')).toMatchObject({
      exitCode: 0,
      stdout: JSON.stringify({ session: old.session, handle: 'alice', outcome: 'would-remove' }),
    });
    expect(await there()).toEqual(everything());
    expect(await livestow('rm', `alice/${old.session}`, '--yes')).toEqual({
      exitCode: 0,
      stdout: `@alice ${old.session}: removed`,
      stderr: '',
    });
    expect(await there()).toEqual([young.session, bob.session]);
    for (const args of [
      ['show', `alice/${old.session}`],
      ['rm', `alice/${old.session}`, '--yes'],
    ]) {
      expect(await livestow(...args)).toMatchObject({
        exitCode: 10,
        stdout: '',
        stderr: expect.stringMatching(/was removed at 2.*Z: rm$/m),
      });
    }
    expect(await livestow('ls', '--deleted')).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(new RegExp(`^SESSION .*\\n${old.session} +@alice .* rm$`)),
    });
    expect(jsonLines((await livestow('ls', 'alice', '--deleted', '--json')).stdout)).toMatchObject([
      { session: old.session, state: 'removed', reason: 'rm', deletedAt: expect.any(String) },
    ]);
    expect(await livestow('ls', 'bob', '--deleted')).toMatchObject({ stdout: '', exitCode: 0 });
    expect(await livestow('verify', '--quick')).toMatchObject({ exitCode: 0 });
    expect((await livestow('reindex', '--json')).exitCode).toBe(0);
    expect(await there()).toEqual([young.session, bob.session]);
  });

  test('without a terminal and without --yes: exit 2 with a hint, and nothing is removed', async () => {
    const { livestow, there } = await archive();
    expect(await livestow('rm', '@alice')).toMatchObject({
      exitCode: 2,
      stdout: '',
      stderr: expect.stringContaining('--yes'),
    });
    expect(await there()).toEqual(everything());
  });

  test.each([
    ['n', 1, true],
    ['', 1, true],
    ['y', 0, false],
  ])('on a terminal it asks; %j: exit %i', async (answer, code, isThere) => {
    const { root, there } = await archive();
    await using terminal = new Terminal(['rm', '@alice', '--store', root], {
      cwd: folder.path,
      env: folder.environment(),
    });
    await terminal.shows(`Remove @alice ${young.session}`);
    terminal.type(`${answer}\r`);
    expect(await terminal.exitCode()).toBe(code);
    expect((await there()).includes(young.session)).toBe(isThere);
  });

  test('Ctrl-C is no answer: exit 130', { tags: 'interrupted' }, async () => {
    const { root, there } = await archive();
    await using terminal = new Terminal(['rm', '@alice', '--store', root], {
      cwd: folder.path,
      env: folder.environment(),
    });
    await terminal.shows('[y/N]');
    terminal.interrupt();
    expect(await terminal.exitCode()).toBe(130);
    expect(await there()).toEqual(everything());
  });

  test.each([
    ['@carol', 10],
    ['../x', 2],
  ])('%s: exit %i', async (session, code) => {
    const { livestow } = await archive();
    expect((await livestow('rm', session, '--yes')).exitCode).toBe(code);
  });

  test('an unsealed session is refused; --force removes it, unless a recorder of this spool has the creator', async () => {
    const { livestow, there } = await archive();
    expect(await livestow('rm', '@bob', '--yes')).toMatchObject({
      exitCode: 1,
      stdout: '',
      stderr: expect.stringMatching(/not sealed[^]*--force/),
    });
    const spool = join(folder.path, 'spool');
    const recorder = lockCreator(spool, 'bob');
    expect(await livestow('rm', '@bob', '--yes', '--force')).toMatchObject({ exitCode: 11 });
    expect(await there()).toEqual(everything());
    recorder.release();
    expect(await livestow('rm', '@bob', '--yes', '--force')).toMatchObject({ exitCode: 0 });
    expect(await there()).toEqual([young.session, old.session]);
  });
});

describe('hold', () => {
  test('rm and prune leave it, until it is released', async () => {
    const { livestow, there } = await archive();
    expect(await livestow('hold', `alice/${old.session}`, '--reason', 'asked for')).toMatchObject({
      exitCode: 0,
    });
    expect((await livestow('show', `alice/${old.session}`)).stdout).toMatch(/^held since 2.*: asked for$/m);
    expect(await livestow('rm', `alice/${old.session}`, '--yes')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/held since 2.*: asked for[^]*--release/),
    });
    const all = ['prune', '--older-than', '1d', '--yes', '--json'];
    expect(jsonLines((await livestow(...all)).stdout)).toMatchObject([{ session: young.session }]);
    expect(await there()).toEqual([old.session, bob.session]);
    expect(await livestow('hold', `alice/${old.session}`, '--release')).toMatchObject({ exitCode: 0 });
    expect(await livestow(...all)).toMatchObject({ exitCode: 0 });
    expect(await there()).toEqual([bob.session]);
  });
});

describe('prune', () => {
  test('a dry run says what would be removed, and removes nothing', async () => {
    const { livestow, there } = await archive();
    const { stdout, exitCode } = await livestow('prune', '--max-sessions', '1', '--dry-run');
    expect(stdout).toMatch(
      new RegExp(`^@alice ${old.session}: would be removed \\(.* KiB, more than 1 sessions of a creator\\)$`),
    );
    expect(exitCode).toBe(0);
    expect(await there()).toEqual(everything());
  });

  test('removes what is beyond the limits, oldest first', async () => {
    const { livestow, there } = await archive();
    expect(await livestow('prune', 'bob', '--older-than', '90d', '--yes')).toEqual({
      exitCode: 0,
      stdout: '',
      stderr: 'nothing is to be removed',
    });
    const { stdout, exitCode } = await livestow('prune', '--older-than', '12w', '--yes', '--json');
    const line = { outcome: 'removed', reason: 'older than 84d', bytes: expect.any(Number) };
    expect(jsonLines(stdout)).toMatchObject([
      { session: old.session, ...line },
      { session: young.session, ...line },
    ]);
    expect(exitCode).toBe(0);
    expect(await there()).toEqual([bob.session]);
  });

  test('the newest are kept', async () => {
    const { livestow, there } = await archive();
    await livestow('prune', '@alice', '--max-total-size', '1kB', '--keep-at-least', '1', '--yes');
    expect(await there()).toEqual([young.session, bob.session]);
  });

  test('what is damaged stays and is told: exit 3', async () => {
    const { livestow, there, root } = await archive();
    await writeFile(join(root, old.prefix, 'segments/0001-0001-000002.ts'), 'torn');
    const { exitCode, stdout } = await livestow('prune', '--older-than', '1d', '--yes');
    expect(stdout.split('\n')).toEqual([
      expect.stringMatching(new RegExp(`^@alice ${old.session}: stays \\(.*damaged: truncated`)),
      expect.stringMatching(new RegExp(`^@alice ${young.session}: removed`)),
    ]);
    expect(exitCode).toBe(3);
    expect(await there()).toEqual([old.session, bob.session]);
  });

  test('what had broken off is finished, without a limit too', { tags: 'removal-broken-off' }, async () => {
    const { livestow, there, root } = await archive();
    const options = { reason: 'rm', clock: systemClock, signal: new AbortController().signal };
    await expect(removeSession(new BreakingStore(root, 6), old, options)).rejects.toThrow('broken off');
    expect(await livestow('prune', '--dry-run')).toMatchObject({
      exitCode: 0,
      stdout: `@alice ${old.session}: a removal that had broken off would be finished`,
    });
    expect(await livestow('prune')).toMatchObject({
      exitCode: 0,
      stdout: `@alice ${old.session}: a removal that had broken off is finished`,
      stderr: expect.stringContaining('no limit is given'),
    });
    expect(await there()).toEqual([young.session, bob.session]);
    expect(await livestow('prune')).toMatchObject({ exitCode: 0, stdout: '' });
  });

  test.each([
    ['a duration without a unit', ['--older-than', '90'], 2],
    ['no size', ['--max-size', '0'], 2],
    ['no number', ['--max-sessions', '0'], 2],
    ['a half', ['--keep-at-least', '1.5'], 2],
    ['no handle', ['../x'], 2],
    ['nobody', ['carol', '--older-than', '1d', '--yes'], 10],
    ['nobody to ask', ['--older-than', '1d'], 2],
  ])('%s: exit %i', async (_, args, code) => {
    const { livestow, there } = await archive();
    expect(await livestow('prune', ...args)).toMatchObject({
      exitCode: code,
      stdout: '',
      stderr: expect.stringMatching(/^livestow: /),
    });
    expect(await there()).toEqual(everything());
  });
});
