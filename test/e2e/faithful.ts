/** What every sealed session must be, whatever happened while it was recorded. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as HLS from 'hls-parser';
import { expect } from 'vitest';
import { decodeJournal } from '../../src/layout/journal.ts';
import { foldSession } from '../../src/layout/fold.ts';
import { decodeSummary } from '../../src/layout/manifest.ts';
import type { EndCause, GapCause } from '../../src/model/causes.ts';
import type { Epoch } from '../../src/model/manifest.ts';
import { codeBlockPixels } from '../../src/sandbox/media/picture-code.ts';
import type { Range } from '../../src/sandbox/ranges.ts';
import { frameMs, GOP_PICTURES, LOOP_FRAMES, LOOP_GOPS, pictureMs } from '../../src/sandbox/media/grid.ts';
import { greyOf, numberIn, tilesOf, type Tile } from '../support/storyboard.ts';
import { misfitMs, segmentsOf, type SessionAccount } from './account.ts';
import type { World } from './world.ts';

/** A gap may begin and end this far from where the media really did, and farther where the sandbox was late itself. */
const GAP_TOLERANCE_MS = 200;
/** What a process that is killed may have had before it, and not yet read. */
const CUT_LOSS_MS = 300;
/** A frame of sound, and the rounding of timestamps. */
const STEP_TOLERANCE_MS = 25;

export interface Expected {
  endCause?: EndCause | 'any';
  /** `h264 360x640`, in order; one word for any number of the same. */
  epochs?: string[] | string;
  /** In order, none unless told; one word for as many as there are holes, all for this reason. */
  gaps?: GapCause[] | GapCause;
  /** By how much livestow's clock, and so the times of its gaps, is ahead of ours. */
  clockAheadMs?: number;
  /** How far from the truth a gap may lie, where a recorder can't know better. */
  gapToleranceMs?: number;
  /**
   * Wall-clock times at which livestow was killed or hung up: what the CDN had sent within the time before, and until it
   * noticed, may be lacking.
   */
  cutAtMs?: number[];
  /** What came and was lost here: the gaps of this cause say where. */
  lostTo?: GapCause;
  /** For how long before each cut livestow was stopped and read nothing. */
  deafMs?: number;
  /**
   * How often a recorder was drained. It closes its last segment in the middle of a GOP, and the next term, which can't
   * begin behind a keyframe, may have to record the beginning of that GOP again.
   */
  drains?: number;
}

const SMALL = 'h264 360x640';
const GOP_FRAMES = Math.ceil(LOOP_FRAMES / LOOP_GOPS);

/** Holds the session against what the sandbox sent. */
export function expectFaithful(world: World, session: SessionAccount, expected: Expected = {}): void {
  const { manifest, pictures, sound } = session;
  const { drains = 0 } = expected;
  const story = storyOf(session);
  expect(manifest.sealedAt, story).not.toBeNull();
  if (expected.endCause !== 'any') expect(manifest.endCause, story).toBe(expected.endCause ?? 'room-ended');
  expect(session.untrue).toEqual([]);
  expect(session.miscounted).toEqual([]);
  expect(session.epochs.flatMap(({ errors }) => errors)).toEqual([]);

  expect(session.sent.pictures).toBeGreaterThan(60);
  expect([pictures.garbled, sound.foreign], story).toEqual([0, 0]);
  expect(pictures.repeats, story).toBeLessThanOrEqual(drains * GOP_PICTURES);
  expect(sound.repeats, story).toBeLessThanOrEqual(drains * GOP_FRAMES);
  expect(Math.max(pictures.backwards, sound.backwards), story).toBeLessThanOrEqual(drains);
  expect(unexplained(world, session, session.lacking.pictures, pictureMs, expected), story).toEqual([]);
  expect(unexplained(world, session, session.lacking.sound, frameMs, expected), story).toEqual([]);
  expect(session.outOfStepMs, story).toBeLessThan(STEP_TOLERANCE_MS);
  expect(session.unevenMs, story).toBeLessThan(STEP_TOLERANCE_MS);

  const epochs = manifest.epochs.map(({ codec, width, height }) => `${codec} ${width}x${height}`);
  expect(epochs, story).toEqual(each(expected.epochs ?? [SMALL], epochs.length));
  expect(session.epochs.map(({ decodedAs }) => decodedAs)).toEqual(epochs);
  expectGaps(world, session, expected, story);
}

