/**
 * So many bytes a second, in the mean: who begins pays for all of it, and the next may begin when that is paid off. What
 * goes at once goes as fast as it can.
 */
import type { Clock } from '../kernel/clock.ts';

/** So much is made up for when nothing began in time. */
const SLACK_MS = 1_000;
/** Another rate may be set while somebody waits. */
const LOOK_MS = 1_000;

export class Pace {
  readonly #clock: Clock;
  #bytesPerSecond: number | null;
  #freeAtMs = -Infinity;
  #payments = 0;

  /** @param bytesPerSecond null: any number */
  constructor(clock: Clock, bytesPerSecond: number | null) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
  }

  get bytesPerSecond(): number | null {
    return this.#bytesPerSecond;
  }

  /** What is owed is owed at the new rate. */
  set bytesPerSecond(rate: number | null) {
    const nowMs = this.#clock.monotonic();
    const owedMs = Math.max(0, this.#freeAtMs - nowMs);
    const owedBytes = (owedMs * (this.#bytesPerSecond ?? 0)) / 1_000;
    this.#bytesPerSecond = rate;
    this.#freeAtMs = rate === null ? -Infinity : nowMs + costMs(owedBytes, rate);
  }

  /** When all is, or was, paid off, monotonic; -Infinity: it never had to be. */
  get freeAtMs(): number {
    return this.#freeAtMs;
  }

  /** @returns lets off what is still owed of it: it did not go */
  pay(bytes: number): () => void {
    if (this.#bytesPerSecond === null) return () => {};
    const payment = (this.#payments += 1);
    const before = this.#freeAtMs;
    this.#freeAtMs =
      Math.max(before, this.#clock.monotonic() - SLACK_MS) + costMs(bytes, this.#bytesPerSecond);
    return () => {
      // Others began since: it is paid off.
      if (this.#payments === payment) this.#freeAtMs = before;
    };
  }

  /** Waits until it is free, and pays. Rejects with the signal's reason. */
  async turn(bytes: number, signal?: AbortSignal): Promise<void> {
    for (;;) {
      const leftMs = this.#freeAtMs - this.#clock.monotonic();
      if (leftMs <= 0) break;
      await this.#clock.delay(Math.min(leftMs, LOOK_MS), signal);
    }
    this.pay(bytes);
  }
}

/** Whole: a timer's fraction of a millisecond is not worth another one. */
const costMs = (bytes: number, bytesPerSecond: number): number => Math.ceil((bytes * 1_000) / bytesPerSecond);
