/**
 * The outer loop of a session: attempt after attempt until the state machine says that it is over. When media breaks
 * off, the known URL is tried at once, beside a fresh look; a variant that fails with fresh URLs is set aside and the
 * next one tried.
 */
import { AnySignal } from '../kernel/any-signal.ts';
import type { Clock } from '../kernel/clock.ts';
import { isLivestowError } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import { stopKind } from '../kernel/stop-request.ts';
import type { Timeline } from '../ingest/timeline.ts';
import type { DiskShare } from '../spool/disk-guard.ts';
import { END_CAUSES, type EndCause, type GapCause } from '../model/causes.ts';
import type { LiveRoom, Look } from '../model/look.ts';
import { sameQuality, variantLabel, type Quality, type Variant } from '../model/variant.ts';
import type { AttemptDeps, OpenSource } from './attempt.ts';
import type { SessionRecording } from './session-recording.ts';
import { DiskPause } from './disk-pause.ts';
import { DurationLimit } from './duration-limit.ts';
import { attemptUntilBetter, type UntilBetter } from './attempt-until-better.ts';
import type { Returned } from './return-to-better.ts';
import { LiveState } from './live-state.ts';
import { OutcomeLog } from './outcome-log.ts';
import { holdLookInMs, type EndPolicy, type SessionState } from './session-state.ts';
import { TimeWatch } from './time-watch.ts';
import { VariantChoice } from './variant-choice.ts';

/** URLs from a look younger than this are as fresh as they get. */
const FRESH_MS = 3_000;
/** Between rounds over variants that all fail, and after connections that bring next to nothing. */
const RETRY_MS = [500, 1_000, 2_000, 4_000, 8_000, 10_000];
/** A refusal costs next to nothing: the CDN that is back is to be found while its last GOP still covers the break. */
const REFUSED_RETRY_MS = 2_000;
/** A connection that brings less than this is not trusted to do better at once. */
const SHORT_MEDIA_MS = 2_000;
const HLS_STALL_MS = 30_000;
/** A timer may fire a little early; the rule it triggers counts exactly. */
const TIMER_SLACK_MS = 50;

export interface SessionRecorderDeps {
  recording: SessionRecording;
  timeline: Timeline;
  openSource: OpenSource;
  /** What the spool's disk leaves this session. */
  disk: DiskShare;
  /** One look, uncached where it can be had; throws the lookup's errors. */
  look: (signal: AbortSignal) => Promise<Look>;
  /** Ranked, best first, of what this machine can record. */
  rank: (room: LiveRoom) => Variant[];
  /** Told of each live look at this session's room. */
  onRoom: (room: LiveRoom, look: Look) => void;
  clock: Clock;
  log: Logger;
  policy: EndPolicy;
  stallMs: number;
  sampleIntervalMs: number;
  /** What an earlier term recorded last. */
  recordedBefore: Quality | null;
  /** Ends the recording this long after its first media, or after its beginning while there is none. */
  maxDurationMs: number | null;
}

export type RecorderOutcome =
  | {
      kind: 'ended';
      cause: EndCause;
      nextLook: Look | null;
      /** To when media was there (UTC milliseconds), for which the disk had no room. */
      withheldUntilMs: number | null;
    }
  /** The recorder must go while the session may go on: it stays unsealed. */
  | { kind: 'drained' };

export class SessionRecorder {
  readonly #deps: SessionRecorderDeps;
  readonly #roomId: string;
  readonly #choice = new VariantChoice();
  /** What media came by last. */
  #recorded: Quality | null;
  /** The last segment of a complete playlist that was read to its end. */
  #completedUpTo: string | null = null;
  readonly #over = new AbortController();
  readonly #time: TimeWatch;
  readonly #outcomes: OutcomeLog;
  readonly #state: LiveState;
  #lastLookAtMs: number;
  #looking: Promise<void> | null = null;
  #nextLook: Look | null = null;
  readonly #pause: DiskPause;
  readonly #limit: DurationLimit;

