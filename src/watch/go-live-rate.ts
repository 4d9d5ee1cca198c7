/**
 * A creator's habit: how often broadcasts begin, for each hour of the week, learned from those that were found.
 *
 * Little is known of most creators, so what an hour has seen is shared twice. It is smoothed over the hours beside it, and
 * mixed with what is known more broadly: the hour of the week with the same hour of every day, that one with the creator's
 * mean, and the mean with a prior, each counting as much as a few hours of watching. No rate is ever zero.
 *
 * Hours are counted in UTC from the epoch, so that every week has the same 168 and no time zone need be known. Daylight
 * saving moves a habit by an hour twice a year; the smoothing covers most of that until it is learned anew.
 */

export interface GoLiveHistory {
  /** Since when broadcasts would have been found. */
  sinceMs: number;
  /** When the found ones began, in any order. */
  startsMs: readonly number[];
}

export const HOUR_MS = 3_600_000;
export const HOURS_PER_WEEK = 168;
const WEEK_MS = HOURS_PER_WEEK * HOUR_MS;

/** After so long a week counts half. */
const HALF_LIFE_WEEKS = 4;
const WEIGHT_PER_WEEK = 2 ** (-1 / HALF_LIFE_WEEKS);
/** What is expected of a creator of whom nothing is known: one broadcast a day, as if seen for one day. */
const PRIOR = { starts: 1, hours: 24 };
/** How many hours of watching the broader knowledge counts as. */
const MEAN_COUNTS_HOURS = 1;
const HOUR_OF_DAY_COUNTS_HOURS = 2;
/** What an hour's broadcast says of the hours beside it: a start varies by about an hour. */
const SMOOTHING = [0.06, 0.24, 0.4, 0.24, 0.06];

/** Counted from a Thursday, as the epoch is. */
export const hourOfWeek = (atMs: number): number => {
  const hour = Math.floor(atMs / HOUR_MS) % HOURS_PER_WEEK;
  return hour < 0 ? hour + HOURS_PER_WEEK : hour;
};

/** Broadcasts begun per hour, for each hour of the week. */
export function learnGoLiveRate({ sinceMs, startsMs }: GoLiveHistory, nowMs: number): Float64Array {
  const starts = new Float64Array(HOURS_PER_WEEK);
  for (const startMs of startsMs) {
    if (startMs < sinceMs || startMs > nowMs) continue;
    starts[hourOfWeek(startMs)]! += WEIGHT_PER_WEEK ** Math.floor((nowMs - startMs) / WEEK_MS);
  }
  const seen = { starts: smoothed(starts), hours: smoothed(hoursWatched(sinceMs, nowMs)) };

  const inAll = { starts: sum(starts), hours: sum(seen.hours) };
  const mean = (inAll.starts + PRIOR.starts) / (inAll.hours + PRIOR.hours);
  const byHourOfDay = Float64Array.from({ length: 24 }, (_, hour) =>
    mixed(everyDay(seen.starts, hour), everyDay(seen.hours, hour), mean, MEAN_COUNTS_HOURS),
  );
  return seen.starts.map((count, hour) =>
    mixed(count, seen.hours[hour]!, byHourOfDay[hour % 24]!, HOUR_OF_DAY_COUNTS_HOURS),
  );
}

/** How long each hour of the week was watched, in hours; those of old weeks count less, as their broadcasts do. */
function hoursWatched(sinceMs: number, nowMs: number): Float64Array {
  const weeks = Math.max(0, (nowMs - sinceMs) / WEEK_MS);
  const whole = Math.floor(weeks);
  const wholeWeight = (1 - WEIGHT_PER_WEEK ** whole) / (1 - WEIGHT_PER_WEEK);
  const hours = new Float64Array(HOURS_PER_WEEK).fill(wholeWeight);
  // What is left over is the oldest part of a week.
  const left = (weeks - whole) * HOURS_PER_WEEK;
  for (let passed = 0; passed < left; passed += 1) {
    hours[hourOfWeek(sinceMs + passed * HOUR_MS)]! += Math.min(1, left - passed) * WEIGHT_PER_WEEK ** whole;
  }
  return hours;
}

function smoothed(byHour: Float64Array): Float64Array {
  const reach = (SMOOTHING.length - 1) / 2;
  return byHour.map((_, hour) =>
    SMOOTHING.reduce((total, share, index) => {
      const beside = (hour + index - reach + HOURS_PER_WEEK) % HOURS_PER_WEEK;
      return total + share * byHour[beside]!;
    }, 0),
  );
}

const mixed = (starts: number, hours: number, broader: number, counts: number): number =>
  (starts + counts * broader) / (hours + counts);

function everyDay(byHour: Float64Array, hourOfDay: number): number {
  let total = 0;
  for (let hour = hourOfDay; hour < HOURS_PER_WEEK; hour += 24) total += byHour[hour]!;
  return total;
}

const sum = (values: Float64Array): number => values.reduce((total, value) => total + value, 0);
