/**
 * Which of the ranked variants to try next: the best that did not just fail. Who fails again and again is left alone
 * longer. While it has to be sparing, that with the least bitrate is the best.
 */
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
  #isSparing = false;
  readonly #failed = new Map<string, Failed>();

  /** A fresh look's variants, best first. */
  offer(ranked: readonly Variant[]): void {
    if (ranked.length > 0) this.#ranked = ranked;
  }

  /** The disk nears its end, or does so no more. */
  spare(isSparing: boolean): void {
    this.#isSparing = isSparing;
  }

  best(nowMs: number): Variant | undefined {
    return this.#order.find((variant) => this.#mayBeTried(variant, nowMs));
  }

  /** The best of those that rank above this one, if one of them may be tried again. */
  better({ id }: Variant, nowMs: number): Variant | undefined {
    const rank = this.#order.findIndex((variant) => variant.id === id);
    return this.#order.slice(0, Math.max(0, rank)).find((variant) => this.#mayBeTried(variant, nowMs));
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

  get #order(): readonly Variant[] {
    return this.#isSparing ? sparing(this.#ranked) : this.#ranked;
  }

  #mayBeTried({ id }: Variant, nowMs: number): boolean {
    return (this.#failed.get(id)?.untilMs ?? -Infinity) <= nowMs;
  }
}

/** By bitrate, the least first; the codec stays, for a change of it costs more than it saves. What names none goes last. */
function sparing(ranked: readonly Variant[]): Variant[] {
  const codec = ranked[0]?.codecFamily;
  const strange = ({ codecFamily }: Variant): number => (codecFamily === codec ? 0 : 1);
  const rate = ({ bitrateBps }: Variant): number => bitrateBps ?? Number.MAX_SAFE_INTEGER;
  return ranked.toSorted((a, b) => strange(a) - strange(b) || rate(a) - rate(b));
}
