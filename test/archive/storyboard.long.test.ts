/** Storyboards and posters of what is in a bucket: which picture is where, and what it takes to make them. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makePosterOf, makeStoryboard, type Storyboard } from '../../src/archive/storyboard.ts';
import { MOST_PICTURES, planStoryboard, thumbnailTrack } from '../../src/archive/storyboard-plan.ts';
import { foldSession } from '../../src/layout/fold.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { epochOf, segmentOf, term } from '../layout/sample.ts';
import { greyOf, numberIn, tilesOf } from '../support/storyboard.ts';
import { buildSession, tempStore, type BuiltSession, type SessionSpec, type TempStore } from './fixture.ts';
import { FPS } from './media.ts';

const TALL = { width: 360, height: 640, seconds: 6, numbered: true };
const WIDE = { width: 640, height: 360, seconds: 4, numbered: true };
const options = { ffmpegPath: 'ffmpeg' };

let temp: TempStore;
beforeAll(async () => {
  temp = await tempStore();
});
afterAll(() => temp[Symbol.asyncDispose]());

let rooms = 0;
const build = (spec: SessionSpec): Promise<BuiltSession> =>
  buildSession(temp.store, { roomId: `r${++rooms}`, ...spec });
const pathOf = (built: BuiltSession, key: string): string => join(temp.root, built.prefix, key);

/** What each tile shows, as picture numbers; undefined where none can be read. */
async function numbersOf(
  { jpg, vtt }: Storyboard,
  { manifest }: BuiltSession,
): Promise<(number | undefined)[]> {
  const sheet = await greyOf(jpg);
  const sizes = manifest.segments.map((segment) =>
    manifest.epochs.find(({ epoch }) => epoch === segment.epoch)!,
  );
  let atMs = 0;
  const begins = manifest.segments.map(({ durationMs }) => (atMs += durationMs) - durationMs);
  return tilesOf(vtt).map((tile) => numberIn(sheet, tile, sizes[begins.indexOf(tile.fromMs)]!));
}

/** A store that notes what is read, and takes nothing. */
class WatchedStore extends DirectoryStore {
  readonly reads: { key: string; start: number; end: number }[] = [];
  readonly #onStream: (key: string) => void;

  constructor(root: string, onStream: (key: string) => void = () => {}) {
    super(root);
    this.#onStream = onStream;
  }

  override async get(key: string, read: Parameters<DirectoryStore['get']>[1] = {}) {
    this.reads.push({ key, start: read.range?.start ?? 0, end: read.range?.end ?? Infinity });
    const stream = await super.get(key, read);
    this.#onStream(key);
    return stream;
  }

  override put(): never {
    throw new Error('nothing is written');
  }

  override delete(): never {
    throw new Error('nothing is removed');
  }
}

/** Stuffing behind the first packets (ISO/IEC 13818-1 2.4.1), more than is fetched at first. */
function padded(_: string, bytes: Buffer): Buffer {
  const packet = Buffer.alloc(188, 0xff);
  packet.write('471fff10', 'hex');
  return Buffer.concat([
    bytes.subarray(0, 3 * 188),
    ...Array.from({ length: 2500 }, () => packet),
    bytes.subarray(3 * 188),
  ]);
}

/** The second segment's keyframe says that it is made of others, which no decoder believes. */
function undecodableSecond(key: string, bytes: Buffer): Buffer {
  if (!key.endsWith('-000002.ts')) return bytes;
  const altered = Buffer.from(bytes);
  const slice = altered.indexOf(Buffer.from('00000165', 'hex')) + 4;
  altered.fill(0xff, slice, slice + 3);
  return altered;
}

