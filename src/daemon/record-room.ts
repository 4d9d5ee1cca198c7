/**
 * One session of one room, wired: open or resume it, record it, ship it, seal it. The stages know nothing of each other;
 * this file hands what one gives to the next.
 */
import { readFile } from 'node:fs/promises';
import { isoUtc, type Clock } from '../kernel/clock.ts';
import { LivestowError } from '../kernel/errors.ts';
import { isMissing } from '../kernel/files.ts';
import type { Logger } from '../kernel/logger.ts';
import { Timeline } from '../ingest/timeline.ts';
import { foldSession } from '../layout/fold.ts';
import { sessionKeys } from '../layout/keys.ts';
import { untoldGaps } from '../layout/untold.ts';
import type { EndCause } from '../model/causes.ts';
import type { LiveRoom, Look } from '../model/look.ts';
import { FORMAT, type Gap, type JournalEntry, type Manifest } from '../model/manifest.ts';
import type { Variant, VariantLabel } from '../model/variant.ts';
import type { OpenSource } from '../record/attempt.ts';
import type { Engine, EpochSpec } from '../record/engine.ts';
import { SessionRecorder, type RecorderOutcome } from '../record/session-recorder.ts';
import type { RecordingProgress } from '../record/recording-progress.ts';
import { SessionRecording } from '../record/session-recording.ts';
import { withheldIn } from '../record/withheld.ts';
import { SessionShipper, type ShipProgress } from '../ship/session-shipper.ts';
import { persistently } from '../ship/ship-object.ts';
import type { Uploads } from '../ship/uploads.ts';
import type { DiskGuard } from '../spool/disk-guard.ts';
import { readTail } from '../spool/tail.ts';
import type { Store } from '../store/store.ts';
import { openSession, openSessionOfRoom, type OpenSession } from './open-session.ts';
import { RoomFile } from './room-file.ts';
import type { SessionPictures } from './session-pictures.ts';

export type LiveLook = Extract<Look, { status: 'live' }>;

export interface RecorderSettings {
  maxHoldMs: number;
  sampleIntervalMs: number;
  segmentDurationMs: number;
  stallTimeoutMs: number;
  maxDurationMs: number | null;
  /** The higher, the later this creator's recording stops when the disk fills. */
  priority: number;
}

/** What the composition root gives to every session. */
export interface RoomDeps {
  spoolRoot: string;
  store: Store;
  uploads: Uploads;
  /** One for all recordings of this process. */
  disk: DiskGuard;
  clock: Clock;
  log: Logger;
  writer: { name: string; version: string };
  settings: RecorderSettings;
  openSource: OpenSource;
  look: (handle: string, signal: AbortSignal) => Promise<Look>;
  rank: (room: LiveRoom, codec: 'h264' | 'h265' | null) => Variant[];
  engineFor: (spec: EpochSpec, variant: VariantLabel) => Engine;
  pictures: SessionPictures;
  /** Ends all shipping; what is left stays in the spool. */
  giveUp: AbortSignal;
  onShipped?: (key: string, tookMs: number, bytes: number) => void;
  onGap?: (handle: string, session: string, gap: Gap) => void;
}

/** For a status line; the numbers move while it is recorded. */
export interface LiveSession {
  handle: string;
  session: string;
  phase: () => 'recording' | 'holding' | 'ended';
  progress: RecordingProgress;
  shipping: ShipProgress;
}

export interface RoomOutcome {
  session: string;
  roomId: string;
  /** Null: drained, the session goes on at the next start. */
  endCause: EndCause | null;
  nextLook: Look | null;
  /** Resolves with the sealed manifest, or (drained) undefined once everything closed is shipped. */
  finished: Promise<Manifest | undefined>;
}

/**
 * Resolves when the recording is over; shipping and sealing may still go on.
 * @param isBusy sessions that are being finished already: the same room again becomes another session
 */
