/** Holes in a session of which no gap tells: what only lines of a journal could say that were lost. */
import type { Gap, Segment } from '../model/manifest.ts';

/** Segments join up to the millisecond; our clock's idea of when they were live is corrected by less than this. */
export const CORRECTION_MS = 100;

export function untoldGaps(segments: readonly Segment[], gaps: readonly Gap[]): Gap[] {
  return segments.slice(1).flatMap((segment, i): Gap[] => {
    const before = segments[i];
    if (!before) return [];
    const fromMs = Date.parse(before.startsAt) + before.durationMs;
    const toMs = Date.parse(segment.startsAt);
    const ms = untoldMs(fromMs, toMs, gaps);
    if (ms < CORRECTION_MS) return [];
    const to = segment.startsAt;
    return [{ after: before.key, from: new Date(toMs - ms).toISOString(), to, ms, cause: 'lost-locally' }];
  });
}

/** How much of a hole, in wall-clock milliseconds, no gap tells. */
export function untoldMs(fromMs: number, toMs: number, gaps: readonly Gap[]): number {
  const toldMs = gaps.reduce((sum, gap) => {
    const overlapMs = Math.min(toMs, Date.parse(gap.to)) - Math.max(fromMs, Date.parse(gap.from));
    return sum + Math.max(0, overlapMs);
  }, 0);
  return toMs - fromMs - toldMs;
}