describe('a storyboard', () => {
  const numbers = [0, 2, 4, 6, 8].map((second) => second * FPS);
  test.each<[string, SessionSpec]>([
    ['H.264 in MPEG-TS', { epochs: [TALL, WIDE] }],
    [
      'H.265 in fragmented MP4',
      {
        epochs: [
          { ...TALL, codec: 'h265' },
          { ...WIDE, codec: 'h265' },
        ],
      },
    ],
    ['a change of codec in MPEG-TS', { epochs: [TALL, { ...WIDE, codec: 'h265' }], container: 'mpegts' }],
    [
      'a change of codec in fragmented MP4',
      { epochs: [{ ...TALL, codec: 'h265' }, WIDE], container: 'fmp4' },
    ],
    ['a session that is not sealed', { epochs: [TALL, WIDE], state: 'crashed' }],
  ])('shows each segment’s first picture: %s', async (_, spec) => {
    const built = await build(spec);
    const made = (await makeStoryboard(temp.store, built, options))!;
    expect(await numbersOf(made, built)).toEqual(numbers);
    const tiles = tilesOf(made.vtt);
    expect(tiles.map(({ fromMs }) => fromMs)).toEqual([0, 2000, 4000, 6000, 8000]);
    expect(tiles.at(-1)!.toMs).toBeCloseTo(10_000, -2);
    expect(
      tiles.every(
        ({ image, width, height }) => image === 'storyboard.jpg' && width === 160 && height === 284,
      ),
    ).toBe(true);
    expect(await greyOf(made.jpg)).toMatchObject({ width: 800, height: 284 });
  });

  test('takes its shape from most of the session, and fits the rest into it', async () => {
    const built = await build({
      epochs: [
        { ...TALL, seconds: 4 },
        { ...WIDE, seconds: 6 },
      ],
    });
    const made = (await makeStoryboard(temp.store, built, options))!;
    expect(tilesOf(made.vtt)[0]).toMatchObject({ width: 160, height: 90 });
    // Of a tall picture in so small a tile no number can be read.
    expect((await numbersOf(made, built)).slice(2)).toEqual([4, 6, 8].map((second) => second * FPS));
  });

  test('costs one read of a segment’s beginning, and writes nothing', async () => {
    const built = await build({ epochs: [{ ...TALL, codec: 'h265' }] });
    const store = new WatchedStore(temp.root);
    await makeStoryboard(store, built, options);
    const media = store.reads.filter(({ key }) => key.includes('/segments/'));
    expect(media.map(({ key }) => key.slice(built.prefix.length)).sort()).toEqual(
      ['segments/0001-0001-init.mp4', ...built.manifest.segments.map(({ key }) => key)].sort(),
    );
    expect(store.reads.length - media.length).toBe(1);
  });

  test('reads on where a keyframe is larger than what was fetched, and no byte twice', async () => {
    const built = await build({ epochs: [{ width: 1920, height: 1080, seconds: 2 }], spoil: padded });
    const store = new WatchedStore(temp.root);
    expect(await makeStoryboard(store, built, options)).toBeDefined();
    const [first, second] = store.reads.filter(({ key }) => key.includes('/segments/'));
    expect(first!.start).toBe(0);
    expect(second!.start).toBe(first!.end + 1);
  });

  test('does without what is damaged or gone', async () => {
    const built = await build({ epochs: [{ ...TALL, seconds: 8 }] });
    const [, second, third] = built.manifest.segments;
    await rm(pathOf(built, second!.key));
    await writeFile(pathOf(built, third!.key), 'not media at all');
    const made = (await makeStoryboard(temp.store, built, options))!;
    expect(await numbersOf(made, built)).toEqual([0, 6 * FPS]);
    expect(tilesOf(made.vtt).map(({ fromMs, toMs }) => [fromMs, toMs])).toEqual([
      [0, 6000],
      [6000, 8000],
    ]);
  });

  test('leaves a keyframe out that no decoder takes, and no other takes its place', async () => {
    const built = await build({ epochs: [{ ...TALL, seconds: 8 }], spoil: undecodableSecond });
    const made = (await makeStoryboard(temp.store, built, options))!;
    expect(await numbersOf(made, built)).toEqual([0, 4 * FPS, 6 * FPS]);
  });

  test('is none where there are no pictures, or none can be had', async () => {
    const built = await build({ epochs: [TALL] });
    for (const { key } of built.manifest.segments) await rm(pathOf(built, key));
    expect(await makeStoryboard(temp.store, built, options)).toBeUndefined();
    expect(await makePosterOf(temp.store, built, options)).toBeUndefined();
  });

  test('ends with its signal’s reason', async () => {
    const built = await build({ epochs: [TALL] });
    const reason = new Error('enough');
    const making = makeStoryboard(temp.store, built, { ...options, signal: AbortSignal.abort(reason) });
    await expect(making).rejects.toBe(reason);
  });

  test('ends with it in the middle of a read, too', async () => {
    const built = await build({ epochs: [TALL] });
    const stop = new AbortController();
    const reason = new Error('enough');
    const store = new WatchedStore(temp.root, (key) => {
      if (key.endsWith('.ts')) stop.abort(reason);
    });
    await expect(makeStoryboard(store, built, { ...options, signal: stop.signal })).rejects.toBe(reason);
  });

  test('says that there is no ffmpeg', async () => {
    const built = await build({ epochs: [TALL] });
    const making = makeStoryboard(temp.store, built, { ffmpegPath: '/nowhere/ffmpeg' });
    await expect(making).rejects.toMatchObject({ code: 'FFMPEG_MISSING' });
  });
});