/** For whoever reads a failure: what is in each epoch, and where something is missing. */
function storyOf({ manifest, epochs, lacking, holes }: SessionAccount): string {
  const span = (of: readonly { number: number }[]): string =>
    `${of[0]?.number}..${of.at(-1)?.number} (${of.length})`;
  return [
    ...epochs.map(
      ({ epoch, pictures, sound }) =>
        `${epoch.term}-${epoch.epoch}: pictures ${span(pictures)}, sound ${span(sound)}`,
    ),
    `lacking ${JSON.stringify(lacking)}`,
    ...manifest.gaps.map((gap) => `gap ${JSON.stringify(gap)}`),
    ...holes.map(
      ({ places, fromMs, toMs, after }) =>
        `hole ${places.join('..')} after ${after} ${new Date(fromMs).toISOString()} ${new Date(toMs).toISOString()}`,
    ),
    '',
  ].join('\n');
}

const each = <T extends string>(expected: readonly T[] | T, count: number): readonly T[] =>
  typeof expected === 'string' ? Array.from({ length: count }, () => expected) : expected;

/** Media that was sent and is not there, and that neither a kill nor a fault of this test took. */
function unexplained(
  world: World,
  { manifest }: SessionAccount,
  lacking: readonly Range[],
  positionMs: (number: number) => number,
  { cutAtMs = [], lostTo, deafMs = 0 }: Expected,
): Range[] {
  const lossMs = CUT_LOSS_MS + 2 * world.latestMs;
  const spans = [
    ...cutAtMs.map((atMs) => [atMs - deafMs - lossMs, atMs + lossMs] as const),
    ...manifest.gaps
      .filter(({ cause }) => cause === lostTo)
      .map(
        ({ from, to }) => [Date.parse(from) - GAP_TOLERANCE_MS, Date.parse(to) + GAP_TOLERANCE_MS] as const,
      ),
  ];
  return lacking.filter(([first, last]) => {
    const [fromMs, toMs] = [first, last].map((number) => world.wentLiveAtMs + positionMs(number));
    return !spans.some(([beginsMs, endsMs]) => fromMs! >= beginsMs && toMs! <= endsMs);
  });
}

/** The manifest's gaps are the holes that there are, no more and no fewer, each with its cause and its place. */
function expectGaps(
  world: World,
  { manifest, holes }: SessionAccount,
  { gaps = [], gapToleranceMs, clockAheadMs = 0 }: Expected,
  story: string,
): void {
  expect(
    manifest.gaps.map(({ cause }) => cause),
    story,
  ).toEqual(each(gaps, holes.length));
  expect(manifest.gaps.length, story).toBe(holes.length);
  const tolerance = (gapToleranceMs ?? GAP_TOLERANCE_MS) + world.latestMs;
  for (const [i, gap] of manifest.gaps.entries()) {
    const { from, to } = misfitMs(gap, holes[i]!);
    expect(Math.abs(from - clockAheadMs), story).toBeLessThanOrEqual(tolerance);
    expect(Math.abs(to - clockAheadMs), story).toBeLessThanOrEqual(tolerance);
    expect(gap.after, story).toBe(holes[i]!.after);
    expect(gap.ms).toBe(Date.parse(gap.to) - Date.parse(gap.from));
  }
  const gapsMs = manifest.gaps.reduce((sum, { ms }) => sum + ms, 0);
  const recordedMs = manifest.segments.reduce((sum, { durationMs }) => sum + durationMs, 0);
  expect(manifest.coverage.recordedMs).toBe(recordedMs);
  expect(manifest.coverage.liveMs).toBe(recordedMs + gapsMs);
}

const SMALL_FILES = [
  'room.json',
  'samples.ndjson',
  'events.ndjson',
  'cover.jpg',
  'poster.jpg',
  'storyboard.jpg',
  'storyboard.vtt',
];

