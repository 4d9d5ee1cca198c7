/**
 * Local time of an IANA time zone, and back. A local time is a number too: the milliseconds that `Date.UTC` gives for
 * what the clock on the wall shows, so that days and weeks are counted on it without daylight saving time.
 *
 * Most local times are one instant. When clocks go back an hour, those of that hour are two; when clocks go forward,
 * those in the gap are none, and the moment at which the clock jumps over them stands for them.
 */
import { LivestowError } from '../kernel/errors.ts';
import { textFor } from './checked-text.ts';

export interface TimeZone {
  /** As it was written. */
  readonly name: string;
  /** What the clock on the wall shows. */
  readonly localMs: (atMs: number) => number;
  /** When the clock first shows this, or jumps over it. */
  readonly firstMs: (localMs: number) => number;
  /** When the clock shows this for the last time, or jumps over it. */
  readonly lastMs: (localMs: number) => number;
}

const DAY_MS = 86_400_000;

/** Making a formatter is what costs, and many creators share a few zones. */
const known = new Map<string, TimeZone>();

export function timeZone(name: string): TimeZone {
  const zone = known.get(name) ?? createTimeZone(name);
  known.set(name, zone);
  return zone;
}

export const timeZoneSchema = textFor(timeZone).meta({ examples: ['UTC', 'Europe/Berlin'] });

function createTimeZone(name: string): TimeZone {
  const offsetMs = offsets(name);
  /** In order: none, one or two. */
  const instants = (localMs: number): number[] => {
    const found = around(localMs).map((offset) => localMs - offset);
    return found.length === 1 ? found : found.filter((atMs) => atMs + offsetMs(atMs) === localMs);
  };
  /** No zone is more than a day from UTC, so a change that matters lies between these; the greater offset is first. */
  const around = (localMs: number): number[] =>
    [...new Set([offsetMs(localMs - DAY_MS), offsetMs(localMs + DAY_MS)])].sort((a, b) => b - a);
  /** When the clock jumps over a local time that it never shows. */
  const jumpMs = (localMs: number): number => {
    const [after = 0, before = 0] = around(localMs);
    let [early, late] = [localMs - after, localMs - before];
    while (late - early > 1) {
      const middle = Math.floor((early + late) / 2);
      if (offsetMs(middle) === before) early = middle;
      else late = middle;
    }
    return late;
  };
  return {
    name,
    localMs: (atMs) => atMs + offsetMs(atMs),
    firstMs: (localMs) => instants(localMs).at(0) ?? jumpMs(localMs),
    lastMs: (localMs) => instants(localMs).at(-1) ?? jumpMs(localMs),
  };
}

/** How far local time is ahead of UTC at an instant. */
function offsets(name: string): (atMs: number) => number {
  const format = formatter(name);
  return (atMs) => {
    // `GMT`, `GMT-03:30`, or with seconds, as long ago.
    const [, sign = '+', ...parts] = /GMT(?:([+-])(\d+):(\d+)(?::(\d+))?)?$/.exec(format.format(atMs)) ?? [];
    const [hours = 0, minutes = 0, seconds = 0] = parts.map((part) => Number(part ?? 0));
    return (sign === '-' ? -1 : 1) * (hours * 3_600 + minutes * 60 + seconds) * 1_000;
  };
}

function formatter(name: string): Intl.DateTimeFormat {
  try {
    // An offset such as +02:00, which Node takes too, knows no daylight saving time: hardly what somebody means.
    if (!/^[a-z]/i.test(name)) throw new RangeError('not a name');
    return new Intl.DateTimeFormat('en-US', { timeZone: name, hour: 'numeric', timeZoneName: 'longOffset' });
  } catch (error) {
    const message = `${JSON.stringify(name)} is not a time zone: a name of the IANA database, such as UTC, Europe/Berlin or America/New_York`;
    throw new LivestowError('CONFIG', message, { cause: error });
  }
}
