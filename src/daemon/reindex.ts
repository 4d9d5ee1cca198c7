/**
 * Rebuilds what is derived, from the bucket alone: manifests that are lost or unreadable (a fold of the journals), those
 * of unsealed sessions, summaries, playlists, the index of sessions and its snapshot. A manifest that is sealed and can be read is
 * never touched, and nothing is written that is there already.
 */
import { listRefs } from '../archive/catalogue.ts';
import { noteChange, sweepChanges } from '../archive/change-notes.ts';
import { readText } from '../archive/read-text.ts';
import { noteIfUnfinished } from '../archive/remove-session.ts';
import {
  keyIn,
  openSession,
  readJournals,
  type OpenedSession,
  type SessionRef,
} from '../archive/session-reader.ts';
import { Catalogue } from '../catalogue/catalogue.ts';
import { isoUtc, type Clock } from '../kernel/clock.ts';
import { isLivestowError, messageOf } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import { foldSession } from '../layout/fold.ts';
import { INDEX, indexKey, parseIndexKey, sessionKeys } from '../layout/keys.ts';
import { encodeManifest } from '../layout/manifest.ts';
import type { Manifest } from '../model/manifest.ts';
import { lossEntries, lostSegments } from '../ship/losses.ts';
import { Publisher } from '../ship/publish.ts';
import type { Body, ObjectInfo, PutOptions, Store } from '../store/store.ts';

export interface Reindexed extends SessionRef {
  /**
   * - kept: all that is derived was there and right
   * - mended: something beside the manifest was not
   * - rebuilt: the manifest was written anew, from the journals
   * - unreadable: neither manifest nor journals can be read
   */
  outcome: 'kept' | 'mended' | 'rebuilt' | 'unreadable';
  sealed: boolean;
  /** Segments that the journals name and the bucket does not have any more. */
  lost: number;
  problem: string | null;
}

export interface ArchiveReindexDeps extends ReindexDeps {
  /** Of the cached list of this archive; null: there is none. */
  cachePath: string | null;
  log: Logger;
}

/** Everything derived, session by session, and then the snapshot and the cached list. */
export async function* reindexArchive({
  cachePath: path,
  log,
  ...deps
}: ArchiveReindexDeps): AsyncGenerator<Reindexed, { staleEntries: number }> {
  const { store, clock, signal } = deps;
  const ended = yield* reindex(deps);
  const catalogue = Catalogue.open(store, { path, clock, log });
  try {
    await catalogue.refresh({ full: true, signal });
    await catalogue.writeSnapshot(signal);
  } finally {
    await catalogue.close();
  }
  return ended;
}

export type ReindexProgress = (done: number, total: number, ref: SessionRef) => void;

interface ReindexDeps {
  store: Store;
  clock: Clock;
  signal: AbortSignal;
  onProgress: ReindexProgress;
}

/** Gives what was done, session by session. Rejects with the store's errors and the signal's reason. */
export async function* reindex(deps: ReindexDeps): AsyncGenerator<Reindexed, { staleEntries: number }> {
  const { store, signal } = deps;
  const refs = await listRefs(store, signal);
  const there = new Set<string>();
  let isChanged = false;
  for (const [index, ref] of refs.entries()) {
    signal.throwIfAborted();
    deps.onProgress(index, refs.length, ref);
    const done = await reindexSession(ref, deps);
    if (!done) continue;
    there.add(indexKey(ref.session, ref.handle));
    isChanged ||= done.outcome !== 'kept';
    yield done;
  }
  const staleEntries = await removeStale(store, there, signal);
  await sweepChanges(store, deps.clock.now(), signal);
  // Whoever keeps a list would learn of it late.
  if (isChanged || staleEntries > 0) await noteChange(store, null, deps.clock.now(), signal);
  return { staleEntries };
}

/** Undefined for a session that was removed. */
async function reindexSession(ref: SessionRef, deps: ReindexDeps): Promise<Reindexed | undefined> {
  const { store, signal } = deps;
  const manifestKey = keyIn(ref, sessionKeys.manifest);
  try {
    const opened = await openSession(store, ref, { signal });
    const changes = new OnlyChanges(store, opened.source === 'manifest' ? manifestKey : null);
    const { manifest, lost } = await rebuilt(opened, deps);
    await new Publisher(changes, ref.handle).publish(manifest, signal);
    const isRebuilt = changes.written.includes(manifestKey);
    const outcome = isRebuilt ? 'rebuilt' : changes.written.length > 0 ? 'mended' : 'kept';
    return { ...ref, outcome, sealed: manifest.sealedAt !== null, lost, problem: opened.manifestProblem };
  } catch (error) {
    if (isLivestowError(error, 'NOT_FOUND')) {
      await noteIfUnfinished(store, ref, signal);
      return undefined;
    }
    if (!isLivestowError(error, 'MANIFEST')) throw error;
    return { ...ref, outcome: 'unreadable', sealed: false, lost: 0, problem: messageOf(error) };
  }
}

/** The manifest as it should be. One that is lost of a session whose journals say that it is over is sealed again. */
async function rebuilt(
  { ref, manifest, source, manifestProblem }: OpenedSession,
  { store, clock, signal }: ReindexDeps,
): Promise<{ manifest: Manifest; lost: number }> {
  if (source === 'manifest') return { manifest, lost: 0 };
  const text = await readText(store, keyIn(ref, sessionKeys.manifest), signal);
  if (text === encodeManifest(manifest)) return { manifest, lost: 0 };
  const revision = manifest.revision + 1;
  const isUsable = text !== undefined && manifestProblem === null;
  if (isUsable || manifest.endedAt === null) return { manifest: { ...manifest, revision }, lost: 0 };
  const lost = await lostSegments(manifest, {
    store,
    prefix: keyIn(ref, ''),
    signal,
    wasVerified: () => false,
  });
  const entries = [...(await readJournals(store, ref, signal)), ...lossEntries(lost, clock.now())];
  const folded = foldSession(entries, revision).manifest;
  return { manifest: { ...folded, sealedAt: isoUtc(clock.now()) }, lost: lost.length };
}

/** Index entries of sessions that are not there any more; says how many there were. */
async function removeStale(store: Store, there: ReadonlySet<string>, signal: AbortSignal): Promise<number> {
  const stale: string[] = [];
  for await (const { key } of store.list(INDEX, { signal })) {
    if (parseIndexKey(key) && !there.has(key)) stale.push(key);
  }
  for (const key of stale) await store.delete(key, signal);
  return stale.length;
}

/** Puts what the store does not have in just this form. */
class OnlyChanges implements Pick<Store, 'put'> {
  readonly written: string[] = [];
  readonly #store: Store;
  readonly #kept: string | null;

  /** @param kept the key that stays as it is, whatever is put there */
  constructor(store: Store, kept: string | null) {
    this.#store = store;
    this.#kept = kept;
  }

  async put(key: string, body: Body, options: PutOptions = {}): Promise<ObjectInfo> {
    const bytes = 'bytes' in body ? Buffer.from(body.bytes) : undefined;
    const there = bytes && (await readText(this.#store, key, options.signal));
    if (bytes && (key === this.#kept || there === bytes.toString('utf8')))
      return { key, bytes: bytes.length, sha256: null, modifiedAt: null };
    this.written.push(key);
    return this.#store.put(key, body, options);
  }
}
