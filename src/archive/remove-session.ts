/**
 * Removes one session: first a manifest that says so (a tombstone), then everything else, in the order of its writing
 * turned round; the tombstone stays. Whatever breaks this off leaves a session that is gone for every reader, and a note
 * in the index by which the next removal or prune finds what is left.
 */
import { forEachAtOnce } from '../kernel/at-once.ts';
import { isoUtc, type Clock } from '../kernel/clock.ts';
import { isLivestowError, messageOf } from '../kernel/errors.ts';
import {
  contentTypeOf,
  indexKey,
  parseRemovalKey,
  removalKey,
  REMOVALS,
  sessionKeys,
} from '../layout/keys.ts';
import { encodeManifest } from '../layout/manifest.ts';
import { finishedTombstone, isUnfinished, removalSteps, tombstoneOf } from '../layout/tombstone.ts';
import type { Manifest } from '../model/manifest.ts';
import type { Store } from '../store/store.ts';
import { noteChange } from './change-notes.ts';
import { heldBecause } from './hold.ts';
import { keyIn, openSession, readManifest, type SessionRef } from './session-reader.ts';

const CALLS_AT_ONCE = 16;

/** Why a session stays; `detail` is for people. */
export interface Refusal {
  kind: 'held' | 'locked' | 'unsealed' | 'unreadable' | 'damaged';
  detail: string;
}

export type Removal = SessionRef &
  (
    | { outcome: 'removed'; objects: number; bytes: number }
    /** An earlier removal had broken off. */
    | { outcome: 'finished'; objects: number; bytes: number }
    | { outcome: 'refused'; refusal: Refusal }
  );

