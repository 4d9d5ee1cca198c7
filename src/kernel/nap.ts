/** A wait that may be cut short. One at a time. */
import type { Clock } from './clock.ts';

export class Nap {
  readonly #clock: Pick<Clock, 'after'>;
  #wake = (): void => {};

  constructor(clock: Pick<Clock, 'after'>) {
    this.#clock = clock;
  }

  /** Resolves after so long, or when it is woken. Rejects with the signal's reason. */
  take(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        cancel();
        signal?.removeEventListener('abort', abort);
        this.#wake = () => {};
      };
      const abort = (): void => {
        leave();
        reject(signal?.reason as Error);
      };
      const wake = (): void => {
        leave();
        resolve();
      };
      const cancel = this.#clock.after(ms, wake);
      this.#wake = wake;
      signal?.addEventListener('abort', abort);
      if (signal?.aborted) abort();
    });
  }

  /** Nothing happens when nobody waits. */
  wake(): void {
    this.#wake();
  }
}
