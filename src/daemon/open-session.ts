/**
 * Which session a live room is recorded in, and as which term: the newest unsealed session of that room (in the spool or
 * in the store) is resumed, else a new one begins, named by when it was found. What earlier terms left is brought into
 * the spool, so that everything after here looks at one place only.
 */
import { buffer } from 'node:stream/consumers';
import type { Clock } from '../kernel/clock.ts';
import { Deadline } from '../kernel/deadline.ts';
import { isLivestowError, LivestowError } from '../kernel/errors.ts';
import { writeFileDurably } from '../kernel/files.ts';
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
import { foldSession } from '../layout/fold.ts';
import { decodeManifest } from '../layout/manifest.ts';
import type { JournalEntry, Manifest } from '../model/manifest.ts';
import type { JournalRef } from '../spool/journal-file.ts';
import { SessionSpool, spooledSessions } from '../spool/session-spool.ts';
import type { Store } from '../store/store.ts';

/** A store that does not answer must not keep a recording from beginning: so long, for all that it is asked. */
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

/** @param isBusy sessions that are being finished already */
export async function openSessionOfRoom(
  handle: string,
  roomId: string,
  foundAtMs: number,
  isBusy: (session: string) => boolean,
  deps: OpenSessionDeps,
): Promise<OpenSession> {
  const ofRoom = (session: string): boolean => session.endsWith(`Z-${roomKey(roomId)}`) && !isBusy(session);
  const local = (await spooledSessions(deps.spoolRoot, handle)).filter(ofRoom);
  using patience = new Patience(deps);
  const asked = await patience.ask((signal) => stateInStore(deps, handle, local, ofRoom, signal));
  const candidates = [...local, ...(asked?.unsealed ?? [])].filter((session) => !asked?.closed.has(session));
  const session = candidates.sort().at(-1);
  try {
    if (session !== undefined) return await openForTerm(handle, session, deps, patience);
  } catch (error) {
    deps.log.error({ err: error, session }, 'this session cannot be gone on with; another one begins');
  }
  return await openForTerm(handle, sessionIdOf(foundAtMs, roomId), deps, patience);
}

/** Opens a session for a new term. */
export async function openSession(
  handle: string,
  session: string,
  deps: OpenSessionDeps,
): Promise<OpenSession> {
  using patience = new Patience(deps);
  return await openForTerm(handle, session, deps, patience);
}

async function openForTerm(
  handle: string,
  session: string,
  { spoolRoot, store, log }: OpenSessionDeps,
  patience: Patience,
): Promise<OpenSession> {
  const spool = await SessionSpool.open(spoolRoot, handle, session, log);
  const seen = new Set<string>();
  const remoteTerm = await patience.ask((signal) => fetchEarlier(store, spool, seen, signal));
  const earlier = await spool.earlier();
  const shipped = await spool.shippedKeys(earlier.entries);
  await requireItsStore(spool, store, shipped, { keys: seen, isAll: remoteTerm !== undefined });
  if (earlier.entries.length > 0) foldSession(earlier.entries, 0);
  const localTerm = Math.max(0, ...earlier.journals.map(({ term }) => term));
  return { session, spool, term: Math.max(localTerm, remoteTerm ?? 0) + 1, earlier };
}

/**
 * In another store than the one that has what was shipped, or on a disk that is not mounted, the session would end as one
 * that lost all of that. One object is proof enough: a store may be moved, or be called otherwise.
 * @param seen keys of the session in the store; all of them, when it could be asked to the end
 */
async function requireItsStore(
  spool: SessionSpool,
  { description }: Store,
  shipped: ReadonlySet<string>,
  seen: { keys: ReadonlySet<string>; isAll: boolean },
): Promise<void> {
  if (!shipped.isDisjointFrom(seen.keys)) return;
  const noted = (await spool.notedStore()) ?? description;
  const isNoted = noted === description;
  // Lines that cannot be read may have named what was shipped.
  const isUntold = shipped.size === 0 && !isNoted && (await spool.isJournalDamaged());
  if (shipped.size === 0 && (!isUntold || seen.keys.values().some(parseSegmentKey))) return;
  if (!seen.isAll && isNoted) return;
  const hint = isNoted
    ? `see that this is the right store, and there (a disk that is not mounted?); when it is gone for good, move ${spool.folder} away`
    : `it is in ${noted}: with no livestow running, \`livestow recover ${spool.handle} --store\` with that one ends it there`;
  throw new LivestowError('SPOOL', `nothing of what was shipped of ${spool.session} is in ${description}`, {
    hint: isUntold
      ? `lines of its journals are lost, and with them what was shipped: ${hint}; when nothing was, move ${spool.folder}.set-aside away`
      : hint,
    context: { store: description, noted },
  });
}

