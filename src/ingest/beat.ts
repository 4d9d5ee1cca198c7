/**
 * The beat that connections are read in: each brings what came since the last one, and all of them at the same moment.
 * What a recording costs is mostly what each read sets off (a write to the tail, one to the engine, the wake-ups of
 * both), and a CDN sends each frame in a packet of its own.
 */
import type { Clock } from '../kernel/clock.ts';

/** Long enough to gather a few pictures, short beside everything that waits for media. */
const BEAT_MS = 200;

export class Beat {
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls back at the next beat, with all others that wait; returns how to leave them. */
  next(callback: () => void): () => void {
    if (this.#waiting.size === 0) this.#clock.after(BEAT_MS, this.#strike);
    this.#waiting.add(callback);
    return () => void this.#waiting.delete(callback);
  }

  readonly #strike = (): void => {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const callback of waiting) callback();
  };
}
