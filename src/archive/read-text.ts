/** Small text objects of the archive, whole, and what is in those that have a line for each thing (NDJSON). */
import { text } from 'node:stream/consumers';
import type { z } from 'zod';
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

/** What fits no line of its kind is left out. */
export function linesOf<T>(text: string, schema: z.ZodType<T>): T[] {
  return text.split('\n').flatMap((line) => {
    try {
      const parsed = schema.safeParse(JSON.parse(line));
      return parsed.success ? [parsed.data] : [];
    } catch {
      return [];
    }
  });
}
