/**
 * Windows that come each week, as people write them: `Mon-Fri 18:00-23:30`, `Sat,Sun 10:00-02:00` (over midnight: the days
 * are those on which it opens), `daily 20:00-22:00`, `Mon 00:00-24:00`.
 *
 * When clocks change, a window opens the first time that the clock shows its start, and closes the last time that it shows
 * its end: each moment whose local time lies in the window is in it, and it opens and closes once. What lies in the gap
 * of clocks that go forward opens or closes at the jump.
 */
import { LivestowError } from '../kernel/errors.ts';
import { union, type Span } from './spans.ts';
import type { TimeZone } from './time-zone.ts';

export const DAY_NAMES = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const;

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const WEEK_MS = 7 * DAY_MS;
/** The epoch was a Thursday. */
const MONDAY_MS = 4 * DAY_MS;

/** Spans of the local week, from Monday 00:00, that a text means; one over the week's end is cut in two. */
export function parseWeekly(text: string): Span[] {
  const [, days = '', start = '', end = ''] = /^\s*(.+?)\s+([\d:]+)\s*[-–]\s*([\d:]+)\s*$/.exec(text) ?? [];
  if (days === '')
    throw refusal(text, 'write days and times, such as "Mon-Fri 18:00-23:30" or "daily 20:00-22:00"');
  const [startMs, endMs] = [timeOfDayMs(text, start), timeOfDayMs(text, end)];
  if (startMs === DAY_MS) throw refusal(text, '24:00 can only be an end');
  if (startMs === endMs) throw refusal(text, 'it ends when it begins; a whole day is 00:00-24:00');
  const lengthMs = endMs > startMs ? endMs - startMs : endMs + DAY_MS - startMs;
  return union(
    daysOf(text, days).flatMap((day) => {
      const fromMs = day * DAY_MS + startMs;
      const toMs = fromMs + lengthMs;
      return [
        { fromMs, toMs: Math.min(toMs, WEEK_MS) },
        { fromMs: 0, toMs: toMs - WEEK_MS },
      ];
    }),
  );
}

/** The instants of such spans that touch a time; those at its ends whole. */
export function weeklySpans(spans: readonly Span[], zone: TimeZone, { fromMs, toMs }: Span): Span[] {
  const found: Span[] = [];
  // A day more on both sides, for local time may go back over a week's end.
  const lastMs = zone.localMs(toMs) + DAY_MS;
  for (let mondayMs = mondayBefore(zone.localMs(fromMs) - DAY_MS); mondayMs <= lastMs; mondayMs += WEEK_MS) {
    for (const span of spans) {
      const opensMs = zone.firstMs(mondayMs + span.fromMs);
      const closesMs = zone.lastMs(mondayMs + span.toMs);
      if (opensMs < toMs && closesMs > fromMs) found.push({ fromMs: opensMs, toMs: closesMs });
    }
  }
  return found;
}

/** Whether they leave out nothing of the week, and so no local time at all. */
export const isWholeWeek = (spans: readonly Span[]): boolean => {
  const [only] = union(spans);
  return only !== undefined && only.fromMs === 0 && only.toMs === WEEK_MS;
};

/** `Fri 18:00`; with the date where the weekday alone could be another week's. */
export function formatLocal(localMs: number, withDate: boolean): string {
  const iso = new Date(localMs).toISOString();
  const day = DAY_NAMES[Math.floor((localMs - mondayBefore(localMs)) / DAY_MS)];
  return [day, ...(withDate ? [iso.slice(0, 10)] : []), iso.slice(11, 16)].join(' ');
}

const mondayBefore = (localMs: number): number =>
  Math.floor((localMs - MONDAY_MS) / WEEK_MS) * WEEK_MS + MONDAY_MS;

function timeOfDayMs(text: string, time: string): number {
  const [, hours, minutes] = /^([01]?\d|2[0-4]):([0-5]\d)$/.exec(time) ?? [];
  const ms = (Number(hours) * 60 + Number(minutes)) * MINUTE_MS;
  if (ms <= DAY_MS) return ms;
  throw refusal(text, `${time} is not a time of day from 00:00 to 24:00`);
}

/** Days since Monday; a range may go over the week's end. */
function daysOf(text: string, written: string): number[] {
  if (written.toLowerCase() === 'daily') return DAY_NAMES.map((_name, day) => day);
  return written.split(',').flatMap((part) => {
    const [first = 0, last = first, ...more] = part.split(/[-–]/).map((name) => dayOf(text, name.trim()));
    if (more.length > 0) throw refusal(text, `${part.trim()} is not a range of days such as Mon-Fri`);
    return Array.from({ length: ((last - first + 7) % 7) + 1 }, (_day, n) => (first + n) % 7);
  });
}

function dayOf(text: string, name: string): number {
  const day = DAY_NAMES.findIndex((known) => known.toLowerCase() === name.toLowerCase());
  if (day === -1)
    throw refusal(text, `${JSON.stringify(name)} is not a day: ${DAY_NAMES.join(', ')} or daily`);
  return day;
}

const refusal = (text: string, why: string): LivestowError =>
  new LivestowError('CONFIG', `${JSON.stringify(text)} is not a weekly window: ${why}`);
