/**
 * Where a part of a recording begins or ends, as people say it: how far into it (`90`, `1:30`, `00:10:00`), or when it was
 * live (`2026-11-22T14:05:00Z`). The recording's own time line has no gaps: it is what a player shows.
 */
import { z } from 'zod';
import type { Segment } from '../model/manifest.ts';

export type Moment = { kind: 'place'; ms: number } | { kind: 'instant'; ms: number };

const PLACE = /^(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d{1,3})?)$/;
const instant = z.iso.datetime({ offset: true });

/** How it may be written, for whoever wrote it otherwise. */
export const MOMENT_FORMS = 'seconds (90), a place (1:30, 00:10:00) or an instant (2026-11-22T14:05:00Z)';

export function parseMoment(text: string): Moment | undefined {
  const [whole, h = '0', m = '0', s] = PLACE.exec(text.trim()) ?? [];
  if (whole !== undefined)
    return { kind: 'place', ms: Math.round(((Number(h) * 60 + Number(m)) * 60 + Number(s)) * 1000) };
  return instant.safeParse(text).success ? { kind: 'instant', ms: Date.parse(text) } : undefined;
}

interface Placed {
  segment: Pick<Segment, 'startsAt' | 'durationMs'>;
  fromMs: number;
}

/**
 * The moment's place on the recording's time line; before its beginning and after its end, those. An instant of which
 * nothing was recorded is the next one of which something was, or, where a part ends, the one before.
 */
export function resolveMoment(moment: Moment, line: readonly Placed[], end: 'from' | 'to'): number {
  if (moment.kind === 'place') return moment.ms;
  let placeMs = 0;
  for (const { segment, fromMs } of line) {
    const intoMs = moment.ms - Date.parse(segment.startsAt);
    if (intoMs < 0) return end === 'from' ? fromMs : placeMs;
    placeMs = fromMs + Math.min(intoMs, segment.durationMs);
    if (intoMs < segment.durationMs) return placeMs;
  }
  return placeMs;
}
