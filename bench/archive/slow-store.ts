/** A store in which each request takes a while, as in a bucket far away: so many ms for a read, and for each page of a list. */
import { setTimeout } from 'node:timers/promises';
import type { Store } from '../../src/store/store.ts';

/** Of a list, in one answer. */
const PAGE = 1000;

export function slow(store: Store, ms: number): Store {
  if (ms === 0) return store;
  async function* paged<T>(all: AsyncIterable<T>): AsyncGenerator<T> {
    let n = 0;
    await setTimeout(ms);
    for await (const each of all) {
      n += 1;
      if (n % PAGE === 0) await setTimeout(ms);
      yield each;
    }
  }
  return {
    description: store.description,
    capabilities: (signal) => store.capabilities(signal),
    put: (...args) => store.put(...args),
    delete: (...args) => store.delete(...args),
    lockOf: (...args) => store.lockOf(...args),
    keepsVersions: (signal) => store.keepsVersions(signal),
    presign: (...args) => store.presign(...args),
    close: () => store.close(),
    get: async (...args) => {
      await setTimeout(ms);
      return store.get(...args);
    },
    head: async (...args) => {
      await setTimeout(ms);
      return store.head(...args);
    },
    list: (...args) => paged(store.list(...args)),
    folders: (...args) => paged(store.folders(...args)),
  };
}
