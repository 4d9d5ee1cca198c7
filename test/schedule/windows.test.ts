import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  recordingWindows,
  windowsSchema,
  type RecordingWindows,
  type Windows,
} from '../../src/schedule/windows.ts';
import { openSpansOf } from '../../src/watch/open-spans.ts';
import {
  anyInstant,
  anyZone,
  DAY_MS,
  FROM_MS,
  HOUR_MS,
  isTwice,
  iso,
  minuteOfWeek,
  ms,
  shown,
  skippedMinutes,
  TO_MS,
} from './zones.ts';

type Given = Partial<Windows>;
const windows = (given: Given): RecordingWindows => recordingWindows(windowsSchema.parse(given));

interface Stretch {
  fromMs: number;
  open: boolean;
}

/** Walks from change to change. */
function stretches(schedule: RecordingWindows, fromMs: number, toMs: number): Stretch[] {
  const walked = [{ fromMs, open: schedule.isOpen(fromMs) }];
  for (
    let next = schedule.nextChange(fromMs);
    next !== null && next.atMs < toMs;
    next = schedule.nextChange(next.atMs)
  )
    walked.push({ fromMs: next.atMs, open: next.open });
  return walked;
}

/** The changes of a time, as the clock on the wall shows them: `+03-29 01:30` opens, `-03-29 03:00` closes. */
const changes = (given: Given, from: string, to: string): string[] =>
  stretches(windows(given), ms(from), ms(to))
    .slice(1)
    .map(({ fromMs, open }) => `${open ? '+' : '-'}${shown(fromMs, given.timeZone ?? 'UTC').slice(5)}`);

describe('what is written', () => {
  const week = (...recordOnly: string[]): string[] =>
    changes({ recordOnly }, '2026-11-23T00:00Z', '2026-11-30T00:00Z').map((change) =>
      change.replace('11-', ''),
    );

  test.each<[written: string, changes: string[]]>([
    ['Fri 18:00-23:30', ['+27 18:00', '-27 23:30']],
    ['fri 9:00 – 10:00', ['+27 09:00', '-27 10:00']],
    ['Mon-Wed 18:00-19:00', ['+23 18:00', '-23 19:00', '+24 18:00', '-24 19:00', '+25 18:00', '-25 19:00']],
    ['Sat,Sun 10:00-02:00', ['-23 02:00', '+28 10:00', '-29 02:00', '+29 10:00']],
    ['Sun-Mon 10:00-11:00', ['+23 10:00', '-23 11:00', '+29 10:00', '-29 11:00']],
    ['Tue,Thu-Fri 00:00-24:00', ['+24 00:00', '-25 00:00', '+26 00:00', '-28 00:00']],
    ['Wed 22:00-00:00', ['+25 22:00', '-26 00:00']],
  ])('%s', (written, expected) => {
    expect(week(written)).toEqual(expected);
  });

  test('daily is each day', () => {
    expect(week('daily 20:00-22:00')).toHaveLength(14);
  });
  test('a list is open when any of it is, and closes once', () => {
    expect(week('Mon 10:00-12:00', 'Mon 11:00-13:00', 'Mon 13:00-14:00')).toEqual(['+23 10:00', '-23 14:00']);
  });
  test('the whole week in pieces is always open', () => {
    expect(
      windows({ recordOnly: ['Mon-Thu 00:00-24:00', 'Fri-Sun 00:00-24:00'] }).nextChange(FROM_MS),
    ).toBeNull();
  });
  test('the time zone holds for all windows; without one it is the configured one, else UTC', () => {
    const opens = (given: Given, zone?: string): string | null =>
      iso(
        recordingWindows(windowsSchema.parse(given), zone).nextChange(ms('2026-11-23T00:00Z'))?.atMs ?? null,
      );
    const recordOnly = ['Mon 18:00-19:00'];
    expect(opens({ recordOnly })).toBe('2026-11-23T18:00:00.000Z');
    expect(opens({ recordOnly }, 'Asia/Kolkata')).toBe('2026-11-23T12:30:00.000Z');
    expect(opens({ recordOnly, timeZone: 'Europe/Berlin' }, 'Asia/Kolkata')).toBe('2026-11-23T17:00:00.000Z');
    expect(opens({ recordOnly: [{ cron: '0 18 * * *', for: '1h' }] }, 'Asia/Kolkata')).toBe(
      '2026-11-23T12:30:00.000Z',
    );
  });

  test('opened by cron, for so long', () => {
    expect(
      changes({ recordOnly: [{ cron: '30 22 1 * *', for: '3h' }] }, '2026-11-23T00:00Z', '2027-01-03T00:00Z'),
    ).toEqual(['+12-01 22:30', '-12-02 01:30', '+01-01 22:30', '-01-02 01:30']);
  });
  test('opened again before it closes, it stays open', () => {
    const recordOnly = [{ cron: '0 18,20 * * *', for: '3h' }];
    expect(changes({ recordOnly }, '2026-11-23T00:00Z', '2026-11-24T00:00Z')).toEqual([
      '+11-23 18:00',
      '-11-23 23:00',
    ]);
  });
  test('what opened last week is still open', () => {
    const schedule = windows({ recordOnly: [{ cron: '0 0 1 * *', for: '20d' }] });
    expect(schedule.isOpen(ms('2026-11-20T23:00Z'))).toBe(true);
    expect(iso(schedule.nextChange(ms('2026-11-02T00:00Z'))?.atMs ?? null)).toBe('2026-11-21T00:00:00.000Z');
  });

  test('never wins', () => {
    const given = { recordOnly: ['Mon 10:00-14:00'], never: ['daily 12:00-12:30', 'Mon 13:30-18:00'] };
    expect(changes(given, '2026-11-23T00:00Z', '2026-11-24T00:00Z')).toEqual([
      '+11-23 10:00',
      '-11-23 12:00',
      '+11-23 12:30',
      '-11-23 13:30',
    ]);
  });
  test('with nothing but never, everything else is open', () => {
    const given = { never: ['Mon 02:00-04:00'] };
    expect(windows(given).isOpen(ms('2026-11-23T00:00Z'))).toBe(true);
    expect(changes(given, '2026-11-23T00:00Z', '2026-11-29T00:00Z')).toEqual([
      '-11-23 02:00',
      '+11-23 04:00',
    ]);
  });
  test('with nothing at all, it is always open, and a recording stops where its window ends', () => {
    const schedule = windows({});
    expect([schedule.isOpen(FROM_MS), schedule.nextChange(FROM_MS), schedule.atEnd]).toEqual([
      true,
      null,
      'stop',
    ]);
    expect(windows({ atEnd: 'finish' }).atEnd).toBe('finish');
  });
});

