/**
 * Accounts for every picture of a creator's broadcasts: it is in the archive, or a gap says that it is not, and why, or
 * nobody offered it after the last picture that came. What it finds wrong it says in words, as a list.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeManifest } from '../../src/layout/manifest.ts';
import { sessionKeys } from '../../src/layout/keys.ts';
import type { GapCause } from '../../src/model/causes.ts';
import type { Epoch, Gap, Manifest, Segment } from '../../src/model/manifest.ts';
import type { SandboxEvent, Truth } from '../../src/sandbox/ledger.ts';
import { GOP_PICTURES, LOOP_PICTURES, pictureMs, PICTURES_PER_SECOND } from '../../src/sandbox/media/grid.ts';
import { RangeSet, type Range } from '../../src/sandbox/ranges.ts';
import {
  comesByHls,
  endsInPause,
  explains,
  followsReplay,
  HLS_TOLERANCE_MS,
  holeOf,
  isMistimed,
  lostSinceMs,
  rangeOf,
  reachesInto,
  reachesOverClocks,
  toleranceOf,
  TOLERANCE_MS,
  wasLost,
  type Circumstances,
} from './deeds.ts';
import { segmentsOf, untrueObjects } from '../e2e/account.ts';
import type { ArchiveCopy } from '../e2e/archive-copy.ts';
import { decodeOrderOf, type DecodeOrder } from '../e2e/decode-order.ts';
import { GARBLED, readPictures } from '../support/pictures.ts';

/** What a process that is killed may have had before it and not yet kept: a beat, and what the socket held. */
const KILL_LOSS_MS = 500;
/** Of a connection that lasted no longer than this, nothing may have been recorded yet. */
const JOIN_MS = 800;
/** A term that finds nothing open in its tail begins with a keyframe: what a CDN begins with is in the archive twice. */
const RESUMED_TWICE = 3 * GOP_PICTURES;
/** Another quality begins with a keyframe of its own: what the one before had closed of that GOP is there twice. */
const isOtherQuality = (before: Epoch | undefined, { variant }: Epoch): boolean =>
  before !== undefined &&
  (before.variant.qualityKey !== variant.qualityKey || before.variant.codecFamily !== variant.codecFamily);

/** Pictures that are sent before ones that are shown earlier: a cut between them costs the later sent. */
const REORDERED = 2;

export interface CreatorFacts extends Circumstances {
  handle: string;
  truth: Truth;
  events: readonly SandboxEvent[];
  /** Wall clock at which the sandbox's own began. */
  beganAtMs: number;
}

export interface CreatorReckoning {
  handle: string;
  sessions: number;
  aired: number;
  archived: number;
  declared: number;
  /** Nobody had them to offer when the recording ended. */
  unoffered: number;
  gaps: Partial<Record<GapCause, number>>;
  problems: string[];
}

/** One broadcast: pictures from..to, and the wall clock of any of them. */
interface Aired {
  places: Range;
  wallMs: (place: number) => number;
}

interface ReadSession {
  manifest: Manifest;
  /** In the order in which they are sent. */
  places: RangeSet;
  problems: string[];
}

