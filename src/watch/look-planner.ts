/**
 * Shares one key's daily credits out among the creators that are watched: who is looked at in which hour, and how often. It
 * plans each UTC day for itself (`day-plan.ts`), today with what is left of it, and gives every creator a cadence. Plans are
 * made when asked for, and again when something changed or minutes have passed.
 */
import type { Clock } from '../kernel/clock.ts';
import { LivestowError } from '../kernel/errors.ts';
import { DAY_MS, DayBudget, dayStartMs } from './day-budget.ts';
import { lookRate, planDay, type DayPlan, type IntervalLimits } from './day-plan.ts';
import { HOUR_MS } from './go-live-rate.ts';
import type { LookBudget } from './interval-looks.ts';
import { openHours, type Span } from './open-spans.ts';
import { HORIZON_MS, JITTER, PlannedCadence, type CreatorPlan } from './planned-cadence.ts';
import { WatchedCreator, type CreatorFacts } from './watched-creator.ts';

export interface PlannerOptions extends IntervalLimits {
  clock: Pick<Clock, 'now'>;
  /** Credits for a UTC day, those of recordings included. Infinity: every creator at the floor. */
  budgetPerDay: number;
  /** Before this process began. */
  spentToday?: number;
  random?: () => number;
}

export interface Expectation {
  /** Mean time from a broadcast's start, in open hours, to the look that finds it. Null: there are no open hours. */
  delayMs: number | null;
  creditsPerDay: number;
}

const REPLAN_MS = 5 * 60_000;
const SPREAD_PER_CREATOR_MS = 100;
const WEEK_DAYS = 7;
/** A broadcast begins anywhere between two looks: how much of the interval is left then. */
const PHASES = [0.125, 0.375, 0.625, 0.875];

export class LookPlanner {
  readonly #options: PlannerOptions;
  readonly #budget: DayBudget;
  readonly #creators = new Map<string, { creator: WatchedCreator; cadence: PlannedCadence }>();
  /** By the start of their day. */
  readonly #plans = new Map<number, DayPlan>();
  /** The plan keeps off floor and ceiling by this factor: what jitter adds to an interval must not be cut off again. */
  readonly #jitterRoom: number;
  #todayMs: number;
  #plannedAtMs = 0;

  constructor(options: PlannerOptions) {
    const { clock, budgetPerDay, floorMs, ceilingMs, spentToday = 0 } = options;
    if (!(floorMs > 0 && floorMs <= ceilingMs)) {
      throw new LivestowError('CONFIG', `looks ${floorMs} ms apart at least, and ${ceilingMs} ms at most`, {
        hint: 'The least interval must be above 0, and not above the greatest.',
      });
    }
    this.#options = options;
    this.#jitterRoom = Math.max(1 - JITTER, Math.sqrt(floorMs / ceilingMs));
    this.#todayMs = dayStartMs(clock.now());
    this.#budget = new DayBudget({ clock, perDay: budgetPerDay, spentToday });
  }

