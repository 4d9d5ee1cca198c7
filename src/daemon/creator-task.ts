/**
 * One creator in the daemon: watched and recorded for as long as it is on the roster, in its windows, unless it is paused.
 * A run (`record-creator.ts`) that fails is begun again after a while; what is asked for meanwhile (another preference, a
 * pause, a removal) never cuts a recording.
 */
import type { CreatorInForce } from '../config/creator-in-force.ts';
import { isoUtc, type Clock } from '../kernel/clock.ts';
import { isLivestowError, messageOf } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import { Nap } from '../kernel/nap.ts';
import type { Place, Places } from '../kernel/places.ts';
import { scrub } from '../kernel/redact.ts';
import { StopRequest, type StopKind } from '../kernel/stop-request.ts';
import { KEY_REFUSALS } from '../lookup/key-gate.ts';
import type { CreatorStatus, TaskProblem } from '../model/creator-status.ts';
import type { LiveRoom, Look } from '../model/look.ts';
import { recordingWindows, type RecordingWindows } from '../schedule/windows.ts';
import type { Cadence } from '../watch/cadence.ts';
import type { NextLook } from '../watch/planned-cadence.ts';
import type { Watcher } from '../watch/watcher.ts';
import type { EventLog } from './event-log.ts';
import type { LoadLimit } from './load-watch.ts';
import { CreatorHold } from './creator-hold.ts';
import { watchCreator } from './record-creator.ts';
import { Turn } from './turn.ts';
import type { LiveSession, RoomDeps, RoomOutcome } from './record-room.ts';
import { statusOf } from './creator-status.ts';

/** Between runs that fail, in a row. */
const PAUSES_MS = [10_000, 30_000, 60_000, 5 * 60_000, 15 * 60_000];
/** Somebody may set the clock, or the machine sleep: windows are asked again so often while it is recorded. */
const WINDOW_LOOK_MS = 60_000;

export interface CreatorTaskDeps {
  clock: Clock;
  log: Logger;
  events: EventLog;
  /** Of recordings. */
  slots: Places<LoadLimit>;
  /** For windows that name none. */
  timeZone: string;
  depsFor: (creator: CreatorInForce) => RoomDeps;
  cadenceFor: (
    creator: CreatorInForce,
    windows: RecordingWindows | null,
  ) => Cadence & { next?: NextLook | null };
  /** A broadcast was found that was not known. */
  onRoom: (handle: string, room: LiveRoom) => void;
  /** The watch survives it. */
  onLookFailed: (error: unknown) => void;
}

export class CreatorTask {
  readonly #deps: CreatorTaskDeps;
  #creator: CreatorInForce;
  #windows: RecordingWindows | null;
  /** Handed to the run as it is; what is put into it holds from the next recording on. */
  readonly #room: RoomDeps;
  #cadence: (Cadence & { next?: NextLook | null }) | null = null;
  #watcher: Watcher | null = null;
  /** Ends the run. */
  #run = new AbortController();
  /** Ends the recording. */
  #recording: AbortController | null = null;
  #session: LiveSession | null = null;
  readonly #turn: Turn;
  #hold: CreatorHold | null;
  #isRetired = false;
  #hasLeft = false;
  /** Looked for by order of the operator, whatever windows say. */
  #isForced = false;
  #problem: TaskProblem | null = null;
  /** Runs in a row that failed. */
  #failures = 0;
  /** Of the recording there is. */
  #keepsToWindows = true;
  #cancelWindow = (): void => {};
  readonly #ignored = new Set<string>();
  #roomId: string | null = null;
  #lastLook: { atMs: number; status: Look['status'] } | null = null;
  /** Between runs, until something is asked for. */
  readonly #nap: Nap;
  readonly #left: Promise<void>;