export async function reckon(archive: ArchiveCopy, facts: CreatorFacts): Promise<CreatorReckoning> {
  const aired = broadcastsOf(facts);
  const prefix = `creators/${facts.handle}/`;
  const paths = archive.keys
    .filter((key) => key.startsWith(prefix) && key.endsWith(`/${sessionKeys.manifest}`))
    .map((key) => key.slice(0, -sessionKeys.manifest.length - 1));
  const replays = facts.deeds.filter(({ replaysMs }) => replaysMs !== undefined).length;
  const sessions: ReadSession[] = [];
  for (const path of paths)
    sessions.push(await readSession(join(archive.folder, path), path, aired, replays));

  const problems = sessions.flatMap((session) => session.problems);
  const present = new RangeSet(sessions.flatMap(({ places }) => places.runs));
  const order = await decodeOrderOf(sessions[0]?.manifest.container === 'fmp4' ? 'hevc' : 'small');
  const sent = placesOf(facts.truth.pictures, order);
  const byFlv = facts.truth.transfers.filter(({ protocol }) => protocol === 'flv');
  const sentByFlv = placesOf(new RangeSet(byFlv.flatMap(({ pictures }) => pictures)).runs, order);
  // A join holds back what it does not know the place of.
  const brief = byFlv.filter(
    ({ openedAtMs, closedAtMs }) => (closedAtMs ?? Infinity) - openedAtMs < JOIN_MS + facts.lateMs,
  );
  const sentInBrief = placesOf(new RangeSet(brief.flatMap(({ pictures }) => pictures)).runs, order);
  const tolerance = TOLERANCE_MS + facts.lateMs;
  const gaps = sessions.flatMap(({ manifest }) =>
    manifest.gaps.map((gap): TelledGap => ({ gap, tolerance: toleranceOf(gap, manifest, facts) })),
  );

  const holes = sessions.flatMap(({ manifest }) =>
    manifest.gaps.map((gap) => holeOf(gap, manifest, toleranceOf(gap, manifest, facts))),
  );

  for (const run of new RangeSet(sent.runs).minus(present)) {
    const [fromMs, toMs] = wallOf(aired, run);
    const isByHls = !meets(sentByFlv, run);
    const senders = facts.truth.transfers.filter(({ pictures }) => meets(placesOf(pictures, order), run));
    const openedMs = senders.map(({ openedAtMs }) => facts.beganAtMs + openedAtMs);
    const cameFromMs = Math.max(fromMs, Math.min(...openedMs));
    const keptMs = KILL_LOSS_MS + facts.lateMs + (isByHls ? HLS_TOLERANCE_MS : 0);
    const isCut = facts.cuts.some(
      (cut) => fromMs >= lostSinceMs(facts, cut) - keptMs && toMs <= cut.toMs + tolerance,
    );
    const isTold = undeclared([fromMs, toMs], gaps).length === 0;
    const isLost = isTold && wasLost(facts, [fromMs, toMs], cameFromMs, holes, tolerance);
    // A playlist still lists what is in a gap by then.
    const isLate = isTold && isByHls;
    const isHeld = isTold && sum(new RangeSet([run]).minus(sentInBrief)) === 0;
    const isBehindReplay = followsReplay(facts, [fromMs, toMs], holes, tolerance);
    if (!isCut && !isLost && !isLate && !isHeld && !isBehindReplay && run[1] - run[0] >= REORDERED) {
      problems.push(`was sent and is not archived: ${tell(facts, run, fromMs, toMs)}`);
    }
  }

  let [declared, unoffered, total] = [0, 0, 0];
  for (const { places, wallMs } of aired) {
    const own = new RangeSet([places]);
    total += own.size;
    for (const run of own.minus(present)) {
      const [fromMs, toMs] = [wallMs(run[0]), wallMs(run[1] + 1)];
      const untold = undeclared([fromMs, toMs], gaps);
      const length = run[1] - run[0] + 1;
      if (untold.length === 0 || length <= REORDERED) {
        declared += length;
      } else if (untold.every((hole) => isMistimed(facts, hole, tolerance))) {
        declared += length;
      } else if (followsReplay(facts, [fromMs, toMs], holes, tolerance)) {
        declared += length;
      } else if (untold.every(([from]) => isAfterTheEnd(sessions, from, tolerance + facts.clockOffMs))) {
        unoffered += length;
      } else {
        problems.push(`is missing and no gap says so: ${tell(facts, run, fromMs, toMs)}`);
      }
    }
  }
  for (const session of sessions) {
    problems.push(...falseGaps(session, aired, facts));
  }

  const byCause: Partial<Record<GapCause, number>> = {};
  for (const {
    gap: { cause },
  } of gaps)
    byCause[cause] = (byCause[cause] ?? 0) + 1;
  return {
    handle: facts.handle,
    sessions: sessions.length,
    aired: total,
    archived: present.size,
    declared,
    unoffered,
    gaps: byCause,
    problems: problems.map((problem) => `${facts.handle}: ${problem}`),
  };
}

function broadcastsOf({ handle, events, beganAtMs }: CreatorFacts): Aired[] {
  const own = events.filter((event) => event.handle === handle);
  const ends = own.filter((event) => event.type === 'ended');
  return own.flatMap((event, i): Aired[] => {
    if (event.type !== 'live') return [];
    const end = ends.find((each) => own.indexOf(each) > i);
    if (end?.type !== 'ended') throw new Error(`${handle} is still live`);
    const places: Range = [pictureAt(event.positionMs), pictureAt(end.positionMs) - 1];
    const wallMs = (place: number): number => beganAtMs + event.atMs + pictureMs(place) - event.positionMs;
    return [{ places, wallMs }];
  });
}

