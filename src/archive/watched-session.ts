/**
 * A session that may still grow: its manifest as it stood a moment ago. Once it is sealed it is never asked for again.
 */
import type { Clock } from '../kernel/clock.ts';
import type { Manifest } from '../model/manifest.ts';
import type { Store } from '../store/store.ts';
import { openSession, type SessionRef } from './session-reader.ts';

const FRESH_MS = 2_000;

export class WatchedSession {
  readonly #store: Store;
  readonly #ref: SessionRef;
  readonly #clock: Clock;
  #current: Promise<Manifest> | undefined;
  #askedAt = -Infinity;
  #isSealed = false;

  constructor(store: Store, ref: SessionRef, clock: Clock) {
    this.#store = store;
    this.#ref = ref;
    this.#clock = clock;
  }

  /** Throws as `openSession` does; the next call asks again. */
  manifest(): Promise<Manifest> {
    const isFresh = this.#isSealed || this.#clock.monotonic() - this.#askedAt < FRESH_MS;
    if (this.#current && isFresh) return this.#current;
    this.#askedAt = this.#clock.monotonic();
    const asked = this.#ask();
    this.#current = asked;
    asked.catch(() => {
      if (this.#current === asked) this.#current = undefined;
    });
    return asked;
  }

  async #ask(): Promise<Manifest> {
    const { manifest } = await openSession(this.#store, this.#ref, { quick: true });
    this.#isSealed = manifest.sealedAt !== null;
    return manifest;
  }
}
