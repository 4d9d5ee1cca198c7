import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { planExport } from '../../src/archive/export-plan.ts';
import { exportSession, type Export, type ExportOptions } from '../../src/archive/export.ts';
import { epochOf, segmentOf } from '../layout/sample.ts';
import {
  buildSession,
  LANDSCAPE,
  PORTRAIT,
  tempStore,
  type BuiltSession,
  type TempStore,
} from './fixture.ts';

let temp: TempStore;
let folder: string;
beforeAll(async () => {
  temp = await tempStore();
});
afterAll(() => temp[Symbol.asyncDispose]());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'livestow-export-'));
  return () => rm(folder, { recursive: true, force: true });
});

let rooms = 0;
const build = (spec: Parameters<typeof buildSession>[1] = {}): Promise<BuiltSession> =>
  buildSession(temp.store, { roomId: `r${++rooms}`, ...spec });
const run = (built: BuiltSession, options: Partial<ExportOptions> = {}): Promise<Export> =>
  exportSession(temp.store, built, {
    out: join(folder, 'tea.mp4'),
    force: false,
    ffmpegPath: 'ffmpeg',
    ...options,
  });

interface Decoded {
  /** Of each picture, in order: what it shows. */
  pictures: string[];
  audioFrames: number;
}

/** What a decoder makes of a file, or of segments behind one another. */
async function decoded(path: string, input?: Buffer): Promise<Decoded> {
  // Segments that are merely put behind one another count their packets anew, which is an error to a strict reader.
  const from = input ? ['-i', 'pipe:0'] : ['-xerror', '-i', path];
  const { stdout } = await execa(
    'ffmpeg',
    [
      ...'-nostdin -v error'.split(' '),
      ...from,
      ...'-fps_mode passthrough -autoscale 0 -f framemd5 -'.split(' '),
    ],
    input ? { input } : {},
  );
  const lines = stdout
    .split('\n')
    .filter((line) => /^\d/.test(line))
    .map((line) => line.split(/,\s*/));
  return {
    pictures: lines.filter(([stream]) => stream === '0').map((fields) => fields.at(-1) ?? ''),
    audioFrames: lines.filter(([stream]) => stream === '1').length,
  };
}

async function recorded(built: BuiltSession): Promise<Decoded[]> {
  return Promise.all(
    built.manifest.epochs.map(async ({ epoch, init }) => {
      const keys = built.manifest.segments.filter((segment) => segment.epoch === epoch).map(({ key }) => key);
      const parts = [...(init === null ? [] : [init]), ...keys];
      return decoded(
        '',
        Buffer.concat(await Promise.all(parts.map((key) => readFile(join(temp.root, built.prefix, key))))),
      );
    }),
  );
}

async function durationOf(path: string): Promise<number> {
  const { stdout } = await execa('ffprobe', [
    '-v',
    'error',
    '-show_entries',
    'format=duration',
    '-of',
    'csv=p=0',
    path,
  ]);
  return Number(stdout);
}

describe('one file', () => {
  test('of epochs of two sizes: every picture, in order, once, as long as what was recorded', async () => {
    const built = await build();
    const done: number[] = [];
    const result = await run(built, { onProgress: (part) => done.push(part) });
    const path = join(folder, 'tea.mp4');
    expect(result).toMatchObject({
      sealed: true,
      leftOut: [],
      files: [{ path, codec: 'h264', epochs: 2, durationMs: 10_000 }],
    });
    const [first, second] = await recorded(built);
    const exported = await decoded(path);
    expect(exported.pictures).toEqual([...(first?.pictures ?? []), ...(second?.pictures ?? [])]);
    expect(exported.audioFrames).toBe((first?.audioFrames ?? 0) + (second?.audioFrames ?? 0));
    expect(await durationOf(path)).toBeCloseTo(10, 0);
    expect(await readdir(folder)).toEqual(['tea.mp4']);
    expect(done).toEqual(done.toSorted((a, b) => a - b));
    expect(done.at(-1)).toBe(1);
  });

  test('of h265 in fragmented MP4', async () => {
    const built = await build({ epochs: [{ ...LANDSCAPE, codec: 'h265' }] });
    await run(built);
    expect((await decoded(join(folder, 'tea.mp4'))).pictures).toEqual((await recorded(built))[0]?.pictures);
    const { stdout } = await execa('ffprobe', [
      '-v',
      'error',
      '-show_entries',
      'stream=codec_tag_string',
      '-of',
      'csv=p=0',
      join(folder, 'tea.mp4'),
    ]);
    expect(stdout).toContain('hvc1');
  });

  test('of a session that is still being recorded', async () => {
    expect(await run(await build({ state: 'recording' }))).toMatchObject({
      sealed: false,
      files: [{ durationMs: 10_000 }],
    });
  });
});

