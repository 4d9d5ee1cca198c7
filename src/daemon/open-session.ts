/**
 * Which session a live room is recorded in, and as which term: the newest unsealed session of that room (in the spool or
 * in the store) is resumed, else a new one begins, named by when it was found. What earlier terms left is brought into
 * the spool, so that everything after here looks at one place only.
 */
import { readdir } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { join } from 'node:path';
import type { Clock } from '../kernel/clock.ts';
import { isLivestowError } from '../kernel/errors.ts';
import { isMissing, writeFileDurably } from '../kernel/files.ts';
import type { Logger } from '../kernel/logger.ts';
import {
  isSessionId,
  parseJournalKey,
  parseSegmentKey,
  roomKey,
  sessionIdOf,
  sessionKeys,
  sessionPrefix,
  creatorPrefix,
} from '../layout/keys.ts';
import { decodeManifest } from '../layout/manifest.ts';
import type { JournalEntry } from '../model/manifest.ts';
import type { JournalRef } from '../spool/journal-file.ts';
import { SessionSpool } from '../spool/session-spool.ts';
import type { Store } from '../store/store.ts';

/** A store that does not answer must not keep a recording from beginning. */
const STORE_PATIENCE_MS = 10_000;

export interface OpenSession {
  session: string;
  spool: SessionSpool;
  term: number;
  earlier: { journals: JournalRef[]; entries: JournalEntry[] };
}

export interface OpenSessionDeps {
  spoolRoot: string;
  store: Store;
  clock: Clock;
  log: Logger;
}

/** Sessions of a creator that have a folder in the spool, oldest first. */
export async function spooledSessions(spoolRoot: string, handle: string): Promise<string[]> {
  try {
    const names = await readdir(join(spoolRoot, handle), { withFileTypes: true });
    return names
      .filter((entry) => entry.isDirectory() && isSessionId(entry.name))
      .map((entry) => entry.name)
      .sort();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

export async function openSessionOfRoom(
  handle: string,
  roomId: string,
  foundAtMs: number,
  deps: OpenSessionDeps,
): Promise<OpenSession> {
  const ofRoom = (session: string): boolean => session.endsWith(`Z-${roomKey(roomId)}`);
  const local = (await spooledSessions(deps.spoolRoot, handle)).filter(ofRoom);
  const remote = await withPatience(deps, () => unsealedInStore(deps.store, handle, ofRoom));
  const candidates = [...local, ...(remote ?? [])].sort();
  return openSession(handle, candidates.at(-1) ?? sessionIdOf(foundAtMs, roomId), deps);
}

/** Opens a session for a new term. */
export async function openSession(
  handle: string,
  session: string,
  deps: OpenSessionDeps,
): Promise<OpenSession> {
  const spool = await SessionSpool.open(deps.spoolRoot, handle, session);
  const remoteTerm = await withPatience(deps, () => fetchEarlier(deps.store, spool));
  const earlier = await spool.earlier();
  const localTerm = Math.max(0, ...earlier.journals.map(({ term }) => term));
  return { session, spool, term: Math.max(localTerm, remoteTerm ?? 0) + 1, earlier };
}

/** Whether the store's manifest of a session is sealed; undefined when there is none. */
export async function sealedInStore(
  store: Store,
  handle: string,
  session: string,
): Promise<boolean | undefined> {
  const key = `${sessionPrefix(handle, session)}${sessionKeys.manifest}`;
  try {
    const text = (await buffer(await store.get(key))).toString('utf8');
    return decodeManifest(text, key).sealedAt !== null;
  } catch (error) {
    if (isLivestowError(error, 'STORE_NOT_FOUND')) return undefined;
    throw error;
  }
}

async function unsealedInStore(
  store: Store,
  handle: string,
  ofRoom: (session: string) => boolean,
): Promise<string[]> {
  const unsealed: string[] = [];
  for await (const folder of store.folders(creatorPrefix(handle))) {
    const session = folder.slice(creatorPrefix(handle).length, -1);
    if (isSessionId(session) && ofRoom(session) && !(await sealedInStore(store, handle, session)))
      unsealed.push(session);
  }
  return unsealed;
}

/** Brings the journals of other terms into the spool; gives the highest term that left anything in the store. */
async function fetchEarlier(store: Store, spool: SessionSpool): Promise<number> {
  const prefix = sessionPrefix(spool.handle, spool.session);
  let highest = 0;
  for await (const { key } of store.list(prefix)) {
    const name = key.slice(prefix.length);
    highest = Math.max(highest, parseSegmentKey(name)?.term ?? 0, parseJournalKey(name)?.term ?? 0);
    if (!parseJournalKey(name) || (await spool.sizeOf(name)) !== undefined) continue;
    await writeFileDurably(spool.pathOf(name), await buffer(await store.get(key)));
  }
  return highest;
}

async function withPatience<T>(
  { clock, log }: OpenSessionDeps,
  ask: () => Promise<T>,
): Promise<T | undefined> {
  const answered = new AbortController();
  const late = clock.delay(STORE_PATIENCE_MS, answered.signal).then(
    () => 'late' as const,
    () => 'late' as const,
  );
  const asked = ask().catch((error: unknown) => {
    log.warn(
      { err: error },
      'the store cannot be asked what it has of this room; going on from the spool alone',
    );
    return undefined;
  });
  const first = await Promise.race([asked, late]);
  answered.abort();
  if (first === 'late') {
    log.warn('the store does not answer; going on from the spool alone');
    return undefined;
  }
  return first;
}
