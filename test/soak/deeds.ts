/** What was done to a creator, and what that explains: gaps, what is missing of what had come, times that are off. */
import type { GapCause } from '../../src/model/causes.ts';
import type { Gap, Manifest } from '../../src/model/manifest.ts';
import { GOP_MS } from '../../src/sandbox/media/grid.ts';
import type { Range } from '../../src/sandbox/ranges.ts';

/** How far a gap may lie from the hole; the sandbox sends every 40 ms, a beat is 200 ms, a GOP begins at a keyframe. */
export const TOLERANCE_MS = 600;
export const HLS_TOLERANCE_MS = 2_500;
/** Until a recorder that was started again has media. */
const BACK_MS = 1_500;
/** What a CDN may be late by: beyond it a clock was changed for certain. */
const SMALL_STEP_MS = 5_000;
/** More than what playlists list. */
const WINDOW_MS = 40_000;

/** What was done to a creator, and which gaps it explains. Wall clock. */
export interface Deed {
  what: string;
  fromMs: number;
  toMs: number;
  causes: readonly GapCause[];
  /** The CDN sends old media as if it were live: nobody can know of it when it was. */
  mistimed?: boolean;
  /** The source makes nothing meanwhile: what a CDN has of before it seems to be made when it is sent. */
  pauses?: boolean;
  /** So much of what it sent the CDN sends again as if it were live: nobody can know when that was which lay in a gap. */
  replaysMs?: number;
  /** Nothing can be written meanwhile: who is killed then has kept nothing. */
  keepsNothing?: boolean;
  /** So much of what had come may be lost with it, if a gap says so; no earlier, that is. */
  losesReceivedMs?: number;
  /** Until then nothing that came was read. */
  deafToMs?: number;
  /**
   * The source's clock jumps by this. Where what lies before it in a playlist's window belongs nobody can tell; and a small
   * step while nothing comes looks like a shorter or longer pause.
   */
  clockByMs?: number;
}

export interface Circumstances {
  deeds: readonly Deed[];
  /** Each kill, drain and freeze: what had come and was not read yet may be lost. */
  cuts: readonly Deed[];
  lateMs: number;
  /** How far the recorder's wall clock may have been off. */
  clockOffMs: number;
}

/**
 * A segment of a playlist is there only when all of it was made: what came by HLS is known to that. What the CDN sent
 * again of what is in a gap was taken for new: so far a session's time is off from there on.
 */
export function toleranceOf(
  gap: Gap,
  manifest: Manifest,
  { deeds, cuts, lateMs, clockOffMs }: Circumstances,
): number {
  const { gaps } = manifest;
  const isHls = comesByHls(manifest);
  const tolerance = TOLERANCE_MS + lateMs + clockOffMs + (isHls ? HLS_TOLERANCE_MS : 0);
  const offMs = deeds
    .filter(
      (deed) =>
        deed.fromMs < Date.parse(gap.to) && gaps.some((each) => reachesInto(rangeOf(each), deed, tolerance)),
    )
    .map(({ replaysMs = 0 }) => replaysMs);
  const stepMs = deeds
    .filter((deed) => gaps.some((each) => stepsWithin(rangeOf(each), deed, Date.parse(gap.to), tolerance)))
    .reduce((sum, { clockByMs = 0 }) => sum + Math.abs(clockByMs), 0);
  return tolerance + Math.max(0, ...offMs) + stepMs + (isHls ? pauseMs(deeds, cuts, gap) : 0);
}

/** A step of the source's clock that a gap hides, no later than this. */
function stepsWithin([fromMs, toMs]: Range, deed: Deed, untilMs: number, tolerance: number): boolean {
  const stepMs = Math.abs(deed.clockByMs ?? Infinity);
  if (stepMs > SMALL_STEP_MS || deed.fromMs > untilMs + stepMs) return false;
  return meets(deed, [fromMs - tolerance, toMs + stepMs + tolerance]);
}

export const comesByHls = ({ epochs }: Manifest): boolean =>
  epochs.some(({ variant }) => variant.protocol === 'hls');

/** A recorder that came back while the source made nothing takes the newest of a playlist for made just then. */
const pauseMs = (deeds: readonly Deed[], cuts: readonly Deed[], gap: Gap): number =>
  Math.max(
    0,
    ...deeds
      .filter(
        (deed) =>
          deed.pauses === true &&
          cuts.some((cut) => cut.fromMs <= Date.parse(gap.to) && meets(deed, [cut.toMs, cut.toMs + BACK_MS])),
      )
      .map(({ fromMs, toMs }) => toMs - fromMs),
  );

