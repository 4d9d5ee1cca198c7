/** Ends a recording after so long, counted from its first media, or from its beginning while there is none. */
import type { Clock } from '../kernel/clock.ts';

export class DurationLimit {
  readonly #clock: Clock;
  readonly #mostMs: number | null;
  readonly #onReached: () => void;
  #hadMedia = false;
  #cancel: (() => void) | null = null;

  /** @param mostMs null: there is none */
  constructor(clock: Clock, mostMs: number | null, onReached: () => void) {
    this.#clock = clock;
    this.#mostMs = mostMs;
    this.#onReached = onReached;
  }

  begin(): void {
    this.end();
    if (this.#mostMs !== null) this.#cancel = this.#clock.after(this.#mostMs, this.#onReached);
  }

  /** Counts anew with the first that comes: what is limited is the recording. */
  mediaCame(): void {
    if (this.#hadMedia) return;
    this.#hadMedia = true;
    this.begin();
  }

  end(): void {
    this.#cancel?.();
  }
}
