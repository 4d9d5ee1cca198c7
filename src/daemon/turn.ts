/** One creator's wait for a place among the recordings: by its priority, which may change, and until it is told to leave. */
import { AnySignal } from '../kernel/any-signal.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Place, Places } from '../kernel/places.ts';
import type { LoadLimit } from './load-watch.ts';

/** For what one waits that is live. */
const WAITS_FOR: Record<LoadLimit | 'places', string> = {
  places: 'as many are recorded as may be at once',
  bandwidth: 'there is no room below the limit downloadBandwidth',
  cpu: 'the machine is too busy, by the limit cpu',
};

const LEAVE = 'it waits no more';
const ANOTHER_PRIORITY = 'it has another priority';

export class Turn {
  readonly #slots: Places<LoadLimit>;
  readonly #log: Logger;
  #waiting: AbortController | null = null;
  #isQueued = false;

  constructor(slots: Places<LoadLimit>, log: Logger) {
    this.#slots = slots;
    this.#log = log;
  }

  /** Somebody waits for a place, or is being given one. */
  get isTaken(): boolean {
    return this.#waiting !== null;
  }

  /** There was no place at once. */
  get isQueued(): boolean {
    return this.#isQueued;
  }

  /** Resolves with a place, or null when it was told to leave. Rejects with the signal's reason. */
  async take(signal: AbortSignal, handle: string, priority: () => number): Promise<Place | null> {
    for (let hasWaited = false; ; hasWaited = true) {
      const waiting = new AbortController();
      this.#waiting = waiting;
      using until = new AnySignal(signal, waiting.signal);
      const onWait = (): void => {
        this.#isQueued = true;
        const heldBy = this.#slots.heldBy ?? 'places';
        if (!hasWaited) this.#log.warn({ handle, heldBy }, `live, and waiting: ${WAITS_FOR[heldBy]}`);
      };
      try {
        const place = await this.#slots.take(until.signal, { priority: priority(), onWait });
        return { ...place, hasWaited: hasWaited || place.hasWaited };
      } catch (error) {
        signal.throwIfAborted();
        if (!waiting.signal.aborted) throw error;
        if (waiting.signal.reason === LEAVE) return null;
      } finally {
        this.#waiting = null;
        this.#isQueued = false;
      }
    }
  }

  /** It waits on behind all that have the same priority. Nothing happens when it does not wait. */
  reprioritise(): void {
    this.#waiting?.abort(ANOTHER_PRIORITY);
  }

  /** Nothing happens when it does not wait. */
  leave(): void {
    this.#waiting?.abort(LEAVE);
  }
}