describe('when clocks change', () => {
  test.each<[what: string, zone: string, written: string, from: string, to: string, changes: string[]]>([
    [
      'an end in the gap: it closes at the jump',
      'Europe/Berlin',
      'Sun 01:30-02:30',
      '2026-03-28T12:00Z',
      '2026-03-29T12:00Z',
      ['+03-29 01:30', '-03-29 03:00'],
    ],
    [
      'a start in the gap: it opens at the jump',
      'Europe/Berlin',
      'Sun 02:30-03:30',
      '2026-03-28T12:00Z',
      '2026-03-29T12:00Z',
      ['+03-29 03:00', '-03-29 03:30'],
    ],
    [
      'all of it in the gap: not that day',
      'Europe/Berlin',
      'Sun 02:15-02:45',
      '2026-03-28T12:00Z',
      '2026-03-29T12:00Z',
      [],
    ],
    [
      'over midnight and over the gap',
      'America/New_York',
      'Sat 22:00-03:00',
      '2026-03-07T12:00Z',
      '2026-03-08T12:00Z',
      ['+03-07 22:00', '-03-08 03:00'],
    ],
    [
      'a gap of half an hour',
      'Australia/Lord_Howe',
      'Sun 01:30-02:15',
      '2026-10-03T00:00Z',
      '2026-10-04T00:00Z',
      ['+10-04 01:30', '-10-04 02:30'],
    ],
    [
      'a gap that goes over midnight',
      'America/Scoresbysund',
      'Sat 23:30-01:00',
      '2026-03-28T12:00Z',
      '2026-03-29T12:00Z',
      ['+03-29 00:00', '-03-29 01:00'],
    ],
    [
      'over a day that was left out: it opens at the jump for what is left of its window',
      'Pacific/Apia',
      'Thu,Fri 22:00-02:00',
      '2011-12-29T12:00Z',
      '2011-12-31T12:00Z',
      ['+12-29 22:00', '-12-31 02:00'],
    ],
  ])('forward, %s (%s, %s)', (_what, zone, written, from, to, expected) => {
    expect(changes({ timeZone: zone, recordOnly: [written] }, from, to)).toEqual(expected);
  });

  test.each<[what: string, zone: string, written: string, from: string, opens: string, closes: string]>([
    [
      'an end that is there twice: the second',
      'Europe/Berlin',
      'Sun 01:30-02:30',
      '2026-10-24T12:00Z',
      '2026-10-24T23:30Z',
      '2026-10-25T01:30Z',
    ],
    [
      'a start that is there twice: the first',
      'Europe/Berlin',
      'Sun 02:30-03:30',
      '2026-10-24T12:00Z',
      '2026-10-25T00:30Z',
      '2026-10-25T02:30Z',
    ],
    [
      'both: it does not close between',
      'Europe/Berlin',
      'Sun 02:15-02:45',
      '2026-10-24T12:00Z',
      '2026-10-25T00:15Z',
      '2026-10-25T01:45Z',
    ],
    [
      'over midnight and both hours',
      'America/New_York',
      'Sat 22:00-03:00',
      '2026-10-31T12:00Z',
      '2026-11-01T02:00Z',
      '2026-11-01T08:00Z',
    ],
    [
      'half an hour',
      'Australia/Lord_Howe',
      'Sun 01:15-01:45',
      '2026-04-04T00:00Z',
      '2026-04-04T14:15Z',
      '2026-04-04T15:15Z',
    ],
    [
      'midnight is there twice',
      'Africa/Cairo',
      'Thu 20:00-24:00',
      '2026-10-29T00:00Z',
      '2026-10-29T17:00Z',
      '2026-10-29T22:00Z',
    ],
  ])('back, %s (%s, %s)', (_what, zone, written, from, opens, closes) => {
    const walked = stretches(windows({ timeZone: zone, recordOnly: [written] }), ms(from), ms(from) + DAY_MS);
    expect(walked.slice(1).map(({ fromMs }) => iso(fromMs))).toEqual([iso(ms(opens)), iso(ms(closes))]);
  });

  test('what cron opens stays open for as long as was said', () => {
    const given = { timeZone: 'Europe/Berlin', recordOnly: [{ cron: '0 1 * * Sun', for: '3h' }] };
    expect(changes(given, '2026-03-28T12:00Z', '2026-03-29T12:00Z')).toEqual([
      '+03-29 01:00',
      '-03-29 05:00',
    ]);
    expect(changes(given, '2026-10-24T12:00Z', '2026-10-25T12:00Z')).toEqual([
      '+10-25 01:00',
      '-10-25 03:00',
    ]);
  });
});

