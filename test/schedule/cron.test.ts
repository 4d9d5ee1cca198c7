import * as fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { cronSchema, parseCron } from '../../src/schedule/cron.ts';
import { anyInstant, anyZone, iso, ms, shown } from './zones.ts';

/** The runs of a time, as the clock on the wall shows them. */
function runsOf(expression: string, zone: string, from: string, to: string): string[] {
  const cron = parseCron(expression, zone);
  const runs: string[] = [];
  for (let atMs = cron.next(ms(from) - 1); atMs !== null && atMs < ms(to); atMs = cron.next(atMs))
    runs.push(shown(atMs, zone).slice(5));
  return runs;
}

describe('when clocks go forward', () => {
  test.each<[what: string, expression: string, zone: string, from: string, to: string, runs: string[]]>([
    [
      'a time in the gap comes when the clock jumps over it',
      '30 2 * * *',
      'Europe/Berlin',
      '2026-03-28T00:00Z',
      '2026-03-30T12:00Z',
      ['03-28 02:30', '03-29 03:00', '03-30 02:30'],
    ],
    [
      'several times in the gap come together, and with one at its end',
      '0,20,40 2,3 * * *',
      'America/New_York',
      '2026-03-08T05:00Z',
      '2026-03-08T12:00Z',
      ['03-08 03:00', '03-08 03:20', '03-08 03:40'],
    ],
    [
      'a step loses no night to the gap',
      '*/20 2 * * *',
      'Europe/Berlin',
      '2026-03-28T22:00Z',
      '2026-03-29T12:00Z',
      ['03-29 03:00'],
    ],
    [
      'every second hour has no hole',
      '0 */2 * * *',
      'Europe/Berlin',
      '2026-03-28T23:00Z',
      '2026-03-29T03:00Z',
      ['03-29 00:00', '03-29 03:00', '03-29 04:00'],
    ],
    [
      'a gap of half an hour',
      '15 2 * * *',
      'Australia/Lord_Howe',
      '2026-10-02T14:00Z',
      '2026-10-05T00:00Z',
      ['10-03 02:15', '10-04 02:30', '10-05 02:15'],
    ],
    [
      'a gap that begins the day',
      '0 0 * * *',
      'America/Santiago',
      '2026-09-05T00:00Z',
      '2026-09-07T12:00Z',
      ['09-05 00:00', '09-06 01:00', '09-07 00:00'],
    ],
    [
      'a gap that goes over midnight: it comes on the next day',
      '30 23 * * *',
      'America/Scoresbysund',
      '2026-03-27T12:00Z',
      '2026-03-30T12:00Z',
      ['03-27 23:30', '03-29 00:00', '03-29 23:30'],
    ],
    [
      'a day that was left out',
      '0 12 * * *',
      'Pacific/Apia',
      '2011-12-29T12:00Z',
      '2011-12-31T12:00Z',
      ['12-29 12:00', '12-31 00:00', '12-31 12:00'],
    ],
  ])('%s (%s, %s)', (_what, expression, zone, from, to, runs) => {
    expect(runsOf(expression, zone, from, to)).toEqual(runs);
  });
});

describe('when clocks go back', () => {
  test('a time that exists twice comes once, the first time', () => {
    const cron = parseCron('30 2 * * *', 'Europe/Berlin');
    expect(iso(cron.next(ms('2026-10-24T12:00Z')))).toBe('2026-10-25T00:30:00.000Z');
    expect(iso(cron.next(ms('2026-10-25T00:30Z')))).toBe('2026-10-26T01:30:00.000Z');
    expect(iso(cron.previous(ms('2026-10-25T12:00Z')))).toBe('2026-10-25T00:30:00.000Z');
    // The clock shows 02:10 for the second time: it was 02:30 before.
    expect(iso(cron.previous(ms('2026-10-25T01:10Z')))).toBe('2026-10-25T00:30:00.000Z');
    expect(iso(cron.next(ms('2026-10-25T01:10Z')))).toBe('2026-10-26T01:30:00.000Z');
  });
  test.each<[what: string, expression: string, zone: string, from: string, to: string, runs: string[]]>([
    [
      'so do those of a list, a range and a step',
      '*/30 1-2,4 * * *',
      'Europe/Berlin',
      '2026-10-24T23:00Z',
      '2026-10-25T04:00Z',
      ['10-25 01:00', '10-25 01:30', '10-25 02:00', '10-25 02:30', '10-25 04:00', '10-25 04:30'],
    ],
    [
      'what runs every hour goes on through both',
      '*/30 * * * *',
      'Europe/Berlin',
      '2026-10-24T23:30Z',
      '2026-10-25T02:30Z',
      ['10-25 01:30', '10-25 02:00', '10-25 02:30', '10-25 02:00', '10-25 02:30', '10-25 03:00'],
    ],
    [
      'however it says so',
      '45 0-23 * * *',
      'Australia/Lord_Howe',
      '2026-04-04T14:00Z',
      '2026-04-04T17:00Z',
      ['04-05 01:45', '04-05 01:45', '04-05 02:45'],
    ],
    [
      'midnight comes once where it is there twice',
      '0 0 * * *',
      'Africa/Cairo',
      '2026-10-29T00:00Z',
      '2026-10-31T00:00Z',
      ['10-30 00:00', '10-31 00:00'],
    ],
  ])('%s (%s, %s)', (_what, expression, zone, from, to, runs) => {
    expect(runsOf(expression, zone, from, to)).toEqual(runs);
  });
});

