/** The planned cadence as a watch meets it: simulated days, in which nothing is waited for. */
import * as fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { seeded } from '../../bench/cadence/random.ts';
import { simulate, SteppedClock, type Broadcast } from '../../bench/cadence/simulation.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import { fixedCadence } from '../../src/watch/cadence.ts';
import { LookPlanner, type PlannerOptions } from '../../src/watch/look-planner.ts';
import { alwaysOpen, type OpenSpans } from '../../src/watch/open-spans.ts';
import type { CreatorFacts } from '../../src/watch/watched-creator.ts';
import { Watcher } from '../../src/watch/watcher.ts';
import { ManualClock } from '../manual-clock.ts';
import { offline } from './looks.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** A Monday. */
const START = Date.UTC(2026, 8, 7);
const FLOOR = MINUTE;
const CEILING = 2 * HOUR;

const unknown = { sinceMs: START, startsMs: [] };
/** Four weeks of a broadcast each day at this hour. */
const habit = (hour: number) => ({
  sinceMs: START - 28 * DAY,
  startsMs: Array.from({ length: 28 }, (_, day) => START - (28 - day) * DAY + (hour + 0.5) * HOUR),
});
/** Every day. */
const openBetween =
  (fromHour: number, untilHour: number): OpenSpans =>
  (fromMs, untilMs) =>
    Array.from({ length: Math.ceil((untilMs - fromMs) / DAY) + 2 }, (_, day) => {
      const dayMs = (Math.floor(fromMs / DAY) - 1 + day) * DAY;
      return { startMs: dayMs + fromHour * HOUR, endMs: dayMs + untilHour * HOUR };
    }).filter(({ startMs, endMs }) => endMs > fromMs && startMs < untilMs);
const isOpen = (open: OpenSpans, atMs: number): boolean =>
  Array.from(open(atMs, atMs + 1)).some(({ startMs, endMs }) => startMs <= atMs && atMs < endMs);

function planned(
  facts: Record<string, Partial<CreatorFacts>>,
  options: Partial<PlannerOptions> = {},
  seed = 1,
) {
  const clock = new SteppedClock(START);
  const random = seeded(seed);
  const planner = new LookPlanner({
    clock,
    budgetPerDay: 1_000,
    floorMs: FLOOR,
    ceilingMs: CEILING,
    random: () => random.next(),
    ...options,
  });
  const handles = Object.keys(facts);
  for (const handle of handles) planner.set(handle, { priority: 1, history: unknown, ...facts[handle] });
  return {
    clock,
    planner,
    /** Looks of each creator, in milliseconds since the start. */
    watch: (days: number, broadcasts: Record<string, Broadcast[]> = {}, sampleMs = Infinity) => {
      const watched = simulate({
        creators: handles.map((handle) => ({
          handle,
          broadcasts: broadcasts[handle] ?? [],
          cadence: planner.cadenceOf(handle),
          fromMs: START,
        })),
        clock,
        untilMs: START + days * DAY,
        sampleMs,
        onLook: (handle) => planner.spent(handle, 1),
      });
      return Object.fromEntries(
        [...watched].map(([handle, { looksMs }]) => [handle, looksMs.map((ms) => ms - START)]),
      );
    },
  };
}

const steps = (looksMs: readonly number[]): number[] =>
  looksMs.slice(1).map((ms, index) => ms - looksMs[index]!);
const creators = (count: number, facts: Partial<CreatorFacts> = {}) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`creator-${index}`, facts]));

describe('any simulated days', () => {
  const anyCreator = fc.record({
    priority: fc.double({ min: 0.1, max: 10, noNaN: true }),
    hour: fc.integer({ min: 0, max: 23 }),
    open: fc.option(fc.tuple(fc.integer({ min: 0, max: 11 }), fc.integer({ min: 1, max: 24 })), {
      nil: null,
    }),
  });
  const facts = fc.array(anyCreator, { minLength: 1, maxLength: 6 }).map((all) =>
    Object.fromEntries(
      all.map(({ priority, hour, open }, index) => [
        `creator-${index}`,
        {
          priority,
          history: habit(hour),
          ...(open === null ? {} : { open: openBetween(open[0], Math.min(24, open[0] + open[1])) }),
        },
      ]),
    ),
  );

  test('keep to the budget, to floor and ceiling, and to the windows', () => {
    fc.assert(
      fc.property(facts, fc.integer({ min: 0, max: 3_000 }), fc.integer(), (all, budgetPerDay, seed) => {
        const { watch } = planned(all, { budgetPerDay }, seed);
        const looks = watch(2);
        const spent = [0, 0];
        // The rest of a day may turn out a few looks short of it even then.
        const affordsCeiling = budgetPerDay > (2 * Object.keys(all).length * DAY) / CEILING + 10;
        for (const [handle, looksMs] of Object.entries(looks)) {
          const { open = alwaysOpen } = all[handle]!;
          for (const atMs of looksMs) spent[Math.floor(atMs / DAY)]! += 1;
          expect(looksMs.filter((atMs) => !isOpen(open, START + atMs))).toEqual([]);
          expect(Math.min(Infinity, ...steps(looksMs))).toBeGreaterThanOrEqual(FLOOR);
          const bound = affordsCeiling && open === alwaysOpen ? 1.5 * CEILING : Infinity;
          expect(Math.max(0, ...steps([...looksMs, 2 * DAY]))).toBeLessThanOrEqual(bound);
        }
        expect(Math.max(...spent)).toBeLessThanOrEqual(budgetPerDay);
      }),
      { numRuns: 60, endOnFailure: true },
    );
  });
});