const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
const DAY_MINUTES = 24 * 60;
const clockTime = (minute: number): string =>
  [Math.floor(minute / 60), minute % 60].map((part) => String(part).padStart(2, '0')).join(':');

/** A weekly window, as text and as minutes of the week; often at night, where clocks change. */
const anyMinute = fc.oneof(
  fc.integer({ min: 0, max: DAY_MINUTES - 1 }),
  fc.integer({ min: 0, max: 16 }).map((quarter) => (quarter * 15 + 23 * 60) % DAY_MINUTES),
);
const anyWeekly = fc
  .tuple(fc.integer({ min: 0, max: 6 }), anyMinute, anyMinute)
  .filter(([, start, end]) => start !== end)
  .map(([day, start, end]) => ({
    text: `${DAYS[day]} ${clockTime(start)}-${clockTime(end)}`,
    from: day * DAY_MINUTES + start,
    minutes: end > start ? end - start : end + DAY_MINUTES - start,
  }));
type Weekly = typeof anyWeekly extends fc.Arbitrary<infer T> ? T : never;
const WEEK_MINUTES = 7 * DAY_MINUTES;
const lies = (minute: number, { from, minutes }: Weekly): boolean =>
  (minute - from + WEEK_MINUTES) % WEEK_MINUTES < minutes;

const anyGiven = fc.record({
  timeZone: anyZone,
  recordOnly: fc.array(
    fc.oneof(
      anyWeekly.map(({ text }) => text),
      fc.constant({ cron: '0 */11 * * *', for: '1h' }),
    ),
    {
      minLength: 1,
      maxLength: 3,
    },
  ),
  never: fc.array(
    anyWeekly.map(({ text }) => text),
    { maxLength: 2 },
  ),
});

