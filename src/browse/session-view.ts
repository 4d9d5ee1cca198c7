/**
 * A session as its page shows it: runs of media on a time line, what is missing between them, how many watched. Pure. The
 * recording's positions are those of `index.m3u8`, in which what is missing takes no time.
 */
import { viewersOf, type Viewers, type ViewerSample } from '../archive/viewers.ts';
import { GAP_CAUSES } from '../model/causes.ts';
import type { Epoch, Gap, Manifest, Segment } from '../model/manifest.ts';

/** Segments' times agree no better than this where nothing is missing. */
const JOINED_MS = 500;
const MOST_VIEWER_POINTS = 400;

export interface Run {
  positionMs: number;
  atMs: number;
  ms: number;
}

export interface ShownGap {
  fromMs: number;
  ms: number;
  cause: Gap['cause'];
  why: string;
  /** Of the first picture behind it. */
  positionMs: number;
}

export interface ShownEpoch {
  epoch: Epoch;
  positionMs: number;
  atMs: number;
  ms: number;
}

export interface SessionView {
  fromMs: number;
  toMs: number;
  recordedMs: number;
  runs: Run[];
  gaps: ShownGap[];
  epochs: ShownEpoch[];
}

export function viewOf(manifest: Manifest): SessionView {
  const runs: Run[] = [];
  const epochs: ShownEpoch[] = [];
  const positions = new Map<string, number>();
  const behindGap = new Set(manifest.gaps.map(({ after }) => after));
  let positionMs = 0;
  let before: Segment | undefined;
  for (const segment of manifest.segments) {
    const { key, durationMs: ms } = segment;
    const atMs = Date.parse(segment.startsAt);
    const run = runs.at(-1);
    const isJoined =
      run !== undefined &&
      before !== undefined &&
      !behindGap.has(before.key) &&
      Math.abs(run.atMs + run.ms - atMs) <= JOINED_MS;
    if (isJoined) run.ms += ms;
    else runs.push({ positionMs, atMs, ms });
    const last = epochs.at(-1);
    if (last && last.epoch.term === segment.term && last.epoch.epoch === segment.epoch) last.ms += ms;
    else {
      const epoch = manifest.epochs.find(
        ({ term, epoch: n }) => term === segment.term && n === segment.epoch,
      );
      if (epoch) epochs.push({ epoch, positionMs, atMs, ms });
    }
    positionMs += ms;
    positions.set(key, positionMs);
    before = segment;
  }
  const gaps = manifest.gaps.map(({ after, from, ms, cause }): ShownGap => ({
    fromMs: Date.parse(from),
    ms,
    cause,
    why: GAP_CAUSES[cause],
    positionMs: after === null ? 0 : (positions.get(after) ?? 0),
  }));
  const begins = [
    runs[0]?.atMs,
    gaps[0]?.fromMs,
    runs.length + gaps.length === 0 ? Date.parse(manifest.foundAt) : undefined,
  ];
  const ends = [
    ...runs.slice(-1).map(({ atMs, ms }) => atMs + ms),
    ...gaps.map(({ fromMs, ms }) => fromMs + ms),
  ];
  const fromMs = Math.min(...begins.filter((ms) => ms !== undefined));
  return { fromMs, toMs: Math.max(fromMs + 1_000, ...ends), recordedMs: positionMs, runs, gaps, epochs };
}

export interface ShownViewers extends Viewers {
  /** Oldest first, thinned out evenly. */
  points: { atMs: number; viewers: number }[];
}

/** Null: nobody counted. */
export function shownViewers(samples: readonly ViewerSample[]): ShownViewers | null {
  const viewers = viewersOf(samples);
  if (viewers === null) return null;
  const step = Math.max(1, Math.ceil(samples.length / MOST_VIEWER_POINTS));
  const kept = samples.filter((_, i) => i % step === 0 || i === samples.length - 1);
  return {
    ...viewers,
    points: kept.map(({ at, viewers: count }) => ({ atMs: Date.parse(at), viewers: count })),
  };
}

/** `h264 720×1280, flv/origin` */
export const epochLabel = ({ codec, width, height, variant }: Epoch): string =>
  `${codec === 'none' ? 'sound only' : `${codec} ${width}×${height}`}, ${variant.protocol}/${variant.qualityKey}`;