export async function recordRoom(
  handle: string,
  look: LiveLook,
  foundAtMs: number,
  deps: RoomDeps,
  stop: AbortSignal,
  isBusy: (session: string) => boolean,
  onSession?: (session: LiveSession) => void,
): Promise<RoomOutcome> {
  const open = await openSessionOfRoom(handle, look.room.roomId, foundAtMs, isBusy, deps);
  const term = await beginTerm(open, handle, { look, foundAtMs }, deps);
  const { recording, timeline, shipper, roomFile } = term;
  const note = (room: LiveRoom, seen: LiveLook): void => {
    const at = isoUtc(deps.clock.now());
    recording.note({
      type: 'sample',
      at,
      viewers: room.viewerCount,
      enters: room.enterCount,
      title: room.title,
    });
    if (roomFile.add(seen, deps.clock.now())) term.saveRoomFile();
  };
  note(look.room, look);
  const sessionCodec = term.container === null ? null : term.container === 'fmp4' ? 'h265' : 'h264';
  const disk = await deps.disk.join(deps.settings.priority);
  const recorder = new SessionRecorder(look.room, {
    recording,
    timeline,
    openSource: deps.openSource,
    disk,
    look: async (signal) => {
      const seen = await deps.look(handle, signal);
      const at = isoUtc(deps.clock.now());
      recording.note({ type: 'credits', at, charged: seen.meta.creditsCharged, lookups: 1 });
      return seen;
    },
    recordedBefore: term.recorded,
    rank: (room) => deps.rank(room, sessionCodec ?? recording.codec),
    onRoom: (room, seen) => {
      if (seen.status === 'live') note(room, seen);
    },
    clock: deps.clock,
    log: deps.log,
    policy: { maxHoldMs: deps.settings.maxHoldMs, confirmMs: 10_000 },
    stallMs: deps.settings.stallTimeoutMs,
    sampleIntervalMs: deps.settings.sampleIntervalMs,
    maxDurationMs: deps.settings.maxDurationMs,
  });
  onSession?.({
    handle,
    session: open.session,
    phase: () => recorder.phase,
    progress: recording.progress,
    shipping: shipper.progress,
  });
  let outcome: RecorderOutcome;
  try {
    outcome = await recorder.run(stop, open.term > 1 ? 'recorder-down' : 'found-late');
    await (outcome.kind === 'drained' ? recording.drain() : recording.end(outcome.withheldUntilMs));
  } catch (error) {
    await term.leave();
    throw error;
  } finally {
    disk.leave();
  }
  const { session } = open;
  const { roomId } = look.room;
  if (outcome.kind === 'drained') {
    return { session, roomId, endCause: null, nextLook: null, finished: term.drain().then(() => undefined) };
  }
  const { cause, nextLook } = outcome;
  return { session, roomId, endCause: cause, nextLook, finished: term.seal(cause, stop) };
}

/**
 * Ships and seals a session that an earlier process left and that does not go on: its tail becomes segments first.
 * @param stop from then on nothing is made that sealing can do without
 */
export async function finishSession(
  handle: string,
  session: string,
  deps: RoomDeps,
  stop: AbortSignal,
): Promise<Manifest> {
  const open = await openSession(handle, session, deps);
  const term = await beginTerm(open, handle, null, deps);
  try {
    await term.recording.end();
  } catch (error) {
    await term.leave();
    throw error;
  }
  const { manifest } = foldSession(open.earlier.entries, 0);
  return term.seal(manifest.endCause ?? 'interrupted', stop);
}

interface Term {
  recording: SessionRecording;
  timeline: Timeline;
  shipper: SessionShipper;
  roomFile: RoomFile;
  container: 'mpegts' | 'fmp4' | null;
  /** By an earlier one, last. */
  recorded: VariantLabel | null;
  saveRoomFile(): void;
  drain(): Promise<void>;
  /** Something unexpected happened: nothing goes on, what is closed is shipped, the rest stays for the next start. */
  leave(): Promise<void>;
  /** @param stop whoever waits for the seal now */
  seal(cause: EndCause, stop: AbortSignal): Promise<Manifest>;
}

