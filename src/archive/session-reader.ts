/**
 * Opens one session: its manifest as it stands in the bucket or, where that is missing, unreadable or not yet sealed,
 * the fold of its journals, which are written first and therefore know more.
 */
import PQueue from 'p-queue';
import { isLivestowError, LivestowError, messageOf } from '../kernel/errors.ts';
import { isOfNewerFormat } from '../layout/format.ts';
import { foldSession } from '../layout/fold.ts';
import { decodeJournal } from '../layout/journal.ts';
import { parseJournalKey, sessionKeys, sessionPrefix } from '../layout/keys.ts';
import { decodeManifest } from '../layout/manifest.ts';
import type { JournalEntry, Manifest } from '../model/manifest.ts';
import type { Store } from '../store/store.ts';
import { readText } from './read-text.ts';

export const JOURNALS_AT_ONCE = 16;

/** Where a session lies. The handle is that of its folder: the creator may have another one by now. */
export interface SessionRef {
  handle: string;
  session: string;
}

export interface OpenedSession {
  ref: SessionRef;
  manifest: Manifest;
  source: 'manifest' | 'journals';
  /** Why the manifest could not be used; null when it could, or when there is none and there need not be one. */
  manifestProblem: string | null;
}

export interface OpenOptions {
  /** Believe an unsealed manifest, although the journals may be some seconds ahead of it: one request, not hundreds. */
  quick?: boolean;
  signal?: AbortSignal | undefined;
}

export const keyIn = (ref: SessionRef, key: string): string => sessionPrefix(ref.handle, ref.session) + key;

/** Throws NOT_FOUND when there is no such session or it was removed, MANIFEST when what is there cannot be read. */
export async function openSession(
  store: Store,
  ref: SessionRef,
  options: OpenOptions = {},
): Promise<OpenedSession> {
  const { signal } = options;
  const { manifest, problem } = await readManifest(store, ref, signal);
  if (manifest?.deletedAt) {
    const why = manifest.deletion ? `: ${manifest.deletion.reason}` : '';
    throw new LivestowError('NOT_FOUND', `${ref.session} was removed at ${manifest.deletedAt}${why}`, {
      hint: '`livestow ls --deleted` lists what was removed',
    });
  }
  if (manifest && (manifest.sealedAt !== null || options.quick === true)) {
    return { ref, manifest, source: 'manifest', manifestProblem: null };
  }
  const folded = await foldJournals(store, ref, manifest?.revision ?? 0, signal).catch((error: unknown) => {
    if (manifest && isLivestowError(error, 'MANIFEST')) return undefined;
    throw error;
  });
  if (folded) return { ref, manifest: folded, source: 'journals', manifestProblem: problem };
  if (manifest) return { ref, manifest, source: 'manifest', manifestProblem: null };
  throw await nothingToRead(store, ref, problem, signal);
}

async function nothingToRead(store: Store, ref: SessionRef, problem: string | null, signal?: AbortSignal) {
  for await (const _ of store.list(keyIn(ref, ''), signal ? { signal } : {})) {
    return new LivestowError('MANIFEST', problem ?? `${ref.session} has neither a manifest nor journals yet`);
  }
  return new LivestowError('NOT_FOUND', `there is no session ${ref.session} of ${ref.handle}`);
}

/** False in the first seconds of a recording, when there are segments only. */
export async function hasRecords(store: Store, ref: SessionRef, signal?: AbortSignal): Promise<boolean> {
  for await (const _ of store.list(keyIn(ref, 'journal/'), signal ? { signal } : {})) return true;
  return (await store.head(keyIn(ref, sessionKeys.manifest), signal)) !== undefined;
}

interface ReadManifest {
  manifest: Manifest | undefined;
  problem: string | null;
}

/** The manifest as it stands. Throws MANIFEST only for one of a newer format. */
export async function readManifest(
  store: Store,
  ref: SessionRef,
  signal?: AbortSignal,
): Promise<ReadManifest> {
  const text = await readText(store, keyIn(ref, sessionKeys.manifest), signal);
  if (text === undefined) return { manifest: undefined, problem: null };
  try {
    return { manifest: decodeManifest(text, sessionKeys.manifest), problem: null };
  } catch (error) {
    if (!isLivestowError(error, 'MANIFEST') || isOfNewerFormat(error)) throw error;
    return { manifest: undefined, problem: messageOf(error) };
  }
}

/** Undefined when the session has no journals; throws MANIFEST when they cannot be read. */
export async function foldJournals(
  store: Store,
  ref: SessionRef,
  revision: number,
  signal?: AbortSignal,
): Promise<Manifest | undefined> {
  const entries = await readJournals(store, ref, signal);
  return entries.length === 0 ? undefined : foldSession(entries, revision).manifest;
}

/** The entries of all journals, in order of term and number. */
export async function readJournals(
  store: Store,
  ref: SessionRef,
  signal?: AbortSignal,
): Promise<JournalEntry[]> {
  const names = await journalsOf(store, ref, signal);
  const queue = new PQueue({ concurrency: JOURNALS_AT_ONCE });
  const all = await queue.addAll(names.map((name) => () => readJournal(store, ref, name, signal)));
  return all.flat();
}

/** Their names within the session, in order of term and number. */
export async function journalsOf(store: Store, ref: SessionRef, signal?: AbortSignal): Promise<string[]> {
  const prefix = keyIn(ref, '');
  const found: { name: string; term: number; n: number }[] = [];
  for await (const { key } of store.list(`${prefix}journal/`, signal ? { signal } : {})) {
    const name = key.slice(prefix.length);
    const place = parseJournalKey(name);
    if (place) found.push({ name, ...place });
  }
  found.sort((a, b) => a.term - b.term || a.n - b.n);
  return found.map(({ name }) => name);
}

/** Empty where it vanished since it was listed: it is of a session that is being removed. */
export async function readJournal(
  store: Store,
  ref: SessionRef,
  name: string,
  signal?: AbortSignal,
): Promise<JournalEntry[]> {
  return decodeJournal((await readText(store, keyIn(ref, name), signal)) ?? '', name);
}
