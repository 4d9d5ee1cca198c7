import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lookRate, planDay, type DayPlan, type OpenTime } from '../../src/watch/day-plan.ts';

const HOUR = 3_600_000;
const LIMITS = { floorMs: 60_000, ceilingMs: 2 * HOUR };

const time = (...worth: number[]): OpenTime => ({ worth, openMs: worth.map(() => HOUR) });
const looksOf = (plan: DayPlan, { worth, openMs }: OpenTime): number =>
  worth.reduce((total, each, index) => total + lookRate(plan, each) * openMs[index]!, 0);
const intervals = (plan: DayPlan, { worth }: OpenTime): number[] =>
  worth.map((each) => 1 / lookRate(plan, each));

const openTimes = fc
  .array(
    fc.record({
      worth: fc.double({ min: 1e-4, max: 1e3, noNaN: true }),
      openMs: fc.integer({ min: 1, max: HOUR }),
    }),
    { minLength: 1, maxLength: 200 },
  )
  .map((hours): OpenTime => ({
    worth: hours.map(({ worth }) => worth),
    openMs: hours.map(({ openMs }) => openMs),
  }));

describe("a day's plan", () => {
  test('shares looks out in proportion to their worth', () => {
    const hours = time(1, 2, 3);
    const plan = planDay(hours, 24, LIMITS);
    expect(hours.worth.map((each) => lookRate(plan, each) * HOUR)).toEqual([
      expect.closeTo(4),
      expect.closeTo(8),
      expect.closeTo(12),
    ]);
  });

  test('keeps floor and ceiling, and gives the others what that frees or takes', () => {
    const hours = time(0.001, 1, 1000);
    const plan = planDay(hours, 70, LIMITS);
    expect(intervals(plan, hours).map(Math.round)).toEqual([2 * HOUR, Math.round(HOUR / 9.5), 60_000]);
  });

  test('leaves credits over when everything is at the floor', () => {
    const hours = time(1, 2);
    expect(looksOf(planDay(hours, 1000, LIMITS), hours)).toBeCloseTo(120);
    expect(looksOf(planDay(hours, Infinity, LIMITS), hours)).toBeCloseTo(120);
  });

  test.each([
    ['all', 1, 1],
    ['nearly all', 0.95, 1.105],
    ['half', 0.5, 3],
    ['a tenth', 0.1, 19],
  ])(
    'that can pay for %s of the ceiling goes beyond it, the less so where more is found',
    (_what, paid, ratio) => {
      const hours = time(1, 100);
      const plan = planDay(hours, paid, LIMITS);
      expect(looksOf(plan, hours)).toBeCloseTo(paid);
      const [dull, lively] = intervals(plan, hours) as [number, number];
      expect(dull / LIMITS.ceilingMs).toBeCloseTo(1 / paid ** 2);
      expect(dull / lively).toBeCloseTo(ratio, 2);
    },
  );

  test('without credits has no looks, and without open hours no trouble', () => {
    expect(looksOf(planDay(time(1, 2), 0, LIMITS), time(1, 2))).toBeCloseTo(0);
    expect(looksOf(planDay(time(1, 2), -3, LIMITS), time(1, 2))).toBeCloseTo(0);
    expect(looksOf(planDay(time(), 5, LIMITS), time())).toBe(0);
  });

  test('never spends more than there is, spends it where the floor allows, and keeps to floor and ceiling', () => {
    fc.assert(
      fc.property(openTimes, fc.double({ min: 0.1, max: 5_000, noNaN: true }), (hours, looks) => {
        const plan = planDay(hours, looks, LIMITS);
        const openMs = hours.openMs.reduce((total, ms) => total + ms, 0);
        const spent = looksOf(plan, hours);
        expect(spent).toBeLessThanOrEqual(looks + 1e-6);
        expect(spent).toBeGreaterThanOrEqual(Math.min(looks, openMs / LIMITS.floorMs) * 0.999 - 1e-6);
        const least = Math.min(...intervals(plan, hours));
        expect(least).toBeGreaterThanOrEqual(LIMITS.floorMs * 0.999999);
        const paid = Math.min(1, looks / (openMs / LIMITS.ceilingMs));
        const most = Math.max(...intervals(plan, hours));
        expect(most).toBeLessThanOrEqual((LIMITS.ceilingMs / paid ** 2) * 1.000001);
      }),
    );
  });

  test('no shift of looks from one hour to another finds more', () => {
    fc.assert(
      fc.property(openTimes, fc.integer({ min: 1, max: 2_000 }), (hours, looks) => {
        const openMs = hours.openMs.reduce((total, ms) => total + ms, 0);
        fc.pre(looks > openMs / LIMITS.ceilingMs && looks < openMs / LIMITS.floorMs);
        const plan = planDay(hours, looks, LIMITS);
        // What one more look would save is worth² / 2r²: equal wherever neither floor nor ceiling holds it.
        const savings = hours.worth.flatMap((worth) => {
          const rate = lookRate(plan, worth);
          const free = rate > plan.leastRate * 1.001 && rate < plan.mostRate * 0.999;
          return free ? [worth / rate] : [];
        });
        fc.pre(savings.length > 1);
        expect(Math.max(...savings) / Math.min(...savings)).toBeCloseTo(1, 6);
      }),
    );
  });
});