async function beginTerm(
  open: OpenSession,
  handle: string,
  found: { look: LiveLook; foundAtMs: number } | null,
  deps: RoomDeps,
): Promise<Term> {
  const { clock, store, uploads, settings, writer, giveUp } = deps;
  const { spool, session, term, earlier } = open;
  const log = deps.log.child({ handle, session, term });
  const before = earlier.entries.length > 0 ? foldSession(earlier.entries, 0).manifest : null;
  const last = before?.segments.at(-1);
  const lastEndMs = last ? Date.parse(last.startsAt) + last.durationMs : null;

  const shipper = new SessionShipper({
    store,
    spool,
    uploads,
    clock,
    log,
    signal: giveUp,
    ...(deps.onShipped ? { onShipped: deps.onShipped } : {}),
  });
  spool.beginTerm(term);
  const now = clock.now();
  // A disk that is full will have room again.
  const write = (step: () => Promise<void>): Promise<void> =>
    persistently(deps, giveUp, 'writing to the spool', step);
  const append = (...entries: JournalEntry[]): Promise<void> => write(() => spool.append(...entries));
  await append(termEntry(open, found, before, writer, now));
  await write(() => spool.noteStore(store.description));
  if (found) {
    const { meta } = found.look;
    await append({ type: 'credits', at: isoUtc(now), charged: meta.creditsCharged, lookups: 1 });
  }
  if (before && (await spool.isJournalDamaged())) {
    const gaps = untoldGaps(before.segments, before.gaps);
    await append(...gaps.map((gap) => ({ type: 'gap' as const, at: isoUtc(now), gap })));
  }
  await shipper.takeOver(earlier);
  shipper.start();

  const foundAtMs = before ? Date.parse(before.foundAt) : (found?.foundAtMs ?? now);
  const startedAt = before ? before.room.startedAt : found?.look.room.startedAt;
  const accountedMs = (before?.gaps ?? []).map(({ to }) => Date.parse(to)).concat(lastEndMs ?? []);
  const headFromMs = startedAt ? Date.parse(startedAt) : foundAtMs;
  const utcMs = clock.now() - clock.monotonic();
  const timeline = new Timeline(Math.max(now - foundAtMs, last?.lastDtsMs ?? 0), utcMs);
  const recording = new SessionRecording({
    spool,
    timeline,
    clock,
    log,
    term,
    container: before?.container ?? null,
    mediaDueSinceMs: accountedMs.length > 0 ? Math.max(...accountedMs) : headFromMs,
    lastSegmentKey: last?.key ?? null,
    withheldBefore: withheldIn(earlier.entries),
    told: before?.gaps ?? [],
    segmentDurationMs: settings.segmentDurationMs,
    engineFor: deps.engineFor,
    onGap: (gap) => deps.onGap?.(handle, session, gap),
    signal: giveUp,
  });
  if (term > 1) recording.event('resumed', { term });
  const resumed = await resumeTail(open, before, timeline, recording, now);
  const pictures = deps.pictures.begin({ spool, look: found?.look ?? null, log });

  const roomText = await readFile(spool.filePath(sessionKeys.room), 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
  const roomFile = new RoomFile(roomText);
  let saving = Promise.resolve();
  const saveRoomFile = (): void => {
    saving = saving
      .then(() => spool.writeFile(sessionKeys.room, roomFile.toString()))
      .catch((error: unknown) => log.error({ err: error }, 'room.json cannot be written'));
  };

  const filesMade = async (): Promise<string[]> => {
    const files = await pictures.finished();
    await saving;
    return found || roomText !== undefined ? [...files, sessionKeys.room] : files;
  };

  return {
    recording,
    timeline,
    shipper,
    roomFile,
    container: before?.container ?? null,
    recorded: resumed ?? before?.epochs.at(-1)?.variant ?? null,
    saveRoomFile,
    drain: async () => {
      await Promise.all([saving, pictures.finished()]);
      await shipper.drain();
    },
    leave: async () => {
      await recording.abandon();
      await pictures.finished();
      await shipper.drain().catch((error: unknown) => {
        log.error({ err: error }, 'not everything that is closed could be shipped');
      });
    },
    seal: async (cause, stop) => {
      const endedAtMs = recording.lastPictureMs ?? lastEndMs ?? foundAtMs;
      const at = isoUtc(clock.now());
      const manifest = await shipper.seal(
        { type: 'end', at, endedAt: isoUtc(endedAtMs), endCause: cause },
        filesMade(),
        (sealing) => pictures.storyboard(sealing, stop),
      );
      await spool.remove();
      log.info({ coverage: manifest.coverage, gaps: manifest.gaps.length, endCause: cause }, 'sealed');
      return manifest;
    },
  };
}

function termEntry(
  { session, term }: OpenSession,
  found: { look: LiveLook; foundAtMs: number } | null,
  before: Manifest | null,
  writer: { name: string; version: string },
  nowMs: number,
): JournalEntry {
  const base = { type: 'term' as const, at: isoUtc(nowMs), format: FORMAT, writer, session, term };
  if (found) {
    const { profile, room } = found.look;
    const { handle, platformUserId, displayName } = profile;
    return {
      ...base,
      creator: { handle, platformUserId, displayName },
      room: { roomId: room.roomId, title: room.title, startedAt: room.startedAt },
      foundAt: before?.foundAt ?? isoUtc(found.foundAtMs),
    };
  }
  if (!before) throw new LivestowError('MANIFEST', `session ${session} has neither a look nor journals`);
  return { ...base, creator: before.creator, room: before.room, foundAt: before.foundAt };
}

/** What the term before had received and not closed comes first in this one; gives what it came by. */
async function resumeTail(
  { spool, earlier }: OpenSession,
  before: Manifest | null,
  timeline: Timeline,
  recording: SessionRecording,
  nowMs: number,
): Promise<VariantLabel | undefined> {
  const tail = await readTail(spool.tailFolder);
  if (!tail) return undefined;
  const closedDtsMs = (before?.segments ?? [])
    .filter((segment) => segment.term >= tail.firstTerm)
    .reduce((most, segment) => Math.max(most, segment.lastDtsMs), -Infinity);
  const closedSoundMs = earlier.entries.reduce(
    (most, entry) =>
      entry.type === 'segment' && entry.segment.term >= tail.firstTerm
        ? Math.max(most, entry.soundUpToMs ?? -Infinity)
        : most,
    -Infinity,
  );
  const items = timeline.resume(tail.state, tail.units, closedDtsMs, closedSoundMs, nowMs);
  const endDtsMs = timeline.endDtsMs;
  if (endDtsMs !== null) recording.resumedUpTo(endDtsMs);
  await recording.take(items, tail.variant);
  return tail.variant;
}
