/** A session's state (`session-state.ts`) as it lives: facts change it, and who waits for the next phase is woken. */
import type { Clock } from '../kernel/clock.ts';
import { holdingSince, next, type EndPolicy, type SessionFact, type SessionState } from './session-state.ts';

export interface LiveStateDeps {
  clock: Clock;
  policy: EndPolicy;
  /** Nobody waits any more once it aborts. */
  over: AbortSignal;
  onPhase: (phase: SessionState['phase']) => void;
}

export class LiveState {
  readonly #deps: LiveStateDeps;
  #state: SessionState;
  readonly #waiters = new Set<() => void>();

  constructor(deps: LiveStateDeps) {
    this.#deps = deps;
    this.#state = holdingSince(deps.clock.awake());
  }

  get now(): SessionState {
    return this.#state;
  }

  get phase(): SessionState['phase'] {
    return this.#state.phase;
  }

  apply(fact: SessionFact): void {
    const { clock, policy, onPhase } = this.#deps;
    const before = this.#state;
    this.#state = next(before, fact, clock.awake(), policy);
    // Another hold may have begun.
    if (before !== this.#state && fact.type === 'suspended') this.wake();
    if (before.phase === this.#state.phase) return;
    onPhase(this.#state.phase);
    this.wake();
  }

  /** Resolves with the next change of phase, or after this long. */
  change(withinMs = Infinity): Promise<void> {
    return new Promise((resolve) => {
      if (this.#deps.over.aborted) {
        resolve();
        return;
      }
      const wake = (): void => {
        cancel();
        this.#waiters.delete(wake);
        resolve();
      };
      const cancel = withinMs === Infinity ? () => {} : this.#deps.clock.after(withinMs, wake);
      this.#waiters.add(wake);
    });
  }

  wake(): void {
    for (const wake of this.#waiters) wake();
  }
}
