/** Only so many at once: who comes when all places are taken waits, the highest priority first, among equals the first. */
import PQueue from 'p-queue';
import { AnySignal } from './any-signal.ts';

export interface Place {
  /** It was not there at once: what was seen before may be old. */
  hasWaited: boolean;
  release: () => void;
}

export class Places {
  readonly #queue: PQueue;

  /** @param most null: any number */
  constructor(most: number | null) {
    this.#queue = new PQueue({ concurrency: most ?? Infinity });
  }

  /** Takes effect for those who come next; nobody is sent away. */
  set most(most: number | null) {
    this.#queue.concurrency = most ?? Infinity;
  }

  get most(): number | null {
    return Number.isFinite(this.#queue.concurrency) ? this.#queue.concurrency : null;
  }

  get taken(): number {
    return this.#queue.pending;
  }

  get waiting(): number {
    return this.#queue.size;
  }

  /** Rejects with the signal's reason while it waits. */
  async take(signal: AbortSignal, { priority = 0, onWait = () => {} } = {}): Promise<Place> {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const { promise: taken, resolve: take } = Promise.withResolvers<void>();
    // Of no more concern once the place is taken: it is held until it is given back.
    using waiting = new AnySignal(signal);
    const holding = this.#queue.add(
      async () => {
        take();
        await released;
      },
      { priority, signal: waiting.signal },
    );
    const hasWaited = this.#queue.pending >= this.#queue.concurrency && this.#queue.size > 0;
    if (hasWaited) onWait();
    try {
      await Promise.race([taken, holding]);
      signal.throwIfAborted();
    } catch (error) {
      release();
      throw error;
    }
    return { hasWaited, release };
  }
}
