/**
 * Who is looked at when: by the plan that shares out the day's credits, from what is known of each one's habit, or at an
 * interval of its own, or never while it is paused; and within its windows.
 */
import type { CreatorInForce } from '../config/creator-in-force.ts';
import type { Config } from '../config/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import type { RecordingWindows } from '../schedule/windows.ts';
import type { Store } from '../store/store.ts';
import type { Cadence } from '../watch/cadence.ts';
import { IntervalLooks } from '../watch/interval-looks.ts';
import { LookPlanner } from '../watch/look-planner.ts';
import { openSpansOf } from '../watch/open-spans.ts';
import type { NextLook } from '../watch/planned-cadence.ts';
import { Habits } from './habits.ts';

/** Of a creator that is paused: looked at by order alone. */
const NEVER: Cadence = { nextLookInMs: () => Infinity };

export type TellingCadence = Cadence & { next?: NextLook | null };

export class PlannedLooks {
  readonly #clock: Clock;
  readonly #planner: LookPlanner;
  readonly #habits: Habits;
  /** Those who are looked at by the plan. */
  readonly #planned = new Map<string, { priority: number; windows: RecordingWindows | null }>();

  /** @param spentToday credits, before this process began */
  constructor(clock: Clock, { creditsPerDay, pollFloorMs, pollCeilingMs }: Config, spentToday: number) {
    this.#clock = clock;
    this.#habits = new Habits(clock);
    this.#planner = new LookPlanner({
      clock,
      budgetPerDay: creditsPerDay ?? Infinity,
      floorMs: pollFloorMs,
      ceilingMs: pollCeilingMs,
      spentToday,
    });
  }

  get spentToday(): number {
    return this.#planner.spentToday;
  }

  spent(handle: string, credits: number): void {
    this.#planner.spent(handle, credits);
  }

  /** Before many expectations are asked for: others may be let in at each step. */
  prepareExpectations(): Iterable<void> {
    return this.#planner.prepareExpectations();
  }

  /** Of a creator that is looked at by the plan: the mean delay until a broadcast is found, and what looking costs. */
  expectation(handle: string): { delayMs: number | null; creditsPerDay: number } | null {
    return this.#planned.has(handle) ? this.#planner.expectation(handle) : null;
  }

  cadenceFor(creator: CreatorInForce, windows: RecordingWindows | null): TellingCadence {
    const { handle, paused, pollIntervalMs, priority } = creator;
    if (paused || pollIntervalMs !== null) this.forget(handle);
    if (paused) return NEVER;
    if (pollIntervalMs !== null) {
      const budget = this.#planner.budgetOf(handle);
      return new IntervalLooks({ intervalMs: pollIntervalMs, times: windows, budget });
    }
    this.#planned.set(handle, { priority, windows });
    this.#plan(handle);
    return this.#planner.cadenceOf(handle);
  }

  /** What it would have cost is for the others. */
  forget(handle: string): void {
    this.#planned.delete(handle);
    this.#planner.remove(handle);
  }

  /** From what is archived. */
  async learn(stores: Iterable<Store>, signal: AbortSignal): Promise<void> {
    for (const store of stores) await this.#habits.learn(store, signal);
    for (const handle of this.#planned.keys()) this.#plan(handle);
  }

  /** @param startedAt as the API says */
  foundLive(handle: string, startedAt: string | null): void {
    const startedMs = startedAt === null ? Number.NaN : Date.parse(startedAt);
    this.#habits.began(handle, Number.isNaN(startedMs) ? this.#clock.now() : startedMs);
    this.#plan(handle);
  }

  #plan(handle: string): void {
    const planned = this.#planned.get(handle);
    if (!planned) return;
    const { priority, windows } = planned;
    this.#planner.set(handle, {
      priority: 2 ** (priority / 10),
      history: this.#habits.of(handle),
      ...(windows ? { open: openSpansOf(windows) } : {}),
    });
  }
}
