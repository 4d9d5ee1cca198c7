/**
 * Keeps the list of sessions fresh for whoever looks at it: a page waits a moment for what is new, never for the first
 * reading of a large archive.
 */
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { Clock } from '../kernel/clock.ts';
import { messageOf } from '../kernel/errors.ts';

/** What is younger is shown as it is. */
const FRESH_MS = 5_000;
/** So long a page waits for the store; what comes later is on the next one. */
const PATIENCE_MS = 80;

export class FreshCatalogue {
  readonly #catalogue: Catalogue;
  readonly #clock: Clock;
  #refreshing: Promise<void> | null = null;
  #freshAtMs = -Infinity;
  #problem: string | null = null;

  constructor(catalogue: Catalogue, clock: Clock) {
    this.#catalogue = catalogue;
    this.#clock = clock;
  }

  /** False until the archive was read as a whole once. */
  get isComplete(): boolean {
    return this.#freshAtMs > -Infinity;
  }

  /** Resolves with what is wrong with the store, if anything is. */
  async bringUpToDate(): Promise<string | null> {
    if (this.#clock.monotonic() - this.#freshAtMs < FRESH_MS) return this.#problem;
    this.#refreshing ??= this.#refresh();
    let cancel = (): void => {};
    const patience = new Promise<void>((resolve) => {
      cancel = this.#clock.after(PATIENCE_MS, resolve);
    });
    await Promise.race([this.#refreshing, patience]);
    cancel();
    return this.#problem;
  }

  async #refresh(): Promise<void> {
    try {
      await this.#catalogue.refresh();
      this.#problem = null;
      this.#freshAtMs = this.#clock.monotonic();
    } catch (error) {
      this.#problem = `The archive cannot be read: ${messageOf(error)}`;
    } finally {
      this.#refreshing = null;
    }
  }
}
