/** A store whose objects are read, written and removed only when recordings have nothing that waits. */
import { bodySize } from '../store/body.ts';
import type { Store } from '../store/store.ts';

/** Resolves as soon as a job may go on, and send so many bytes; rejects with the signal's reason. */
export type GiveWay = (signal: AbortSignal | undefined, bytes: number) => Promise<void>;

export const yieldingStore = (store: Store, giveWay: GiveWay): Store => ({
  description: store.description,
  capabilities: (signal) => store.capabilities(signal),
  put: async (key, body, options) => {
    await giveWay(options?.signal, bodySize(body));
    return store.put(key, body, options);
  },
  get: async (key, options) => {
    await giveWay(options?.signal, 0);
    return store.get(key, options);
  },
  head: (key, signal) => store.head(key, signal),
  list: (prefix, options) => store.list(prefix, options),
  folders: (prefix, options) => store.folders(prefix, options),
  delete: async (key, signal) => {
    await giveWay(signal, 0);
    return store.delete(key, signal);
  },
  lockOf: (key, signal) => store.lockOf(key, signal),
  keepsVersions: (signal) => store.keepsVersions(signal),
  presign: (key, expiresInSeconds) => store.presign(key, expiresInSeconds),
  close: () => store.close(),
});
