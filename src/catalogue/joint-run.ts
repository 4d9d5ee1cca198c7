/**
 * Something that brings a thing up to date, asked for by several at once. Who asks while it runs is served by the next
 * run, which all such share: the one under way may have looked before what they want to see had happened.
 */

interface Waiting<Options, Result> {
  asked: Options[];
  waiters: number;
  promise: Promise<Result>;
  abort: AbortController;
}

export class JointRun<Options extends { signal?: AbortSignal | undefined }, Result> {
  readonly #run: (asked: readonly Options[], signal: AbortSignal) => Promise<Result>;
  #next: Waiting<Options, Result> | undefined;
  #last: Promise<unknown> = Promise.resolve();
  readonly #running = new Set<AbortController>();

  constructor(run: (asked: readonly Options[], signal: AbortSignal) => Promise<Result>) {
    this.#run = run;
  }

  /** Rejects with the signal's reason at once when it aborts; the run ends when nobody waits for it any more. */
  ask(options: Options): Promise<Result> {
    const { signal } = options;
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    if (this.#next?.abort.signal.aborted) this.#next = undefined;
    const run = (this.#next ??= this.#begin());
    run.asked.push(options);
    run.waiters += 1;
    if (signal === undefined) return run.promise;
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        run.waiters -= 1;
        if (run.waiters === 0) run.abort.abort(signal.reason);
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', leave, { once: true });
      run.promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
    });
  }

  /** Ends what runs. */
  async stop(reason: Error): Promise<void> {
    for (const abort of this.#running) abort.abort(reason);
    await this.#last;
  }

  #begin(): Waiting<Options, Result> {
    const abort = new AbortController();
    const asked: Options[] = [];
    const promise = this.#last.then(() => {
      if (this.#next?.abort === abort) this.#next = undefined;
      abort.signal.throwIfAborted();
      return this.#run(asked, abort.signal);
    });
    this.#running.add(abort);
    this.#last = promise.catch(() => {}).finally(() => this.#running.delete(abort));
    return { asked, waiters: 0, promise, abort };
  }
}