describe('a shared budget', () => {
  test('that has room for it keeps the ceiling', () => {
    const { watch } = planned(
      { ...creators(5), busy: { history: habit(20), priority: 50 } },
      { budgetPerDay: 600 },
    );
    for (const looksMs of Object.values(watch(3))) {
      expect(Math.max(...steps([...looksMs, 3 * DAY]))).toBeLessThanOrEqual(CEILING);
    }
  });

  test('is used up to a few credits, spread over the day', () => {
    const { watch } = planned(creators(5), { budgetPerDay: 500 });
    const all = Object.values(watch(1)).flat();
    expect(all.length).toBeGreaterThan(480);
    expect(all.length).toBeLessThanOrEqual(500);
    const byQuarter = [0, 1, 2, 3].map(
      (quarter) => all.filter((ms) => Math.floor(ms / (DAY / 4)) === quarter).length,
    );
    for (const count of byQuarter) expect(count / (all.length / 4)).toBeCloseTo(1, 0.7);
  });

  test('gives equal creators equal looks, and more to a higher priority: by its root', () => {
    const { watch } = planned(
      { a: {}, b: {}, dear: { priority: 4 }, cheap: { priority: 0.25 } },
      { budgetPerDay: 900, ceilingMs: DAY },
    );
    const { a, b, dear, cheap } = watch(2);
    expect(a!.length / b!.length).toBeCloseTo(1, 1);
    expect(dear!.length / a!.length).toBeCloseTo(2, 0.5);
    expect(a!.length / cheap!.length).toBeCloseTo(2, 0.5);
  });

  test('is left to recordings, whose looks are paid first', () => {
    const { planner, watch } = planned({ a: {}, b: {} }, { budgetPerDay: 200 });
    // One broadcast all day, sampled every quarter of an hour: 96 credits.
    const looks = watch(1, { a: [{ startMs: START - HOUR, endMs: START + 2 * DAY }] }, 15 * MINUTE);
    expect(looks['a']).toHaveLength(1);
    expect(looks['b']!.length).toBeGreaterThan(90);
    expect(looks['b']!.length + 96).toBeLessThanOrEqual(200);
    expect(planner.spentToday).toBeGreaterThan(190);
  });

  test('counts what was spent before the start', () => {
    const { watch } = planned(creators(2), { budgetPerDay: 100, spentToday: 60 });
    const all = Object.values(watch(1)).flat();
    expect(all.length).toBeGreaterThan(30);
    expect(all.length).toBeLessThanOrEqual(40);
  });

  test('goes to the others when a creator is removed', () => {
    const { planner } = planned({ a: {}, b: {} }, { budgetPerDay: 200 });
    const before = planner.expectation('a').creditsPerDay;
    planner.remove('b');
    expect(planner.expectation('a').creditsPerDay).toBeCloseTo(2 * before);
    expect(() => planner.cadenceOf('b')).toThrow('not watched');
  });

  test('of no end means the floor', () => {
    const { watch } = planned({ a: {} }, { budgetPerDay: Infinity });
    const { a } = watch(1);
    expect(a!.length).toBeGreaterThan(DAY / FLOOR / 1.13);
  });
});

