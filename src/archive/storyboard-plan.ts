/**
 * Which moments of a session a storyboard shows, and where in it. Times are those of `index.m3u8`: its segments back to
 * back, as players play them, whatever gaps there were.
 */
import type { Epoch, Manifest, Segment } from '../model/manifest.ts';

export const MOST_PICTURES = 100;
const TILE_WIDTH = 160;
const MOST_TILE_HEIGHT = 320;
const MOST_COLUMNS = 10;

export interface Moment {
  segment: Segment;
  epoch: Epoch;
  /** On the session playlist's time line. */
  atMs: number;
}

export interface StoryboardPlan {
  /** In order; the pictures that segments begin with, spread evenly over the session. */
  moments: Moment[];
  /** Of each picture: the shape of what most of the session was recorded in. */
  tile: { width: number; height: number };
  totalMs: number;
}

/** Undefined when there are no pictures. */
export function planStoryboard({ epochs, segments }: Manifest): StoryboardPlan | undefined {
  const epochOf = new Map(epochs.map((epoch) => [nameOf(epoch), epoch]));
  const totalMs = segments.reduce((sum, { durationMs }) => sum + durationMs, 0);
  const moments: Moment[] = [];
  const recordedMs = new Map<Epoch, number>();
  let atMs = 0;
  for (const segment of segments) {
    const epoch = epochOf.get(nameOf(segment));
    if (epoch && segment.pictures > 0) {
      recordedMs.set(epoch, (recordedMs.get(epoch) ?? 0) + segment.durationMs);
      moments.push({ segment, epoch, atMs });
    }
    atMs += segment.durationMs;
  }
  const [most] = [...recordedMs].sort(([, a], [, b]) => b - a);
  return most && totalMs > 0
    ? { moments: spread(moments, totalMs), tile: tileFor(most[0]), totalMs }
    : undefined;
}

/** All, or the first in each of as many equal parts of the session as there may be pictures. */
function spread(moments: readonly Moment[], totalMs: number): Moment[] {
  if (moments.length <= MOST_PICTURES) return [...moments];
  const partOf = ({ atMs }: Moment): number => Math.floor((atMs * MOST_PICTURES) / totalMs);
  return moments.filter((moment, i) => i === 0 || partOf(moment) > partOf(moments[i - 1]!));
}

const nameOf = ({ term, epoch }: { term: number; epoch: number }): string => `${term}-${epoch}`;

function tileFor({ width, height }: Epoch): { width: number; height: number } {
  const shape = width > 0 ? (TILE_WIDTH * height) / width : TILE_WIDTH;
  return { width: TILE_WIDTH, height: Math.max(2, Math.min(MOST_TILE_HEIGHT, 2 * Math.round(shape / 2))) };
}

export const columnsFor = (pictures: number): number => Math.min(MOST_COLUMNS, pictures);

/**
 * WebVTT that says which part of the sheet belongs to which time: each picture holds until the next, the first from the
 * beginning, the last to the end.
 * @param image the sheet's name, as seen from where this lies
 */
export function thumbnailTrack(
  image: string,
  atMs: readonly number[],
  { tile, totalMs }: Pick<StoryboardPlan, 'tile' | 'totalMs'>,
): string {
  const columns = columnsFor(atMs.length);
  const cues = atMs.map((fromMs, i) => {
    const [x, y] = [(i % columns) * tile.width, Math.floor(i / columns) * tile.height];
    const span = `${cueTime(i === 0 ? 0 : fromMs)} --> ${cueTime(atMs[i + 1] ?? totalMs)}`;
    return `${span}\n${image}#xywh=${x},${y},${tile.width},${tile.height}\n`;
  });
  return ['WEBVTT\n', ...cues].join('\n');
}

function cueTime(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const parts = [seconds / 3600, (seconds / 60) % 60, seconds % 60].map((part) =>
    String(Math.floor(part)).padStart(2, '0'),
  );
  return `${parts.join(':')}.${String(Math.round(ms) % 1000).padStart(3, '0')}`;
}