export interface RemoveOptions {
  /** Stands in the tombstone. */
  reason: string;
  /** Also a session that is not sealed: nobody may be recording it any more. */
  evenUnsealed?: boolean;
  clock: Clock;
  signal: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

/** Throws NOT_FOUND when there is none, or it was removed already, what the store throws, and the signal's reason. */
export async function removeSession(store: Store, ref: SessionRef, options: RemoveOptions): Promise<Removal> {
  const { reason, clock, signal } = options;
  const { manifest } = await readManifest(store, ref, signal).catch((error: unknown) => {
    if (isLivestowError(error, 'MANIFEST')) return { manifest: undefined };
    throw error;
  });
  if (manifest && isUnfinished(manifest)) {
    await note(store, ref, signal);
    return { ...named(ref), outcome: 'finished', ...(await finish(store, ref, manifest, options)) };
  }
  const refusal = await refusalOf(store, ref, options);
  if (refusal) return { ...named(ref), outcome: 'refused', refusal };
  const opened = await openSession(store, ref, { signal });
  const tombstone = tombstoneOf(opened.manifest, isoUtc(clock.now()), reason);
  // Whether the store lets anything be deleted is known before the session is given up.
  await store.delete(removalKey(ref.session, ref.handle), signal);
  await note(store, ref, signal);
  await putManifest(store, ref, tombstone, signal);
  return { ...named(ref), outcome: 'removed', ...(await finish(store, ref, tombstone, options)) };
}

/** Null when nothing speaks against removing the session. */
export async function refusalOf(
  store: Store,
  ref: SessionRef,
  { evenUnsealed = false, clock, signal }: Pick<RemoveOptions, 'evenUnsealed' | 'clock' | 'signal'>,
): Promise<Refusal | null> {
  const held = await heldBecause(store, ref, signal);
  if (held !== null) return { kind: 'held', detail: held };
  try {
    const { manifest } = await openSession(store, ref, { signal });
    if (manifest.sealedAt === null && !evenUnsealed)
      return { kind: 'unsealed', detail: 'not sealed: it may still be recorded' };
  } catch (error) {
    if (!isLivestowError(error, 'MANIFEST')) throw error;
    return { kind: 'unreadable', detail: messageOf(error) };
  }
  return lockedBecause(store, ref, clock.now(), signal);
}

async function lockedBecause(
  store: Store,
  ref: SessionRef,
  nowMs: number,
  signal: AbortSignal,
): Promise<Refusal | null> {
  let refusal: Refusal | null = null;
  await forEachAtOnce(await keysOf(store, ref, signal), CALLS_AT_ONCE, async (key) => {
    if (refusal !== null) return;
    const lock = await store.lockOf(keyIn(ref, key), signal);
    if (lock === null || (lock.until !== null && lock.until.getTime() <= nowMs)) return;
    const detail =
      lock.until === null
        ? `S3 Object Lock: ${key} is under a legal hold`
        : `S3 Object Lock: ${key} is kept until ${lock.until.toISOString()}`;
    refusal = { kind: 'locked', detail };
  });
  return refusal;
}

/** Sessions of which an earlier removal may have left something, by the notes in the index. */
export async function notedRemovals(store: Store, signal?: AbortSignal): Promise<SessionRef[]> {
  const refs: SessionRef[] = [];
  for await (const { key } of store.list(REMOVALS, signal ? { signal } : {})) {
    const ref = parseRemovalKey(key);
    if (ref) refs.push(ref);
  }
  return refs;
}

/**
 * Finishes a removal that is noted. Undefined when there is nothing to finish: it had broken off before it began, and
 * the session is still there, or right at its end.
 */
export async function finishRemoval(
  store: Store,
  ref: SessionRef,
  options: RemoveOptions,
): Promise<Removal | undefined> {
  const { signal } = options;
  let manifest: Manifest | undefined;
  try {
    ({ manifest } = await readManifest(store, ref, signal));
  } catch (error) {
    if (!isLivestowError(error, 'MANIFEST')) throw error;
    // A newer livestow's to finish.
    return { ...named(ref), outcome: 'refused', refusal: { kind: 'unreadable', detail: messageOf(error) } };
  }
  if (manifest && isUnfinished(manifest)) {
    return { ...named(ref), outcome: 'finished', ...(await finish(store, ref, manifest, options)) };
  }
  await store.delete(removalKey(ref.session, ref.handle), signal);
  return undefined;
}

/** Notes a removal that broke off, if it did: the note is derived, and may have been lost. */
export async function noteIfUnfinished(store: Store, ref: SessionRef, signal?: AbortSignal): Promise<void> {
  const { manifest } = await readManifest(store, ref, signal);
  if (manifest && isUnfinished(manifest)) await note(store, ref, signal);
}

async function note(store: Store, ref: SessionRef, signal?: AbortSignal): Promise<void> {
  const key = removalKey(ref.session, ref.handle);
  const bytes = Buffer.from(`${JSON.stringify(named(ref))}\n`);
  await store.put(key, { bytes }, { contentType: contentTypeOf(key), ...(signal ? { signal } : {}) });
}

async function finish(
  store: Store,
  ref: SessionRef,
  tombstone: Manifest,
  { clock, signal, onProgress }: RemoveOptions,
): Promise<{ objects: number; bytes: number }> {
  await store.delete(indexKey(ref.session, ref.handle), signal);
  const keys = await keysOf(store, ref, signal);
  let done = 0;
  for (const step of removalSteps(keys)) {
    await forEachAtOnce(step, CALLS_AT_ONCE, async (key) => {
      await store.delete(keyIn(ref, key), signal);
      done += 1;
      onProgress?.(done, keys.length);
    });
  }
  await noteChange(store, named(ref), clock.now(), signal);
  await putManifest(store, ref, finishedTombstone(tombstone, isoUtc(clock.now())), signal);
  await store.delete(removalKey(ref.session, ref.handle), signal);
  return { objects: done, bytes: tombstone.deletion?.bytes ?? 0 };
}

async function putManifest(
  store: Store,
  ref: SessionRef,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<void> {
  const key = keyIn(ref, sessionKeys.manifest);
  const bytes = Buffer.from(encodeManifest(manifest));
  await store.put(key, { bytes }, { contentType: contentTypeOf(key), signal });
}

const named = ({ handle, session }: SessionRef): SessionRef => ({ handle, session });

/** Within the session's folder. */
async function keysOf(store: Store, ref: SessionRef, signal: AbortSignal): Promise<string[]> {
  const prefix = keyIn(ref, '');
  const keys: string[] = [];
  for await (const { key } of store.list(prefix, { signal })) keys.push(key.slice(prefix.length));
  return keys;
}

/** What can be done about it. */
export const REFUSAL_HINTS: Record<Refusal['kind'], string> = {
  held: 'release it first: `livestow hold SESSION --release`',
  locked: 'nothing can be done before the lock ends',
  unsealed: 'wait until it is sealed; --force removes it, when nobody records it any more',
  unreadable: '`livestow reindex` may mend it',
  damaged: '`livestow verify` tells more',
};
