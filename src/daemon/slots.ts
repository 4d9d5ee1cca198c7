/** How many recordings there may be at once: who comes when all are taken waits, the highest priority first. */
import PQueue from 'p-queue';
import type { Admission } from './record-creator.ts';

export class Slots {
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

  /** Rejects with the signal's reason. */
  async take(priority: number, signal: AbortSignal, onWait: () => void): Promise<Admission> {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const { promise: taken, resolve: take } = Promise.withResolvers<void>();
    const holding = this.#queue.add(
      async () => {
        take();
        await released;
      },
      { priority, signal },
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
    // Released, or the signal aborted while it is held: nobody waits for it.
    holding.catch(() => {});
    return { hasWaited, release };
  }
}
