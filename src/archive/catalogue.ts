/**
 * Which sessions a bucket holds, by the bucket alone: its folders say which there are, each one's summary says what a
 * list shows. A session that has no summary yet (or a broken one) is listed all the same, from its manifest or journals.
 */
import PQueue from 'p-queue';
import { isLivestowError, messageOf } from '../kernel/errors.ts';
import { CREATORS, creatorPrefix, isSessionId, sessionKeys } from '../layout/keys.ts';
import { isUnfinished } from '../layout/tombstone.ts';
import { decodeSummary, summaryOf } from '../layout/manifest.ts';
import type { Manifest, Summary } from '../model/manifest.ts';
import { parseHandle } from '../model/handle.ts';
import type { Store } from '../store/store.ts';
import { readText } from './read-text.ts';
import { notedRemovals } from './remove-session.ts';
import { hasRecords, keyIn, openSession, readManifest, type SessionRef } from './session-reader.ts';

const READS_AT_ONCE = 16;

export interface CatalogueEntry extends SessionRef {
  /** Null when nothing is written of the session yet, or nothing of it can be read; `problem` then says why. */
  summary: Summary | null;
  problem: string | null;
}

export interface ListOptions {
  /** Sessions of this creator only, those under an earlier or later handle of the same account included. */
  handle?: string | undefined;
  signal?: AbortSignal | undefined;
}

const newestFirst = (a: SessionRef, b: SessionRef): number =>
  a.session === b.session ? (a.handle < b.handle ? -1 : 1) : a.session < b.session ? 1 : -1;

/** Newest first. Removed sessions are left out. */
export async function listSessions(store: Store, options: ListOptions = {}): Promise<CatalogueEntry[]> {
  const { handle, signal } = options;
  const refs = await listRefs(store, signal);
  const doubtful = await namesOf(notedRemovals(store, signal));
  const queue = new PQueue({ concurrency: READS_AT_ONCE });
  const entries = await queue.addAll(
    refs.map((ref) => () => describeSession(store, ref, doubtful.has(nameOf(ref)), signal)),
  );
  const there = entries.filter((entry) => entry !== undefined);
  return handle === undefined ? there : ofCreators(there, [handle]);
}

/**
 * Every session's folder, newest first.
 * @param from sessions of this id and later ones only: ids sort by time
 */
export async function listRefs(store: Store, signal?: AbortSignal, from = ''): Promise<SessionRef[]> {
  const handles: string[] = [];
  for await (const folder of store.folders(CREATORS, { signal })) {
    const name = folder.slice(CREATORS.length, -1);
    if (parseHandle(name) === name) handles.push(name);
  }
  const queue = new PQueue({ concurrency: READS_AT_ONCE });
  const perHandle = await queue.addAll(handles.map((handle) => () => refsOf(store, handle, from, signal)));
  return perHandle.flat().sort(newestFirst);
}

async function refsOf(
  store: Store,
  handle: string,
  from: string,
  signal?: AbortSignal,
): Promise<SessionRef[]> {
  const prefix = creatorPrefix(handle);
  const refs: SessionRef[] = [];
  const options = from === '' ? { signal } : { startAfter: prefix + from, signal };
  for await (const folder of store.folders(prefix, options)) {
    const session = folder.slice(prefix.length, -1);
    if (isSessionId(session)) refs.push({ handle, session });
  }
  return refs;
}

/** A session that was removed, or is being removed. */
export interface RemovedSession extends SessionRef {
  manifest: Manifest;
  /** Some of its objects may still be there. */
  isUnfinished: boolean;
}

/** Newest first. */
export async function listRemoved(store: Store, options: ListOptions = {}): Promise<RemovedSession[]> {
  const { handle, signal } = options;
  const refs = (await listRefs(store, signal)).filter((ref) => handle === undefined || ref.handle === handle);
  const doubtful = await namesOf(notedRemovals(store, signal));
  const queue = new PQueue({ concurrency: READS_AT_ONCE });
  const found = await queue.addAll(refs.map((ref) => () => describeRemoved(store, ref, doubtful, signal)));
  return found.filter((entry) => entry !== undefined);
}

async function describeRemoved(
  store: Store,
  ref: SessionRef,
  doubtful: ReadonlySet<string>,
  signal?: AbortSignal,
): Promise<RemovedSession | undefined> {
  const isListed = (await store.head(keyIn(ref, sessionKeys.summary), signal)) !== undefined;
  if (isListed && !doubtful.has(nameOf(ref))) return undefined;
  const { manifest } = await readManifest(store, ref, signal).catch((error: unknown) => {
    if (isLivestowError(error, 'MANIFEST')) return { manifest: undefined };
    throw error;
  });
  if (manifest === undefined || manifest.deletedAt === null) return undefined;
  return { ...ref, manifest, isUnfinished: isUnfinished(manifest) };
}

const nameOf = ({ handle, session }: SessionRef): string => `${handle}/${session}`;
const namesOf = async (refs: Promise<SessionRef[]>): Promise<Set<string>> =>
  new Set((await refs).map(nameOf));

/** A handle stands for everybody who was recorded under it, and each of them for all of their handles. */
export function ofCreators(all: readonly CatalogueEntry[], handles: readonly string[]): CatalogueEntry[] {
  const bearsIt = (entry: CatalogueEntry): boolean =>
    handles.includes(entry.handle) || (entry.summary !== null && handles.includes(entry.summary.handle));
  const accountOf = ({ summary }: CatalogueEntry): string | null => summary?.platformUserId ?? null;
  const accounts = new Set(all.filter(bearsIt).map(accountOf));
  accounts.delete(null);
  return all.filter((entry) => bearsIt(entry) || accounts.has(accountOf(entry)));
}

/**
 * Undefined when the session was removed meanwhile or is being removed.
 * @param isDoubtful there is a note of its removal
 */
export async function describeSession(
  store: Store,
  ref: SessionRef,
  isDoubtful: boolean,
  signal?: AbortSignal,
): Promise<CatalogueEntry | undefined> {
  try {
    const summary =
      // Of a removal that broke off, the summary may not know yet.
      (isDoubtful ? undefined : await readSummary(store, ref, signal)) ??
      summaryOf((await openSession(store, ref, { signal })).manifest);
    return summary.deletedAt === null ? { ...ref, summary, problem: null } : undefined;
  } catch (error) {
    if (isLivestowError(error, 'NOT_FOUND')) return undefined;
    if (!isLivestowError(error, 'MANIFEST')) throw error;
    const isWritten = await hasRecords(store, ref, signal);
    return { ...ref, summary: null, problem: isWritten ? messageOf(error) : null };
  }
}

/** Undefined when there is none that can be read: what it says stands in the manifest too. */
async function readSummary(
  store: Store,
  ref: SessionRef,
  signal?: AbortSignal,
): Promise<Summary | undefined> {
  const text = await readText(store, keyIn(ref, sessionKeys.summary), signal);
  if (text === undefined) return undefined;
  try {
    return decodeSummary(text, sessionKeys.summary);
  } catch (error) {
    if (isLivestowError(error, 'MANIFEST')) return undefined;
    throw error;
  }
}
