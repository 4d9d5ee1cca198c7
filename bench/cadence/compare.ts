/**
 * One group of creators, watched twice: by the planner, which learns as it finds, and at the fixed interval that makes as many
 * looks in the measured time. Recordings cost nothing here, so that all credits go into watching.
 */
import { fixedCadence } from '../../src/watch/cadence.ts';
import { LookPlanner } from '../../src/watch/look-planner.ts';
import { broadcastsOf, SHORT_MS, WEEK_MS } from './habits.ts';
import { seeded } from './random.ts';
import { simulate, SteppedClock, type Broadcast, type Watched } from './simulation.ts';

export interface Scenario {
  scenario: string;
  habits: readonly string[];
  creatorsPerHabit: number;
  looksPerDay: number;
  learningWeeks: number;
  measuredWeeks: number;
  floorMs: number;
  ceilingMs: number;
  seed: number;
}

export interface Outcome {
  looksPerDay: number;
  /** From a broadcast's start to the next look, be it still on or not. */
  meanDelayMs: number;
  p90DelayMs: number;
  missedShare: number;
  /** Of broadcasts shorter than 15 minutes. */
  shortMissedShare: number;
  /** Of the broadcasts' time, what was before they were found; all of it of those that were not. */
  lostShare: number;
}

export interface Comparison {
  scenario: string;
  habit: string;
  budgetPerDay: number;
  broadcasts: number;
  planned: Outcome;
  /** What the planner said at the beginning of the measured time. */
  expectedDelayMs: number;
  fixed: Outcome;
  fixedIntervalMs: number;
}

interface Creator {
  handle: string;
  habit: string;
  broadcasts: Broadcast[];
}

interface Time {
  fromMs: number;
  measuredMs: number;
  untilMs: number;
}

const DAY_MS = 86_400_000;
const MONDAY_MS = Date.UTC(2026, 7, 31);
/** Fixed intervals that are tried until the looks are as many. */
const TRIES = 4;

export function compare(scenario: Scenario): Comparison[] {
  const { learningWeeks, measuredWeeks, habits, seed } = scenario;
  const measuredMs = MONDAY_MS + learningWeeks * WEEK_MS;
  const untilMs = measuredMs + measuredWeeks * WEEK_MS;
  const time: Time = { fromMs: MONDAY_MS, measuredMs, untilMs };
  const creators = habits.flatMap((habit) =>
    Array.from({ length: scenario.creatorsPerHabit }, (_, index): Creator => {
      const handle = `${habit}-${index}`;
      const random = seeded(seedOf(`${seed} ${handle}`));
      const changesMs = (measuredMs + untilMs) / 2;
      return { handle, habit, broadcasts: broadcastsOf(habit, random, { ...time, changesMs }) };
    }),
  );
  const planned = watchPlanned(creators, scenario, time);
  const fixed = watchFixed(creators, looksOf(planned.watched, time), scenario, time);
  return habits.map((habit) => {
    const these = creators.filter((creator) => creator.habit === habit);
    return {
      scenario: scenario.scenario,
      habit,
      budgetPerDay: scenario.looksPerDay,
      broadcasts: these.flatMap((creator) => measured(creator.broadcasts, time)).length,
      planned: outcomeOf(these, planned.watched, time),
      expectedDelayMs: mean(these.map(({ handle }) => planned.expectedDelayMs.get(handle) ?? Number.NaN)),
      fixed: outcomeOf(these, fixed.watched, time),
      fixedIntervalMs: fixed.intervalMs,
    };
  });
}

