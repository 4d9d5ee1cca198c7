/**
 * Reads one epoch back: each segment compared with the manifest, its pictures and audio frames counted, and all that is
 * whole decoded in one go, as a player would. Only when that fails is each segment decoded alone, to name the bad ones.
 */
import { initOf } from '../layout/objects.ts';
import type { Container, Epoch, Segment } from '../model/manifest.ts';
import type { Store } from '../store/store.ts';
import { EpochDecoder, type DecodeOutcome } from './epoch-decoder.ts';
import { finding, type Finding } from './finding.ts';
import { countSegment } from './segment-census.ts';
import { compareObject, type ReadObject } from './verify-object.ts';

export interface EpochCheck {
  store: Store;
  /** Of the session's folder. */
  prefix: string;
  container: Container;
  epoch: Epoch;
  segments: readonly Segment[];
  /** The ffmpeg that decodes; null to leave that out. */
  ffmpeg: string | null;
  onBytes: (bytes: number) => void;
  signal?: AbortSignal | undefined;
}

export async function verifyEpoch(check: EpochCheck): Promise<Finding[]> {
  const init = await readInit(check);
  if (init?.finding) {
    const segments = await verifySegments(check, null, undefined);
    return [init.finding, ...segments.findings];
  }
  const initBytes = init?.bytes ?? null;
  const decoder =
    check.ffmpeg === null ? undefined : new EpochDecoder({ ...check, ffmpeg: check.ffmpeg, init: initBytes });
  const { findings, whole } = await verifySegments(check, { init: initBytes }, decoder).catch(
    async (error: unknown) => {
      await decoder?.abandon();
      throw error;
    },
  );
  const outcome = await decoder?.end();
  if (outcome) findings.push(...(await judge(check, initBytes, whole, outcome)));
  return findings;
}

function readInit({ store, prefix, epoch, onBytes, signal }: EpochCheck): Promise<ReadObject> | undefined {
  const said = initOf(epoch);
  return said === null ? undefined : compareObject(store, prefix, said, { onBytes, keep: true, signal });
}

/** @param media what is needed to look into the segments; null when they can only be compared */
async function verifySegments(
  check: EpochCheck,
  media: { init: Buffer | null } | null,
  decoder: EpochDecoder | undefined,
): Promise<{ findings: Finding[]; whole: Segment[] }> {
  const { store, prefix, onBytes, signal } = check;
  const findings: Finding[] = [];
  const whole: Segment[] = [];
  const read = (segment: Segment): Promise<ReadObject> =>
    compareObject(store, prefix, segment, { onBytes, keep: media !== null, signal });
  for await (const [segment, { finding: wrong, bytes }] of oneAhead(check.segments, read)) {
    if (wrong) findings.push(wrong);
    if (wrong || !media) continue;
    const counted = compareCount(segment, bytes, media.init);
    if (counted) findings.push(counted);
    else whole.push(segment);
    if (!counted) await decoder?.write(bytes);
  }
  return { findings, whole };
}

/** Reads the next while this one is worked on. */
async function* oneAhead<T, R>(items: readonly T[], read: (item: T) => Promise<R>): AsyncGenerator<[T, R]> {
  const start = (item: T | undefined): Promise<R> | undefined => {
    const running = item === undefined ? undefined : read(item);
    // Awaited one turn later; when the loop is left before, nobody wants it any more.
    running?.catch(() => {});
    return running;
  };
  let next = start(items[0]);
  for (const [index, item] of items.entries()) {
    const current = next;
    next = start(items[index + 1]);
    if (current) yield [item, await current];
  }
}

function compareCount(segment: Segment, bytes: Buffer, init: Buffer | null): Finding | null {
  const count = countSegment(bytes, init);
  if (typeof count === 'string') return finding('undecodable', segment.key, count);
  if (count.pictures === segment.pictures && count.audioFrames === segment.audioFrames) return null;
  const of = ({ pictures, audioFrames }: typeof count): string =>
    `${pictures} pictures and ${audioFrames} audio frames`;
  return finding('miscounted', segment.key, `${of(count)} instead of ${of(segment)}`);
}

const picturesOf = (segments: readonly Segment[]): number =>
  segments.reduce((sum, segment) => sum + segment.pictures, 0);

/** A decoder passes over pictures that refer to some before the first: no more than can be out of order. */
const PASSED_OVER_MOST = 16;

const decodes = ({ completed, pictures }: DecodeOutcome, segments: readonly Segment[]): boolean =>
  completed && pictures <= picturesOf(segments) && pictures >= picturesOf(segments) - PASSED_OVER_MOST;

async function judge(
  check: EpochCheck,
  init: Buffer | null,
  whole: readonly Segment[],
  outcome: DecodeOutcome,
): Promise<Finding[]> {
  const [first] = whole;
  if (!first) return [];
  const name = `epoch ${check.epoch.term}-${check.epoch.epoch}`;
  if (decodes(outcome, whole)) {
    const isClean = outcome.complaint === null && outcome.pictures === picturesOf(whole);
    return isClean ? [] : [finding('garbled', first.key, `${name}: ${why(outcome, whole)}`)];
  }
  const bad: Finding[] = [];
  for (const segment of whole) {
    const alone = await decodeAlone(check, init, segment);
    if (!decodes(alone, [segment])) bad.push(finding('undecodable', segment.key, why(alone, [segment])));
  }
  return bad.length > 0
    ? bad
    : [finding('undecodable', first.key, `${name}, from here on: ${why(outcome, whole)}`)];
}

const why = ({ pictures, complaint }: DecodeOutcome, segments: readonly Segment[]): string =>
  `${pictures} of ${picturesOf(segments)} pictures decode${complaint === null ? '' : ` (${complaint})`}`;

async function decodeAlone(check: EpochCheck, init: Buffer | null, segment: Segment): Promise<DecodeOutcome> {
  const { store, prefix, container, ffmpeg, signal } = check;
  const decoder = new EpochDecoder({ ffmpeg: ffmpeg ?? 'ffmpeg', container, init, signal });
  const { bytes } = await compareObject(store, prefix, segment, { onBytes: () => {}, keep: true, signal });
  await decoder.write(bytes);
  return decoder.end();
}
