import { expect, test } from 'vitest';
import { DayBudget } from '../../src/watch/day-budget.ts';
import { ManualClock } from '../manual-clock.ts';

const DAY = 86_400_000;

const budget = (perDay: number, spentToday = 0) => {
  const clock = new ManualClock();
  return { clock, day: new DayBudget({ clock, perDay, spentToday }) };
};

test('many looks that fall due in one moment are granted only as far as they can be paid', () => {
  const { day } = budget(3, 1);
  const granted = ['a', 'b', 'c', 'd'].filter((handle) => {
    if (!day.affordsLook) return false;
    day.grant(handle);
    return true;
  });
  expect(granted).toEqual(['a', 'b']);
  day.charge('a', 1);
  expect(day.affordsLook).toBe(false);
  // It failed and was not charged.
  day.release('b');
  expect(day.affordsLook).toBe(true);
});

test('is renewed at midnight, UTC; a clock that is set back renews nothing', async () => {
  const { clock, day } = budget(2);
  expect(day.renewsAtMs).toBe(Date.UTC(2026, 10, 23));
  day.charge('a', 2);
  clock.set(-DAY);
  expect(day.spentToday).toBe(2);
  clock.set(2 * DAY);
  expect([day.spentToday, day.affordsLook]).toEqual([0, true]);
});

test('what a look costs is learned from watches, and the dearest is what must be left', () => {
  const { day } = budget(100);
  for (let look = 0; look < 200; look += 1) {
    day.grant('a');
    day.charge('a', 0.25);
    day.charge('b', 0);
  }
  expect(day.creditsPerLook).toBeCloseTo(0.25, 3);
  day.grant('a');
  day.charge('a', 30);
  day.charge('b', 10);
  expect(day.spentToday).toBe(90);
  expect(day.affordsLook).toBe(false);
});

test('what recordings spent yesterday is left to them today, as far as the day is still to come', async () => {
  const { clock, day } = budget(100);
  expect(day.plannableRest).toBe(100);
  day.charge('a', 40);
  expect(day.plannableRest).toBe(60);
  await clock.advance(DAY);
  expect(day.plannableRest).toBe(60);
  await clock.advance(DAY / 2);
  day.charge('a', 30);
  expect(day.plannableRest).toBe(50);
  await clock.advance(DAY / 2);
  // Between what the two days spent.
  expect(day.plannableRest).toBe(65);
});

test('however much recordings spend, a quarter is planned for watching', async () => {
  const { clock, day } = budget(100);
  day.charge('a', 400);
  expect(day.affordsLook).toBe(false);
  await clock.advance(DAY);
  expect(day.plannableRest).toBe(25);
});