  /** @param hold of the task before */
  constructor(creator: CreatorInForce, deps: CreatorTaskDeps, hold: CreatorHold | null = null) {
    this.#deps = deps;
    this.#hold = hold;
    this.#turn = new Turn(deps.slots, deps.log);
    this.#nap = new Nap(deps.clock);
    this.#creator = creator;
    this.#windows = this.#windowsOf(creator);
    this.#room = { ...deps.depsFor(creator) };
    this.#left = this.#runs().finally(() => {
      this.#hasLeft = true;
    });
  }

  get creator(): CreatorInForce {
    return this.#creator;
  }

  /** Resolves when it watches no more; what it recorded may still be shipped, which its hold knows. */
  get left(): Promise<void> {
    return this.#left;
  }

  get hasLeft(): boolean {
    return this.#hasLeft;
  }

  get hold(): CreatorHold | null {
    return this.#hold;
  }

  get status(): CreatorStatus {
    const { clock } = this.#deps;
    return statusOf({
      creator: this.#creator,
      session: this.#session,
      isQueued: this.#turn.isQueued,
      isFinishing: this.#hold?.isReleased === false,
      isRetired: this.#isRetired,
      problem: this.#problem,
      windows: this.#windows,
      next: this.#cadence?.next ?? null,
      lastLook: this.#lastLook,
      nowMs: clock.now(),
    });
  }

  /** Of its recording, what is not yet in the store. */
  get waitingObjects(): number {
    return this.#session?.shipping.waitingObjects ?? 0;
  }

  /** Taken off the list: it leaves when its recording is over. */
  get isRetired(): boolean {
    return this.#isRetired;
  }

  /** One that was to leave stays. The store stays what it was: whoever changes that begins a new task. */
  update(creator: CreatorInForce): void {
    this.#isRetired = false;
    const { paused: wasPaused, priority } = this.#creator;
    this.#creator = creator;
    this.#windows = this.#windowsOf(creator);
    Object.assign(this.#room, this.#deps.depsFor(creator));
    this.#cadence = this.#deps.cadenceFor(creator, this.#windows);
    if (creator.paused !== wasPaused)
      this.#deps.log.info({ handle: creator.handle }, creator.paused ? 'paused' : 'watched again');
    this.#keepToWindows();
    if (creator.priority !== priority) this.#turn.reprioritise();
    this.#settle();
    this.#nap.wake();
    this.#watcher?.reconsider();
  }

  /** Looks at once, and records what is live whatever the windows say. A paused creator is looked at too. */
  recordNow(): void {
    // What is recorded goes on to its end.
    this.#keepsToWindows = false;
    this.#cancelWindow();
    if (this.#recording?.signal.aborted === false) return;
    this.#isForced = true;
    this.#ignored.clear();
    this.#problem = null;
    this.#nap.wake();
    this.#watcher?.hurry();
  }

  /** There is another key. False: looks did not wait for one. */
  lookAgain(): boolean {
    this.#failures = 0;
    if (!KEY_REFUSALS.some((code) => code === this.#problem?.code)) return false;
    this.#problem = null;
    this.#nap.wake();
    this.#watcher?.retry();
    return true;
  }

  /** Ends the recording there is, and leaves that room alone. False: there is none. */
  stopRecording(): boolean {
    if (!this.#recording || this.#roomId === null) return false;
    this.#ignored.add(this.#roomId);
    this.#recording.abort(new StopRequest('interrupt'));
    return true;
  }

  /** Leaves when what is being recorded is over. */
  retire(): void {
    this.#isRetired = true;
    this.#settle();
    this.#nap.wake();
  }

  /** Resolves when all is shipped that is to be. */
  async end(kind: StopKind): Promise<void> {
    this.#isRetired = true;
    this.#run.abort(new StopRequest(kind));
    this.#nap.wake();
    await this.#left;
    await this.#hold?.release();
  }

  get #mayRun(): boolean {
    return !this.#creator.paused || this.#isForced;
  }

  /** Ends a run that is not wanted any more, unless it records. */
  #settle(): void {
    if (this.#recording || (!this.#isRetired && this.#mayRun)) return;
    this.#run.abort(new StopRequest('drain'));
  }

  async #runs(): Promise<void> {
    while (!this.#isRetired) {
      if (!this.#mayRun) {
        await this.#nap.take(Infinity);
        continue;
      }
      this.#run = new AbortController();
      try {
        await this.#record();
        this.#failures = 0;
      } catch (error) {
        if (this.#run.signal.aborted) continue;
        const pauseMs = PAUSES_MS[Math.min(this.#failures, PAUSES_MS.length - 1)] ?? 0;
        this.#failures += 1;
        this.#fail(error, pauseMs);
        await this.#nap.take(pauseMs);
      } finally {
        void this.#hold?.release();
        this.#watcher = null;
        this.#cancelWindow();
        this.#recording = null;
        this.#session = null;
      }
    }
  }

  async #record(): Promise<void> {
    const { handle } = this.#creator;
    this.#cadence = this.#deps.cadenceFor(this.#creator, this.#windows);
    if (this.#hold?.keep() !== true) this.#hold = await CreatorHold.take(this.#room.spoolRoot, handle);
    await watchCreator(
      {
        handle,
        once: false,
        noWait: false,
        cadence: {
          nextLookInMs: (state) => (this.#isForced ? 0 : (this.#cadence?.nextLookInMs(state) ?? 0)),
        },
        onWatch: (watcher) => {
          this.#watcher = watcher;
        },
        ignored: this.#ignored,
        admit: (signal) => this.#admitted(signal),
        endRoom: (roomId) => this.#begin(roomId),
        onLook: (look) => this.#looked(look),
        onLookFailed: (error, waitMs) => {
          this.#problem = this.#problemOf(error, waitMs);
          this.#deps.onLookFailed(error);
        },
        onSession: (session) => {
          this.#session = session;
          this.#deps.events.report({ type: 'recording', handle, session: session.session });
        },
        onOver: (outcome) => this.#over(outcome),
        onSealed: ({ session, coverage, gaps, segments }) => {
          const bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0);
          const { recordedMs, ratio } = coverage;
          this.#deps.events.report({
            type: 'sealed',
            handle,
            session,
            recordedMs,
            gaps: gaps.length,
            coverage: ratio,
            bytes,
          });
        },
      },
      this.#room,
      this.#run.signal,
      this.#hold,
    );
  }

  /** Resolves with a place when it is this one's turn; null: its window has closed before. */
  async #admitted(signal: AbortSignal): Promise<Place | null> {
    const { handle } = this.#creator;
    this.#keepsToWindows = !this.#isForced;
    const turn = this.#turn.take(signal, handle, () => this.#creator.priority);
    this.#keepToWindows();
    return turn.finally(() => this.#cancelWindow());
  }

  #looked(look: Look): void {
    const { clock, events, onRoom } = this.#deps;
    const { handle } = this.#creator;
    this.#problem = null;
    this.#lastLook = { atMs: clock.now(), status: look.status };
    if (look.status !== 'live') {
      this.#isForced = false;
      // A paused creator was looked at once.
      this.#settle();
      return;
    }
    const { roomId, title, viewerCount } = look.room;
    if (this.#roomId === roomId) return;
    this.#roomId = roomId;
    onRoom(handle, look.room);
    events.report({ type: 'live', handle, roomId, title, viewers: viewerCount });
  }

  #begin(roomId: string): AbortSignal {
    const recording = new AbortController();
    this.#recording = recording;
    this.#roomId = roomId;
    this.#keepsToWindows = !this.#isForced;
    this.#isForced = false;
    this.#keepToWindows();
    return recording.signal;
  }

  /** Ends the recording with its window, unless it was ordered or may finish; and waiting for one, in any case but the first. */
  #keepToWindows(): void {
    this.#cancelWindow();
    const windows = this.#windows;
    if (windows === null || !this.#keepsToWindows) return;
    if (!this.#turn.isTaken && !(this.#recording && windows.atEnd === 'stop')) return;
    const { clock } = this.#deps;
    const nowMs = clock.now();
    if (!windows.isOpen(nowMs)) {
      this.#turn.leave();
      this.#recording?.abort(new StopRequest('interrupt'));
      return;
    }
    const inMs = (windows.nextChange(nowMs)?.atMs ?? Infinity) - nowMs;
    this.#cancelWindow = clock.after(Math.min(inMs, WINDOW_LOOK_MS), () => this.#keepToWindows());
  }

  #over({ session, endCause: cause }: Pick<RoomOutcome, 'session' | 'endCause'>): void {
    this.#cancelWindow();
    this.#recording = null;
    this.#session = null;
    const { handle } = this.#creator;
    if (cause !== null) this.#deps.events.report({ type: 'ended', handle, session, cause });
    this.#settle();
  }

  #fail(error: unknown, pauseMs: number): void {
    const { log, events } = this.#deps;
    const { handle } = this.#creator;
    this.#problem = this.#problemOf(error, pauseMs);
    const { code, message, hint } = this.#problem;
    // The daemon tells of a refused key, once for all.
    if (code === 'LOOKUP_UNAUTHORIZED') return;
    log.error({ err: error, handle, pauseMs }, 'watching failed; it is tried again');
    events.report({ type: 'failed', handle, code, message, hint });
  }

  #problemOf(error: unknown, retryInMs: number): TaskProblem {
    const known = isLivestowError(error) ? error : null;
    return {
      code: known?.code ?? 'UNEXPECTED',
      message: scrub(messageOf(error)),
      hint: known?.hint ?? null,
      retryAt: isoUtc(this.#deps.clock.now() + retryInMs),
    };
  }

  #windowsOf({ windows }: CreatorInForce): RecordingWindows | null {
    return windows === null ? null : recordingWindows(windows, this.#deps.timeZone);
  }
}
