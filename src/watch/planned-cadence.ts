/**
 * When one creator is looked at next, by the plan that many share. The planned look rate adds up from the last look on, and
 * the next one is due when it comes to one. Three things move it: nothing is looked at while its window is closed, a window
 * that opens is looked into at once, and a day whose budget is spent has no more looks.
 *
 * Nobody falls into step: each interval varies by a tenth. What makes many due at once (a start, a window that opens, a day
 * that begins) is spread over a tenth of a second each, and the looks that follow over a whole interval.
 *
 * Until it says 0 it may be asked again at any time, and says by what is known then.
 */
import type { Cadence, CadenceState } from './cadence.ts';
import type { OpenSpans } from './open-spans.ts';

export interface NextLook {
  /** Null: no time in the days ahead. */
  atMs: number | null;
  /** What set this time last. */
  why: 'planned' | 'window-closed' | 'budget-spent';
}

/** What the plan says about one creator. */
export interface CreatorPlan {
  /** When the look rate adds up to this many looks; null: beyond the days ahead. */
  whenDueMs(sinceMs: number, looks: number): number | null;
  /** Of today: a ceiling that the budget does not pay for gives way. */
  limits(): { floorMs: number; ceilingMs: number };
  open: OpenSpans;
  /**
   * How long to wait where looks would all come at once: those of a higher priority come first, and among its equals
   * the creator stands at `place`, 0 to 1.
   * @param mostMs that all of them may take
   */
  spreadMs(place: number, mostMs?: number): number;
  /** When looks can be paid again; null: now. */
  budgetRenewsAtMs(): number | null;
  /** The look is made now. */
  grant(): void;
  /** The look granted before is over. */
  release(): void;
}

/** How far ahead windows are looked for. */
export const HORIZON_MS = 8 * 86_400_000;
/** Of each interval, either way. */
export const JITTER = 0.1;
/** Long waits are cut, for plans and windows change. The last part never is, so that what was spread stays spread. */
const ASK_AGAIN_MS = 5 * 60_000;

export class PlannedCadence implements Cadence {
  readonly #plan: CreatorPlan;
  readonly #random: () => number;
  #firstAskedMs: number | undefined;
  /** Where this creator stands among its equals when many are due, 0 to 1. */
  #place: number;
  /** How many looks the rate must add up to. */
  #looksDue = 1;
  #next: NextLook | null = null;

  constructor(plan: CreatorPlan, random: () => number = Math.random) {
    this.#plan = plan;
    this.#random = random;
    this.#place = random();
  }

  /** As it stood when last asked; null before that. While a look is made or a broadcast recorded, it is that look's. */
  get next(): NextLook | null {
    return this.#next;
  }

  nextLookInMs(state: CadenceState): number {
    this.#plan.release();
    const { nowMs } = state;
    const due = this.#due(state);
    // What held this creator up has held up others.
    const inStep = due.inStep || (this.#next !== null && this.#next.why !== 'planned');
    this.#next = this.#allowed(Math.ceil(Math.max(nowMs, due.atMs)));
    const { atMs } = this.#next;
    if (atMs === null) return ASK_AGAIN_MS;
    if (atMs <= nowMs) {
      this.#plan.grant();
      this.#place = this.#random();
      this.#looksDue = inStep ? this.#random() : 1 + JITTER * (2 * this.#random() - 1);
      return 0;
    }
    const waitMs = atMs - nowMs;
    return waitMs > 2 * ASK_AGAIN_MS ? ASK_AGAIN_MS : waitMs;
  }

  /** `inStep`: others are likely to be due then as well. */
  #due({ nowMs, sinceLookMs }: CadenceState): { atMs: number; inStep: boolean } {
    if (sinceLookMs === null) {
      this.#firstAskedMs ??= nowMs;
      return { atMs: this.#firstAskedMs + this.#plan.spreadMs(this.#place), inStep: true };
    }
    const lookedMs = nowMs - sinceLookMs;
    const { floorMs, ceilingMs } = this.#plan.limits();
    const plannedMs = Math.min(
      this.#plan.whenDueMs(lookedMs, this.#looksDue) ?? Infinity,
      lookedMs + ceilingMs,
      lookedMs + HORIZON_MS,
    );
    const opensMs = this.#opening(lookedMs, plannedMs) ?? Infinity;
    return {
      atMs: Math.max(lookedMs + floorMs, Math.min(plannedMs, opensMs)),
      inStep: opensMs <= plannedMs,
    };
  }

  #allowed(dueMs: number): NextLook {
    const renewsMs = this.#plan.budgetRenewsAtMs();
    const paidMs =
      renewsMs === null ? dueMs : Math.max(dueMs, Math.ceil(renewsMs + this.#plan.spreadMs(this.#place)));
    const why = paidMs > dueMs ? 'budget-spent' : 'planned';
    for (const { startMs, endMs } of this.#plan.open(paidMs, paidMs + 1)) {
      if (startMs <= paidMs && paidMs < endMs) return { atMs: paidMs, why };
    }
    return { atMs: this.#opening(paidMs, paidMs + HORIZON_MS), why: 'window-closed' };
  }

  /** When to look into the first window that opens in this time, if one does. */
  #opening(afterMs: number, untilMs: number): number | null {
    for (const { startMs, endMs } of this.#plan.open(afterMs, untilMs)) {
      if (startMs <= afterMs) continue;
      return Math.ceil(startMs + this.#plan.spreadMs(this.#place, (endMs - startMs) / 2));
    }
    return null;
  }
}