describe('a poster on demand', () => {
  test.each(['h264', 'h265'] as const)('is the first picture, of %s', async (codec) => {
    const built = await build({ epochs: [{ ...TALL, codec }] });
    const sheet = await greyOf((await makePosterOf(temp.store, built, options))!);
    expect(sheet).toMatchObject({ width: 360, height: 640 });
    const whole = { fromMs: 0, toMs: 0, image: '', x: 0, y: 0, width: 360, height: 640 };
    expect(numberIn(sheet, whole, TALL)).toBe(0);
  });

  test('is a later one where the first is gone', async () => {
    const built = await build({ epochs: [TALL] });
    await rm(pathOf(built, built.manifest.segments[0]!.key));
    expect(await makePosterOf(temp.store, built, options)).toBeInstanceOf(Buffer);
  });
});

describe('the plan', () => {
  const planned = (segments: number, changes: Partial<Manifest> = {}) =>
    planStoryboard({
      ...foldSession([term(1)], 1).manifest,
      epochs: [epochOf(1, 1)],
      segments: Array.from({ length: segments }, (_, i) => segmentOf(1, 1, i + 1)),
      ...changes,
    });

  test.each([1, 2, 99, 100, 101, 250, 14_400])('of %i segments is bounded and even', (segments) => {
    const { moments, totalMs } = planned(segments)!;
    expect(moments.length).toBe(Math.min(segments, MOST_PICTURES));
    expect(moments[0]!.atMs).toBe(0);
    const ends = [...moments.slice(1).map(({ atMs }) => atMs), totalMs];
    const steps = moments.map(({ atMs }, i) => ends[i]! - atMs);
    expect(Math.max(...steps) - Math.min(...steps)).toBeLessThanOrEqual(6000);
  });

  test('passes over sound without pictures, whose time counts', () => {
    const segments = [segmentOf(1, 1, 1), segmentOf(1, 1, 2, { pictures: 0 }), segmentOf(1, 1, 3)];
    const { moments, totalMs } = planned(3, { segments })!;
    expect(moments.map(({ atMs }) => atMs)).toEqual([0, 12_000]);
    expect(totalMs).toBe(18_000);
    expect(planned(1, { segments: [segments[1]!] })).toBeUndefined();
    expect(planned(0)).toBeUndefined();
  });

  test('no shape of a broadcast makes tiles without bound', () => {
    const tileOf = (width: number, height: number) =>
      planned(1, { epochs: [epochOf(1, 1, { width, height })] })!.tile;
    expect(tileOf(1080, 1920)).toEqual({ width: 160, height: 284 });
    expect(tileOf(10, 4000)).toEqual({ width: 160, height: 320 });
    expect(tileOf(4000, 10)).toEqual({ width: 160, height: 2 });
    expect(tileOf(0, 0)).toEqual({ width: 160, height: 160 });
  });

  test('a track goes row by row, over days', () => {
    const atMs = Array.from({ length: 12 }, (_, i) => i * 10_000_000);
    const tiles = tilesOf(
      thumbnailTrack('sheet.jpg', atMs, { tile: { width: 160, height: 90 }, totalMs: 125_000_123 }),
    );
    expect(tiles[11]).toMatchObject({ fromMs: 110_000_000, toMs: 125_000_123, x: 160, y: 90 });
    expect(tiles.map(({ x, y }) => `${x},${y}`)).toHaveLength(
      new Set(tiles.map(({ x, y }) => `${x},${y}`)).size,
    );
  });
});
