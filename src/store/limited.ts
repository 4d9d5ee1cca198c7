/** A store that writes only so many objects at once, for each may be held in memory while it goes out. */
import PQueue from 'p-queue';
import type { Store } from './store.ts';

/** With segments of 2 MB, enough to fill a fast line; at worst 128 MiB of memory. */
const DEFAULT_PUTS_AT_ONCE = 8;

export function limited(store: Store, putsAtOnce = DEFAULT_PUTS_AT_ONCE): Store {
  const queue = new PQueue({ concurrency: putsAtOnce });
  return {
    description: store.description,
    capabilities: (signal) => store.capabilities(signal),
    // A put that aborts while it waits its turn never begins.
    put: (key, body, options) =>
      queue.add(() => store.put(key, body, options), options?.signal ? { signal: options.signal } : {}),
    get: (key, options) => store.get(key, options),
    head: (key, signal) => store.head(key, signal),
    list: (prefix, options) => store.list(prefix, options),
    folders: (prefix, options) => store.folders(prefix, options),
    delete: (key, signal) => store.delete(key, signal),
    lockOf: (key, signal) => store.lockOf(key, signal),
    keepsVersions: (signal) => store.keepsVersions(signal),
    presign: (key, expiresInSeconds) => store.presign(key, expiresInSeconds),
    close: () => store.close(),
  };
}
