/** Only so many at once: who comes when all places are taken waits, the highest priority first, among equals the first. */
import PQueue from 'p-queue';
import { AnySignal } from './any-signal.ts';

export interface Place {
  /** It was not there at once: what was seen before may be old. */
  hasWaited: boolean;
  release: () => void;
}

/** @typeParam Why what else than their number may hold places back */
export class Places<Why extends string = never> {
  readonly #queue: PQueue;
  #most: number | null;
  /** How many there may be for now, those that are taken included. */
  #cap: { places: number; why: Why } | null = null;

  /** @param most null: any number */
  constructor(most: number | null) {
    this.#most = most;
    this.#queue = new PQueue({ concurrency: most ?? Infinity });
  }

  /** Takes effect for those who come next; nobody is sent away. */
  set most(most: number | null) {
    this.#most = most;
    this.#settle();
  }

  get most(): number | null {
    return this.#most;
  }

  /**
   * Beside `most`: only so many more may come until this is called again, and a place that is given back meanwhile is not
   * taken by another. One may always be taken.
   */
  admit(more: number, why: Why): void {
    this.#cap = { places: this.taken + more, why };
    this.#settle();
  }

  /** As many as there are places, again. */
  admitAll(): void {
    this.#cap = null;
    this.#settle();
  }

  get taken(): number {
    return this.#queue.pending;
  }

  get waiting(): number {
    return this.#queue.size;
  }

  /** What those who wait are waiting for; null: nobody waits. */
  get heldBy(): Why | 'places' | null {
    if (this.waiting === 0) return null;
    return this.#cap === null || this.taken >= (this.#most ?? Infinity) ? 'places' : this.#cap.why;
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
        this.#withdraw();
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

  /** The place that is being given back, as long as there is a cap. */
  #withdraw(): void {
    if (this.#cap === null) return;
    this.#cap.places -= 1;
    this.#settle();
  }

  #settle(): void {
    this.#queue.concurrency = Math.max(1, Math.min(this.#most ?? Infinity, this.#cap?.places ?? Infinity));
  }
}
