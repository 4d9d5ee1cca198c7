/**
 * When a creator may be recorded, as the operator writes it, and what follows from it for an instant. A list of windows is
 * open when any of them is. `never` wins over `recordOnly`; without `recordOnly` everything else is open.
 */
import { z } from 'zod';
import { LivestowError } from '../kernel/errors.ts';
import { parseDurationMs } from '../kernel/duration.ts';
import { textFor } from './checked-text.ts';
import { cronSchema, parseCron, type CronSchedule } from './cron.ts';
import { openings, type Openings } from './openings.ts';
import { union, without, type Span } from './spans.ts';
import { timeZone, timeZoneSchema, type TimeZone } from './time-zone.ts';
import { formatLocal, isWholeWeek, parseWeekly, weeklySpans } from './weekly.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

const openFor = textFor(openForMs).meta({ examples: ['3h', '1h30m'] });
const weekly = textFor(parseWeekly).meta({ examples: ['Mon-Fri 18:00-23:30', 'Sat,Sun 10:00-02:00'] });
const byCron = z.strictObject({
  cron: cronSchema.describe('Opens at each run of this cron expression.'),
  for: openFor.describe('Stays open for so long, whatever the clocks do.'),
});
const window = z.union([weekly, byCron], {
  error:
    'not a window: write "Mon-Fri 18:00-23:30", "daily 20:00-22:00" or { cron: "0 18 * * *", for: "3h" }',
});

export const windowsSchema = z.strictObject({
  timeZone: timeZoneSchema.optional().describe('The IANA time zone of all these windows.'),
  recordOnly: z
    .array(window)
    .min(1, 'an empty list would record nothing: leave it out to record at any time')
    .optional()
    .describe('Records within these windows only.'),
  never: z
    .array(window)
    .default([])
    .describe('Never records within these windows, whatever recordOnly says.'),
  atEnd: z
    .enum(['stop', 'finish'])
    .default('stop')
    .describe('What happens to a recording when its window ends: stop, or finish with the broadcast.'),
});
export type Windows = z.infer<typeof windowsSchema>;
type Window = z.infer<typeof window>;

export interface RecordingWindows extends Openings {
  readonly timeZone: string;
  readonly atEnd: Windows['atEnd'];
  /** For people: `open until Fri 23:30 Europe/Berlin`, `next opens Fri 18:00 Europe/Berlin`, `always open`, `never opens`. */
  describe(atMs: number): string;
}

/** `defaultZone` is for windows that name none. */
export function recordingWindows(windows: Windows, defaultZone = 'UTC'): RecordingWindows {
  const zone = timeZone(windows.timeZone ?? defaultZone);
  const only = windows.recordOnly && compile(windows.recordOnly, zone);
  const never = compile(windows.never, zone);
  const opens = openings(
    (time) => {
      const may = only?.spans(time) ?? [time];
      const mayNot = never.spans(time);
      return { spans: without(union(may), union(mayNot)), lookedAt: may.length + mayNot.length };
    },
    Math.max(only?.repeatsWithinMs ?? 0, never.repeatsWithinMs),
  );
  const tell = (atMs: number, fromMs: number): string => {
    const isFar = atMs - fromMs >= 6 * DAY_MS;
    return `${formatLocal(zone.localMs(atMs), isFar)} ${zone.name}`;
  };
  return {
    ...opens,
    timeZone: zone.name,
    atEnd: windows.atEnd,
    describe(atMs) {
      const change = opens.nextChange(atMs);
      if (change === null) return opens.isOpen(atMs) ? 'always open' : 'never opens';
      return `${change.open ? 'next opens' : 'open until'} ${tell(change.atMs, atMs)}`;
    },
  };
}

/** A list of windows, ready to be asked. */
interface Compiled {
  /** What touches a time, in any order, overlapping or not. */
  spans(time: Span): Span[];
  repeatsWithinMs: number;
}

/** Whatever part of a week is left out is there again in a week, or two when clocks change just then. */
const WEEKLY_REPEATS_MS = 28 * DAY_MS;
/** The 29th of February may be eight years away. */
const CRON_REPEATS_MS = 10 * 366 * DAY_MS;

function compile(windows: readonly Window[], zone: TimeZone): Compiled {
  const week = union(windows.flatMap((window) => (typeof window === 'string' ? parseWeekly(window) : [])));
  const crons = windows.flatMap((window) =>
    typeof window === 'string'
      ? []
      : [{ cron: parseCron(window.cron, zone.name), forMs: openForMs(window.for) }],
  );
  return {
    spans: (time) => [
      ...(isWholeWeek(week) ? [time] : weeklySpans(week, zone, time)),
      ...crons.flatMap(({ cron, forMs }) => cronSpans(cron, forMs, time)),
    ],
    repeatsWithinMs: crons.length > 0 ? CRON_REPEATS_MS : WEEKLY_REPEATS_MS,
  };
}

/** All are equally long, so of those that opened before a time only the last can reach into it. */
function cronSpans(cron: CronSchedule, forMs: number, { fromMs, toMs }: Span): Span[] {
  const spans: Span[] = [];
  let opensMs = cron.previous(fromMs + 1) ?? cron.next(fromMs);
  for (; opensMs !== null && opensMs < toMs; opensMs = cron.next(opensMs))
    if (opensMs + forMs > fromMs) spans.push({ fromMs: opensMs, toMs: opensMs + forMs });
  return spans;
}

function openForMs(text: string): number {
  const ms = parseDurationMs(text);
  if (ms !== undefined && ms >= MINUTE_MS) return ms;
  const why = ms === undefined ? 'a number and a unit, such as 3h or 1h30m' : 'at least 1m';
  throw new LivestowError('CONFIG', `${JSON.stringify(text)} does not say how long a window is open: ${why}`);
}
