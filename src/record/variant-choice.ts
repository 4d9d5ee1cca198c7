/** Which of the ranked variants to try next: the best that did not just fail. Who fails again and again is left alone longer. */
import type { Variant } from '../model/variant.ts';

const SET_ASIDE_LEAST_MS = 15_000;
const SET_ASIDE_MOST_MS = 10 * 60_000;
/** A variant that brought less than this before it broke was not back. */
const TRUSTED_AFTER_MS = 60_000;

interface Failed {
  times: number;
  untilMs: number;
}

export class VariantChoice {
  #ranked: readonly Variant[] = [];
  readonly #failed = new Map<string, Failed>();

  /** A fresh look's variants, best first. */
  offer(ranked: readonly Variant[]): void {
    if (ranked.length > 0) this.#ranked = ranked;
  }

  best(nowMs: number): Variant | undefined {
    return this.#ranked.find((variant) => this.#mayBeTried(variant, nowMs));
  }

  /** The best of those that rank above this one, if one of them may be tried again. */
  better({ id }: Variant, nowMs: number): Variant | undefined {
    const rank = this.#ranked.findIndex((variant) => variant.id === id);
    return this.#ranked.slice(0, Math.max(0, rank)).find((variant) => this.#mayBeTried(variant, nowMs));
  }

  setAside({ id }: Variant, nowMs: number): void {
    const times = (this.#failed.get(id)?.times ?? 0) + 1;
    const forMs = Math.min(SET_ASIDE_LEAST_MS * 2 ** (times - 1), SET_ASIDE_MOST_MS);
    this.#failed.set(id, { times, untilMs: nowMs + forMs });
  }

  /** It brought so much media. */
  delivered({ id }: Variant, mediaMs: number): void {
    const failed = this.#failed.get(id);
    if (mediaMs >= TRUSTED_AFTER_MS) this.#failed.delete(id);
    else if (failed) failed.untilMs = -Infinity;
  }

  /** All failed: all may be tried again. */
  forgive(): void {
    for (const failed of this.#failed.values()) failed.untilMs = -Infinity;
  }

  #mayBeTried({ id }: Variant, nowMs: number): boolean {
    return (this.#failed.get(id)?.untilMs ?? -Infinity) <= nowMs;
  }
}