describe('over two years, in each zone', () => {
  test('isOpen is what walking from change to change says', () => {
    fc.assert(
      fc.property(anyGiven, fc.array(anyInstant, { minLength: 50, maxLength: 50 }), (given, instants) => {
        const walked = stretches(windows(given), FROM_MS, TO_MS);
        const asked = windows(given);
        expect(walked.filter(({ open }, n) => open === walked[n - 1]?.open)).toEqual([]);
        expect(walked.filter(({ fromMs, open }) => asked.isOpen(fromMs) !== open)).toEqual([]);
        expect(walked.slice(1).filter(({ fromMs, open }) => asked.isOpen(fromMs - 1) === open)).toEqual([]);
        expect(instants.map((atMs) => asked.isOpen(atMs))).toEqual(
          instants.map((atMs) => walked.findLast(({ fromMs }) => fromMs <= atMs)?.open),
        );
      }),
      { numRuns: 20 },
    );
  });

  test('it changes at the local times that were written, or where the clock jumps over them', () => {
    fc.assert(
      fc.property(anyZone, anyWeekly, (timeZone, weekly) => {
        const changed = stretches(windows({ timeZone, recordOnly: [weekly.text] }), FROM_MS, TO_MS).slice(1);
        const elsewhere = changed.filter(({ fromMs, open }) => {
          const written = weekly.from + (open ? 0 : weekly.minutes);
          const late = (minuteOfWeek(fromMs, timeZone) - written + 2 * WEEK_MINUTES) % WEEK_MINUTES;
          return late > skippedMinutes(fromMs, timeZone);
        });
        expect(elsewhere).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  test('it opens each week, but where all of it lies in a gap', () => {
    fc.assert(
      fc.property(anyZone, anyWeekly, (timeZone, weekly) => {
        const walked = stretches(windows({ timeZone, recordOnly: [weekly.text] }), FROM_MS, TO_MS);
        const opened = walked.slice(1).filter(({ open }) => open).length;
        expect(opened).toBeGreaterThanOrEqual(weekly.minutes <= 60 ? 101 : 104);
        expect(opened).toBeLessThanOrEqual(105);
      }),
      { numRuns: 60 },
    );
  });

  test('each moment whose local time lies in a window is open, and no other, but between two that look alike', () => {
    fc.assert(
      fc.property(
        anyZone,
        anyWeekly,
        fc.array(anyInstant, { minLength: 50, maxLength: 50 }),
        (timeZone, weekly, instants) => {
          const schedule = windows({ timeZone, recordOnly: [weekly.text] });
          const wrong = instants.filter((atMs) =>
            lies(minuteOfWeek(atMs, timeZone), weekly)
              ? !schedule.isOpen(atMs)
              : schedule.isOpen(atMs) && !isTwice(atMs, timeZone),
          );
          expect(wrong).toEqual([]);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('the share of a time that is open is what the changes in it say', () => {
    fc.assert(
      fc.property(anyGiven, anyInstant, fc.integer({ min: 1, max: 20 * 24 }), (given, fromMs, hours) => {
        const toMs = fromMs + hours * HOUR_MS;
        const walked = stretches(windows(given), fromMs, toMs);
        const openMs = walked.reduce(
          (sum, { fromMs: startMs, open }, n) => sum + (open ? (walked[n + 1]?.fromMs ?? toMs) - startMs : 0),
          0,
        );
        const spans = [...openSpansOf(windows(given))(fromMs, toMs)];
        const inSpansMs = spans.reduce(
          (sum, { startMs, endMs }) => sum + Math.min(endMs, toMs) - Math.max(startMs, fromMs),
          0,
        );
        expect(inSpansMs / (toMs - fromMs)).toBeCloseTo(openMs / (toMs - fromMs), 9);
      }),
      { numRuns: 100 },
    );
  });
});

test('the answers hang on no question before', () => {
  fc.assert(
    fc.property(anyGiven, fc.array(anyInstant, { maxLength: 20 }), (given, instants) => {
      const asked = windows(given);
      for (const atMs of instants) {
        expect(asked.nextChange(atMs)).toEqual(windows(given).nextChange(atMs));
        expect(asked.isOpen(atMs)).toBe(windows(given).isOpen(atMs));
      }
    }),
    { numRuns: 30 },
  );
});

describe('what never changes, and what hardly does', () => {
  test.each<[what: string, given: Given, open: boolean]>([
    ['all of the week', { recordOnly: ['daily 00:00-24:00'] }, true],
    ['never at any time', { never: ['daily 00:00-24:00'] }, false],
    [
      'never whenever it would be open',
      { recordOnly: ['daily 22:00-06:00'], never: ['daily 21:00-06:00'] },
      false,
    ],
    ['opened every hour for an hour', { recordOnly: [{ cron: '@hourly', for: '1h' }] }, true],
    [
      'never whenever cron opens it',
      { recordOnly: [{ cron: '0 1 1 1 *', for: '1h' }], never: ['daily 00:00-03:00'] },
      false,
    ],
  ])('%s', (_what, given, open) => {
    const schedule = windows(given);
    expect([schedule.isOpen(FROM_MS), schedule.nextChange(FROM_MS)]).toEqual([open, null]);
  });
  test('a leap day is years away', () => {
    const schedule = windows({ timeZone: 'Europe/Berlin', recordOnly: [{ cron: '0 18 29 2 *', for: '3h' }] });
    expect(schedule.describe(ms('2028-03-01T00:00Z'))).toBe('next opens Sun 2032-02-29 18:00 Europe/Berlin');
  });
});

describe('for people', () => {
  const timeZone = 'Europe/Berlin';
  test.each<[given: Given, at: string, told: string]>([
    [{ recordOnly: ['Fri 18:00-23:30'] }, '2026-11-23T00:00Z', 'next opens Fri 18:00 Europe/Berlin'],
    [{ recordOnly: ['Fri 18:00-23:30'] }, '2026-11-27T17:00Z', 'open until Fri 23:30 Europe/Berlin'],
    [
      { recordOnly: ['Fri 18:00-23:30'] },
      '2026-11-27T22:30Z',
      'next opens Fri 2026-12-04 18:00 Europe/Berlin',
    ],
    [{ never: ['Sat 00:00-24:00'] }, '2026-11-27T12:00Z', 'open until Sat 00:00 Europe/Berlin'],
    [{}, '2026-11-27T12:00Z', 'always open'],
    [{ never: ['daily 00:00-24:00'] }, '2026-11-27T12:00Z', 'never opens'],
  ])('%j at %s: %s', (given, at, told) => {
    expect(windows({ timeZone, ...given }).describe(ms(at))).toBe(told);
  });
});

describe('what cannot be read is refused, with its place and what is taken', () => {
  const FORMS =
    'not a window: write "Mon-Fri 18:00-23:30", "daily 20:00-22:00" or { cron: "0 18 * * *", for: "3h" }';
  test.each<[written: unknown, path: string, message: string]>([
    [
      'Fri 6pm',
      '',
      '"Fri 6pm" is not a weekly window: write days and times, such as "Mon-Fri 18:00-23:30" or "daily 20:00-22:00"',
    ],
    [
      'Fry 18:00-19:00',
      '',
      '"Fry 18:00-19:00" is not a weekly window: "Fry" is not a day: Mon, Tue, Wed, Thu, Fri, Sat, Sun or daily',
    ],
    [
      'Mon-Wed-Fri 18:00-19:00',
      '',
      '"Mon-Wed-Fri 18:00-19:00" is not a weekly window: Mon-Wed-Fri is not a range of days such as Mon-Fri',
    ],
    [
      'Fri 18:00-24:30',
      '',
      '"Fri 18:00-24:30" is not a weekly window: 24:30 is not a time of day from 00:00 to 24:00',
    ],
    [
      'Fri 18:60-19:00',
      '',
      '"Fri 18:60-19:00" is not a weekly window: 18:60 is not a time of day from 00:00 to 24:00',
    ],
    ['Fri 24:00-02:00', '', '"Fri 24:00-02:00" is not a weekly window: 24:00 can only be an end'],
    [
      'Fri 18:00-18:00',
      '',
      '"Fri 18:00-18:00" is not a weekly window: it ends when it begins; a whole day is 00:00-24:00',
    ],
    [{ cron: '0 18 * * *' }, '', FORMS],
    [{ cron: '0 18 * * *', for: '3h', until: '20:00' }, '', 'Unrecognized key: "until"'],
    [7, '', FORMS],
    [
      { cron: '0 18 * * *', for: '3' },
      '.for',
      '"3" does not say how long a window is open: a number and a unit, such as 3h or 1h30m',
    ],
    [{ cron: '0 18 * * *', for: '5s' }, '.for', '"5s" does not say how long a window is open: at least 1m'],
    [
      { cron: '0 0 31 2 *', for: '3h' },
      '.cron',
      '"0 0 31 2 *" is not a cron expression: no such day ever comes',
    ],
  ])('%j', (written, path, message) => {
    const { error } = windowsSchema.safeParse({ never: [written] });
    expect(error?.issues.map((issue) => [issue.path.join('.'), issue.message])).toEqual([
      [`never.0${path}`, message],
    ]);
  });
  test('an empty recordOnly', () => {
    expect(windowsSchema.safeParse({ recordOnly: [] }).error?.issues[0]?.message).toBe(
      'an empty list would record nothing: leave it out to record at any time',
    );
  });
});
