/**
 * A hold keeps a session from being removed, by anybody, until it is released: `hold.json` in the session's folder. That
 * it is there is what counts; what it says is for people.
 */
import { isoUtc, type Clock } from '../kernel/clock.ts';
import { contentTypeOf, sessionKeys } from '../layout/keys.ts';
import { FORMAT, holdSchema, type Hold } from '../model/manifest.ts';
import type { Store } from '../store/store.ts';
import { readText } from './read-text.ts';
import { keyIn, type SessionRef } from './session-reader.ts';

const holdKey = (ref: SessionRef): string => keyIn(ref, sessionKeys.hold);

export async function holdSession(
  store: Store,
  ref: SessionRef,
  { reason, clock, signal }: { reason: string | null; clock: Clock; signal: AbortSignal },
): Promise<Hold> {
  const hold: Hold = { format: FORMAT, heldAt: isoUtc(clock.now()), reason };
  const bytes = Buffer.from(`${JSON.stringify(hold)}\n`);
  await store.put(holdKey(ref), { bytes }, { contentType: contentTypeOf(sessionKeys.hold), signal });
  return hold;
}

export const releaseSession = (store: Store, ref: SessionRef, signal?: AbortSignal): Promise<void> =>
  store.delete(holdKey(ref), signal);

export const isHeld = async (store: Store, ref: SessionRef, signal?: AbortSignal): Promise<boolean> =>
  (await store.head(holdKey(ref), signal)) !== undefined;

/** In words; null when nobody holds it. */
export async function heldBecause(
  store: Store,
  ref: SessionRef,
  signal?: AbortSignal,
): Promise<string | null> {
  const text = await readText(store, holdKey(ref), signal);
  if (text === undefined) return null;
  const hold = parsed(text);
  if (hold === undefined) return 'held (its hold.json cannot be read)';
  return `held since ${hold.heldAt}${hold.reason === null ? '' : `: ${hold.reason}`}`;
}

function parsed(text: string): Hold | undefined {
  try {
    return holdSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
