import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseCron, type CronSchedule } from '../../src/schedule/cron.ts';
import { decideDue, type Due } from '../../src/schedule/due.ts';
import { anyInstant, anyZone, DAY_MS, HOUR_MS, iso, ms } from './zones.ts';

interface Asked {
  now: string;
  accounted: string | null;
  isRunning?: boolean;
}

function decide(cron: CronSchedule, { now, accounted, isRunning = false }: Asked): Record<string, unknown> {
  const due = decideDue(cron, {
    nowMs: ms(now),
    accountedMs: accounted === null ? null : ms(accounted),
    isRunning,
  });
  const short = (atMs: number | null): string | undefined => iso(atMs)?.replace(/:00\.000Z$/, 'Z');
  return {
    action: due.action,
    ...(due.action === 'wait'
      ? {}
      : { scheduled: short(due.scheduledMs), missedSince: short(due.missedSinceMs) }),
    accounted: short(due.accountedMs),
    next: short(due.nextMs),
  };
}

const daily = parseCron('0 3 * * *', 'UTC');
const hourly = parseCron('@hourly', 'UTC');

describe('a job that nobody knew before', () => {
  test('does not run at once', () => {
    expect(decide(daily, { now: '2026-11-23T04:00Z', accounted: null })).toEqual({
      action: 'wait',
      accounted: '2026-11-23T04:00Z',
      next: '2026-11-24T03:00Z',
    });
  });
  test('runs when it is next due', () => {
    expect(decide(daily, { now: '2026-11-24T03:00Z', accounted: '2026-11-23T04:00Z' })).toMatchObject({
      action: 'run',
      scheduled: '2026-11-24T03:00Z',
      missedSince: undefined,
    });
  });
  test('waits for the next run if it becomes known at the very moment of one', () => {
    expect(decide(daily, { now: '2026-11-23T03:00Z', accounted: null })).toMatchObject({
      action: 'wait',
      next: '2026-11-24T03:00Z',
    });
  });
});

describe('a job that ran', () => {
  test.each<[what: string, cron: CronSchedule, asked: Asked, decided: Record<string, unknown>]>([
    [
      'is not due before its time',
      daily,
      { now: '2026-11-24T02:59Z', accounted: '2026-11-23T03:00Z' },
      { action: 'wait', accounted: '2026-11-23T03:00Z', next: '2026-11-24T03:00Z' },
    ],
    [
      'is due at its time',
      daily,
      { now: '2026-11-24T03:00Z', accounted: '2026-11-23T03:00Z' },
      {
        action: 'run',
        scheduled: '2026-11-24T03:00Z',
        accounted: '2026-11-24T03:00Z',
        next: '2026-11-25T03:00Z',
      },
    ],
    [
      'is due late, for its own time',
      daily,
      { now: '2026-11-24T07:12Z', accounted: '2026-11-23T03:00Z' },
      {
        action: 'run',
        scheduled: '2026-11-24T03:00Z',
        accounted: '2026-11-24T03:00Z',
        next: '2026-11-25T03:00Z',
      },
    ],
    [
      'is not due again after that',
      daily,
      { now: '2026-11-24T07:13Z', accounted: '2026-11-24T03:00Z' },
      { action: 'wait', accounted: '2026-11-24T03:00Z', next: '2026-11-25T03:00Z' },
    ],
    [
      'makes up once for all that was missed in three weeks, and tells since when',
      daily,
      { now: '2026-11-24T07:00Z', accounted: '2026-11-03T03:00Z' },
      {
        action: 'run',
        scheduled: '2026-11-24T03:00Z',
        missedSince: '2026-11-04T03:00Z',
        accounted: '2026-11-24T03:00Z',
        next: '2026-11-25T03:00Z',
      },
    ],
    [
      'is skipped while it still runs',
      hourly,
      { now: '2026-11-24T04:00Z', accounted: '2026-11-24T03:00Z', isRunning: true },
      {
        action: 'skip',
        scheduled: '2026-11-24T04:00Z',
        accounted: '2026-11-24T04:00Z',
        next: '2026-11-24T05:00Z',
      },
    ],
    [
      'does not make up for what was skipped',
      hourly,
      { now: '2026-11-24T04:10Z', accounted: '2026-11-24T04:00Z' },
      { action: 'wait', accounted: '2026-11-24T04:00Z', next: '2026-11-24T05:00Z' },
    ],
    [
      'may run on between two of its times',
      hourly,
      { now: '2026-11-24T03:30Z', accounted: '2026-11-24T03:00Z', isRunning: true },
      { action: 'wait', accounted: '2026-11-24T03:00Z', next: '2026-11-24T04:00Z' },
    ],
  ])('%s', (_what, cron, asked, decided) => {
    expect(decide(cron, asked)).toEqual(decided);
  });
});