  /** Adds a creator, or tells what has changed about one: a broadcast that was found, the priority, windows. */
  set(handle: string, facts: CreatorFacts): void {
    const known = this.#creators.get(handle);
    if (known === undefined) {
      const creator = new WatchedCreator(this.#options.clock, facts);
      const cadence = new PlannedCadence(this.#planFor(handle, creator), this.#options.random);
      this.#creators.set(handle, { creator, cadence });
    } else {
      known.creator.facts = facts;
    }
    this.#plans.clear();
  }

  /** The others get its looks. A watch of it that is still ending may go on asking its cadence. */
  remove(handle: string): void {
    this.#creators.delete(handle);
    this.#budget.release(handle);
    this.#plans.clear();
  }

  /** The same one as long as the creator is watched. Its `next` tells the next look and why it is then. */
  cadenceOf(handle: string): PlannedCadence {
    return this.#watched(handle).cadence;
  }

  /** For one who is looked at beside the plan, from the same credits. */
  budgetOf(handle: string): LookBudget {
    return {
      renewsAtMs: () => (this.#budget.affordsLook ? null : this.#budget.renewsAtMs),
      grant: () => this.#budget.grant(handle, false),
      release: () => this.#budget.release(handle),
    };
  }

  /** What an answered look was charged, be it a watch's or a recording's. */
  spent(handle: string, credits: number): void {
    this.#budget.charge(handle, credits);
  }

  get spentToday(): number {
    return this.#budget.spentToday;
  }

  /** Plans what expectations are reckoned from, a day at each step: with many creators a day takes tens of milliseconds. */
  *prepareExpectations(): Generator<void> {
    this.#keepCurrent();
    const untilMs = this.#todayMs + (1 + WEEK_DAYS) * DAY_MS;
    for (let dayMs = this.#todayMs; dayMs <= untilMs; dayMs += DAY_MS) {
      this.#planOfDay(dayMs);
      yield;
    }
  }

  /** Of the week from tomorrow on, as things stand. */
  expectation(handle: string): Expectation {
    const { creator } = this.#watched(handle);
    this.#keepCurrent();
    const fromMs = this.#todayMs + DAY_MS;
    const untilMs = fromMs + WEEK_DAYS * DAY_MS;
    let looks = 0;
    let starts = 0;
    let delaysMs = 0;
    for (const span of creator.open(fromMs, untilMs)) {
      if (span.startMs >= fromMs) looks += 1;
      const hours = [...openHours(() => [span], fromMs, fromMs + HORIZON_MS)];
      const closesMs = hours.at(-1)?.endMs ?? untilMs;
      for (const [index, { startMs, endMs }] of hours.entries()) {
        if (startMs >= untilMs) break;
        const middleMs = (startMs + endMs) / 2;
        const startsHere = creator.goLiveRateAt(startMs) * (endMs - startMs);
        const ahead = hours.slice(index);
        for (const phase of PHASES) {
          const foundMs = this.#whenDueMs(creator, ahead, middleMs, phase) ?? closesMs;
          delaysMs += (startsHere * (foundMs - middleMs)) / PHASES.length;
        }
        starts += startsHere;
        looks += this.#rateAt(creator, startMs) * (endMs - startMs);
      }
    }
    return {
      delayMs: starts === 0 ? null : delaysMs / starts,
      creditsPerDay: (looks * this.#budget.creditsPerLook) / WEEK_DAYS,
    };
  }

  #watched(handle: string) {
    const watched = this.#creators.get(handle);
    if (watched === undefined) throw new LivestowError('NOT_FOUND', `${handle} is not watched`);
    return watched;
  }

  #planFor(handle: string, creator: WatchedCreator): CreatorPlan {
    const budget = this.#budget;
    return {
      whenDueMs: (sinceMs, looks) => {
        this.#keepCurrent();
        const hours = openHours(creator.open, sinceMs, sinceMs + HORIZON_MS);
        return this.#whenDueMs(creator, hours, sinceMs, looks);
      },
      limits: () => {
        this.#keepCurrent();
        return {
          floorMs: this.#options.floorMs,
          ceilingMs: 1 / this.#planOfDay(this.#todayMs).leastRate / this.#jitterRoom,
        };
      },
      open: (fromMs, untilMs) => creator.open(fromMs, untilMs),
      spreadMs: (place, mostMs = Infinity) => this.#placeInLine(creator, place) * this.#eachApartMs(mostMs),
      budgetRenewsAtMs: () => (budget.affordsLook ? null : budget.renewsAtMs),
      grant: () => budget.grant(handle),
      release: () => budget.release(handle),
    };
  }

  /** How many come before it when all are due at once; among its equals it stands at `place`. */
  #placeInLine({ priority }: WatchedCreator, place: number): number {
    let before = 0;
    let equals = 0;
    for (const { creator } of this.#creators.values()) {
      if (creator.priority > priority) before += 1;
      else if (creator.priority === priority) equals += 1;
    }
    return before + place * equals;
  }

  #eachApartMs(mostMs: number): number {
    return Math.min(SPREAD_PER_CREATOR_MS, mostMs / this.#creators.size);
  }

  /** When the look rate, in these hours and from then on, adds up to so many looks. */
  #whenDueMs(creator: WatchedCreator, hours: Iterable<Span>, fromMs: number, looks: number): number | null {
    let left = looks;
    for (const { startMs, endMs } of hours) {
      const beginsMs = Math.max(startMs, fromMs);
      const rate = this.#rateAt(creator, beginsMs);
      const here = rate * (endMs - beginsMs);
      if (here >= left) return beginsMs + left / rate;
      left -= here;
    }
    return null;
  }

  /** Looks per millisecond. */
  #rateAt(creator: WatchedCreator, atMs: number): number {
    return lookRate(this.#planOfDay(dayStartMs(atMs)), creator.worthAt(atMs));
  }

  /** Drops what time has made wrong: habits are learned anew each day, and today is planned again after some minutes. */
  #keepCurrent(): void {
    const nowMs = this.#options.clock.now();
    const todayMs = dayStartMs(nowMs);
    if (todayMs !== this.#todayMs) {
      this.#todayMs = todayMs;
      this.#plans.clear();
      for (const { creator } of this.#creators.values()) creator.learn();
    }
    if (Math.abs(nowMs - this.#plannedAtMs) >= REPLAN_MS) this.#plans.delete(todayMs);
  }

  #planOfDay(dayMs: number): DayPlan {
    let plan = this.#plans.get(dayMs);
    if (plan === undefined) {
      plan = this.#plan(dayMs);
      this.#plans.set(dayMs, plan);
    }
    return plan;
  }

  #plan(dayMs: number): DayPlan {
    const today = dayMs === this.#todayMs;
    if (today) this.#plannedAtMs = this.#options.clock.now();
    // A day that has nothing left is planned as if it began: what falls due then waits for the next, and is not forgotten.
    const rest = today && this.#budget.affordsLook;
    const fromMs = rest ? this.#plannedAtMs : dayMs;
    const credits = rest ? this.#budget.plannableRest : this.#budget.plannableDay;
    const time = { worth: [] as number[], openMs: [] as number[] };
    let openings = 0;
    for (const { creator } of this.#creators.values()) {
      const { hours, openingsMs } = creator.day(dayMs);
      openings += openingsMs.filter((atMs) => atMs >= fromMs).length;
      for (const { startMs, worth, openMs } of hours) {
        const shareAhead = Math.min(1, (startMs + HOUR_MS - fromMs) / HOUR_MS);
        if (shareAhead <= 0) continue;
        time.worth.push(worth);
        time.openMs.push(openMs * shareAhead);
      }
    }
    return planDay(time, credits / this.#budget.creditsPerLook - openings, {
      floorMs: this.#options.floorMs / this.#jitterRoom,
      ceilingMs: this.#options.ceilingMs * this.#jitterRoom,
    });
  }
}
