/**
 * Aborts its signal when nothing new came for `stallMs`. Time that the recorder itself takes, or is stopped, does not
 * count; and what came while it was stopped is still to be read when it goes on.
 */
import type { Clock } from '../kernel/clock.ts';

/** What is less is a busy machine. */
const STOOD_MS = 500;
/** A few beats. */
const UNREAD_MS = 1_000;

export class StallWatchdog {
  readonly #controller = new AbortController();
  readonly #clock: Clock;
  readonly #stallMs: number;
  #idleSince: number;
  #idleMs = 0;
  #paused = false;
  /** All that the process ever stood still, as far as it was taken into account. */
  #stoodMs: number;
  #cancel: () => void;

  constructor(clock: Clock, stallMs: number) {
    this.#clock = clock;
    this.#stallMs = stallMs;
    this.#idleSince = clock.awake();
    this.#stoodMs = stoodMs(clock);
    this.#cancel = clock.after(stallMs, this.#check);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  pause(): void {
    this.#idleMs += this.#clock.awake() - this.#idleSince;
    this.#paused = true;
  }

  resume(progressed: boolean): void {
    if (progressed) this.#idleMs = 0;
    this.#idleSince = this.#clock.awake();
    this.#paused = false;
  }

  /** Also closes what the attempt may have left open. */
  stop(): void {
    this.#cancel();
    this.#controller.abort();
  }

  readonly #check = (): void => {
    const stood = stoodMs(this.#clock);
    if (!this.#paused && stood - this.#stoodMs >= STOOD_MS) {
      const idleMs = this.#idleMs + this.#clock.awake() - this.#idleSince;
      this.#idleMs = Math.min(idleMs, Math.max(0, this.#stallMs - UNREAD_MS));
      this.#idleSince = this.#clock.awake();
    }
    this.#stoodMs = stood;
    const idleMs = this.#idleMs + (this.#paused ? 0 : this.#clock.awake() - this.#idleSince);
    if (idleMs >= this.#stallMs) this.#controller.abort();
    else this.#cancel = this.#clock.after(Math.max(50, this.#stallMs - idleMs), this.#check);
  };
}

const stoodMs = (clock: Clock): number => clock.monotonic() - clock.awake();
