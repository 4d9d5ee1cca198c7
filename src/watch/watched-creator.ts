/** What the plan knows of one creator: priority, open hours, and the habit as it was last learned. */
import type { Clock } from '../kernel/clock.ts';
import { LivestowError } from '../kernel/errors.ts';
import { DAY_MS } from './day-budget.ts';
import { HOUR_MS, hourOfWeek, learnGoLiveRate, type GoLiveHistory } from './go-live-rate.ts';
import { alwaysOpen, openHours, type OpenSpans } from './open-spans.ts';

export interface CreatorFacts {
  /** How much a minute of this creator's counts, beside another's. */
  priority: number;
  history: GoLiveHistory;
  /** Without it, always. */
  open?: OpenSpans;
}

interface CreatorDay {
  /** Those in which a look may be made, with what it is worth there. */
  hours: { startMs: number; worth: number; openMs: number }[];
  /** When windows open. Each costs a look of its own. */
  openingsMs: number[];
}

export class WatchedCreator {
  readonly #clock: Pick<Clock, 'now'>;
  #facts: CreatorFacts;
  /** Broadcasts begun per hour, by hour of the week. */
  #goLiveRate: Float64Array;
  readonly #days = new Map<number, CreatorDay>();

  constructor(clock: Pick<Clock, 'now'>, facts: CreatorFacts) {
    this.#clock = clock;
    this.#facts = checked(facts);
    this.#goLiveRate = learnGoLiveRate(facts.history, clock.now());
  }

  set facts(facts: CreatorFacts) {
    this.#facts = checked(facts);
    this.learn();
  }

  /** By the time that it is now. */
  learn(): void {
    this.#goLiveRate = learnGoLiveRate(this.#facts.history, this.#clock.now());
    this.#days.clear();
  }

  get priority(): number {
    return this.#facts.priority;
  }

  get open(): OpenSpans {
    return this.#facts.open ?? alwaysOpen;
  }

  goLiveRateAt(atMs: number): number {
    return this.#goLiveRate[hourOfWeek(atMs)]!;
  }

  /** What a look is worth, beside others: see `day-plan.ts`. */
  worthAt(atMs: number): number {
    return Math.sqrt(this.#facts.priority * this.goLiveRateAt(atMs));
  }

  day(dayMs: number): CreatorDay {
    let day = this.#days.get(dayMs);
    if (day === undefined) {
      day = this.#dayOf(dayMs);
      this.#days.set(dayMs, day);
    }
    return day;
  }

  #dayOf(dayMs: number): CreatorDay {
    const untilMs = dayMs + DAY_MS;
    const openMs = new Float64Array(DAY_MS / HOUR_MS);
    for (const { startMs, endMs } of openHours(this.open, dayMs, untilMs)) {
      openMs[Math.floor((startMs - dayMs) / HOUR_MS)]! += endMs - startMs;
    }
    const hours = Array.from(openMs, (ms, hour) => {
      const startMs = dayMs + hour * HOUR_MS;
      return { startMs, worth: this.worthAt(startMs), openMs: ms };
    });
    // From a moment before, to tell a window that opens at midnight from one that stays open over it.
    const openingsMs = Array.from(this.open(dayMs - 1, untilMs), ({ startMs }) => startMs);
    return {
      hours: hours.filter((each) => each.openMs > 0),
      openingsMs: openingsMs.filter((atMs) => atMs >= dayMs && atMs < untilMs),
    };
  }
}

function checked(facts: CreatorFacts): CreatorFacts {
  if (facts.priority > 0 && Number.isFinite(facts.priority)) return facts;
  throw new LivestowError('CONFIG', `a priority of ${facts.priority}`, {
    hint: 'A priority is a number above 0. A creator that is not to be watched has no open hours.',
  });
}
