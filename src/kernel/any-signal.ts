/**
 * A signal that aborts as soon as one of several does, for as long as its owner keeps it. In place of `AbortSignal.any`,
 * which in Node 24.16 to 26.8 forgets an abort when the signal that aborted is collected before somebody asks
 * (nodejs/node#65995).
 */

export class AnySignal implements Disposable {
  readonly #controller = new AbortController();
  readonly #sources: readonly AbortSignal[];

  constructor(...sources: readonly AbortSignal[]) {
    const aborted = sources.find((source) => source.aborted);
    this.#sources = aborted ? [] : sources;
    if (aborted) this.#controller.abort(aborted.reason);
    for (const source of this.#sources) source.addEventListener('abort', this.#follow);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** It follows nobody any more. */
  [Symbol.dispose](): void {
    for (const source of this.#sources) source.removeEventListener('abort', this.#follow);
  }

  readonly #follow = ({ target }: Event): void => {
    this[Symbol.dispose]();
    this.#controller.abort((target as AbortSignal).reason);
  };
}
