/** A real store that tells what was written to it, in order, and fails when it is told to. */
import { LivestowError } from '../../src/kernel/errors.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import type { Body, ObjectInfo, PutOptions } from '../../src/store/store.ts';

type Operation = 'put' | 'head' | 'get' | 'list';

export class TellingStore extends DirectoryStore {
  /** Keys of the puts that took place, in order. */
  readonly written: string[] = [];
  /** Calls that failed because they were told to. */
  failed = 0;
  /** Whether this call is to fail. */
  fails: (operation: Operation, key: string) => boolean = () => false;
  /** Whether this call is to get no answer, for as long as its caller waits. */
  hangs: (operation: Operation, key: string) => boolean = () => false;
  hung = 0;
  readonly #hanging: ((error: Error) => void)[] = [];
  onWritten: () => void = () => {};
  /** Called before a put takes place. */
  onPut: (key: string) => void | Promise<void> = () => {};

  async #check(operation: Operation, key: string, signal: AbortSignal | undefined): Promise<void> {
    if (this.hangs(operation, key)) {
      this.hung += 1;
      await new Promise((_, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
        this.#hanging.push(reject);
      });
    }
    if (!this.fails(operation, key)) return;
    this.failed += 1;
    throw new LivestowError('STORE_UNAVAILABLE', `${operation} ${key}: told to fail`, { retryable: true });
  }

  override async put(key: string, body: Body, options?: PutOptions): Promise<ObjectInfo> {
    await this.#check('put', key, options?.signal);
    await this.onPut(key);
    const info = await super.put(key, body, options);
    this.written.push(key);
    this.onWritten();
    return info;
  }

  override async head(key: string, signal?: AbortSignal): Promise<ObjectInfo | undefined> {
    await this.#check('head', key, signal);
    return super.head(key, signal);
  }

  override async get(
    ...[key, options]: Parameters<DirectoryStore['get']>
  ): ReturnType<DirectoryStore['get']> {
    await this.#check('get', key, options?.signal);
    return super.get(key, options);
  }

  override async *list(...[prefix, options]: Parameters<DirectoryStore['list']>): AsyncGenerator<ObjectInfo> {
    await this.#check('list', prefix, options?.signal);
    yield* super.list(prefix, options);
  }

  override async *folders(
    ...[prefix, options]: Parameters<DirectoryStore['folders']>
  ): AsyncGenerator<string> {
    await this.#check('list', prefix, options?.signal);
    yield* super.folders(prefix, options);
  }

  /** It answers again, and whoever waits is told that it did not. */
  answerAgain(): void {
    this.hangs = () => false;
    const error = new LivestowError('STORE_UNAVAILABLE', 'no answer', { retryable: true });
    for (const reject of this.#hanging.splice(0)) reject(error);
  }

  /** How often each key was written. */
  get times(): Map<string, number> {
    return new Map([...Map.groupBy(this.written, (key) => key)].map(([key, puts]) => [key, puts.length]));
  }
}
