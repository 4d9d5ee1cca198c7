/**
 * What may be spent on looks in a UTC day, and what was. Everything that is charged counts, but only looks of a watch are
 * held back when nothing is left: recordings go on looking. A look is granted before it is made, so that of many that fall
 * due in one moment no more are made than can be paid.
 */
import type { Clock } from '../kernel/clock.ts';

export const DAY_MS = 86_400_000;
export const dayStartMs = (atMs: number): number => Math.floor(atMs / DAY_MS) * DAY_MS;

/** Recordings may be expected to take so much of what is left, not all of it. */
const RECORDINGS_SHARE_MAX = 0.75;
/** How much the newest look counts for what a look costs, and the newest day for what recordings spend. */
const NEWEST_LOOK_SHARE = 0.05;
const NEWEST_DAY_SHARE = 0.5;

export class DayBudget {
  readonly #perDay: number;
  readonly #clock: Pick<Clock, 'now'>;
  #dayMs: number;
  #spent: number;
  /** Of that, by others than the plan: recordings, and looks at intervals of their own. */
  #recordingsSpent = 0;
  /** What those spend in a day, by the days before; null on the first. */
  #recordingsPerDay: number | null = null;
  #creditsPerLook = 1;
  /** The dearest look so far: a grant reserves this much. */
  #mostPerLook = 1;
  /** And whether the plan has made them. */
  readonly #granted = new Map<string, { isPlanned: boolean }>();

  constructor(options: { clock: Pick<Clock, 'now'>; perDay: number; spentToday?: number }) {
    this.#perDay = options.perDay;
    this.#clock = options.clock;
    this.#dayMs = dayStartMs(options.clock.now());
    this.#spent = options.spentToday ?? 0;
  }

  /** What a look of a watch has cost of late. */
  get creditsPerLook(): number {
    return this.#creditsPerLook;
  }

  get spentToday(): number {
    this.#turnDay();
    return this.#spent;
  }

  get renewsAtMs(): number {
    this.#turnDay();
    return this.#dayMs + DAY_MS;
  }

  /** Whether one more look can be granted. */
  get affordsLook(): boolean {
    return this.spentToday + (this.#granted.size + 1) * this.#mostPerLook <= this.#perDay;
  }

  /**
   * Whoever asks has just seen that it is affordable.
   * @param isPlanned false: the plan knows nothing of it, and leaves it room as it does to recordings
   */
  grant(handle: string, isPlanned = true): void {
    this.#granted.set(handle, { isPlanned });
  }

  /** The look that was granted, if any, is over, whether or not it was charged. */
  release(handle: string): void {
    this.#granted.delete(handle);
  }

  charge(handle: string, credits: number): void {
    this.#turnDay();
    this.#spent += credits;
    const granted = this.#granted.get(handle);
    this.#granted.delete(handle);
    if (granted?.isPlanned !== true) {
      this.#recordingsSpent += credits;
      return;
    }
    this.#creditsPerLook += NEWEST_LOOK_SHARE * (credits - this.#creditsPerLook);
    this.#mostPerLook = Math.max(this.#mostPerLook, credits);
  }

  /** Credits that watches can plan with for what is left of today: less what recordings will take. */
  get plannableRest(): number {
    const shareOfDay = (this.renewsAtMs - this.#clock.now()) / DAY_MS;
    return this.#withoutRecordings(this.#perDay - this.#spent, shareOfDay);
  }

  /** The same for a whole day. */
  get plannableDay(): number {
    return this.#withoutRecordings(this.#perDay, 1);
  }

  #withoutRecordings(credits: number, shareOfDay: number): number {
    const forRecordings = (this.#recordingsPerDay ?? 0) * shareOfDay;
    return credits - Math.min(forRecordings, RECORDINGS_SHARE_MAX * credits);
  }

  /** A clock that is set back to the day before gets nothing anew. */
  #turnDay(): void {
    const todayMs = dayStartMs(this.#clock.now());
    if (todayMs > this.#dayMs) {
      const before = this.#recordingsPerDay ?? this.#recordingsSpent;
      this.#recordingsPerDay = before + NEWEST_DAY_SHARE * (this.#recordingsSpent - before);
      this.#recordingsSpent = 0;
      this.#spent = 0;
    }
    this.#dayMs = todayMs;
  }
}
