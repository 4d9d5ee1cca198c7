import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HOURS_PER_WEEK, hourOfWeek, learnGoLiveRate } from '../../src/watch/go-live-rate.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const WEEK = 7 * DAY;
const SINCE = Date.UTC(2026, 8, 7);

/** One broadcast at each of these days (since the watch began) and hours. */
const at = (...times: [day: number, hour: number][]): number[] =>
  times.map(([day, hour]) => SINCE + day * DAY + hour * HOUR);
const learn = (startsMs: number[], weeks: number) =>
  learnGoLiveRate({ sinceMs: SINCE, startsMs }, SINCE + weeks * WEEK);
const rateOn = (rate: Float64Array, day: number, hour: number): number =>
  rate[hourOfWeek(SINCE + day * DAY + hour * HOUR)]!;
const everyDay = (days: number, hour: number) =>
  at(...Array.from({ length: days }, (_, day): [number, number] => [day, hour]));

describe('the go-live rate', () => {
  test('of a creator of whom nothing is known is once a day, the same at every hour', () => {
    const rate = learn([], 0);
    expect(rate).toHaveLength(HOURS_PER_WEEK);
    expect(new Set(rate.map((perHour) => Math.round(perHour * 1e9)))).toEqual(
      new Set([Math.round(1e9 / 24)]),
    );
  });

  test('rises at the hour of a daily habit, on days too that were not seen yet, and a little beside it', () => {
    const rate = learn(everyDay(4, 20.5), 4 / 7);
    expect(rateOn(rate, 5, 20)).toBeGreaterThan(5 * rateOn(rate, 5, 8));
    expect(rateOn(rate, 5, 21)).toBeGreaterThan(2 * rateOn(rate, 5, 8));
    expect(rateOn(rate, 5, 20)).toBeGreaterThan(rateOn(rate, 5, 21));
  });

  test('tells the days of a weekly habit from the others, at the same hour', () => {
    const tuesdays = [1, 8, 15, 22, 29, 36].map((day): [number, number] => [day, 18.5]);
    const rate = learn(at(...tuesdays), 6);
    expect(rateOn(rate, 1, 18)).toBeGreaterThan(5 * rateOn(rate, 3, 18));
    expect(rateOn(rate, 3, 18)).toBeLessThan(1 / 24);
  });

  test('is nearly flat where broadcasts keep to no hour, however many there are', () => {
    // 11 hours later each time: all hours of the day get their turn.
    const starts = Array.from(
      { length: 90 },
      (_, index) => SINCE + index * 23 * HOUR + ((index * 11) % 24) * HOUR,
    );
    const rate = learn(starts, 13);
    expect(Math.max(...rate) / Math.min(...rate)).toBeLessThan(2);
  });

  test('sees no habit in broadcasts that follow each other within a day', () => {
    const burst = at([2, 14], [2, 14.5], [2, 15], [2, 15.5], [2, 16]);
    const days = at([2, 14], [4, 14.5], [5, 15], [6, 14.5], [9, 15]);
    const lift = (starts: number[]) => {
      const rate = learn(starts, 2);
      return rateOn(rate, 0, 14) / rateOn(rate, 0, 3);
    };
    expect(lift(days)).toBeGreaterThan(2 * lift(burst));
  });

  test('follows a habit that moves, and forgets the old one', () => {
    const starts = [...everyDay(56, 20.5), ...everyDay(28, 7.5).map((ms) => ms + 56 * DAY)];
    const rate = learn(starts, 12);
    expect(rateOn(rate, 0, 7)).toBeGreaterThan(1.2 * rateOn(rate, 0, 20));
  });

  test('does not care what was found outside the time watched', () => {
    const inside = everyDay(7, 9);
    expect(learn([...inside, SINCE - HOUR, SINCE + 2 * WEEK], 1)).toEqual(learn(inside, 1));
  });

  test('is never zero, whatever was found', () => {
    const starts = fc.array(fc.integer({ min: 0, max: 20 * WEEK - 1 }), { maxLength: 200 });
    fc.assert(
      fc.property(starts, fc.integer({ min: 0, max: 20 }), (sinceMs, weeks) => {
        const startsMs = sinceMs.map((ms) => SINCE + ms);
        expect(learn(startsMs, weeks).every((perHour) => perHour > 1e-6 && perHour < 100)).toBe(true);
      }),
    );
  });
});
