/** A real store that changes nothing more after so many changes, as for a process that was killed. */
import { LivestowError } from '../../src/kernel/errors.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import type { Body, ObjectInfo, PutOptions } from '../../src/store/store.ts';

export class BreakingStore extends DirectoryStore {
  /** What took place, in order: `put KEY` or `delete KEY`. */
  readonly changes: string[] = [];
  /** How many changes did not take place. */
  broken = 0;
  #left: number;

  constructor(root: string, changes = Infinity) {
    super(root);
    this.#left = changes;
  }

  #note(change: string): void {
    if (this.#left <= 0) {
      this.broken += 1;
      throw new LivestowError('STORE_UNAVAILABLE', `${change}: broken off`);
    }
    this.#left -= 1;
    this.changes.push(change);
  }

  override async put(key: string, body: Body, options?: PutOptions): Promise<ObjectInfo> {
    this.#note(`put ${key}`);
    return super.put(key, body, options);
  }

  override async delete(key: string, signal?: AbortSignal): Promise<void> {
    this.#note(`delete ${key}`);
    return super.delete(key, signal);
  }
}