const oneOf = (...texts: string[]) => fc.constantFrom(...texts);
const anyExpression = fc
  .tuple(
    oneOf('0', '30', '15,45', '*/20', '59'),
    oneOf('*', '0', '2', '1-3', '*/2', '2,14', '23'),
    oneOf('*', '*', '1', '*/5'),
    oneOf('*', '*', '3,10'),
    oneOf('*', '*', 'Sun', 'Mon-Fri'),
  )
  .map((fields) => fields.join(' '));

test('next and previous are two ways through the same runs', () => {
  fc.assert(
    fc.property(anyExpression, anyZone, anyInstant, (expression, zone, atMs) => {
      const cron = parseCron(expression, zone);
      const [nextMs, previousMs] = [cron.next(atMs) ?? NaN, cron.previous(atMs) ?? NaN];
      expect(previousMs).toBeLessThan(atMs);
      expect(nextMs).toBeGreaterThan(atMs);
      // Nothing is between them but what may be at this instant.
      expect(cron.previous(nextMs)).toBe(cron.next(atMs - 1) === atMs ? atMs : previousMs);
      expect(cron.next(previousMs)).toBe(cron.next(atMs - 1));
    }),
    { numRuns: 400 },
  );
});

test('a daily time comes once for each day of the calendar, whatever the clocks do', () => {
  fc.assert(
    fc.property(anyZone, fc.integer({ min: 0, max: 24 * 60 - 1 }), (zone, minute) => {
      const cron = parseCron(`${minute % 60} ${Math.floor(minute / 60)} * * *`, zone);
      let runs = 0;
      for (let atMs = cron.next(ms('2025-12-30T00:00Z')); atMs !== null; atMs = cron.next(atMs)) {
        if (shown(atMs, zone) >= '2027') break;
        if (shown(atMs, zone) >= '2026') runs++;
      }
      expect(runs).toBe(365);
    }),
    { numRuns: 50 },
  );
});

describe('the clock of the machine is of no account', () => {
  const own = process.env['TZ'];
  afterEach(() => {
    if (own === undefined) delete process.env['TZ'];
    else process.env['TZ'] = own;
  });
  test.each(['America/New_York', 'Australia/Lord_Howe'])('it is set to %s', (zone) => {
    process.env['TZ'] = zone;
    expect(new Date(0).getTimezoneOffset()).not.toBe(0);
    expect(runsOf('30 1,2 * * *', 'Europe/Berlin', '2026-03-08T00:00Z', '2026-03-09T00:00Z')).toEqual([
      '03-08 01:30',
      '03-08 02:30',
    ]);
    expect(runsOf('30 1,2 * * *', 'Europe/Berlin', '2026-10-24T22:00Z', '2026-10-25T22:00Z')).toEqual([
      '10-25 01:30',
      '10-25 02:30',
    ]);
  });
});

describe('what is taken', () => {
  test.each([
    '0 18 * * Mon-Fri',
    ' 0  18 * * fri ',
    '@daily',
    '@HOURLY',
    '0 0 L * *',
    '0 0 29 2 *',
    '0 9 * * Mon#1',
  ])('%s', (expression) => {
    expect(cronSchema.parse(expression)).toBe(expression);
  });

  const FORM =
    'write five fields (minute, hour, day of month, month, day of week) such as "0 18 * * Mon-Fri", or @hourly, @daily, @weekly, @monthly, @yearly';
  test.each<[expression: string, why: string]>([
    ['', FORM],
    ['0 18 * *', FORM],
    ['0 0 18 * * *', FORM],
    ['2026-01-01T00:00:00', FORM],
    ['daily', FORM],
    ['61 * * * *', `Invalid value for minute: 61; ${FORM}`],
    ['0 0 31 2 *', 'no such day ever comes'],
  ])('%s is refused', (expression, why) => {
    const { error } = cronSchema.safeParse(expression);
    expect(error?.issues.map(({ message }) => message)).toEqual([
      `${JSON.stringify(expression)} is not a cron expression: ${why}`,
    ]);
  });
  test.each(['@reboot', '@often', '0 18 * * Fry', '0 22-2 * * *', 'a b c d e'])(
    '%s is refused',
    (expression) => {
      expect(cronSchema.safeParse(expression).success).toBe(false);
      expect(() => parseCron(expression, 'UTC')).toThrow(/is not a cron expression: .*write five fields/s);
    },
  );
  test('a zone that nobody knows is refused', () => {
    expect(() => parseCron('@daily', 'Berlin')).toThrow(/"Berlin" is not a time zone/);
  });
});