/** What the CDN sent again lies in that, in part. */
export const reachesInto = (
  [fromMs, toMs]: Range,
  { replaysMs, fromMs: atMs }: Deed,
  tolerance: number,
): boolean => replaysMs !== undefined && fromMs < atMs && atMs - replaysMs - tolerance <= toMs;

export const rangeOf = ({ from, to }: Gap): Range => [Date.parse(from), Date.parse(to)];

export function explains(gap: Gap, manifest: Manifest, { deeds }: Circumstances, tolerance: number): boolean {
  const own: Range = [Date.parse(gap.from) - tolerance, Date.parse(gap.to) + tolerance];
  const hole = holeOf(gap, manifest, tolerance);
  return deeds.some((deed) => {
    if (!deed.causes.includes(gap.cause)) return false;
    if (deed.losesReceivedMs === undefined) return meets(deed, own);
    return meets({ ...deed, fromMs: unreadSinceMs(deeds, deed) }, hole);
  });
}

/** Since when nothing that came was kept by who was killed then. */
export const lostSinceMs = ({ deeds }: Circumstances, deed: Deed): number =>
  sinceFirst(deeds, deed, ({ keepsNothing, toMs }) => (keepsNothing === true ? toMs : -Infinity));

/** From the segment before a gap to the one behind it: what was received and lost is told apart from what never came. */
export function holeOf({ after }: Gap, { gaps }: Manifest, tolerance: number): Range {
  const all = gaps.filter((gap) => gap.after === after);
  return [
    Math.min(...all.map(({ from }) => Date.parse(from))) - tolerance,
    Math.max(...all.map(({ to }) => Date.parse(to))) + tolerance,
  ];
}

/**
 * Of these pictures, those that had come before a deed are no more than may be lost with it.
 * @param cameFromMs when the first of them came: who joins is sent what is up to a GOP old
 */
export const wasLost = (
  { deeds }: Circumstances,
  [fromMs, toMs]: Range,
  cameFromMs: number,
  holes: readonly Range[],
  tolerance: number,
): boolean =>
  deeds.some(
    (deed) =>
      deed.losesReceivedMs !== undefined &&
      Math.min(toMs, unreadSinceMs(deeds, deed)) - cameFromMs <= deed.losesReceivedMs + tolerance &&
      toMs <= deed.toMs + tolerance &&
      holes.some((hole) => hole[0] <= fromMs && toMs <= hole[1] && meets(deed, hole)),
  );

/** What came to who was frozen then is read when it is woken: then it is as if it came at that time. */
const unreadSinceMs = (deeds: readonly Deed[], deed: Deed): number =>
  sinceFirst(deeds, deed, ({ deafToMs = -Infinity }) => deafToMs);

/** When the first of those began that went on, until so long, as this was done; else when this was. */
const sinceFirst = (deeds: readonly Deed[], { fromMs }: Deed, untilMs: (deed: Deed) => number): number =>
  Math.min(
    fromMs,
    ...deeds.filter((deed) => deed.fromMs <= fromMs && fromMs <= untilMs(deed)).map((deed) => deed.fromMs),
  );

const meets = (deed: Deed, [fromMs, toMs]: Range): boolean => deed.fromMs <= toMs && fromMs <= deed.toMs;

export const isMistimed = ({ deeds }: Circumstances, [fromMs, toMs]: Range, tolerance: number): boolean =>
  deeds.some(
    (deed) =>
      deed.mistimed === true && deed.fromMs - GOP_MS - tolerance <= toMs && fromMs <= deed.toMs + tolerance,
  );

/**
 * The rest of a GOP in which the CDN sent again what is in a gap, or lies before the first picture: where that belongs
 * nobody can tell before the next keyframe.
 */
export const followsReplay = (
  { deeds }: Circumstances,
  [fromMs, toMs]: Range,
  holes: readonly Range[],
  tolerance: number,
): boolean =>
  deeds.some(
    (deed) =>
      fromMs >= deed.fromMs - tolerance &&
      toMs <= deed.fromMs + GOP_MS + tolerance &&
      holes.some((hole) => reachesInto(hole, deed, tolerance)),
  );

/** Before the first picture that a session has: that was made before a pause, in which it was found. */
export const endsInPause = ({ deeds }: Circumstances, { after, to }: Gap, tolerance: number): boolean =>
  after === null &&
  deeds.some(
    (deed) => deed.pauses === true && meets(deed, [Date.parse(to) - tolerance, Date.parse(to) + tolerance]),
  );

/** What lies in it came from a playlist that reached back over a change of the source's clock. */
export const reachesOverClocks = ({ deeds }: Circumstances, [fromMs, toMs]: Range): boolean =>
  deeds.some((deed) => deed.clockByMs !== undefined && meets(deed, [fromMs - WINDOW_MS, toMs + WINDOW_MS]));
