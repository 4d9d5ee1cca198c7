import { expect, test } from 'vitest';
import { DAY_MS } from '../../src/watch/day-budget.ts';
import { LookPlanner } from '../../src/watch/look-planner.ts';
import { IntervalLooks } from '../../src/watch/interval-looks.ts';
import { ManualClock } from '../manual-clock.ts';

const MINUTE_MS = 60_000;

/** So many creators, each looked at every ten minutes, from one budget; looks go by minutes. */
function watched(creators: number, budgetPerDay: number) {
  const clock = new ManualClock();
  const planner = new LookPlanner({ clock, budgetPerDay, floorMs: MINUTE_MS, ceilingMs: 60 * MINUTE_MS });
  const all = Array.from({ length: creators }, (_, at) => ({
    handle: `creator${at}`,
    looks: new IntervalLooks({
      intervalMs: 10 * MINUTE_MS,
      times: null,
      budget: planner.budgetOf(`creator${at}`),
    }),
    lookedAtMs: null as number | null,
  }));
  let made = 0;
  const step = async (): Promise<void> => {
    const nowMs = clock.now();
    const due = all.filter(({ looks, lookedAtMs }) => {
      const sinceLookMs = lookedAtMs === null ? null : nowMs - lookedAtMs;
      return looks.nextLookInMs({ nowMs, looks: 0, sinceLookMs }) === 0;
    });
    // All are on their way before the first is answered.
    for (const creator of due) {
      creator.lookedAtMs = nowMs;
      planner.spent(creator.handle, 1);
      made += 1;
    }
    await clock.advance(MINUTE_MS);
  };
  return { clock, planner, all, step, made: () => made };
}

test('are made as long as the credits of the day pay for them, not one more, and again from midnight on', async () => {
  const { clock, planner, all, step, made } = watched(7, 100);
  const endsMs = (Math.floor(clock.now() / DAY_MS) + 1) * DAY_MS;
  while (clock.now() < endsMs) await step();
  expect(made()).toBe(100);
  expect(planner.spentToday).toBeLessThanOrEqual(100);
  for (let minutes = 0; minutes < 20; minutes += 1) await step();
  expect(made()).toBe(100 + 2 * all.length);
});

test('tell when the next one is, and what it waits for', async () => {
  const { clock, all, step } = watched(1, 3);
  const [creator] = all;
  const startMs = clock.now();
  await step();
  await step();
  expect(creator?.looks.next).toEqual({ atMs: startMs + 10 * MINUTE_MS, why: 'planned' });
  for (let minutes = 0; minutes < 30; minutes += 1) await step();
  const midnightMs = (Math.floor(startMs / DAY_MS) + 1) * DAY_MS;
  expect(creator?.looks.next).toEqual({ atMs: midnightMs, why: 'budget-spent' });
});
