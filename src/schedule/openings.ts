/**
 * When something that opens and closes is open, and when that changes next. Looked up week by week and remembered, for
 * it is asked again and again about the same few weeks: by the planner of looks for each hour of them.
 */
import { within, type Span } from './spans.ts';

export interface Change {
  atMs: number;
  /** What it is from then on. */
  open: boolean;
}

export interface Openings {
  isOpen(atMs: number): boolean;
  /** The first change after this instant; null: it stays as it is. */
  nextChange(atMs: number): Change | null;
}

/** What is open in a time. */
export interface Opened {
  /** In order and apart from each other; they may reach out of that time. */
  spans: Span[];
  /** How many openings had to be looked at for it. */
  lookedAt: number;
}

const WEEK_MS = 7 * 86_400_000;
/** A week that is planned ahead touches two; the rest is for questions about other times. */
const WEEKS_KEPT = 4;
/** Whatever is open through so many openings is not followed for years to find out that it stays so. */
const MOST_LOOKED_AT = 2_000;

/** What goes on for `repeatsWithinMs` without a change has none. */
export function openings(openedIn: (time: Span) => Opened, repeatsWithinMs: number): Openings {
  const kept = new Map<number, Opened>();
  const week = (index: number): Opened => {
    const found = kept.get(index) ?? lookUp(index);
    // The one asked for last is the last to go.
    kept.delete(index);
    kept.set(index, found);
    const [oldest = index] = kept.keys();
    if (kept.size > WEEKS_KEPT) kept.delete(oldest);
    return found;
  };
  const lookUp = (index: number): Opened => {
    const time = { fromMs: index * WEEK_MS, toMs: (index + 1) * WEEK_MS };
    const { spans, lookedAt } = openedIn(time);
    return { spans: within(spans, time), lookedAt };
  };
  const spanAt = (atMs: number): Span | undefined =>
    week(weekOf(atMs)).spans.find(({ fromMs, toMs }) => fromMs <= atMs && atMs < toMs);

  const findChange = (atMs: number): Change | null => {
    const open = spanAt(atMs) !== undefined;
    let lookedAt = 0;
    for (let lookMs = atMs; lookMs - atMs < repeatsWithinMs && lookedAt < MOST_LOOKED_AT;) {
      const index = weekOf(lookMs);
      const weekEndMs = (index + 1) * WEEK_MS;
      if (open) {
        const closesMs = spanAt(lookMs)?.toMs ?? lookMs;
        // At the week's end it may only be cut.
        if (closesMs < weekEndMs) return { atMs: closesMs, open: false };
      } else {
        const next = week(index).spans.find(({ fromMs }) => fromMs >= lookMs);
        if (next !== undefined) return { atMs: next.fromMs, open: true };
      }
      lookedAt += week(index).lookedAt;
      lookMs = weekEndMs;
    }
    return null;
  };
  /** The last answer, which holds from when it was asked for until then. */
  let last: { change: Change | null; fromMs: number; untilMs: number } | undefined;
  return {
    isOpen: (atMs) => spanAt(atMs) !== undefined,
    nextChange(atMs) {
      if (last === undefined || atMs < last.fromMs || atMs >= last.untilMs) {
        const change = findChange(atMs);
        last = { change, fromMs: atMs, untilMs: change?.atMs ?? atMs + WEEK_MS };
      }
      return last.change;
    },
  };
}

const weekOf = (atMs: number): number => Math.floor(atMs / WEEK_MS);
