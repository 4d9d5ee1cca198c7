/**
 * Looks at an interval of a creator's own, beside the plan: within windows, at once when one opens, and as long as the
 * day's credits pay for them.
 */
import type { Cadence, CadenceState } from './cadence.ts';
import type { OpenTimes } from './open-spans.ts';
import type { NextLook } from './planned-cadence.ts';

/** Somebody may set the clock, or the machine sleep: asked again after so long at the latest. */
const LONGEST_WAIT_MS = 60_000;

/** What all looks of a day are paid from. */
export interface LookBudget {
  /** When looks can be paid again; null: now. */
  renewsAtMs(): number | null;
  /** The look is made now. */
  grant(): void;
  /** The look granted before is over. */
  release(): void;
}

export interface IntervalLooksOptions {
  intervalMs: number;
  /** Null: always open. */
  times: OpenTimes | null;
  budget: LookBudget;
}

export class IntervalLooks implements Cadence {
  readonly #options: IntervalLooksOptions;
  #next: NextLook | null = null;

  constructor(options: IntervalLooksOptions) {
    this.#options = options;
  }

  /** As it stood when last asked; null before that. */
  get next(): NextLook | null {
    return this.#next;
  }

  nextLookInMs(state: CadenceState): number {
    const { budget } = this.#options;
    budget.release();
    this.#next = this.#due(state);
    const waitMs = (this.#next.atMs ?? Infinity) - state.nowMs;
    if (waitMs > 0) return Math.min(waitMs, LONGEST_WAIT_MS);
    budget.grant();
    return 0;
  }

  #due({ nowMs, sinceLookMs }: CadenceState): NextLook {
    const { intervalMs, times, budget } = this.#options;
    const dueMs = sinceLookMs === null ? nowMs : nowMs + Math.max(0, intervalMs - sinceLookMs);
    const paidMs = Math.max(dueMs, budget.renewsAtMs() ?? dueMs);
    if (times === null || times.isOpen(paidMs))
      return { atMs: paidMs, why: paidMs > dueMs ? 'budget-spent' : 'planned' };
    return { atMs: times.nextChange(paidMs)?.atMs ?? null, why: 'window-closed' };
  }
}
