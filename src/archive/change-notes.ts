/**
 * Notes of what changed about sessions that were found long ago. A list that is kept up to date looks at the newest part
 * of the index and at these; without them it would have to list everything to learn that an old session was removed, or
 * that a mirror got one. They are hints: whoever finds one looks at the session itself.
 */
import { forEachAtOnce } from '../kernel/at-once.ts';
import { CHANGES, changeKey, contentTypeOf, parseChangeKey, stampOf } from '../layout/keys.ts';
import type { Store } from '../store/store.ts';
import type { SessionRef } from './session-reader.ts';

const DAY_MS = 24 * 3_600_000;
/** By then everybody who keeps a list has read the whole index anew. */
const KEPT_MS = 7 * DAY_MS;
const DELETES_AT_ONCE = 16;

/** @param of null: so much changed that all of the index is to be listed again */
export async function noteChange(
  store: Pick<Store, 'put'>,
  of: SessionRef | null,
  atMs: number,
  signal?: AbortSignal,
): Promise<void> {
  const key = changeKey(atMs, of);
  const bytes = Buffer.from('{}\n');
  await store.put(key, { bytes }, { contentType: contentTypeOf(key), ...(signal ? { signal } : {}) });
}

export interface ChangeNote {
  key: string;
  of: SessionRef | null;
}

/** Those from then on, oldest first. */
export async function* changesSince(
  store: Store,
  sinceMs: number,
  signal?: AbortSignal,
): AsyncGenerator<ChangeNote> {
  const startAfter = `${CHANGES}${stampOf(Math.max(0, sinceMs))}`;
  for await (const { key } of store.list(CHANGES, { startAfter, ...(signal ? { signal } : {}) })) {
    const noted = parseChangeKey(key);
    if (noted) yield { key, of: noted.of };
  }
}

/** Removes notes that nobody needs any more. */
export async function sweepChanges(store: Store, nowMs: number, signal?: AbortSignal): Promise<void> {
  const old: string[] = [];
  for await (const { key } of store.list(CHANGES, signal ? { signal } : {})) {
    const noted = parseChangeKey(key);
    if (noted === undefined) continue;
    // They sort by time.
    if (noted.atMs > nowMs - KEPT_MS) break;
    old.push(key);
  }
  await forEachAtOnce(old, DELETES_AT_ONCE, (key) => store.delete(key, signal));
}