describe('the next look', () => {
  const ask = (cadence: ReturnType<LookPlanner['cadenceOf']>, nowMs: number, sinceLookMs: number | null) =>
    cadence.nextLookInMs({ nowMs, looks: 0, sinceLookMs });

  test('of a fresh watch comes soon; those of many are spread, and not in step later', () => {
    const { watch } = planned(creators(100), { budgetPerDay: 100 * 96 });
    const looks = Object.values(watch(0.5));
    const firsts = looks.map(([first]) => first!).toSorted((a, b) => a - b);
    expect(firsts.at(-1)).toBeLessThanOrEqual(10_001);
    expect(new Set(firsts.map((ms) => Math.floor(ms / 1_000))).size).toBe(10);
    const perMinute = Map.groupBy(
      looks.flat().filter((ms) => ms > MINUTE),
      (ms) => Math.floor(ms / MINUTE),
    );
    // 100 creators each quarter of an hour: about seven a minute.
    expect(Math.max(...[...perMinute.values()].map((each) => each.length))).toBeLessThan(25);
  });

  test.each<[string, OpenSpans, number]>([
    ['after a start', alwaysOpen, 0],
    ['when their window opens', openBetween(18, 22), 18 * HOUR],
  ])('of those of a higher priority comes first %s, whoever was there first', (_, open, fromMs) => {
    const { watch } = planned(
      { ...creators(50, { open }), dear: { open, priority: 4 }, dearest: { open, priority: 8 } },
      { budgetPerDay: 52 * 96 },
    );
    const firsts = Object.entries(watch(1)).map(([handle, [first]]) => ({ handle, atMs: first! - fromMs }));
    const [one, two, three] = firsts.toSorted((a, b) => a.atMs - b.atMs);
    expect(one).toMatchObject({ handle: 'dearest' });
    expect(two).toMatchObject({ handle: 'dear' });
    expect(two!.atMs).toBeLessThanOrEqual(201);
    expect(three!.atMs).toBeGreaterThanOrEqual(200);
  });

  test('is at once when a window opens, and says so before', () => {
    const open = openBetween(18, 22);
    const { clock, planner, watch } = planned({ a: { open } }, { budgetPerDay: 48 });
    const cadence = planner.cadenceOf('a');
    expect(cadence.next).toBeNull();
    expect(ask(cadence, START, null)).toBeGreaterThan(0);
    expect(cadence.next).toMatchObject({ why: 'window-closed' });
    expect(cadence.next!.atMs! - (START + 18 * HOUR)).toBeLessThanOrEqual(100);
    const { a } = watch(2);
    expect(a![0]! - 18 * HOUR).toBeLessThanOrEqual(100);
    const secondDay = a!.filter((ms) => ms > DAY);
    expect(secondDay[0]! - (DAY + 18 * HOUR)).toBeLessThanOrEqual(100);
    // All of the day's credits go where a look is allowed.
    expect(secondDay.length).toBeGreaterThan(40);
    clock.nowMs = START + DAY + 21 * HOUR;
    expect(planner.cadenceOf('a').next).toMatchObject({ why: 'window-closed' });
  });

  test('is unknown where no window opens in the days ahead', () => {
    const { planner } = planned({ a: { open: () => [] } });
    const cadence = planner.cadenceOf('a');
    expect(ask(cadence, START, null)).toBeGreaterThan(0);
    expect(cadence.next).toEqual({ atMs: null, why: 'window-closed' });
    expect(planner.expectation('a')).toEqual({ delayMs: null, creditsPerDay: 0 });
  });

  test('waits for midnight when the budget is spent, and recordings go on being counted', () => {
    const { clock, planner } = planned({ a: {} }, { budgetPerDay: 10, spentToday: 10 });
    const cadence = planner.cadenceOf('a');
    clock.nowMs = START + 12 * HOUR;
    expect(ask(cadence, clock.nowMs, 3 * HOUR)).toBeGreaterThan(0);
    expect(cadence.next!.why).toBe('budget-spent');
    expect(cadence.next!.atMs! - (START + DAY)).toBeLessThanOrEqual(100);
    planner.spent('a', 1);
    expect(planner.spentToday).toBe(11);
    clock.nowMs = START + DAY + 200;
    expect(ask(cadence, clock.nowMs, 3 * HOUR + 12 * HOUR)).toBe(0);
    expect(cadence.next!.why).toBe('planned');
  });

  test('is planned anew while it is waited for: a creator that turned important is looked at sooner', () => {
    const { clock, planner } = planned({ a: {}, ...creators(20) }, { budgetPerDay: 300 });
    const cadence = planner.cadenceOf('a');
    ask(cadence, START, 0);
    const before = cadence.next!.atMs!;
    planner.set('a', { priority: 100, history: unknown });
    clock.nowMs = START + 5 * MINUTE;
    ask(cadence, clock.nowMs, 5 * MINUTE);
    expect(cadence.next!.atMs! - START).toBeLessThan((before - START) / 2);
    expect(planner.cadenceOf('a')).toBe(cadence);
  });

  test('of a creator that was removed can still be asked for by the watch that ends', () => {
    const { planner } = planned({ a: {}, b: {} });
    const cadence = planner.cadenceOf('a');
    planner.remove('a');
    expect(ask(cadence, START, 0)).toBeGreaterThan(0);
  });
});

