/** A clock that a test steps by hand: nothing passes until it says so. */
import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '../src/kernel/clock.ts';

interface Timer {
  atMs: number;
  callback: () => void;
}

export class ManualClock implements Clock {
  #wallMs: number;
  #awakeMs = 0;
  #sleptMs = 0;
  readonly #timers = new Set<Timer>();
  #onTimer: (() => void)[] = [];

  constructor(startMs: number = Date.UTC(2026, 10, 22)) {
    this.#wallMs = startMs;
  }

  now(): number {
    return this.#wallMs + this.monotonic();
  }

  monotonic(): number {
    return this.#awakeMs + this.#sleptMs;
  }

  awake(): number {
    return this.#awakeMs;
  }

  /** Somebody sets the wall clock. */
  set(byMs: number): void {
    this.#wallMs += byMs;
  }

  /** The process stands still. */
  suspend(ms: number): void {
    this.#sleptMs += ms;
  }

  delay(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const cancel = this.after(ms, () => {
        signal?.removeEventListener('abort', abort);
        resolve();
      });
      const abort = () => {
        cancel();
        reject(signal?.reason as Error);
      };
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { atMs: this.#awakeMs + Math.max(0, ms), callback };
    this.#timers.add(timer);
    for (const tell of this.#onTimer.splice(0)) tell();
    return () => void this.#timers.delete(timer);
  }

  /** How long until the first timer; null: there is none. */
  get nextMs(): number | null {
    let atMs = Infinity;
    for (const timer of this.#timers) atMs = Math.min(atMs, timer.atMs);
    return atMs === Infinity ? null : Math.max(0, atMs - this.#awakeMs);
  }

  /** How long until each timer, ascending. */
  get pendingMs(): number[] {
    return [...this.#timers].map((timer) => timer.atMs - this.#awakeMs).toSorted((a, b) => a - b);
  }

  /** Resolves as soon as somebody waits for something. */
  async waiting(): Promise<void> {
    while (this.#timers.size === 0) {
      await new Promise<void>((resolve) => {
        this.#onTimer.push(resolve);
      });
    }
  }

  /** Lets time pass; whatever falls due happens in order, each with time to react. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#awakeMs + ms;
    for (;;) {
      await turn();
      let due: Timer | undefined;
      for (const timer of this.#timers) if (due === undefined || timer.atMs < due.atMs) due = timer;
      if (due === undefined || due.atMs > endMs) break;
      this.#awakeMs = Math.max(this.#awakeMs, due.atMs);
      this.#timers.delete(due);
      due.callback();
    }
    this.#awakeMs = endMs;
  }
}
