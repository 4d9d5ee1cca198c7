/** A signal that aborts when so long has passed, by the injected clock, or when another one does. */
import { AnySignal } from './any-signal.ts';
import type { Clock } from './clock.ts';

export class Deadline implements Disposable {
  readonly #cancel: () => void;
  readonly #until: AnySignal;

  constructor(clock: Pick<Clock, 'after'>, ms: number, signal?: AbortSignal) {
    const expiry = new AbortController();
    this.#cancel = clock.after(ms, () => expiry.abort());
    this.#until = new AnySignal(expiry.signal, ...(signal ? [signal] : []));
  }

  get signal(): AbortSignal {
    return this.#until.signal;
  }

  /** It passes no more, and follows nobody. */
  [Symbol.dispose](): void {
    this.#cancel();
    this.#until[Symbol.dispose]();
  }
}