describe('a learned habit', () => {
  const random = seeded(7);
  const broadcasts = Array.from({ length: 28 }, (_, day) => {
    const startMs = START + day * DAY + 20 * HOUR + Math.round(random.next() * HOUR);
    return { startMs, endMs: startMs + HOUR };
  });

  test('is found sooner than at a fixed interval with as many looks, as expected', () => {
    const { planner, watch } = planned({ a: { history: habit(20) } }, { budgetPerDay: 72 });
    const { delayMs, creditsPerDay } = planner.expectation('a');
    expect(creditsPerDay).toBeCloseTo(72, 0);
    const looks = watch(28, { a: broadcasts })['a']!;
    const fixed = simulate({
      creators: [{ handle: 'a', broadcasts, cadence: fixedCadence(DAY / 72), fromMs: START }],
      clock: new SteppedClock(START),
      untilMs: START + 28 * DAY,
    }).get('a')!.looksMs;
    const meanDelay = (looksMs: number[]) =>
      broadcasts.reduce((sum, { startMs }) => sum + looksMs.find((ms) => ms >= startMs)! - startMs, 0) / 28;
    const plannedMs = meanDelay(looks.map((ms) => ms + START));
    expect(looks.length).toBeLessThanOrEqual(fixed.length * 1.05);
    expect(plannedMs).toBeLessThan(meanDelay(fixed) / 2);
    expect(delayMs!).toBeLessThan(DAY / 72 / 2 / 1.5);
    expect(delayMs!).toBeGreaterThan(plannedMs / 2);
  });

  test('of nobody: half an interval is expected', () => {
    const { planner } = planned({ a: {} }, { budgetPerDay: 72 });
    const { delayMs, creditsPerDay } = planner.expectation('a');
    expect(creditsPerDay).toBeCloseTo(72);
    expect(delayMs! / MINUTE).toBeCloseTo(10, 0);
  });
});

describe('a plan for many', () => {
  test('keeps to a budget that 500 watches race for', () => {
    const { planner, watch } = planned(creators(500), { budgetPerDay: 2_000, ceilingMs: 12 * HOUR });
    const all = Object.values(watch(1)).flat();
    expect(all.length).toBeGreaterThan(1_900);
    expect(all.length).toBeLessThanOrEqual(2_000);
    expect(planner.spentToday).toBe(all.length);
  });

  test.each([
    ['a floor above the ceiling', () => planned({}, { floorMs: 2 * CEILING })],
    ['no floor', () => planned({}, { floorMs: 0 })],
    ['a priority of nothing', () => planned({ a: { priority: 0 } })],
    ['a priority that is none', () => planned({ a: { priority: Number.NaN } })],
  ])('is refused with %s', (_what, make) => {
    expect(make).toThrow(expect.objectContaining({ code: 'CONFIG' }));
  });
});

describe('a watcher', () => {
  const controller = new AbortController();
  afterEach(() => controller.abort());

  test('keeps to the plan', async () => {
    const clock = new ManualClock(START);
    const planner = new LookPlanner({ clock, budgetPerDay: 4, floorMs: FLOOR, ceilingMs: CEILING });
    planner.set('alice', { priority: 1, history: unknown, open: openBetween(6, 24) });
    const lookedAt: number[] = [];
    const watcher = new Watcher({
      handle: 'alice',
      clock,
      cadence: planner.cadenceOf('alice'),
      signal: controller.signal,
      logger: silentLogger(),
      look: () => {
        lookedAt.push(clock.now() - START);
        return Promise.resolve(offline());
      },
      onLook: ({ meta }) => planner.spent('alice', meta.creditsCharged),
    });
    const next = watcher.rooms().next();
    await clock.advance(2 * DAY);
    controller.abort(new Error('enough'));
    await expect(next).rejects.toThrow('enough');
    const [today, tomorrow] = [0, 1].map((day) => lookedAt.filter((ms) => Math.floor(ms / DAY) === day));
    for (const looks of [today!, tomorrow!]) {
      expect(looks.length).toBeGreaterThanOrEqual(3);
      expect(looks.length).toBeLessThanOrEqual(4);
      expect(Math.min(...looks.map((ms) => ms % DAY))).toBeGreaterThanOrEqual(6 * HOUR);
    }
  });
});
