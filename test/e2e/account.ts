/**
 * One archived session, read back as anybody may read it and held against what the sandbox really sent: which pictures
 * and which sound are there, whether they are in step, whether the manifest's gaps are the holes that there are.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { decodeManifest } from '../../src/layout/manifest.ts';
import { sessionKeys } from '../../src/layout/keys.ts';
import type { Epoch, Gap, Manifest, Segment } from '../../src/model/manifest.ts';
import type { Truth } from '../../src/sandbox/ledger.ts';
import { frameMs, LOOP_FRAMES, pictureMs, PICTURES_PER_SECOND } from '../../src/sandbox/media/grid.ts';
import { RangeSet, type Range } from '../../src/sandbox/ranges.ts';
import {
  accountPictures,
  lacking,
  readPictures,
  type PictureAccount,
  type ReadPicture,
} from '../support/pictures.ts';
import type { ArchiveCopy } from './archive-copy.ts';
import { decodeOrderOf, type DecodeOrder } from './decode-order.ts';
import { soundFrames, type SoundFrame } from './sound-frames.ts';

/** Media that is not there, and what the manifest says of it. */
export interface Hole {
  /** In the order in which pictures are sent. */
  places: Range;
  /** Wall clock: when the first missing picture was live, and the first one after it. */
  fromMs: number;
  toMs: number;
  /** Key of the segment with the last picture before it. */
  after: string | null;
}

export interface EpochAccount {
  epoch: Epoch;
  /** As ffprobe finds it: `h264 360x640`. */
  decodedAs: string;
  pictures: ReadPicture[];
  sound: SoundFrame[];
  errors: string[];
}

export interface SessionAccount {
  /** Local folder of the session. */
  folder: string;
  keys: string[];
  archive: ArchiveCopy;
  manifest: Manifest;
  epochs: EpochAccount[];
  pictures: PictureAccount;
  /** Runs of pictures, and of frames of sound, that the sandbox sent for this room and the session lacks. */
  lacking: { pictures: Range[]; sound: Range[] };
  sent: { pictures: number; sound: number };
  sound: { frames: number; foreign: number; repeats: number; backwards: number };
  /** The largest distance between a frame of sound and the pictures around it, from where they belong. */
  outOfStepMs: number;
  /** The largest jerk within an epoch: how far a picture is from where the one before it puts it. */
  unevenMs: number;
  holes: Hole[];
  /** Objects that are missing, or of another size or hash than the manifest says. */
  untrue: string[];
  /** Segments that hold another number of pictures or frames than the manifest says, summed up by epoch. */
  miscounted: string[];
}

/** What the sandbox did. */
export interface Aired {
  truth: Truth;
  /** Wall clock at which the first broadcast began. */
  wentLiveAtMs: number;
  /** Position at which each room began. */
  roomsBegan: ReadonlyMap<string, number>;
}

export async function accountSession(
  archive: ArchiveCopy,
  path: string,
  aired: Aired,
): Promise<SessionAccount> {
  const folder = join(archive.folder, path);
  const manifest = decodeManifest(await readFile(join(folder, sessionKeys.manifest), 'utf8'), path);
  const epochs = await Promise.all(manifest.epochs.map((epoch) => accountEpoch(folder, manifest, epoch)));
  const shown = epochs.flatMap((epoch) => epoch.pictures);
  const heard = epochs.flatMap((epoch) => epoch.sound);
  const pictures = accountPictures(shown.map(({ number }) => number));
  const sound = accountFrames(heard);
  const transfers = aired.truth.transfers.filter(({ roomId }) => roomId === manifest.room.roomId);
  const sent = {
    pictures: new RangeSet(transfers.flatMap((transfer) => transfer.pictures)),
    sound: new RangeSet(transfers.flatMap((transfer) => transfer.sound)),
  };
  return {
    folder,
    keys: archive.keys.filter((key) => key.startsWith(`${path}/`)).map((key) => key.slice(path.length + 1)),
    archive,
    manifest,
    epochs,
    pictures,
    lacking: {
      pictures: lacking(sent.pictures.runs, pictures.present),
      sound: lacking(sent.sound.runs, sound.present.runs),
    },
    sent: { pictures: sent.pictures.size, sound: sent.sound.size },
    sound: {
      frames: heard.length,
      foreign: sound.foreign,
      repeats: sound.repeats,
      backwards: sound.backwards,
    },
    outOfStepMs: Math.max(0, ...epochs.map(outOfStepMs)),
    unevenMs: Math.max(0, ...epochs.map(unevenMs)),
    holes: holesOf(
      pictures,
      await decodeOrderOf(manifest.container === 'fmp4' ? 'hevc' : 'small'),
      { roomMs: aired.roomsBegan.get(manifest.room.roomId) ?? Number.NaN, wallMs: aired.wentLiveAtMs },
      placesOf(manifest, shown),
    ),
    untrue: await untrueObjects(folder, manifest),
    miscounted: epochs.flatMap((epoch) => miscounts(manifest, epoch)),
  };
}

async function accountEpoch(folder: string, manifest: Manifest, epoch: Epoch): Promise<EpochAccount> {
  const keys = segmentsOf(manifest, epoch).map(({ key }) => key);
  const paths = [...(epoch.init === null ? [] : [epoch.init]), ...keys].map((key) => join(folder, key));
  const [{ pictures, errors }, sound, decodedAs] = await Promise.all([
    readPictures(paths),
    soundFrames(paths),
    videoStreamOf(paths),
  ]);
  return { epoch, decodedAs, pictures, sound, errors };
}

