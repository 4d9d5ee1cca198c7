/**
 * One creator: watches, records every broadcast, and finishes what earlier runs left in the spool. Holds the creator's
 * lock for as long as it runs.
 */
import { isLivestowError } from '../kernel/errors.ts';
import type { Look } from '../model/look.ts';
import { END_CAUSES } from '../model/causes.ts';
import type { Manifest } from '../model/manifest.ts';
import { roomKey } from '../layout/keys.ts';
import { lockCreator } from '../spool/creator-lock.ts';
import { SessionSpool } from '../spool/session-spool.ts';
import type { Cadence } from '../watch/cadence.ts';
import { Watcher } from '../watch/watcher.ts';
import { sealedInStore, spooledSessions } from './open-session.ts';
import {
  finishSession,
  recordRoom,
  type LiveSession,
  type RoomDeps,
  type RoomOutcome,
} from './record-room.ts';

export interface CreatorOptions {
  handle: string;
  /** Ends after the first broadcast. */
  once: boolean;
  /** Gives up when the first look does not find the creator live. */
  noWait: boolean;
  cadence: Cadence;
  onLook?: (look: Look) => void;
  onSession?: (session: LiveSession) => void;
  /** A recording is over; shipping and sealing go on. */
  onOver?: () => void;
  onSealed?: (manifest: Manifest) => void;
}

export type CreatorOutcome =
  | { kind: 'stopped' }
  | { kind: 'not-live' }
  | { kind: 'once'; session: string }
  /** Recorded, but not everything is in the store. */
  | { kind: 'unsealed'; sessions: string[] };

/** @throws HELD, and the errors that end a watch; what was recorded until then is shipped first */
export async function recordCreator(
  options: CreatorOptions,
  deps: RoomDeps,
  stop: AbortSignal,
): Promise<CreatorOutcome> {
  const lock = lockCreator(deps.spoolRoot, options.handle);
  const finishing = new Set<Promise<void>>();
  const unsealed: string[] = [];
  const finish = (session: string, finished: Promise<Manifest | undefined>): void => {
    const done = finished
      .then((manifest) => {
        if (manifest) options.onSealed?.(manifest);
      })
      .catch((error: unknown) => {
        unsealed.push(session);
        deps.log.error(
          { err: error, session },
          'the session is not sealed; what is missing in the store is in the spool',
        );
      })
      .finally(() => finishing.delete(done));
    finishing.add(done);
  };
  try {
    const outcome = await watchAndRecord(options, deps, stop, finish);
    await Promise.all(finishing);
    return unsealed.length > 0 ? { kind: 'unsealed', sessions: unsealed } : outcome;
  } finally {
    await Promise.all(finishing);
    lock.release();
  }
}

async function watchAndRecord(
  options: CreatorOptions,
  deps: RoomDeps,
  stop: AbortSignal,
  finish: (session: string, finished: Promise<Manifest | undefined>) => void,
): Promise<CreatorOutcome> {
  const { handle, cadence } = options;
  const { clock, log } = deps;
  const ignored = new Set<string>();
  let leftovers = await unfinished(handle, deps);
  let firstLook = true;
  const watcher = new Watcher({
    handle,
    look: (_, { signal }) => deps.look(handle, signal),
    cadence,
    clock,
    signal: stop,
    logger: log,
    ignoreRoom: (roomId) => ignored.has(roomId),
    onLook: (look) => {
      options.onLook?.(look);
      // Only an answered look tells which leftover may still go on.
      const goesOn = look.status === 'live' ? `Z-${roomKey(look.room.roomId)}` : null;
      for (const session of leftovers)
        if (!goesOn || !session.endsWith(goesOn)) finish(session, finishSession(handle, session, deps));
      leftovers = [];
    },
  });
  try {
    if (options.noWait) {
      const look = await watcher.lookNow();
      if (look.status !== 'live') return { kind: 'not-live' };
      watcher.offer(look);
    }
    for await (const look of watcher.rooms()) {
      firstLook = false;
      const outcome: RoomOutcome = await recordRoom(handle, look, clock.now(), deps, stop, options.onSession);
      finish(outcome.session, outcome.finished);
      options.onOver?.();
      if (outcome.endCause === null || stop.aborted) return { kind: 'stopped' };
      if (options.once) return { kind: 'once', session: outcome.session };
      if (!END_CAUSES[outcome.endCause].mayRecordRoomAgain) ignored.add(outcome.roomId);
      if (outcome.nextLook) watcher.offer(outcome.nextLook);
    }
    return { kind: 'stopped' };
  } catch (error) {
    if (stop.aborted && !isLivestowError(error)) return { kind: 'stopped' };
    if (firstLook) log.debug({ err: error }, 'the watch ended before anything was recorded');
    throw error;
  }
}

/** Sessions of the creator in the spool that are not sealed; what was sealed and not yet removed is removed. */
export async function unfinished(handle: string, deps: RoomDeps): Promise<string[]> {
  const left: string[] = [];
  for (const session of await spooledSessions(deps.spoolRoot, handle)) {
    const sealed = await sealedInStore(deps.store, handle, session).catch((error: unknown) => {
      deps.log.warn({ err: error, session }, 'the store cannot say whether this session is sealed');
      return undefined;
    });
    if (!sealed) {
      left.push(session);
      continue;
    }
    const spool = await SessionSpool.open(deps.spoolRoot, handle, session);
    if (await spool.holdsObjects()) {
      const folder = spool.folder;
      deps.log.warn(
        { session, folder },
        'this session is sealed, yet the spool holds media of it; it is left alone',
      );
    } else {
      await spool.remove();
    }
  }
  return left;
}
