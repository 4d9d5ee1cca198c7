/** A session in a local folder: as it lies in the archive, checked, playable by itself, and gone on with where it broke off. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { downloadSession, type DownloadOptions } from '../../src/archive/download.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import {
  buildSession,
  LANDSCAPE,
  PORTRAIT,
  tempStore,
  type BuiltSession,
  type TempStore,
} from './fixture.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const FIRST = 'segments/0001-0001-000001.ts';
const SECOND = 'segments/0001-0001-000002.ts';

let temp: TempStore;
let alice: BuiltSession;
let into: string;
beforeAll(async () => {
  temp = await tempStore();
  alice = await buildSession(temp.store, { epochs: [PORTRAIT, LANDSCAPE] });
});
afterAll(() => temp[Symbol.asyncDispose]());
beforeEach(async () => {
  into = await mkdtemp(join(tmpdir(), 'livestow-download-'));
  return () => rm(into, { recursive: true, force: true });
});

/** Keys that were read. */
class WatchedStore extends DirectoryStore {
  readonly reads: string[] = [];

  override async get(key: string, options?: Parameters<DirectoryStore['get']>[1]) {
    this.reads.push(key);
    return super.get(key, options);
  }
}

const filesIn = async (folder: string): Promise<string[]> =>
  (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();

const download = (built: BuiltSession, options: Partial<DownloadOptions> = {}, store = temp.store) =>
  downloadSession(store, built, { into, ...options });

async function picturesOf(playlist: string): Promise<number> {
  const { stdout } = await execa(
    'ffprobe',
    [
      '-v',
      'error',
      '-count_packets',
      '-select_streams',
      'v',
      '-show_entries',
      'stream=nb_read_packets',
    ].concat(['-of', 'csv=p=0', playlist]),
  );
  return Number.parseInt(stdout, 10);
}

test('is what lies in the archive, byte for byte, and plays by itself', async () => {
  const progress: number[] = [];
  const { folder, ...rest } = await download(alice, { onProgress: (done) => progress.push(done) });
  const there = join(temp.root, alice.prefix);
  expect(folder).toBe(join(into, alice.session));
  expect(await filesIn(folder)).toEqual(await filesIn(there));
  for (const key of await filesIn(there))
    expect((await readFile(join(folder, key))).equals(await readFile(join(there, key))), key).toBe(true);
  const { segments, files } = alice.manifest;
  const bytes = [...segments, ...files].reduce((sum, each) => sum + each.bytes, 0);
  expect(rest).toEqual({
    handle: 'alice',
    session: alice.session,
    sealed: true,
    objects: segments.length + files.length,
    bytes,
    fetchedBytes: bytes,
    damaged: [],
  });
  expect(progress.at(-1)).toBe(1);
  expect(progress).toEqual(progress.toSorted((a, b) => a - b));
  expect(await picturesOf(join(folder, 'index.m3u8'))).toBe(150);
});

test('H.265 with its init segment', async () => {
  const built = await buildSession(temp.store, { roomId: 'h265', epochs: [{ ...LANDSCAPE, codec: 'h265' }] });
  const { folder, damaged } = await download(built);
  expect(damaged).toEqual([]);
  expect(await filesIn(folder)).toContain('segments/0001-0001-init.mp4');
  expect(await picturesOf(join(folder, 'index.m3u8'))).toBe(60);
});

describe('what is there already', () => {
  test('and right is not fetched again', async () => {
    await download(alice);
    const store = new WatchedStore(temp.root);
    const { fetchedBytes, bytes } = await download(alice, {}, store);
    expect([fetchedBytes, bytes > 0]).toEqual([0, true]);
    expect(store.reads.filter((key) => /segments|journal|room/.test(key))).toEqual([]);
  });

  test('and wrong, or cut short, is fetched again', async () => {
    const { folder } = await download(alice);
    const right = await readFile(join(folder, FIRST));
    await writeFile(join(folder, FIRST), Buffer.alloc(right.length));
    await writeFile(join(folder, SECOND), 'half');
    const store = new WatchedStore(temp.root);
    await download(alice, {}, store);
    expect((await readFile(join(folder, FIRST))).equals(right)).toBe(true);
    expect(store.reads.filter((key) => key.includes('/segments/')).sort()).toEqual(
      [FIRST, SECOND].map((key) => alice.prefix + key),
    );
  });

  test('after it was broken off is gone on with, and nothing half-written was left', async () => {
    const stop = new AbortController();
    const reason = new Error('enough');
    const broken = download(alice, { signal: stop.signal, onProgress: () => stop.abort(reason) });
    await expect(broken).rejects.toBe(reason);
    const left = await filesIn(into);
    expect(left.filter((name) => name.includes('partial'))).toEqual([]);
    const { fetchedBytes, bytes, folder } = await download(alice);
    const had = alice.manifest.segments.filter(({ key }) => left.includes(`${alice.session}/${key}`));
    expect(fetchedBytes).toBe(bytes - had.reduce((sum, segment) => sum + segment.bytes, 0));
    expect(await filesIn(folder)).toEqual(await filesIn(join(temp.root, alice.prefix)));
  });
});

test('what is damaged in the archive is named and not written', async () => {
  const built = await buildSession(temp.store, { roomId: 'damaged' });
  await rm(join(temp.root, built.prefix, FIRST));
  await writeFile(join(temp.root, built.prefix, SECOND), 'x');
  const { damaged, folder } = await download(built);
  expect(damaged.map(({ kind, key }) => `${kind} ${key}`).sort()).toEqual([
    `missing ${FIRST}`,
    `truncated ${SECOND}`,
  ]);
  expect(await filesIn(folder)).not.toEqual(expect.arrayContaining([FIRST]));
  expect(await filesIn(folder)).not.toEqual(expect.arrayContaining([SECOND]));
});

test.each(['recording', 'crashed'] as const)('of a session that is not sealed: %s', async (state) => {
  const built = await buildSession(temp.store, { roomId: state, epochs: [LANDSCAPE], state });
  const { folder, sealed } = await download(built);
  expect(sealed).toBe(false);
  const playlist = await readFile(join(folder, 'index.m3u8'), 'utf8');
  expect(playlist).toContain('#EXT-X-PLAYLIST-TYPE:EVENT');
  expect(playlist).toContain(SECOND);
});

test('into a place that is no folder: told, with what to do', async () => {
  await writeFile(join(into, alice.session), 'mine');
  await expect(download(alice)).rejects.toMatchObject({ code: 'USAGE', hint: expect.stringContaining('-o') });
  expect(await readFile(join(into, alice.session), 'utf8')).toBe('mine');
});

describe('the command', () => {
  const livestow = (...args: string[]) =>
    execa(process.execPath, [MAIN, 'download', ...args, '--store', temp.root], { cwd: into, reject: false });

  test('takes several sessions, and says one line of JSON of each', async () => {
    const bob = await buildSession(temp.store, { handle: 'bob', roomId: 'bob', epochs: [LANDSCAPE] });
    const { stdout, exitCode } = await livestow(alice.session, '@bob', '-o', 'streams', '--json');
    expect(exitCode).toBe(0);
    expect(stdout.split('\n').map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { session: alice.session, folder: join(into, 'streams', alice.session), damaged: [] },
      { session: bob.session, handle: 'bob' },
    ]);
    expect(await readdir(join(into, 'streams'))).toEqual([alice.session, bob.session].sort());
  });

  test('exits 3 for damage, 10 for nobody, before anything is fetched', async () => {
    const carol = await buildSession(temp.store, { handle: 'carol', roomId: 'carol', epochs: [LANDSCAPE] });
    await rm(join(temp.root, carol.prefix, FIRST));
    const { stderr, stdout, exitCode } = await livestow('@carol');
    expect(exitCode).toBe(3);
    expect(stderr).toContain(`damaged ${FIRST}`);
    expect(stdout).toContain(join(into, carol.session));
    expect((await livestow('@alice', '@nobody', '-o', 'other')).exitCode).toBe(10);
    expect(await readdir(into)).not.toContain('other');
  });
});
