import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, watch, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { decodeManifest } from '../../src/layout/manifest.ts';
import { buildSession, LANDSCAPE, tempStore, type BuiltSession, type TempStore } from './fixture.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const SECOND = 'segments/0001-0001-000002.ts';
const DAY = 86_400_000;
const T = Date.UTC(2026, 10, 22, 14, 3, 7);

let temp: TempStore;
let alice: BuiltSession;
let bob: BuiltSession;
let folder: string;
beforeAll(async () => {
  temp = await tempStore();
  alice = await buildSession(temp.store, { foundAtMs: T });
  bob = await buildSession(temp.store, {
    handle: 'bob',
    foundAtMs: T + DAY,
    epochs: [LANDSCAPE],
    state: 'recording',
    title: 'red \u001B[31m and \u202Eturned',
  });
});
afterAll(() => temp[Symbol.asyncDispose]());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'livestow-cli-'));
  return () => rm(folder, { recursive: true, force: true });
});

const start = (args: string[], env: Record<string, string> = {}) =>
  execa(process.execPath, [MAIN, ...args, '--store', temp.root], { cwd: folder, reject: false, env });
const livestow = async (...args: string[]) => {
  const { stdout, stderr, exitCode } = await start(args);
  return { stdout, stderr, exitCode };
};

describe('ls', () => {
  test('text', async () => {
    const { stdout, exitCode } = await livestow('ls');
    const [heading, first, second, ...more] = stdout.split('\n');
    expect(heading).toMatch(/^SESSION +CREATOR +FOUND/);
    expect(first).toMatch(
      new RegExp(`^${bob.session} +@bob +2026-11-23 14:03:07 +0:04 .* KiB +66\\.6 % +1  unsealed$`),
    );
    expect(second).toMatch(new RegExp(`^${alice.session} .* sealed$`));
    expect(more).toEqual([]);
    expect(exitCode).toBe(0);
  });

  test('one JSON document a line, of one creator', async () => {
    const { stdout } = await livestow('ls', '@Alice', '--json');
    expect(stdout.split('\n').map((line) => JSON.parse(line) as unknown)).toMatchObject([
      {
        session: alice.session,
        handle: 'alice',
        state: 'sealed',
        segments: 5,
        recordedMs: 10_000,
        problem: null,
      },
    ]);
  });

  test('nothing', async () => {
    expect(await livestow('ls', 'carol', '--json')).toMatchObject({ stdout: '', exitCode: 0 });
    expect(await livestow('ls', 'carol')).toMatchObject({
      stdout: '',
      exitCode: 0,
      stderr: expect.stringContaining('@carol'),
    });
  });

  test('no handle', async () => {
    expect((await livestow('ls', '../x')).exitCode).toBe(2);
  });
});

describe('show', () => {
  test('JSON is the manifest', async () => {
    const { stdout } = await livestow('show', '@alice', '--json');
    expect(decodeManifest(stdout, 'stdout')).toEqual(alice.manifest);
  });

  test('text names epochs, gaps, coverage, credits and files', async () => {
    const { stdout, exitCode } = await livestow('show', alice.session);
    for (const text of [
      '320x180',
      'found-late',
      '83.3 %',
      '2 for 2 lookups',
      'room.json',
      'sealed',
      'room-ended',
    ]) {
      expect(stdout).toContain(text);
    }
    expect(exitCode).toBe(0);
  });

  test('a title cannot move the cursor or turn the line', async () => {
    const { stdout } = await livestow('show', '@bob');
    expect(stdout).toContain('red  [31m and  turned');
    expect(stdout).not.toContain('\u001B');
    expect(stdout).not.toContain('\u202E');
  });

  test.each([
    ['@carol', 10],
    ['20990101', 10],
    ['2026', 2],
    ['../etc', 2],
    ['@..', 2],
  ])('%s: exit %i', async (session, code) => {
    const { exitCode, stderr, stdout } = await livestow('show', session);
    expect(exitCode).toBe(code);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^livestow: /);
  });
});

