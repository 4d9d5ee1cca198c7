/**
 * A creator's habit: how often broadcasts begin, for each hour of the week, learned from those that were found.
 *
 * Little is known of most creators. So what an hour has seen is smoothed over the hours beside it, and drawn towards what is
 * known more broadly: the hour of the week towards the same hour of any day, that one towards the creator's mean, the mean
 * towards a prior. How strongly follows from the history itself: whether broadcasts of different days fall together more
 * than chance would have it. Where they don't, there is no habit, and all hours come out alike. No rate is ever zero.
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
/** A broadcast counts for the hours beside its own as well: a start varies by about an hour. */
const SMOOTHING = [0.06, 0.24, 0.4, 0.24, 0.06];
const REACH = 2;
/** What two smoothed broadcasts have in common that begin so many hours apart. */
const OVERLAP = Array.from({ length: SMOOTHING.length }, (_, apart) =>
  SMOOTHING.slice(apart).reduce((total, share, index) => total + share * SMOOTHING[index]!, 0),
);
/**
 * Relative variances expected before anything is known, as if seen in a part of a pair of broadcasts: most creators have
 * hours of the day, fewer have days of the week.
 */
const EXPECTED = { pairs: 0.3, hoursOfDay: 1, daysOfWeek: 0 };
const LEAST_VARIANCE = 0.001;

/** Counted from a Thursday, as the epoch is. */
export const hourOfWeek = (atMs: number): number => {
  const hour = Math.floor(atMs / HOUR_MS) % HOURS_PER_WEEK;
  return hour < 0 ? hour + HOURS_PER_WEEK : hour;
};

interface Start {
  atMs: number;
  weight: number;
}

/** Broadcasts begun per hour, for each hour of the week. */
export function learnGoLiveRate({ sinceMs, startsMs }: GoLiveHistory, nowMs: number): Float64Array {
  const starts = startsMs
    .filter((atMs) => atMs >= sinceMs && atMs <= nowMs)
    .map((atMs): Start => ({ atMs, weight: WEIGHT_PER_WEEK ** Math.floor((nowMs - atMs) / WEEK_MS) }));
  const byHour = new Float64Array(HOURS_PER_WEEK);
  for (const { atMs, weight } of starts) byHour[hourOfWeek(atMs)]! += weight;
  const seen = { starts: smoothed(byHour), hours: smoothed(hoursWatched(sinceMs, nowMs)) };
  const seenDaily = { starts: everyDay(seen.starts), hours: everyDay(seen.hours) };

  const variance = variances(starts, seen.starts, seenDaily.starts);
  const mean = (sum(seen.starts) + PRIOR.starts) / (sum(seen.hours) + PRIOR.hours);
  const daily = seenDaily.starts.map((count, hour) =>
    drawn(count, seenDaily.hours[hour]!, mean, variance.hoursOfDay),
  );
  return seen.starts.map((count, hour) =>
    drawn(count, seen.hours[hour]!, daily[hour % 24]!, variance.daysOfWeek),
  );
}

/**
 * The mean of a rate of which so many starts in so many hours were seen, and before that a broader rate around which such
 * rates vary by this much: gamma-distributed, which counts as 1/variance starts at the broader rate; fewer, because smoothing
 * has taken part of the chance out of what was seen.
 */
function drawn(starts: number, hours: number, broader: number, variance: number): number {
  const counts = OVERLAP[0]! / variance;
  return (starts + counts) / (hours + counts / broader);
}

/**
 * How much more than by chance do hours of the day differ, and days of the week in the same hour? If by nothing, pairs of
 * broadcasts fall into the same hour of the day once in 24, and of those that do, once in seven on the same weekday. Pairs
 * of one date are left out: who goes live again after an hour has no habit by that.
 */
function variances(starts: readonly Start[], weekly: Float64Array, daily: Float64Array) {
  let pairs = sum(daily) ** 2;
  let together = { ofDay: squares(daily), ofWeek: squares(weekly) };
  for (const sameDate of Map.groupBy(starts, ({ atMs }) => Math.floor(atMs / (24 * HOUR_MS))).values()) {
    for (const one of sameDate) {
      for (const other of sameDate) {
        const apart = Math.abs(hourOfWeek(one.atMs) - hourOfWeek(other.atMs));
        const both = one.weight * other.weight;
        const overlap = both * ((OVERLAP[apart] ?? 0) + (OVERLAP[24 - apart] ?? 0));
        pairs -= both;
        together = {
          ofDay: together.ofDay - overlap,
          ofWeek: together.ofWeek - both * (OVERLAP[apart] ?? 0),
        };
      }
    }
  }
  const beyondChance = (found: number, byChance: number, expected: number): number =>
    Math.max(LEAST_VARIANCE, (found + EXPECTED.pairs * (1 + expected)) / (byChance + EXPECTED.pairs) - 1);
  return {
    hoursOfDay: beyondChance(together.ofDay, pairs / 24, EXPECTED.hoursOfDay),
    daysOfWeek: beyondChance(together.ofWeek, together.ofDay / 7, EXPECTED.daysOfWeek),
  };
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
  return byHour.map((_, hour) =>
    SMOOTHING.reduce((total, share, index) => {
      const beside = (hour + index - REACH + HOURS_PER_WEEK) % HOURS_PER_WEEK;
      return total + share * byHour[beside]!;
    }, 0),
  );
}

function everyDay(byHour: Float64Array): Float64Array {
  const daily = new Float64Array(24);
  for (const [hour, value] of byHour.entries()) daily[hour % 24]! += value;
  return daily;
}

const sum = (values: Float64Array): number => values.reduce((total, value) => total + value, 0);
const squares = (values: Float64Array): number => values.reduce((total, value) => total + value ** 2, 0);