  constructor(room: LiveRoom, deps: SessionRecorderDeps) {
    this.#deps = deps;
    this.#roomId = room.roomId;
    this.#recorded = deps.recordedBefore;
    this.#state = new LiveState({
      clock: deps.clock,
      policy: deps.policy,
      over: this.#over.signal,
      onPhase: (phase) => {
        if (phase === 'holding') deps.recording.event('hold');
        if (phase === 'ended') this.#over.abort();
      },
    });
    this.#lastLookAtMs = deps.clock.monotonic();
    this.#choice.offer(deps.rank(room));
    this.#outcomes = new OutcomeLog(deps);
    this.#pause = new DiskPause(deps, (level) => this.#choice.spare(level === 'lower' || level === 'out'));
    this.#limit = new DurationLimit(deps.clock, deps.maxDurationMs, () => {
      this.#state.apply({ type: 'stop', cause: 'max-duration' });
    });
    this.#time = new TimeWatch(deps, () => this.#state.apply({ type: 'suspended' }));
  }

  get phase(): SessionState['phase'] {
    return this.#state.phase;
  }

  /**
   * @param stop aborts with a StopRequest: a drain leaves the session open, anything else ends it
   * @param gapCause why media may be missing before the first that comes
   */
  async run(stop: AbortSignal, gapCause: GapCause): Promise<RecorderOutcome> {
    const onStop = (): void => {
      if (stopKind(stop) === 'drain') this.#over.abort();
      else this.#state.apply({ type: 'stop', cause: 'stopped' });
    };
    stop.addEventListener('abort', onStop);
    if (stop.aborted) onStop();
    const { recording } = this.#deps;
    this.#pause.begin();
    this.#limit.begin();
    let failure: { error: unknown } | undefined;
    const background = [this.#holdLoop(), this.#sampleLoop()].map((loop) =>
      loop.catch((error: unknown) => {
        failure ??= { error };
        this.#over.abort();
      }),
    );
    try {
      await this.#attempts(gapCause);
    } finally {
      stop.removeEventListener('abort', onStop);
      this.#pause.end();
      this.#over.abort();
      this.#state.wake();
      this.#time.stop();
      this.#limit.end();
      await Promise.all(background);
    }
    if (failure) throw failure.error;
    const state = this.#state.now;
    if (state.phase !== 'ended') return { kind: 'drained' };
    const { cause } = state;
    recording.event('ended', { cause });
    return { kind: 'ended', cause, nextLook: this.#nextLook, withheldUntilMs: this.#withheldUntil(cause) };
  }

  async #attempts(firstCause: GapCause): Promise<void> {
    const { timeline, recording, clock, disk } = this.#deps;
    let cause = firstCause;
    let poor = 0;
    let refused = false;
    let returned: Returned | null = null;
    while (!this.#over.signal.aborted) {
      if (disk.full.aborted) {
        returned?.close();
        returned = null;
        await this.#pause.last(this.#over.signal);
        this.#state.apply({ type: 'room' });
        cause = 'disk-full';
        continue;
      }
      const variant: Variant | undefined = returned?.variant ?? this.#choice.best(clock.monotonic());
      if (!variant) {
        await this.#wait(poor, refused ? REFUSED_RETRY_MS : Infinity);
        poor += 1;
        this.#choice.forgive();
        continue;
      }
      // There may be room again, with another signal, before the attempt has ended.
      const { full } = disk;
      const lookedAtMs = this.#lastLookAtMs;
      const urlsAgeMs = clock.monotonic() - lookedAtMs;
      recording.event('attempt', { variant: variant.id });
      const outcome = await this.#attemptBehind(variant, returned, full, async () => {
        const items = timeline.connect(cause, variant.protocol, this.#isOtherQuality(variant));
        await recording.take(items, variantLabel(variant));
      });
      returned = outcome.returned;
      if (this.#over.signal.aborted) {
        returned?.close();
        return;
      }
      const isFull = full.aborted;
      if (returned && isFull) {
        returned.close();
        returned = null;
      }
      if (returned) {
        cause = outcome.cause;
        this.#recorded = variant;
        continue;
      }
      this.#state.apply({ type: 'media-broke' });
      this.#outcomes.note(variant, isFull ? { ...outcome, cause: 'disk-full' } : outcome);
      this.#completedUpTo = outcome.completedUpTo ?? this.#completedUpTo;
      // What is forbidden here stays so: a look may bring other addresses, a hurry brings nothing.
      refused = outcome.error !== null && outcome.error.code !== 'MEDIA_FORBIDDEN_HOST';
      if (isFull) {
        cause = 'disk-full';
        this.#pause.cut(outcome.mediaMs > 0);
        if (outcome.mediaMs > 0) this.#recorded = variant;
        continue;
      }
      if (outcome.mediaMs > 0) {
        cause = outcome.cause;
        this.#choice.delivered(variant, outcome.mediaMs);
        if (outcome.frozen) this.#choice.setAside(variant, clock.monotonic());
        this.#recorded = variant;
        poor = outcome.mediaMs < SHORT_MEDIA_MS ? poor + 1 : 0;
        if (poor > 1) await this.#wait(poor - 2);
        continue;
      }
      const wasLooking = this.#looking !== null;
      if (urlsAgeMs > FRESH_MS) await this.#looking;
      // What failed was an old URL: it says nothing about the new one.
      if (this.#lastLookAtMs > lookedAtMs) continue;
      if (urlsAgeMs > FRESH_MS && wasLooking) {
        // The look failed: the known URL is all there is, and is not to be hammered.
        await this.#wait(poor++, refused ? REFUSED_RETRY_MS : Infinity);
      } else {
        this.#choice.setAside(variant, clock.monotonic());
      }
    }
  }

  /** An attempt, with the connection that a better variant brought along if it did. */
  async #attemptBehind(
    variant: Variant,
    returned: Returned | null,
    full: AbortSignal,
    connect: () => Promise<void>,
  ): Promise<UntilBetter> {
    const { openSource, clock, recording } = this.#deps;
    using until = new AnySignal(this.#over.signal, full);
    const toBetter = {
      choice: this.#choice,
      openSource,
      clock,
      onFailure: (better: Variant, code: string | null) =>
        recording.event('still-away', { variant: better.id, code }),
      onReturn: (better: Variant) => recording.event('back', { variant: better.id }),
    };
    try {
      await connect();
      const deps = this.#attemptDeps(variant, returned?.open ?? openSource);
      return await attemptUntilBetter(variant, deps, toBetter, until.signal);
    } finally {
      returned?.close();
    }
  }

  /** Than what was recorded last. */
  #isOtherQuality(variant: Variant): boolean {
    return this.#recorded !== null && !sameQuality(this.#recorded, variant);
  }

  #attemptDeps(variant: Variant, openSource: OpenSource): AttemptDeps {
    const { timeline, recording, clock } = this.#deps;
    const stallMs = Math.max(variant.protocol === 'hls' ? HLS_STALL_MS : 0, this.#deps.stallMs);
    return {
      openSource,
      timeline,
      recording,
      clock,
      stallMs,
      // What another quality holds was recorded, and would not be recognised in it.
      passesOver: (upTo) => upTo === this.#completedUpTo || this.#isOtherQuality(variant),
      blame: (cause) => this.#time.blame(cause, stallMs),
      onMedia: () => this.#onMedia(variant),
    };
  }

  #onMedia(variant: Variant): void {
    this.#pause.mediaCame();
    this.#state.apply({ type: 'media' });
    this.#deps.recording.event('media', { variant: variant.id });
    this.#limit.mediaCame();
  }

  #withheldUntil(cause: EndCause): number | null {
    const { clock } = this.#deps;
    const untilMs = this.#pause.withheldUntilMs;
    // Up to when she was seen live for certain.
    const liveUntilMs = clock.now() - clock.monotonic() + this.#lastLookAtMs;
    return untilMs === null || !END_CAUSES[cause].broadcastOver ? untilMs : Math.min(untilMs, liveUntilMs);
  }

  /** Looks at once when media breaks off, and again until it is back or the session over. */
  async #holdLoop(): Promise<void> {
    let firstHold = true;
    while (!this.#over.signal.aborted) {
      if (this.#state.phase !== 'holding') {
        await this.#state.change();
        continue;
      }
      // The session begins in a hold, with a look that was just made.
      if (!firstHold) await this.#look();
      firstHold = false;
      const state = this.#state.now;
      if (state.phase === 'holding') await this.#hold(state);
    }
  }

  /** One hold, until media is back or the session over: another may begin behind it, with all its time. */
  async #hold({ sinceMs }: { sinceMs: number }): Promise<void> {
    const { clock, policy } = this.#deps;
    const endsAtMs = sinceMs + policy.maxHoldMs + TIMER_SLACK_MS;
    for (let round = 0; ; round += 1) {
      const state = this.#state.now;
      if (state.phase !== 'holding' || state.sinceMs !== sinceMs || this.#over.signal.aborted) return;
      const lookInMs = holdLookInMs(state, round, policy) + TIMER_SLACK_MS;
      const leftMs = this.#deps.disk.level === 'out' ? Infinity : endsAtMs - clock.awake();
      await this.#state.change(Math.min(lookInMs, leftMs));
      if (leftMs <= lookInMs) this.#state.apply({ type: 'tick' });
      else if (this.#state.phase === 'holding') await this.#look();
    }
  }

  async #sampleLoop(): Promise<void> {
    while (!this.#over.signal.aborted) {
      await this.#delay(this.#deps.sampleIntervalMs);
      if (this.#state.phase === 'recording') await this.#look();
    }
  }

  #look(): Promise<void> {
    this.#looking ??= this.#lookOnce().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  async #lookOnce(): Promise<void> {
    const { look, clock, log, rank, onRoom } = this.#deps;
    if (this.#over.signal.aborted) return;
    let seen: Look;
    try {
      seen = await look(this.#over.signal);
    } catch (error) {
      if (this.#over.signal.aborted) return;
      if (!isLivestowError(error)) throw error;
      log.warn({ err: error }, 'the room cannot be looked up; the recording goes on');
      return;
    }
    const { cached } = seen.meta;
    if (seen.status === 'live' && seen.room.roomId === this.#roomId) {
      this.#choice.offer(rank(seen.room));
      this.#lastLookAtMs = clock.monotonic();
      onRoom(seen.room, seen);
      this.#state.apply({ type: 'look', says: 'same-room', cached });
    } else if (seen.status === 'live') {
      // While media flows it may be old by the time the session ends.
      if (!cached && this.#state.phase === 'holding') this.#nextLook = seen;
      this.#state.apply({ type: 'look', says: 'other-room', cached });
    } else if (seen.status === 'offline') {
      this.#state.apply({ type: 'look', says: 'offline', cached });
    }
  }

  #wait(round: number, mostMs = Infinity): Promise<void> {
    const ms = RETRY_MS[Math.min(Math.max(0, round), RETRY_MS.length - 1)] ?? 0;
    return this.#delay(Math.min(ms, mostMs));
  }

  /** Ends early, without an error, when the session is over. */
  async #delay(ms: number): Promise<void> {
    try {
      await this.#deps.clock.delay(ms, this.#over.signal);
    } catch (error) {
      if (!this.#over.signal.aborted) throw error;
      this.#state.wake();
    }
  }
}
