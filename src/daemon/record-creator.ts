/**
 * One creator: watches, records every broadcast, and finishes what earlier runs left in the spool. Holds the creator's
 * lock for as long as it runs.
 */
import { AnySignal } from '../kernel/any-signal.ts';
import { isLivestowError, LivestowError } from '../kernel/errors.ts';
import type { Place } from '../kernel/places.ts';
import type { Look } from '../model/look.ts';
import { END_CAUSES } from '../model/causes.ts';
import type { Manifest } from '../model/manifest.ts';
import { roomKey } from '../layout/keys.ts';
import { persistently } from '../ship/ship-object.ts';
import { Publisher } from '../ship/publish.ts';
import { SessionSpool, spooledSessions } from '../spool/session-spool.ts';
import type { Cadence } from '../watch/cadence.ts';
import { Watcher, type LiveLook } from '../watch/watcher.ts';
import { CreatorHold } from './creator-hold.ts';
import { manifestInStore } from './open-session.ts';
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
  /** Is given the watch, to hurry it. */
  onWatch?: (watcher: Watcher) => void;
  /** Rooms that are passed over as if offline. Those are put in that must not be recorded again. */
  ignored?: Set<string>;
  /** Waits until this creator may be recorded; null: it may not any more. */
  admit?: (signal: AbortSignal) => Promise<Place | null>;
  /** Ends the recording of this room with a StopRequest, and nothing but that. */
  endRoom?: (roomId: string) => AbortSignal;
  onLook?: (look: Look) => void;
  /** The watch survives it. */
  onLookFailed?: (error: unknown, waitMs: number) => void;
  onSession?: (session: LiveSession) => void;
  /** A recording is over; shipping and sealing go on. */
  onOver?: (outcome: Pick<RoomOutcome, 'session' | 'endCause'>) => void;
  onSealed?: (manifest: Manifest) => void;
}

/** Who does not wait for the creator does not wait for the API either. */
const NO_WAIT_TRIES = 3;

export type CreatorOutcome =
  | { kind: 'stopped' }
  | { kind: 'not-live' | 'not-found' }
  | { kind: 'once'; session: string }
  /** Recorded, but not everything is in the store. */
  | { kind: 'unsealed'; sessions: string[] };

/** @throws SPOOL and HELD before anything is looked up, and the errors that end a watch; what was recorded until then is shipped first */
export async function recordCreator(
  options: CreatorOptions,
  deps: RoomDeps,
  stop: AbortSignal,
): Promise<CreatorOutcome> {
  const hold = await CreatorHold.take(deps.spoolRoot, options.handle);
  let outcome: CreatorOutcome;
  try {
    outcome = await watchCreator(options, deps, stop, hold);
  } finally {
    await hold.release();
  }
  const { unsealed } = hold;
  return unsealed.length > 0 ? { kind: 'unsealed', sessions: unsealed } : outcome;
}

