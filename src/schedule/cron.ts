/**
 * Cron expressions in a time zone: when the next run is due, and when the one before was.
 *
 * The library reads the expression and says at which local times it runs. When those come is decided here, for the
 * library leaves out runs that it does not find on their day:
 *
 * - A local time that does not exist, because clocks go forward, comes when the clock jumps over it. Several of them come
 *   together, as one run.
 * - A local time that exists twice, because clocks go back, comes the first time. What runs every hour runs in both of
 *   the hours that look alike, or it would be silent for one.
 */
import { Cron } from 'croner';
import { LivestowError, messageOf } from '../kernel/errors.ts';
import { textFor } from './checked-text.ts';
import { timeZone, type TimeZone } from './time-zone.ts';

export interface CronSchedule {
  readonly expression: string;
  readonly timeZone: string;
  /** The first run after this instant, not at it; null: none in the library's years. */
  next(afterMs: number): number | null;
  /** The last run before this instant, not at it. */
  previous(beforeMs: number): number | null;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Seconds and years are not taken, nor a date, which the library would read as one run. */
const FORM = /^(?:@[a-z]+|\S+(?:\s+\S+){4})$/i;
const ACCEPTED =
  'five fields (minute, hour, day of month, month, day of week) such as "0 18 * * Mon-Fri", or @hourly, @daily, @weekly, @monthly, @yearly';

export function parseCron(expression: string, zoneName: string): CronSchedule {
  const zone = timeZone(zoneName);
  const runs = readCron(expression.trim());
  const comings = runsEveryHour(runs) ? [zone.firstMs, zone.lastMs] : [zone.firstMs];
  return {
    expression,
    timeZone: zone.name,
    next(afterMs) {
      const fromMs = zone.localMs(afterMs) - goesBackMs(zone, afterMs);
      const found = comings.flatMap((comesMs) => {
        let localMs = runs.next(fromMs - 1);
        while (localMs !== null && comesMs(localMs) <= afterMs) localMs = runs.next(localMs);
        return localMs === null ? [] : [comesMs(localMs)];
      });
      return found.length > 0 ? Math.min(...found) : null;
    },
    previous(beforeMs) {
      const fromMs = zone.localMs(beforeMs) + goesBackMs(zone, beforeMs - DAY_MS);
      const found = comings.flatMap((comesMs) => {
        let localMs = runs.previous(fromMs + 1);
        while (localMs !== null && comesMs(localMs) >= beforeMs) localMs = runs.previous(localMs);
        return localMs === null ? [] : [comesMs(localMs)];
      });
      return found.length > 0 ? Math.max(...found) : null;
    },
  };
}

export const cronSchema = textFor((text) => readCron(text.trim())).meta({
  examples: ['0 18 * * Mon-Fri', '@daily'],
});

/** Local times, as numbers (`time-zone.ts`). */
interface LocalRuns {
  next(afterMs: number): number | null;
  previous(beforeMs: number): number | null;
}

function readCron(expression: string): LocalRuns {
  if (!FORM.test(expression)) throw refusal(expression, `write ${ACCEPTED}`);
  const cron = createCron(expression);
  if (cron.nextRun(new Date(0)) === null) throw refusal(expression, 'no such day ever comes');
  return {
    next: (afterMs) => cron.nextRun(new Date(afterMs))?.getTime() ?? null,
    previous: (beforeMs) => cron.previousRuns(1, new Date(beforeMs))[0]?.getTime() ?? null,
  };
}

function createCron(expression: string): Cron {
  try {
    // An offset and not the zone UTC, which the library asks Intl about at each step.
    return new Cron(expression, { utcOffset: 0, mode: '5-part', paused: true });
  } catch (error) {
    const why = messageOf(error).replace(/^CronPattern: /, '');
    throw refusal(expression, `${why}; write ${ACCEPTED}`, error);
  }
}

/** Whether it runs in each hour of a day on which it runs. */
function runsEveryHour(runs: LocalRuns): boolean {
  let runMs = runs.next(DAY_MS);
  const day = Math.floor((runMs ?? 0) / DAY_MS);
  const hours = new Set<number>();
  for (
    ;
    runMs !== null && Math.floor(runMs / DAY_MS) === day;
    runMs = runs.next((hour(runMs) + 1) * HOUR_MS - 1)
  )
    hours.add(hour(runMs));
  return hours.size === 24;
}

const hour = (localMs: number): number => Math.floor(localMs / HOUR_MS);

/** By how much local time falls behind within a day. */
const goesBackMs = (zone: TimeZone, atMs: number): number =>
  Math.max(0, zone.localMs(atMs) + DAY_MS - zone.localMs(atMs + DAY_MS));

const refusal = (expression: string, why: string, cause?: unknown): LivestowError =>
  new LivestowError('CONFIG', `${JSON.stringify(expression)} is not a cron expression: ${why}`, { cause });