async function videoStreamOf(paths: readonly string[]): Promise<string> {
  const input = Buffer.concat(await Promise.all(paths.map((path) => readFile(path))));
  const wanted = ['-select_streams', 'v:0', '-show_entries', 'stream=codec_name,width,height', '-of', 'json'];
  const { stdout } = await execa('ffprobe', ['-v', 'error', ...wanted, '-i', 'pipe:0'], { input });
  const { streams } = JSON.parse(stdout) as {
    streams: { codec_name: string; width: number; height: number }[];
  };
  return streams
    .map(({ codec_name: codec, width, height }) => `${codec.replace('hevc', 'h265')} ${width}x${height}`)
    .join();
}

export const segmentsOf = (manifest: Manifest, { term, epoch }: Pick<Epoch, 'term' | 'epoch'>): Segment[] =>
  manifest.segments.filter((segment) => segment.term === term && segment.epoch === epoch);

function accountFrames(frames: readonly SoundFrame[]) {
  const present = new RangeSet();
  let [repeats, backwards, previous] = [0, 0, -1];
  const own = frames.filter(({ number }) => number >= 0);
  for (const frame of own) {
    // Numbers go round with the loop.
    const round = previous < 0 ? 0 : Math.round((previous - frame.number) / LOOP_FRAMES);
    const number = frame.number + round * LOOP_FRAMES;
    repeats += present.has(number) ? 1 : 0;
    backwards += number <= previous ? 1 : 0;
    present.add(number);
    previous = number;
  }
  return { present, repeats, backwards, foreign: frames.length - own.length };
}

/** Both tell where the loop's begin lies on the epoch's time line: the difference is how far they are out of step. */
function outOfStepMs({ pictures, sound }: EpochAccount): number {
  const shown = pictures.filter(({ number }) => number >= 0);
  let at = 0;
  let worst = 0;
  for (const frame of sound) {
    while (at + 1 < shown.length && shown[at + 1]!.ptsMs <= frame.ptsMs) at += 1;
    const picture = shown[at];
    if (!picture || frame.number < 0) continue;
    const late = frame.ptsMs - frameMs(frame.number) - (picture.ptsMs - pictureMs(picture.number));
    worst = Math.max(worst, Math.abs(late));
  }
  return worst;
}

function unevenMs({ pictures }: EpochAccount): number {
  const places = pictures
    .filter(({ number }) => number >= 0)
    .map(({ number, ptsMs }) => ptsMs - pictureMs(number));
  return Math.max(0, ...places.slice(1).map((place, i) => Math.abs(place - places[i]!)));
}

/** In which segment each picture lies. */
function placesOf(manifest: Manifest, shown: readonly ReadPicture[]): Map<number, string> {
  const places = new Map<number, string>();
  let at = 0;
  for (const epoch of manifest.epochs) {
    for (const { key, pictures } of segmentsOf(manifest, epoch)) {
      for (const { number } of shown.slice(at, at + pictures)) places.set(number, key);
      at += pictures;
    }
  }
  return places;
}

/** Runs of places without a picture. Each place is a picture's length after the one before it. */
function holesOf(
  { present }: PictureAccount,
  order: DecodeOrder,
  began: { roomMs: number; wallMs: number },
  places: ReadonlyMap<number, string>,
): Hole[] {
  const there = new RangeSet();
  for (const [first, last] of present) {
    for (let picture = first; picture <= last; picture++) there.add(order.placeOf(picture));
  }
  if (there.last === undefined) return [];
  const roomFirst = Math.ceil((began.roomMs * PICTURES_PER_SECOND) / 1_000);
  return new RangeSet([[roomFirst, there.last]]).minus(there).map(([from, to]) => ({
    places: [from, to],
    fromMs: began.wallMs + (from === roomFirst ? began.roomMs : pictureMs(from)),
    toMs: began.wallMs + pictureMs(to + 1),
    after: from === roomFirst ? null : (places.get(order.pictureAt(from - 1)) ?? null),
  }));
}

/** Objects that are missing, or of another size or hash than the manifest says. */
export async function untrueObjects(folder: string, manifest: Manifest): Promise<string[]> {
  const inits = manifest.epochs.flatMap(({ init, initBytes, initSha256 }) =>
    init === null ? [] : [{ key: init, bytes: initBytes, sha256: initSha256 }],
  );
  const found: string[] = [];
  for (const { key, bytes, sha256 } of [...inits, ...manifest.segments, ...manifest.files]) {
    const content = await readFile(join(folder, key)).catch(() => undefined);
    if (!content) found.push(`${key} is missing`);
    else if (content.length !== bytes) found.push(`${key} has ${content.length} bytes, not ${bytes}`);
    else if (createHash('sha256').update(content).digest('hex') !== sha256)
      found.push(`${key} has another hash`);
  }
  return found;
}

function miscounts(manifest: Manifest, { epoch, pictures, sound }: EpochAccount): string[] {
  const segments = segmentsOf(manifest, epoch);
  const said = (of: (segment: Segment) => number) => segments.reduce((sum, segment) => sum + of(segment), 0);
  const [saidPictures, saidFrames] = [
    said((segment) => segment.pictures),
    said((segment) => segment.audioFrames),
  ];
  return [
    ...(saidPictures === pictures.length ? [] : [`${saidPictures} pictures said, ${pictures.length} there`]),
    ...(saidFrames === sound.length ? [] : [`${saidFrames} frames said, ${sound.length} there`]),
  ].map((what) => `epoch ${epoch.term}-${epoch.epoch}: ${what}`);
}

/** Gap and hole: how far apart they begin and end. */
export const misfitMs = (gap: Gap, hole: Hole): { from: number; to: number } => ({
  from: Math.round(Date.parse(gap.from) - hole.fromMs),
  to: Math.round(Date.parse(gap.to) - hole.toMs),
});