/** The store's manifest of a session; undefined when there is none. */
export async function manifestInStore(
  store: Store,
  handle: string,
  session: string,
  signal?: AbortSignal,
): Promise<Manifest | undefined> {
  const key = `${sessionPrefix(handle, session)}${sessionKeys.manifest}`;
  try {
    const text = (await buffer(await store.get(key, signal ? { signal } : {}))).toString('utf8');
    return decodeManifest(text, key);
  } catch (error) {
    if (isLivestowError(error, 'STORE_NOT_FOUND')) return undefined;
    throw error;
  }
}

/** What the store says of a room's sessions; those of the spool are asked for by name. */
async function stateInStore(
  { store, log }: OpenSessionDeps,
  handle: string,
  local: readonly string[],
  ofRoom: (session: string) => boolean,
  signal: AbortSignal,
): Promise<{ closed: Set<string>; unsealed: string[] }> {
  const sessions = new Set(local);
  for await (const folder of store.folders(creatorPrefix(handle), { signal })) {
    const session = folder.slice(creatorPrefix(handle).length, -1);
    if (isSessionId(session) && ofRoom(session)) sessions.add(session);
  }
  const closed = new Set<string>();
  for (const session of sessions) {
    try {
      const manifest = await manifestInStore(store, handle, session, signal);
      // A removed one is over too.
      if (manifest && (manifest.sealedAt !== null || manifest.deletedAt !== null)) closed.add(session);
    } catch (error) {
      if (!isLivestowError(error, 'MANIFEST')) throw error;
      // It may be a sealed one, which nobody may write over.
      closed.add(session);
      log.error(
        { err: error, session },
        'this session has a manifest that cannot be read, and is left alone',
      );
    }
  }
  return { closed, unsealed: [...sessions].filter((session) => !closed.has(session)) };
}

/**
 * Brings the journals of other terms into the spool; gives the highest term that left anything in the store.
 * @param seen takes the keys that are there, also when it fails on the way
 */
async function fetchEarlier(
  store: Store,
  spool: SessionSpool,
  seen: Set<string>,
  signal: AbortSignal,
): Promise<number> {
  const prefix = sessionPrefix(spool.handle, spool.session);
  let highest = 0;
  for await (const { key } of store.list(prefix, { signal })) {
    const name = key.slice(prefix.length);
    seen.add(name);
    highest = Math.max(highest, parseSegmentKey(name)?.term ?? 0, parseJournalKey(name)?.term ?? 0);
    if (!parseJournalKey(name) || (await spool.sizeOf(name)) !== undefined) continue;
    const bytes = await buffer(await store.get(key, { signal }));
    // Too late, it would come between what this term writes.
    signal.throwIfAborted();
    await writeFileDurably(spool.pathOf(name), bytes);
  }
  return highest;
}

class Patience implements Disposable {
  readonly #log: Logger;
  readonly #deadline: Deadline;

  constructor({ clock, log }: OpenSessionDeps) {
    this.#log = log;
    this.#deadline = new Deadline(clock, STORE_PATIENCE_MS);
  }

  /** Undefined when the store did not answer in time, or could not; what was asked has ended by then. */
  async ask<T>(question: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    const { signal } = this.#deadline;
    if (signal.aborted) return undefined;
    try {
      return await question(signal);
    } catch (error) {
      this.#log.warn(
        { err: error },
        'the store cannot be asked what it has of this room; going on from the spool alone',
      );
      return undefined;
    }
  }

  [Symbol.dispose](): void {
    this.#deadline[Symbol.dispose]();
  }
}