const pictureAt = (positionMs: number): number =>
  Math.ceil((positionMs * PICTURES_PER_SECOND) / 1_000 - 1e-6);

/** @param replays how often the CDN sent again what may have been in a gap: its edges may be there twice */
async function readSession(
  folder: string,
  path: string,
  aired: readonly Aired[],
  replays: number,
): Promise<ReadSession> {
  const manifest = decodeManifest(await readFile(join(folder, sessionKeys.manifest), 'utf8'), path);
  const { session } = manifest;
  const problems: string[] = [];
  if (manifest.sealedAt === null) problems.push(`${session} is not sealed`);
  problems.push(...(await untrueObjects(folder, manifest)).map((what) => `${session}: ${what}`));
  const order = await decodeOrderOf(manifest.container === 'fmp4' ? 'hevc' : 'small');
  const places = new RangeSet();
  let repeats = 0;
  for (const [index, epoch] of manifest.epochs.entries()) {
    const segments = segmentsOf(manifest, epoch);
    const { pictures, errors } = await readPictures(pathsOf(folder, epoch, segments));
    // Pictures that overlap at a cut: raw output can't say so, players show one after the other.
    const damage = errors.filter((error) => !error.includes('non monotonically increasing dts to muxer'));
    const where = `${session} epoch ${epoch.term}-${epoch.epoch}`;
    problems.push(...damage.slice(0, 3).map((error) => `${where}: ${error}`));
    const numbers = pictures.map(({ number }) => number);
    const garbled = numbers.filter((number) => number === GARBLED).length;
    if (garbled > 0) problems.push(`${where}: ${garbled} garbled`);
    const said = segments.reduce((sum, segment) => sum + segment.pictures, 0);
    if (said !== numbers.length) problems.push(`${session}: ${said} pictures said, ${numbers.length} there`);
    let at = 0;
    const before = manifest.epochs[index - 1];
    const mostTwice =
      epoch.term > 1 && epoch.epoch === 1 ? RESUMED_TWICE : isOtherQuality(before, epoch) ? GOP_PICTURES : 0;
    let isAtHead = true;
    for (const segment of segments) {
      const near = numberNear(aired, Date.parse(segment.startsAt));
      for (const [i, number] of numbers.slice(at, at + segment.pictures).entries()) {
        if (number === GARBLED) continue;
        const place = order.placeOf(straight(number, near));
        const isRepeated = places.has(place);
        isAtHead &&= isRepeated && at + i < mostTwice;
        if (isRepeated && !isAtHead) repeats += 1;
        places.add(place);
      }
      at += segment.pictures;
    }
  }
  if (repeats > replays * REORDERED) problems.push(`${session}: ${repeats} pictures twice`);
  return { manifest, places, problems };
}

const pathsOf = (folder: string, { init }: Epoch, segments: readonly Segment[]): string[] =>
  [...(init === null ? [] : [init]), ...segments.map(({ key }) => key)].map((key) => join(folder, key));

/** Pictures bear their number within a loop; the time says which round it is. */
const straight = (number: number, near: number): number =>
  number + Math.round((near - number) / LOOP_PICTURES) * LOOP_PICTURES;

function numberNear(aired: readonly Aired[], wallMs: number): number {
  const broadcast = aired.findLast((each) => each.wallMs(each.places[0]) <= wallMs + 5_000) ?? aired[0];
  if (!broadcast) return 0;
  return placeAt(broadcast, wallMs);
}

const placeAt = ({ places: [first], wallMs }: Aired, atMs: number): number =>
  first + Math.round(((atMs - wallMs(first)) * PICTURES_PER_SECOND) / 1_000);

/** What was aired in this stretch of time, one run for each broadcast. */
const numbersWithin = (aired: readonly Aired[], [fromMs, toMs]: Range): Range[] =>
  aired.flatMap((broadcast): Range[] => {
    const [first, last] = broadcast.places;
    const run: Range = [
      Math.max(first, placeAt(broadcast, fromMs)),
      Math.min(last, placeAt(broadcast, toMs)),
    ];
    return run[1] > run[0] ? [run] : [];
  });

