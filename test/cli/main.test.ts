import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CliFolder, MAIN } from './run.ts';

let folder: CliFolder;
beforeAll(async () => {
  folder = await CliFolder.make();
});
afterAll(() => folder[Symbol.asyncDispose]());

describe('usage', () => {
  test.each<[what: string, args: string[], said: RegExp]>([
    ['no command', [], /^Usage: livestow/],
    ['an unknown command', ['recrod', 'alice'], /unknown command 'recrod'\n\(Did you mean record\?\)/],
    [
      'an unknown option',
      ['config', 'check', '--stor', 'x'],
      /unknown option '--stor'\n\(Did you mean --store\?\)/,
    ],
    ['an option without its value', ['config', 'check', '--store'], /'--store <location>' argument missing/],
    ['too many arguments', ['config', 'check', 'x'], /too many arguments/],
    ['a missing argument', ['record'], /missing required argument 'handle'/],
    [
      'a bad setting',
      ['config', 'check', '--max-hold', '5'],
      /^livestow: --max-hold: maxHold: "5" is not a duration/,
    ],
    ['a bad store', ['config', 'check', '--store', 'ftp://x'], /^livestow: .*store/],
    [
      'a bad media host',
      ['config', 'check', '--media-hosts', 'http://x/'],
      /^livestow: --media-hosts: mediaHosts: .*\("http:\/\/x\/" is not a host\)/,
    ],
  ])('%s is exit 2, said on standard error', async (_what, args, said) => {
    const { exitCode, stdout, stderr } = await folder.run(args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(said);
  });

  // What a handle may be is tested in test/model.
  test.each(['..', 'a/b', ''])('the handle %j is exit 2 before anything is done', async (handle) => {
    const apart = await CliFolder.make();
    const { exitCode, stdout } = await apart.run(['record', '--no-wait', '--', handle]);
    expect({ exitCode, stdout, made: await readdir(apart.path) }).toEqual({
      exitCode: 2,
      stdout: '',
      made: [],
    });
    await apart[Symbol.asyncDispose]();
  });

  test.each([[['--help']], [['record', '--help']], [['help', 'config']]])(
    '%j is exit 0, on standard output',
    async (args) => {
      const { exitCode, stdout, stderr } = await folder.run(args);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
      expect(stdout).toMatch(/^Usage: livestow/);
    },
  );

  test('every command of the help has a description, and help of its own', async () => {
    const { stdout } = await folder.run(['--help']);
    const names = stdout.match(/^ {2}[a-z]+(?= .*\S)/gm)?.map((line) => line.trim()) ?? [];
    expect(names).toEqual(expect.arrayContaining(['record', 'config', 'doctor', 'sandbox']));
  });

  test('--version is that of the package', async () => {
    const { version } = JSON.parse(
      await readFile(new URL('../../package.json', import.meta.url), 'utf8'),
    ) as { version: string };
    expect((await folder.run(['--version'])).stdout).toBe(version);
  });
});

describe('config', () => {
  test('init writes the example once; check reads it', async () => {
    const apart = await CliFolder.make();
    expect(await apart.run(['config', 'init'])).toMatchObject({ exitCode: 0, stdout: 'wrote livestow.yaml' });
    expect(await apart.run(['config', 'init'])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/exists already\n {2}--force/),
    });
    expect(await apart.run(['config', 'init', '--force'])).toMatchObject({ exitCode: 0 });
    const { stdout } = await apart.run(['config', 'check', '--uploads', '3', '--json'], {
      LIVESTOW_API_KEY: 'sfk_canary12',
    });
    expect(stdout).not.toContain('canary');
    expect(JSON.parse(stdout)).toMatchObject({
      ok: true,
      file: join(apart.path, 'livestow.yaml'),
      settings: expect.arrayContaining([
        { key: 'apiKey', value: '[redacted]', from: 'LIVESTOW_API_KEY', hides: null },
        {
          key: 'uploads',
          value: '3',
          from: '--uploads',
          hides: expect.stringMatching(/livestow\.yaml:\d+$/),
        },
        { key: 'maxHold', value: '30m', from: expect.stringMatching(/livestow\.yaml:\d+$/), hides: null },
      ]),
    });
    await apart[Symbol.asyncDispose]();
  });

  test('schema is JSON Schema that names every key and refuses others', async () => {
    const schema: unknown = JSON.parse((await folder.run(['config', 'schema'])).stdout);
    expect(schema).toMatchObject({
      $schema: expect.stringContaining('json-schema.org'),
      additionalProperties: false,
      properties: { segmentDuration: { default: '6s' }, ranking: { type: 'object' } },
    });
  });
});

describe('a reader that went away', () => {
  test('does not make a command fail', async () => {
    const child = spawn(process.execPath, [MAIN, 'config', 'schema'], {
      cwd: folder.path,
      env: folder.environment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.destroy();
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    expect([...(await once(child, 'close')), stderr]).toEqual([0, null, '']);
  });
});

/** A command that runs until it is told to stop; with nobody live it needs next to no media. */
async function sandbox(command: readonly string[]) {
  const nobody = join(folder.path, 'nobody.json');
  await writeFile(nobody, '{}');
  const [program = '', ...args] = command;
  const child = spawn(program, [...args, 'sandbox', nobody, '--json'], {
    cwd: folder.path,
    env: folder.environment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  return { child, exited, said: JSON.parse(line) as { apiUrl: string } };
}

describe('signals', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 0],
  ] as const)('%s ends a running command cleanly with exit %d', async (signal, code) => {
    const { child, exited } = await sandbox([process.execPath, MAIN]);
    child.kill(signal);
    expect(await exited).toEqual([code, null]);
  });

  test("scripts/livestow is the process of the command: what is sent to it arrives, its exit code is the command's", async () => {
    const script = fileURLToPath(new URL('../../scripts/livestow', import.meta.url));
    const { child, exited, said } = await sandbox([script]);
    expect((await fetch(said.apiUrl)).status).toBeGreaterThan(0);
    child.kill('SIGINT');
    expect(await exited).toEqual([130, null]);
    await expect(fetch(said.apiUrl)).rejects.toThrow();
  });

  test('a second signal stops at once', async () => {
    const fixture = fileURLToPath(new URL('../fixtures/never-stops.ts', import.meta.url));
    const child = spawn(process.execPath, [fixture], { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const exited = once(child, 'exit');
    expect((await lines.next()).value).toBe('ready');
    child.kill('SIGTERM');
    expect((await lines.next()).value).toBe('drain');
    child.kill('SIGINT');
    expect(await exited).toEqual([130, null]);
  });
});
