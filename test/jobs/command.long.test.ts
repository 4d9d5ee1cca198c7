/** `livestow jobs`, `jobs run` and `jobs history` as people and scripts use them. */
import { cp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { JobLedger } from '../../src/jobs/job-ledger.ts';
import { lockFolder } from '../../src/spool/folder-lock.ts';
import { buildSession, LANDSCAPE, tempStore, type BuiltSession, type TempStore } from '../archive/fixture.ts';
import { CliFolder, MAIN } from '../cli/run.ts';

const CONFIG = `
timeZone: Europe/Berlin
jobs:
  nightly: { kind: prune, cron: '0 3 * * *', maxSessions: 1 }
  check: { kind: verify, cron: '@hourly', sample: 100%, paused: true }
  copy: { kind: mirror, cron: '@daily', to: mirror }
`;

let template: TempStore;
let old: BuiltSession;
let young: BuiltSession;
beforeAll(async () => {
  template = await tempStore();
  old = await buildSession(template.store, { epochs: [LANDSCAPE], foundAtMs: Date.UTC(2025, 1, 1) });
  young = await buildSession(template.store, { epochs: [LANDSCAPE], foundAtMs: Date.UTC(2025, 1, 2) });
});
afterAll(() => template[Symbol.asyncDispose]());

let folder: CliFolder;
beforeEach(async () => {
  folder = await CliFolder.make();
  await writeFile(join(folder.path, 'livestow.yaml'), CONFIG);
  await cp(template.root, join(folder.path, 'archive'), { recursive: true });
  return () => folder[Symbol.asyncDispose]();
});

const livestow = (...args: string[]) => folder.run(['jobs', ...args]);
const jobFolder = (job: string): string => join(folder.path, 'spool/livestow-serve/jobs', job);
const jsonLines = (text: string): unknown[] => text.split('\n').map((line) => JSON.parse(line) as unknown);

describe('livestow jobs', () => {
  test('lists them with what comes next and how the last run ended; only looking makes no file', async () => {
    const { exitCode, stdout } = await livestow();
    expect(exitCode).toBe(0);
    expect(stdout.split('\n')).toEqual([
      expect.stringMatching(/^JOB +KIND +SCHEDULE +NEXT/),
      expect.stringMatching(/^nightly +prune +0 3 \* \* \* Europe\/Berlin +20\d\d-\d\d-\d\d 0[12]:00:00$/),
      expect.stringMatching(/^check +verify +@hourly Europe\/Berlin +paused$/),
      expect.stringMatching(/^copy +mirror +@daily Europe\/Berlin +20/),
    ]);
    await expect(stat(join(folder.path, 'spool'))).rejects.toThrow('ENOENT');

    await livestow('run', 'nightly');
    expect(jsonLines((await livestow('--json')).stdout)).toMatchObject([
      { job: 'nightly', kind: 'prune', paused: false, running: null, last: { outcome: 'done', by: 'hand' } },
      { job: 'check', paused: true, nextAt: null, last: null },
      { job: 'copy', last: null },
    ]);
  });

  test('of a config without any', async () => {
    await rm(join(folder.path, 'livestow.yaml'));
    expect(await livestow()).toMatchObject({
      exitCode: 0,
      stdout: '',
      stderr: 'the config file has no jobs',
    });
  });
});

describe('livestow jobs run', () => {
  test('does the job, and says what it did', async () => {
    expect(await livestow('run', 'nightly')).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(
        new RegExp(`^@alice ${old.session}: removed \\(.*\\)\nnightly: done: 1 session, .* removed$`),
      ),
      stderr: '',
    });
    const { stdout } = await livestow('run', 'check', '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      job: 'check',
      by: 'hand',
      outcome: 'done',
      message: expect.stringMatching(/^1 of 1 sealed session read back/),
      problems: [],
    });
  });

  test('exits 3 with what could not be done, and tells it in the history', async () => {
    await writeFile(join(folder.path, 'archive', old.prefix, 'segments/0001-0001-000002.ts'), 'torn');
    const { exitCode, stdout } = await livestow('run', 'copy');
    expect(exitCode).toBe(3);
    expect(stdout.split('\n')).toEqual([
      `@alice ${young.session}: copied`,
      expect.stringMatching(new RegExp(`^! @alice ${old.session}: damaged: truncated `)),
      expect.stringMatching(/^copy: partly: 1 session copied, /),
    ]);
    await livestow('run', 'nightly');
    expect(jsonLines((await livestow('history', '--json')).stdout)).toMatchObject([
      { job: 'nightly', outcome: 'partly' },
      { job: 'copy', outcome: 'partly', problems: [expect.stringContaining('damaged')] },
    ]);
    expect((await livestow('history', 'copy')).stdout.split('\n')).toEqual([
      expect.stringMatching(/^JOB +BEGAN/),
      expect.stringMatching(/^copy .* hand +partly +1 session copied, .* \(1 problem: @alice/),
    ]);
  });

  test('exits 11 where another process runs it', { tags: 'second-recorder' }, async () => {
    const daemon = lockFolder(jobFolder('nightly'), { message: 'held', hint: '' });
    expect(await livestow('run', 'nightly')).toMatchObject({
      exitCode: 11,
      stdout: '',
      stderr: expect.stringMatching(/another livestow runs the job nightly[^]*livestow jobs/),
    });
    expect(await livestow('run', 'check')).toMatchObject({ exitCode: 0 });
    daemon.release();
    expect(await livestow('run', 'nightly')).toMatchObject({ exitCode: 0 });
  });

  test.each([
    ['none', 10],
    ['../x', 10],
  ])('%s: exit %i, and nothing is made of the name', async (name, code) => {
    expect(await livestow('run', name)).toMatchObject({ exitCode: code, stdout: '' });
    await expect(readdir(jobFolder(''))).rejects.toThrow('ENOENT');
  });

  test('a job that fails: exit 1 with the reason', async () => {
    await rm(join(folder.path, 'mirror'), { recursive: true, force: true });
    await writeFile(join(folder.path, 'mirror'), 'no folder');
    expect(await livestow('run', 'copy')).toMatchObject({
      exitCode: 1,
      stdout: '',
      stderr: expect.stringMatching(/^livestow: copy: failed: .+/m),
    });
    expect(jsonLines((await livestow('history', '--json')).stdout)).toMatchObject([{ outcome: 'failed' }]);
  });

  /** Runs `check`, and gives it a signal when it has done its first session. */
  async function signalled(signal: 'SIGINT' | 'SIGTERM' | 'SIGKILL') {
    // Enough to be in the middle of it.
    const bytes = (await readdir(join(template.root, young.prefix, 'segments'))).length;
    expect(bytes).toBeGreaterThan(0);
    for (let n = 0; n < 40; n += 1) {
      const session = young.session.replace('7412', `room${n}`);
      const to = join(folder.path, 'archive/creators/alice', session);
      await cp(join(template.root, young.prefix), to, { recursive: true });
    }
    const run = execa(process.execPath, [MAIN, 'jobs', 'run', 'check'], {
      cwd: folder.path,
      env: folder.environment(),
      extendEnv: false,
      reject: false,
    });
    run.stdout.once('data', () => run.kill(signal));
    return run;
  }

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 1],
  ] as const)('%s: exit %i, and the next run goes on', { tags: 'interrupted' }, async (signal, code) => {
    const { exitCode, stdout } = await signalled(signal);
    expect(exitCode).toBe(code);
    const done = stdout.split('\n').filter((line) => line.startsWith('@alice')).length;
    expect(done).toBeLessThan(42);
    expect(stdout).toMatch(/^check: stopped: stopped by hand$/m);
    const ledger = JobLedger.open(join(folder.path, 'spool/livestow-serve/jobs.sqlite'));
    expect(ledger.marks('verify').size).toBe(done);
    ledger.close();
  });

  test('kill -9: the run is told as interrupted, and the lock is free', { tags: 'killed' }, async () => {
    await signalled('SIGKILL');
    expect((await livestow()).stdout).toMatch(
      /^check .* interrupted: livestow was gone in the middle of it$/m,
    );
    expect(await livestow('run', 'nightly')).toMatchObject({ exitCode: 0 });
  });
});