describe('verify', () => {
  test('everything: exit 0', async () => {
    const { stdout, exitCode, stderr } = await livestow('verify');
    expect(stdout.split('\n')).toEqual([
      expect.stringContaining(`@bob ${bob.session}: ok, not sealed (2 segments, 60 pictures`),
      expect.stringContaining(`@alice ${alice.session}: ok (5 segments, 150 pictures`),
    ]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  });

  test('damage: exit 3, with what is damaged', async () => {
    await using other = await tempStore();
    const built = await buildSession(other.store);
    const path = join(other.root, built.prefix, SECOND);
    const bytes = await readFile(path);
    bytes[500] = (bytes[500] ?? 0) ^ 1;
    await writeFile(path, bytes);
    const verify = async (...args: string[]) =>
      execa(process.execPath, [MAIN, 'verify', ...args, '--store', other.root], {
        cwd: folder,
        reject: false,
      });
    expect(await verify('--quick')).toMatchObject({ exitCode: 0 });
    expect(await verify('--no-decode')).toMatchObject({
      exitCode: 3,
      stdout: expect.stringContaining(`! altered ${SECOND}`),
    });
    const { stdout, exitCode } = await verify('@alice', '--json');
    expect(exitCode).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      findings: [{ kind: 'altered', key: SECOND, damage: true }],
    });
  });

  test('without ffmpeg it says what to do; without decoding it needs none', async () => {
    const env = { PATH: '/nonexistent', LIVESTOW_FFMPEG: '/nonexistent/ffmpeg' };
    const without = await start(['verify'], env);
    expect(without.exitCode).toBe(1);
    expect(without.stderr).toContain('ffmpeg');
    expect((await start(['verify', '--no-decode'], env)).exitCode).toBe(0);
  });
});

describe('export', () => {
  test('makes the file and says so', async () => {
    const { stdout, exitCode, stderr } = await livestow('export', '@alice', '-o', 'tea.mp4');
    expect(stdout).toMatch(new RegExp(`^${folder}/tea\\.mp4  h264  0:10  `));
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(await readdir(folder)).toEqual(['tea.mp4']);
    expect(await livestow('export', '@alice', '-o', 'tea.mp4')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('--force'),
    });
    const again = await livestow('export', '@alice', '-o', 'tea.mp4', '--force', '--json');
    expect(JSON.parse(again.stdout)).toMatchObject({
      files: [{ codec: 'h264', durationMs: 10_000 }],
      leftOut: [],
    });
  });

  test('without -o: exit 2', async () => {
    expect((await livestow('export', '@alice')).exitCode).toBe(2);
  });
});

describe('play', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 0],
  ] as const)('serves until %s, then exits %i', async (signal, code) => {
    const child = start(['play', '@alice']);
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    const url = /http:\/\/127\.0\.0\.1:\d+\/\S+\/index\.m3u8/.exec(line)?.[0] ?? '';
    expect(await (await fetch(url)).text()).toContain('#EXT-X-ENDLIST');
    child.kill(signal);
    expect((await child).exitCode).toBe(code);
  });

  test('what is not there is told at once', async () => {
    expect((await livestow('play', '@carol')).exitCode).toBe(10);
    expect((await livestow('play', '@alice', '--port', 'http')).exitCode).toBe(2);
  });
});

test('an export that is interrupted exits 130 and leaves nothing', async () => {
  const child = start(['export', '@alice', '-o', join(folder, 'tea.mp4')]);
  // The folder of its parts is there: it is at work.
  for await (const _ of watch(folder)) break;
  child.kill('SIGINT');
  const { exitCode } = await child;
  expect(exitCode).toBe(130);
  expect(await readdir(folder)).toEqual([]);
});

test('a variable that is no setting is told, and does no harm', async () => {
  const { stderr, exitCode } = await start(['ls'], { LIVESTOW_PORT_8080_TCP: 'tcp://10.0.0.1' });
  expect(stderr).toContain('warning: LIVESTOW_PORT_8080_TCP is not a setting of livestow and is ignored');
  expect(exitCode).toBe(0);
});

