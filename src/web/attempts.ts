/**
 * How often somebody may guess: a few wrong tokens from one address, and some more from all addresses together, in a
 * quarter of an hour. Right ones are not counted, and nobody is locked out who does not guess: not even from the same
 * address for longer than that.
 */
import type { Clock } from '../kernel/clock.ts';

const WINDOW_MS = 15 * 60_000;
const MOST_FROM_ONE = 10;
const MOST_FROM_ALL = 200;

export class Attempts {
  readonly #clock: Clock;
  /** When each was, oldest first. As many as may be made are remembered, and no more. */
  #failed: { from: string; atMs: number }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** 0: it may be tried now. */
  waitMs(from: string): number {
    const nowMs = this.#clock.monotonic();
    this.#failed = this.#failed.filter(({ atMs }) => nowMs - atMs < WINDOW_MS);
    const own = this.#failed.filter((each) => each.from === from);
    const oldest =
      own.length >= MOST_FROM_ONE
        ? own[0]
        : this.#failed.length >= MOST_FROM_ALL
          ? this.#failed[0]
          : undefined;
    return oldest === undefined ? 0 : oldest.atMs + WINDOW_MS - nowMs;
  }

  failed(from: string): void {
    this.#failed.push({ from, atMs: this.#clock.monotonic() });
  }
}