/** The same, by whoever has the hold: shipping and sealing may still go on when it resolves. */
export async function watchCreator(
  options: CreatorOptions,
  deps: RoomDeps,
  stop: AbortSignal,
  hold: CreatorHold,
): Promise<CreatorOutcome> {
  const { handle, cadence } = options;
  const { clock, log } = deps;
  const { ignored = new Set<string>() } = options;
  const finish = (session: string, finished: Promise<Manifest | undefined>): void => {
    const told = finished.then((manifest) => {
      if (manifest) options.onSealed?.(manifest);
    });
    hold.finish(session, told, log, () => deps.giveUp.aborted);
  };
  const isBusy = (session: string): boolean => hold.sessions.has(session);
  // Before the spool is read: what is sealed meanwhile is gone from there.
  const busy = hold.sessions;
  let leftovers = (await spooledSessions(deps.spoolRoot, handle)).filter((session) => !busy.has(session));
  const finishLeftovers = (goesOn: (session: string) => boolean): void => {
    for (const session of leftovers) {
      if (!goesOn(session)) finish(session, finishLeftover(handle, session, deps, stop));
    }
    leftovers = leftovers.filter(goesOn);
  };
  let firstLook = true;
  let known = true;
  const watcher = new Watcher({
    handle,
    look: (_, { signal }) => deps.look(handle, signal),
    cadence,
    clock,
    signal: stop,
    logger: log,
    ignoreRoom: (roomId) => ignored.has(roomId),
    onFailure: (error, waitMs) => options.onLookFailed?.(error, waitMs),
    onLook: (look) => {
      options.onLook?.(look);
      if (look.status === 'not-found' && known && !options.noWait) {
        log.warn({ handle }, `nobody is called @${handle} now: is it spelt right? Looking goes on`);
      }
      known = look.status !== 'not-found';
      // Only an answered look tells which leftover may still go on.
      const room = look.status === 'live' ? `Z-${roomKey(look.room.roomId)}` : null;
      finishLeftovers((session) => room !== null && session.endsWith(room));
    },
  });
  options.onWatch?.(watcher);
  try {
    if (options.noWait) {
      const look = await watcher.lookNow(NO_WAIT_TRIES);
      if (look.status !== 'live') return { kind: look.status === 'not-found' ? 'not-found' : 'not-live' };
      watcher.offer(look);
    }
    for await (const found of watcher.rooms()) {
      firstLook = false;
      const place = await options.admit?.(stop);
      if (place === null) continue;
      let outcome: RoomOutcome;
      try {
        const look = place?.hasWaited === true ? await seenAgain(watcher, found, deps, stop) : found;
        if (look.status !== 'live' || ignored.has(look.room.roomId)) continue;
        const end = options.endRoom?.(look.room.roomId);
        using until = new AnySignal(stop, ...(end ? [end] : []));
        outcome = await recordRoom(handle, look, clock.now(), deps, until.signal, isBusy, options.onSession);
      } finally {
        place?.release();
      }
      // The newest session of a room goes on; an older one does not.
      leftovers = leftovers.filter((session) => session !== outcome.session);
      finish(outcome.session, outcome.finished);
      if (outcome.endCause !== null) finishLeftovers(() => false);
      options.onOver?.(outcome);
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

/** After a wait. Where nobody can be looked up now, what was seen before has to do: the broadcast may well be on. */
async function seenAgain(
  watcher: Watcher,
  before: LiveLook,
  { log }: RoomDeps,
  stop: AbortSignal,
): Promise<Look> {
  try {
    return await watcher.lookNow(1);
  } catch (error) {
    stop.throwIfAborted();
    if (!isLivestowError(error)) throw error;
    const { handle } = before.profile;
    log.warn(
      { err: error, handle },
      'it cannot be seen whether the broadcast is still on: it is recorded as it was found',
    );
    return before;
  }
}

/** Finishes a session that an earlier run left in the spool; undefined when it was sealed already or never began. */
export async function finishLeftover(
  handle: string,
  session: string,
  deps: RoomDeps,
  stop: AbortSignal,
): Promise<Manifest | undefined> {
  const { spoolRoot, store, log, giveUp } = deps;
  const spool = await SessionSpool.open(spoolRoot, handle, session, log);
  if (await spool.isBlank()) {
    await spool.remove();
    return undefined;
  }
  const manifest = await persistently(deps, giveUp, `asking for ${session}`, () =>
    manifestInStore(store, handle, session, giveUp),
  );
  const isRemoved = manifest !== undefined && manifest.deletedAt !== null;
  if (!manifest || (manifest.sealedAt === null && !isRemoved))
    return finishSession(handle, session, deps, stop);
  // A crash came between sealing it and removing it here: lists may not know yet.
  if (!isRemoved) {
    await persistently(deps, giveUp, `sealing ${session}`, () =>
      new Publisher(store, handle).summarise(manifest, giveUp),
    );
  }
  if (await holdsMore(spool, manifest)) {
    const what = isRemoved
      ? 'removed from the archive, and media of it'
      : 'sealed elsewhere without media that';
    throw new LivestowError('SPOOL', `the session was ${what} lies here`, {
      hint: `look at ${spool.folder}, and remove it when it is of no use`,
    });
  }
  await spool.remove();
  return undefined;
}

/** Whether the spool has a segment that the manifest does not name. */
async function holdsMore(spool: SessionSpool, { segments }: Manifest): Promise<boolean> {
  const named = new Set(segments.map(({ key }) => key));
  const here = await spool.objectKeys();
  const { entries } = await spool.earlier();
  return entries.some(
    (entry) => entry.type === 'segment' && !named.has(entry.segment.key) && here.has(entry.segment.key),
  );
}