function placesOf(pictures: readonly Range[], order: DecodeOrder): RangeSet {
  const places = new RangeSet();
  for (const [first, last] of pictures) {
    for (let picture = first; picture <= last; picture += 1) places.add(order.placeOf(picture));
  }
  return places;
}

const meets = (places: RangeSet, run: Range): boolean => sum(new RangeSet([run]).minus(places)) < sum([run]);

interface TelledGap {
  gap: Gap;
  tolerance: number;
}

/** What of a stretch of time no gap covers. */
function undeclared(of: Range, gaps: readonly TelledGap[]): Range[] {
  const covered = new RangeSet(
    gaps.map(({ gap: { from, to }, tolerance }) => [
      Math.floor(Date.parse(from) - tolerance),
      Math.ceil(Date.parse(to) + tolerance),
    ]),
  );
  return new RangeSet([[Math.floor(of[0]), Math.ceil(of[1])]]).minus(covered);
}

/** No session that was going on at that time has anything after it. */
const isAfterTheEnd = (sessions: readonly ReadSession[], atMs: number, tolerance: number): boolean =>
  !sessions.some(({ manifest }) => {
    const last = manifest.segments.at(-1);
    if (!last) return false;
    return (
      Date.parse(manifest.foundAt) < atMs && Date.parse(last.startsAt) + last.durationMs > atMs + tolerance
    );
  });

/** Gaps that lie: pictures of this session are there, or nothing that was done explains their cause. */
function falseGaps(
  { manifest, places }: ReadSession,
  aired: readonly Aired[],
  facts: CreatorFacts,
): string[] {
  return manifest.gaps.flatMap((gap) => {
    const tolerance = toleranceOf(gap, manifest, facts);
    const [fromMs, toMs] = rangeOf(gap);
    const said = `${manifest.session}: gap ${gap.cause} ${gap.from}..${gap.to}`;
    const found: string[] = [];
    const inner = new RangeSet(numbersWithin(aired, [fromMs + tolerance, toMs - tolerance]));
    const isUndated = gap.after === null && isOver(aired, Date.parse(manifest.foundAt));
    const isMisplaced =
      isMistimed(facts, [fromMs, toMs], tolerance) ||
      endsInPause(facts, gap, tolerance) ||
      (comesByHls(manifest) && reachesOverClocks(facts, [fromMs, toMs])) ||
      facts.deeds.some((deed) => reachesInto([fromMs, toMs], deed, tolerance));
    if (!isUndated && !isMisplaced) {
      const there = inner.size - sum(inner.minus(places));
      if (there > REORDERED) found.push(`${said}, and ${there} pictures of it are there`);
    }
    if (!explains(gap, manifest, facts, tolerance)) found.push(`${said}: nothing that was done explains it`);
    return found;
  });
}

/** What a playlist still lists of a broadcast that is over was made nobody knows when. */
const isOver = (aired: readonly Aired[], atMs: number): boolean =>
  aired.every(({ places, wallMs }) => wallMs(places[1]) < atMs || wallMs(places[0]) > atMs);

const sum = (runs: readonly Range[]): number =>
  runs.reduce((all, [first, last]) => all + last - first + 1, 0);

function wallOf(aired: readonly Aired[], [first, last]: Range): Range {
  const broadcast = aired.find(
    ({ places }) => places[0] - REORDERED <= first && first <= places[1] + REORDERED,
  );
  return broadcast ? [broadcast.wallMs(first), broadcast.wallMs(last + 1)] : [Number.NaN, Number.NaN];
}

function tell({ deeds }: CreatorFacts, run: Range, fromMs: number, toMs: number): string {
  const about = deeds
    .filter((deed) => deed.fromMs - 5_000 <= toMs && fromMs <= deed.toMs + 5_000)
    .map(({ what, fromMs: from }) => `${what} at ${iso(from)}`);
  return `pictures ${run[0]}..${run[1]}, ${iso(fromMs)}..${iso(toMs)} (${about.join('; ') || 'nothing was done'})`;
}

const iso = (ms: number): string => (Number.isFinite(ms) ? new Date(ms).toISOString().slice(11, 23) : '?');