function watchPlanned(creators: readonly Creator[], scenario: Scenario, time: Time) {
  const clock = new SteppedClock(time.fromMs);
  const random = seeded(scenario.seed);
  const planner = new LookPlanner({
    clock,
    budgetPerDay: scenario.looksPerDay * creators.length,
    floorMs: scenario.floorMs,
    ceilingMs: scenario.ceilingMs,
    random: () => random.next(),
  });
  const startsMs = new Map(creators.map(({ handle }) => [handle, [] as number[]]));
  const tell = (handle: string): void =>
    planner.set(handle, {
      priority: 1,
      history: { sinceMs: time.fromMs, startsMs: startsMs.get(handle) ?? [] },
    });
  for (const { handle } of creators) tell(handle);

  const expectedDelayMs = new Map<string, number | null>();
  const watched = simulate({
    creators: creators.map(({ handle, broadcasts }) => ({
      handle,
      broadcasts,
      cadence: planner.cadenceOf(handle),
      fromMs: time.fromMs,
    })),
    clock,
    untilMs: time.untilMs,
    onLook(handle) {
      planner.spent(handle, 1);
      if (clock.now() < time.measuredMs || expectedDelayMs.size > 0) return;
      for (const each of creators) expectedDelayMs.set(each.handle, planner.expectation(each.handle).delayMs);
    },
    onFound(handle, { startMs }) {
      startsMs.get(handle)?.push(startMs);
      tell(handle);
    },
  });
  return { watched, expectedDelayMs };
}

function watchFixed(creators: readonly Creator[], looks: number, scenario: Scenario, time: Time) {
  let intervalMs = Math.round((creators.length * (time.untilMs - time.measuredMs)) / looks);
  for (let tries = 1; ; tries += 1) {
    const random = seeded(scenario.seed);
    const watched = simulate({
      creators: creators.map(({ handle, broadcasts }) => ({
        handle,
        broadcasts,
        cadence: fixedCadence(intervalMs),
        fromMs: time.fromMs + Math.round(random.next() * intervalMs),
      })),
      clock: new SteppedClock(time.fromMs),
      untilMs: time.untilMs,
    });
    if (tries === TRIES) return { watched, intervalMs };
    intervalMs = Math.round((intervalMs * looksOf(watched, time)) / looks);
  }
}

const measured = <T extends { startMs: number }>(broadcasts: readonly T[], time: Time): T[] =>
  broadcasts.filter(({ startMs }) => startMs >= time.measuredMs && startMs < time.untilMs - DAY_MS);

const looksOf = (watched: Map<string, Watched>, { measuredMs }: Time): number =>
  sum([...watched.values()].map(({ looksMs }) => looksMs.filter((atMs) => atMs >= measuredMs).length));

function outcomeOf(creators: readonly Creator[], watched: Map<string, Watched>, time: Time): Outcome {
  const ends = creators.flatMap(({ handle, broadcasts }) => {
    const looksMs = watched.get(handle)?.looksMs ?? [];
    return measured(broadcasts, time).map(({ startMs, endMs }) => {
      const delayMs = (looksMs.find((atMs) => atMs >= startMs) ?? time.untilMs) - startMs;
      const lengthMs = endMs - startMs;
      return { delayMs, lengthMs, missed: delayMs >= lengthMs, lostMs: Math.min(delayMs, lengthMs) };
    });
  });
  const days = (time.untilMs - time.measuredMs) / DAY_MS;
  const these = new Map(creators.map(({ handle }) => [handle, watched.get(handle)!]));
  const delaysMs = ends.map(({ delayMs }) => delayMs).toSorted((a, b) => a - b);
  const short = ends.filter(({ lengthMs }) => lengthMs < SHORT_MS);
  return {
    looksPerDay: looksOf(these, time) / days / creators.length,
    meanDelayMs: mean(delaysMs),
    p90DelayMs: delaysMs[Math.floor(0.9 * delaysMs.length)] ?? Number.NaN,
    missedShare: mean(ends.map(({ missed }) => Number(missed))),
    shortMissedShare: mean(short.map(({ missed }) => Number(missed))),
    lostShare: sum(ends.map(({ lostMs }) => lostMs)) / sum(ends.map(({ lengthMs }) => lengthMs)),
  };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const mean = (values: readonly number[]): number => sum(values) / values.length;

/** FNV-1a. */
function seedOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const letter of text) hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193);
  return hash;
}
