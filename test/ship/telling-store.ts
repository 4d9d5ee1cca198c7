/** A real store that tells what was written to it, in order, and fails when it is told to. */
import { LivestowError } from '../../src/kernel/errors.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import type { Body, ObjectInfo, PutOptions } from '../../src/store/store.ts';

export class TellingStore extends DirectoryStore {
  /** Keys of the puts that took place, in order. */
  readonly written: string[] = [];
  /** Calls that failed because they were told to. */
  failed = 0;
  /** Whether this call is to fail. */
  fails: (operation: 'put' | 'head' | 'get' | 'list', key: string) => boolean = () => false;
  onWritten: () => void = () => {};
  /** Called before a put takes place. */
  onPut: (key: string) => void | Promise<void> = () => {};

  #check(operation: 'put' | 'head' | 'get' | 'list', key: string): void {
    if (!this.fails(operation, key)) return;
    this.failed += 1;
    throw new LivestowError('STORE_UNAVAILABLE', `${operation} ${key}: told to fail`, { retryable: true });
  }

  override async put(key: string, body: Body, options?: PutOptions): Promise<ObjectInfo> {
    this.#check('put', key);
    await this.onPut(key);
    const info = await super.put(key, body, options);
    this.written.push(key);
    this.onWritten();
    return info;
  }

  override async head(key: string, signal?: AbortSignal): Promise<ObjectInfo | undefined> {
    this.#check('head', key);
    return super.head(key, signal);
  }

  override async get(
    ...[key, options]: Parameters<DirectoryStore['get']>
  ): ReturnType<DirectoryStore['get']> {
    this.#check('get', key);
    return super.get(key, options);
  }

  override async *list(...[prefix, options]: Parameters<DirectoryStore['list']>): AsyncGenerator<ObjectInfo> {
    this.#check('list', prefix);
    yield* super.list(prefix, options);
  }

  /** How often each key was written. */
  get times(): Map<string, number> {
    return new Map([...Map.groupBy(this.written, (key) => key)].map(([key, puts]) => [key, puts.length]));
  }
}