/** Everything that the contract lays out is there, can be read, and says the same as the manifest. */
export async function expectLaidOut(session: SessionAccount): Promise<void> {
  const { folder, keys, archive, manifest } = session;
  const epochPlaylists = manifest.epochs.map(
    ({ term, epoch }) => `epoch-${String(term).padStart(4, '0')}-${String(epoch).padStart(4, '0')}.m3u8`,
  );
  const files = [...SMALL_FILES];
  const derived = ['manifest.json', 'summary.json', 'index.m3u8', ...epochPlaylists];
  const inits = manifest.epochs.flatMap(({ init }) => init ?? []);
  const journals = keys.filter((key) => key.startsWith('journal/'));
  expect(manifest.files.map(({ key }) => key).sort()).toEqual([...files].sort());
  expect([...keys].sort()).toEqual(
    [...files, ...derived, ...inits, ...journals, ...manifest.segments.map(({ key }) => key)].sort(),
  );
  expect(journals.every((key) => /^journal\/\d{4}-\d{6}\.ndjson$/.test(key))).toBe(true);
  expect(archive.keys).toEqual(
    expect.arrayContaining([
      'creators/alice/creator.json',
      'creators/alice/avatar.jpg',
      `index/sessions/${manifest.session}~alice.json`,
    ]),
  );

  const read = (key: string): Promise<string> => readFile(join(folder, key), 'utf8');
  const entries = (
    await Promise.all(journals.map(async (key) => decodeJournal(await read(key), key)))
  ).flat();
  const folded = foldSession(entries, 0).manifest;
  expect([folded.segments, folded.gaps, folded.files]).toEqual([
    manifest.segments,
    manifest.gaps,
    manifest.files,
  ]);

  expect((await stat(join(folder, 'summary.json'))).size).toBeLessThanOrEqual(4_096);
  const summary = decodeSummary(await read('summary.json'), 'summary.json');
  expect(summary).toMatchObject({
    session: manifest.session,
    sealedAt: manifest.sealedAt,
    poster: 'poster.jpg',
  });

  const whole = await segmentsListed(await read('index.m3u8'));
  expect(whole).toEqual(manifest.segments.map(({ key }) => key));
  for (const [i, epoch] of manifest.epochs.entries()) {
    const own = segmentsOf(manifest, epoch).map(({ key }) => key);
    expect(await segmentsListed(await read(epochPlaylists[i]!))).toEqual(own);
  }

  const room = await read('room.json');
  expect(room).toContain(manifest.room.roomId);
  expect(room).not.toMatch(/\.flv|\.m3u8|\?/);
  const samples = linesOf(await read('samples.ndjson'));
  expect(samples[0]).toMatchObject({
    title: manifest.room.title,
    viewers: expect.any(Number),
    enters: expect.any(Number),
  });
  const events = linesOf(await read('events.ndjson'));
  expect(events.map(({ event }) => event)).toEqual(expect.arrayContaining(['attempt', 'media', 'epoch']));
  for (const picture of ['cover.jpg', 'poster.jpg']) {
    expect((await readFile(join(folder, picture))).subarray(0, 2).toString('hex')).toBe('ffd8');
  }
  await expectStoryboard(session);
}

/** Each tile shows the picture that a player of the playlist shows then, and there is one for every time. */
async function expectStoryboard({ folder, manifest, epochs }: SessionAccount): Promise<void> {
  const sheet = await greyOf(await readFile(join(folder, 'storyboard.jpg')));
  const tiles = tilesOf(await readFile(join(folder, 'storyboard.vtt'), 'utf8'));
  const begins = new Map<number, { number: number; epoch: Epoch }>();
  const taken = new Map(epochs.map((account) => [account, 0]));
  let atMs = 0;
  for (const segment of manifest.segments) {
    const account = epochs.find(({ epoch }) => segmentsOf(manifest, epoch).includes(segment))!;
    const first = taken.get(account) ?? 0;
    if (segment.pictures > 0)
      begins.set(atMs, { number: account.pictures[first]!.number, epoch: account.epoch });
    taken.set(account, first + segment.pictures);
    atMs += segment.durationMs;
  }
  expect(tiles.map(({ fromMs }) => fromMs)).toEqual([...begins.keys()]);
  expect(tiles.map(({ toMs }) => toMs)).toEqual([...[...begins.keys()].slice(1), atMs]);
  for (const tile of tiles) {
    const { number, epoch } = begins.get(tile.fromMs)!;
    const shown = numberIn(sheet, tile, epoch);
    // Upright in a tile of others that lie, the number's blocks are two pixels wide.
    if (shown !== undefined || !isTooSmall(tile, epoch))
      expect([tile.fromMs, shown]).toEqual([tile.fromMs, number]);
  }
}

const LEAST_BLOCK = 3;

const isTooSmall = (tile: Tile, { width, height }: Epoch): boolean =>
  Math.min(tile.width / width, tile.height / height) * codeBlockPixels(width) < LEAST_BLOCK;

/** The URIs of a complete playlist. */
async function segmentsListed(text: string): Promise<string[]> {
  const playlist = HLS.parse(text);
  if (playlist.isMasterPlaylist) throw new Error('a master playlist');
  const media = playlist;
  expect([media.endlist, media.playlistType]).toEqual([true, 'VOD']);
  const target = media.targetDuration;
  expect(media.segments.every(({ duration }) => Math.round(duration) <= target)).toBe(true);
  return media.segments.map(({ uri }) => uri);
}

const linesOf = (text: string): Record<string, unknown>[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** Nothing is left: no secret written anywhere, nothing in the spool, no process. */
export async function expectNothingLeft(world: World): Promise<void> {
  expect(await world.leaks()).toEqual([]);
  expect(await world.leftInSpool()).toEqual([]);
  expect(await world.leftRunning()).toEqual([]);
}

/** The only session of the world, sealed, held against the truth in every respect. */
export async function expectFaithfulSession(world: World, expected: Expected = {}): Promise<SessionAccount> {
  const session = await world.session();
  expectFaithful(world, session, expected);
  await expectLaidOut(session);
  await expectNothingLeft(world);
  return session;
}