describe('a change of codec', () => {
  test('begins another file', async () => {
    const built = await build({
      epochs: [PORTRAIT, { ...LANDSCAPE, codec: 'h265' }, LANDSCAPE, PORTRAIT],
      container: 'fmp4',
    });
    const { files } = await run(built);
    expect(files.map(({ path, codec, epochs }) => [path.slice(folder.length + 1), codec, epochs])).toEqual([
      ['tea.mp4', 'h264', 1],
      ['tea-2.mp4', 'h265', 1],
      ['tea-3.mp4', 'h264', 2],
    ]);
    const pictures = await Promise.all(files.map(async ({ path }) => (await decoded(path)).pictures.length));
    expect(pictures).toEqual([90, 60, 150]);
    expect((await readdir(folder)).toSorted()).toEqual(['tea-2.mp4', 'tea-3.mp4', 'tea.mp4']);
  });

  test.each([
    ['/a/b.mp4', ['/a/b.mp4', '/a/b-2.mp4']],
    ['b', ['b', 'b-2']],
    ['b.c.mp4', ['b.c.mp4', 'b.c-2.mp4']],
  ])('%s', async (out, expected) => {
    const epochs = [epochOf(1, 1), epochOf(1, 2), epochOf(1, 3, { codec: 'h265' })];
    const segments = [segmentOf(1, 1, 1), segmentOf(1, 2, 1), segmentOf(1, 3, 1)];
    const built = await build({ epochs: [LANDSCAPE] });
    const sessions = [{ ref: built, manifest: { ...built.manifest, epochs, segments } }];
    expect(planExport(sessions, out).map(({ path }) => path)).toEqual(expected);
  });
});

describe('damage', () => {
  test('is left out and named, and the rest is exported', async () => {
    const built = await build();
    await rm(join(temp.root, built.prefix, 'segments/0001-0001-000002.ts'));
    await writeFile(join(temp.root, built.prefix, 'segments/0001-0002-000001.ts'), 'x');
    const { files, leftOut } = await run(built);
    expect(leftOut).toMatchObject([
      { kind: 'missing', key: 'segments/0001-0001-000002.ts' },
      { kind: 'truncated', key: 'segments/0001-0002-000001.ts' },
    ]);
    expect(files).toMatchObject([{ durationMs: 6000 }]);
    expect((await decoded(join(folder, 'tea.mp4'))).pictures).toHaveLength(90);
    expect(await durationOf(join(folder, 'tea.mp4'))).toBeCloseTo(6, 0);
  });

  test('of everything leaves no file', async () => {
    const built = await build({ epochs: [{ ...LANDSCAPE, codec: 'h265' }] });
    await rm(join(temp.root, built.prefix, 'segments/0001-0001-init.mp4'));
    expect(await run(built)).toMatchObject({ files: [], leftOut: [{ kind: 'missing' }] });
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('what is in the way', () => {
  const digest = async (path: string): Promise<string> =>
    createHash('sha1')
      .update(await readFile(path))
      .digest('hex');

  test('is not overwritten unless that is asked for', async () => {
    const built = await build({ epochs: [LANDSCAPE] });
    const path = join(folder, 'tea.mp4');
    await writeFile(path, 'mine');
    await expect(run(built)).rejects.toMatchObject({
      code: 'USAGE',
      hint: expect.stringContaining('--force'),
    });
    expect(await readFile(path, 'utf8')).toBe('mine');
    await run(built, { force: true });
    expect(await digest(path)).not.toBe(createHash('sha1').update('mine').digest('hex'));
  });

  test('a later file is seen before anything is done', async () => {
    const built = await build({ epochs: [LANDSCAPE, { ...LANDSCAPE, codec: 'h265' }], container: 'fmp4' });
    await writeFile(join(folder, 'tea-2.mp4'), 'mine');
    await expect(run(built)).rejects.toMatchObject({ code: 'USAGE' });
    expect(await readdir(folder)).toEqual(['tea-2.mp4']);
  });

  test('a folder, and one that is not there', async () => {
    const built = await build({ epochs: [LANDSCAPE] });
    await mkdir(join(folder, 'tea.mp4'));
    await expect(run(built, { force: true })).rejects.toMatchObject({ code: 'USAGE' });
    await expect(run(built, { out: join(folder, 'no', 'tea.mp4') })).rejects.toMatchObject({ code: 'USAGE' });
  });
});

describe('stopping', () => {
  test.each([
    ['while it fetches', 0],
    ['while it writes', 0.5],
  ])('%s leaves nothing behind and gives the reason', async (_, from) => {
    const stop = new AbortController();
    const reason = new Error('enough');
    const onProgress = (done: number): void => {
      if (done >= from) stop.abort(reason);
    };
    await expect(run(await build(), { onProgress, signal: stop.signal })).rejects.toBe(reason);
    expect(await readdir(folder)).toEqual([]);
  });
});