describe('when clocks change', () => {
  const berlin = parseCron('30 2 * * *', 'Europe/Berlin');
  test.each<[what: string, asked: Asked, decided: Record<string, unknown>]>([
    [
      'a time in the gap is due at the jump',
      { now: '2026-03-29T01:00Z', accounted: '2026-03-28T01:30Z' },
      {
        action: 'run',
        scheduled: '2026-03-29T01:00Z',
        accounted: '2026-03-29T01:00Z',
        next: '2026-03-30T00:30Z',
      },
    ],
    [
      'a time that is there twice is due the first time',
      { now: '2026-10-25T00:30Z', accounted: '2026-10-24T00:30Z' },
      {
        action: 'run',
        scheduled: '2026-10-25T00:30Z',
        accounted: '2026-10-25T00:30Z',
        next: '2026-10-26T01:30Z',
      },
    ],
    [
      'and not the second',
      { now: '2026-10-25T01:30Z', accounted: '2026-10-25T00:30Z' },
      { action: 'wait', accounted: '2026-10-25T00:30Z', next: '2026-10-26T01:30Z' },
    ],
    [
      'a winter that was missed is made up for in summer',
      { now: '2027-06-01T12:00Z', accounted: '2026-10-25T00:30Z' },
      {
        action: 'run',
        scheduled: '2027-06-01T00:30Z',
        missedSince: '2026-10-26T01:30Z',
        accounted: '2027-06-01T00:30Z',
        next: '2027-06-02T00:30Z',
      },
    ],
  ])('%s', (_what, asked, decided) => {
    expect(decide(berlin, asked)).toEqual(decided);
  });
});

describe('when the clock was set back', () => {
  test.each<[what: string, cron: CronSchedule, asked: Asked, decided: Record<string, unknown>]>([
    [
      'a run is not repeated: by a second',
      daily,
      { now: '2026-11-24T02:59:59Z', accounted: '2026-11-24T03:00Z' },
      { action: 'wait', accounted: '2026-11-24T03:00Z', next: '2026-11-25T03:00Z' },
    ],
    [
      'nor by hours',
      daily,
      { now: '2026-11-23T20:00Z', accounted: '2026-11-24T03:00Z' },
      { action: 'wait', accounted: '2026-11-24T03:00Z', next: '2026-11-25T03:00Z' },
    ],
    [
      'a job does not wait out a year that the clock was ahead',
      daily,
      { now: '2026-11-23T20:00Z', accounted: '2027-11-24T03:00Z' },
      { action: 'wait', accounted: '2026-11-23T20:00Z', next: '2026-11-24T03:00Z' },
    ],
    [
      'nor hours, if it runs each hour',
      hourly,
      { now: '2026-11-24T03:30Z', accounted: '2026-11-24T08:00Z' },
      { action: 'wait', accounted: '2026-11-24T03:30Z', next: '2026-11-24T04:00Z' },
    ],
    [
      'a job that was first seen ahead has still run for nothing in between',
      daily,
      { now: '2026-11-24T02:50Z', accounted: '2026-11-24T03:10Z' },
      { action: 'wait', accounted: '2026-11-24T02:50Z', next: '2026-11-24T03:00Z' },
    ],
  ])('%s', (_what, cron, asked, decided) => {
    expect(decide(cron, asked)).toEqual(decided);
  });
});

/** A daemon's life: it looks whenever it is told to, and keeps what it was told. */
function live(cron: CronSchedule, looks: readonly { nowMs: number; isRunning: boolean }[]): Due[] {
  let accountedMs: number | null = null;
  return looks.map(({ nowMs, isRunning }) => {
    const due = decideDue(cron, { nowMs, accountedMs, isRunning });
    ({ accountedMs } = due);
    return due;
  });
}

const anyCron = fc
  .tuple(fc.constantFrom('30 2 * * *', '0 */6 * * *', '@hourly', '15 0 * * Mon', '0 3 1 * *'), anyZone)
  .map(([expression, zone]) => parseCron(expression, zone));

test('who looks when told to runs each time once and misses none, whatever the clocks do', () => {
  fc.assert(
    fc.property(anyCron, anyInstant, (cron, fromMs) => {
      let due = decideDue(cron, { nowMs: fromMs, accountedMs: null, isRunning: false });
      for (let expectedMs = cron.next(fromMs), n = 0; n < 60 && expectedMs !== null; n++) {
        expect(due.nextMs).toBe(expectedMs);
        due = decideDue(cron, { nowMs: expectedMs, accountedMs: due.accountedMs, isRunning: false });
        expect(due).toMatchObject({ action: 'run', scheduledMs: expectedMs, missedSinceMs: null });
        expectedMs = cron.next(expectedMs);
      }
    }),
    { numRuns: 60 },
  );
});

test('however rarely somebody looks, no time is run or skipped twice, and the latest is always accounted for', () => {
  const steps = fc.array(
    fc.record({
      stepMs: fc.oneof(fc.integer({ min: 0, max: 2 * HOUR_MS }), fc.integer({ min: 0, max: 40 * DAY_MS })),
      isRunning: fc.boolean(),
    }),
    { minLength: 1, maxLength: 40 },
  );
  fc.assert(
    fc.property(anyCron, anyInstant, steps, (cron, fromMs, given) => {
      let nowMs = fromMs;
      const looks = [
        { nowMs, isRunning: false },
        ...given.map(({ stepMs, isRunning }) => ({ nowMs: (nowMs += stepMs), isRunning })),
      ];
      const decided = live(cron, looks);
      const come = decided.flatMap((due) => (due.action === 'wait' ? [] : [due.scheduledMs]));
      expect(come).toEqual([...new Set(come)].sort((a, b) => a - b));
      for (const [n, due] of decided.entries()) {
        const look = looks[n] ?? { nowMs: NaN, isRunning: false };
        expect(due.action).not.toBe(look.isRunning ? 'run' : 'skip');
        expect(cron.previous(look.nowMs + 1) ?? NaN).toBeLessThanOrEqual(due.accountedMs);
        expect(due.nextMs).toBe(cron.next(look.nowMs));
      }
    }),
    { numRuns: 100 },
  );
});
