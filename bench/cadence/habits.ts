/**
 * How simulated creators go live. Each has hours of its own. A third of the broadcasts are short, 3 to 15 minutes; the others
 * take about an hour and a half.
 */
import type { Random } from './random.ts';
import type { Broadcast } from './simulation.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
export const WEEK_MS = 7 * DAY_MS;
/** Below this, a broadcast counts as short. */
export const SHORT_MS = 15 * MINUTE_MS;

interface Time {
  fromMs: number;
  /** When habits change that do. */
  changesMs: number;
  untilMs: number;
}

/** When broadcasts begin, in any order. */
type Starts = (random: Random, time: Time) => number[];

const days = ({ fromMs, untilMs }: Time): number[] =>
  Array.from({ length: Math.ceil((untilMs - fromMs) / DAY_MS) }, (_, day) => fromMs + day * DAY_MS);

/** Mostly at the same hour, give or take; the hour may depend on the day. */
function daily(random: Random, time: Time, hourOn: (dayMs: number) => number): number[] {
  return days(time)
    .filter(() => random.next() < 0.85)
    .map((dayMs) => dayMs + (hourOn(dayMs) + 0.5 * random.normal()) * HOUR_MS);
}

const anHour = (random: Random): number => 24 * random.next();

export const HABITS: Record<string, { what: string; starts: Starts }> = {
  daily: {
    what: 'at the same hour, give or take half an hour, on 85 % of the days',
    starts: (random, time) => {
      const hour = anHour(random);
      return daily(random, time, () => hour);
    },
  },
  weekly: {
    what: 'on two days of the week, at the same hour, give or take half an hour',
    starts: (random, time) => {
      const hour = anHour(random);
      const first = Math.floor(7 * random.next());
      const weekdays = new Set([first, (first + 3) % 7]);
      const on = days(time).filter((dayMs) => weekdays.has(Math.floor(dayMs / DAY_MS) % 7));
      return on.map((dayMs) => dayMs + (hour + 0.5 * random.normal()) * HOUR_MS);
    },
  },
  evenings: {
    what: 'most days, anywhere within six hours of the day',
    starts: (random, time) => {
      const hour = anHour(random);
      return days(time)
        .filter(() => random.next() < 0.7)
        .map((dayMs) => dayMs + (hour + 6 * random.next()) * HOUR_MS);
    },
  },
  irregular: {
    what: 'at any time, once a day on average (Poisson)',
    starts: (random, { fromMs, untilMs }) => {
      const starts: number[] = [];
      for (let atMs = fromMs; atMs < untilMs; atMs += random.waiting(DAY_MS)) starts.push(atMs);
      return starts.slice(1);
    },
  },
  bursty: {
    what: 'nothing for 4 days on average, then 3 to 6 times within hours',
    starts: (random, { fromMs, untilMs }) => {
      const starts: number[] = [];
      for (
        let atMs = fromMs + random.waiting(4 * DAY_MS);
        atMs < untilMs;
        atMs += random.waiting(4 * DAY_MS)
      ) {
        const times = 3 + Math.floor(4 * random.next());
        for (let time = 0; time < times; time += 1, atMs += HOUR_MS + random.waiting(2 * HOUR_MS))
          starts.push(atMs);
      }
      return starts;
    },
  },
  changing: {
    what: 'as daily, but from the middle of the measured time on at another hour',
    starts: (random, time) => {
      const [before, after] = [anHour(random), anHour(random)];
      return daily(random, time, (dayMs) => (dayMs < time.changesMs ? before : after));
    },
  },
  'clock change': {
    what: 'as daily, but from the middle of the measured time on an hour later',
    starts: (random, time) => {
      const hour = anHour(random);
      return daily(random, time, (dayMs) => (dayMs < time.changesMs ? hour : hour + 1));
    },
  },
};

/** Broadcasts of one creator, ascending and at least a minute apart. */
export function broadcastsOf(habit: string, random: Random, time: Time): Broadcast[] {
  const starts = HABITS[habit]!.starts(random, time)
    .map(Math.round)
    .toSorted((a, b) => a - b);
  const broadcasts: Broadcast[] = [];
  for (const startMs of starts) {
    const short = random.next() < 1 / 3;
    const minutes = short ? 3 + 12 * random.next() : 90 * Math.exp(0.5 * random.normal());
    const lastMs = broadcasts.at(-1)?.endMs ?? -Infinity;
    if (startMs < time.fromMs || startMs < lastMs + MINUTE_MS) continue;
    broadcasts.push({ startMs, endMs: startMs + Math.round(Math.max(3, minutes) * MINUTE_MS) });
  }
  return broadcasts;
}
