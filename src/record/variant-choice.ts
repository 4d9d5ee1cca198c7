/** Which of the ranked variants to try next: the best that did not just fail. */
import type { Variant } from '../model/variant.ts';

const SET_ASIDE_MS = 60_000;

export class VariantChoice {
  #ranked: readonly Variant[] = [];
  readonly #failedUntilMs = new Map<string, number>();

  /** A fresh look's variants, best first. */
  offer(ranked: readonly Variant[]): void {
    if (ranked.length > 0) this.#ranked = ranked;
  }

  best(nowMs: number): Variant | undefined {
    return this.#ranked.find(({ id }) => (this.#failedUntilMs.get(id) ?? 0) <= nowMs);
  }

  setAside(variant: Variant, nowMs: number): void {
    this.#failedUntilMs.set(variant.id, nowMs + SET_ASIDE_MS);
  }

  delivered(variant: Variant): void {
    this.#failedUntilMs.delete(variant.id);
  }

  /** All failed: all may be tried again. */
  forgive(): void {
    this.#failedUntilMs.clear();
  }
}