test('an archive that is not there is no empty one', async () => {
  for (const [command, store] of [
    ['ls', join(folder, 'mistyped')],
    ['verify', MAIN],
  ] as const) {
    const run = await execa(process.execPath, [MAIN, command, '--store', store], {
      cwd: folder,
      reject: false,
    });
    expect(run.exitCode).toBe(10);
    expect(run.stderr).toContain(`there is no archive in ${store}`);
  }
});

describe('reindex', () => {
  const without = ({ sealedAt: _, revision: __, ...rest }: ReturnType<typeof decodeManifest>) => rest;

  test('rebuilds a manifest that was lost, seals it, and changes nothing the second time', async () => {
    await using lost = await tempStore();
    const session = await buildSession(lost.store, { foundAtMs: T });
    const before = await readFile(join(lost.root, session.prefix, 'manifest.json'), 'utf8');
    for (const key of ['manifest.json', 'summary.json', 'index.m3u8'])
      await rm(join(lost.root, session.prefix, key));
    await rm(join(lost.root, 'index'), { recursive: true });
    await lost.store.put(`index/sessions/20260101T000000Z-1~gone.json`, { bytes: Buffer.from('{}') });
    const reindex = () => execa(process.execPath, [MAIN, 'reindex', '--store', lost.root], { cwd: folder });
    const first = await reindex();
    expect(first.stdout.split('\n')).toEqual([
      `@alice ${session.session}: manifest rebuilt from the journals, sealed`,
      '1 session, 1 rebuilt, 0 mended, 1 stale index entries removed',
    ]);
    const after = await readFile(join(lost.root, session.prefix, 'manifest.json'), 'utf8');
    expect(without(decodeManifest(after, 'after'))).toEqual(without(decodeManifest(before, 'before')));
    const verify = await execa(process.execPath, [MAIN, 'verify', '--store', lost.root], { cwd: folder });
    expect(verify.stdout).toContain(': ok (');
    expect((await reindex()).stdout).toBe('1 session, 0 rebuilt, 0 mended');
    expect(await readFile(join(lost.root, session.prefix, 'manifest.json'), 'utf8')).toBe(after);
  });

  test('a segment that is gone becomes a gap of what is rebuilt', async () => {
    await using lost = await tempStore();
    const session = await buildSession(lost.store, { foundAtMs: T });
    await writeFile(join(lost.root, session.prefix, 'manifest.json'), '{"format":"livestow/1"');
    await rm(join(lost.root, session.prefix, SECOND));
    const { stdout } = await execa(process.execPath, [MAIN, 'reindex', '--json', '--store', lost.root], {
      cwd: folder,
    });
    expect(JSON.parse(stdout)).toMatchObject({ outcome: 'rebuilt', sealed: true, lost: 1 });
    const text = await readFile(join(lost.root, session.prefix, 'manifest.json'), 'utf8');
    const { segments, gaps } = decodeManifest(text, 'manifest.json');
    expect(segments.map(({ key }) => key)).not.toContain(SECOND);
    expect(gaps.map(({ cause }) => cause)).toEqual(['found-late', 'lost-locally']);
  });

  test('an unsealed session gets its manifest and stays unsealed; a sealed one is left alone', async () => {
    await using two = await tempStore();
    const open = await buildSession(two.store, { handle: 'bob', foundAtMs: T, state: 'crashed' });
    const sealed = await buildSession(two.store, { foundAtMs: T });
    const path = join(two.root, sealed.prefix, 'manifest.json');
    const before = await readFile(path, 'utf8');
    const { stdout } = await execa(process.execPath, [MAIN, 'reindex', '--store', two.root], { cwd: folder });
    expect(stdout).toContain(`@bob ${open.session}: manifest rebuilt from the journals\n`);
    expect(await readFile(path, 'utf8')).toBe(before);
  });
});
