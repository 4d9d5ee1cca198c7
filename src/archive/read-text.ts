/** Small text objects of the archive, whole. */
import { text } from 'node:stream/consumers';
import { isLivestowError } from '../kernel/errors.ts';
import type { Store } from '../store/store.ts';

/** Undefined when there is no such object. */
export async function readText(store: Store, key: string, signal?: AbortSignal): Promise<string | undefined> {
  try {
    return await text(await store.get(key, signal ? { signal } : {}));
  } catch (error) {
    if (isLivestowError(error, 'STORE_NOT_FOUND')) return undefined;
    throw error;
  }
}
