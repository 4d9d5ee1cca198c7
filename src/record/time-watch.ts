/**
 * Watches time itself while a session is recorded: the machine's clock is set, or the process stands still because it was
 * stopped or the machine slept.
 */
import type { Timeline } from '../ingest/timeline.ts';
import type { Clock } from '../kernel/clock.ts';
import type { GapCause } from '../model/causes.ts';
import type { SessionRecording } from './session-recording.ts';

const BEAT_MS = 500;
/** What is less is drift, or a busy machine. */
const LEAST_MS = 500;
/** How soon after a suspension, and the time for a stall, a connection has shown what is left of it. */
const SUSPENSION_SLACK_MS = 2_000;

interface Readings {
  /** UTC minus the monotonic clock. */
  utcMs: number;
  /** All that it ever stood still. */
  suspendedMs: number;
}

export interface TimeWatchDeps {
  clock: Clock;
  timeline: Timeline;
  recording: SessionRecording;
}

export class TimeWatch {
  readonly #deps: TimeWatchDeps;
  readonly #onSuspended: () => void;
  #before: Readings;
  /** When it last stood still, awake. */
  #suspendedAtMs = -Infinity;
  #cancel: () => void;

  constructor(deps: TimeWatchDeps, onSuspended: () => void) {
    this.#deps = deps;
    this.#onSuspended = onSuspended;
    this.#before = readings(deps.clock);
    this.#cancel = deps.clock.after(BEAT_MS, this.#beat);
  }

  stop(): void {
    this.#cancel();
  }

  /** Why media is missing where a connection seemed to be why: it may not have been read for too long. */
  blame(cause: GapCause, stallMs: number): GapCause {
    // The end of a connection may be met before the next beat.
    this.#check();
    const sinceMs = this.#deps.clock.awake() - this.#suspendedAtMs;
    return sinceMs <= stallMs + SUSPENSION_SLACK_MS ? 'recorder-down' : cause;
  }

  readonly #beat = (): void => {
    this.#check();
    this.#cancel = this.#deps.clock.after(BEAT_MS, this.#beat);
  };

  #check(): void {
    const { clock, timeline, recording } = this.#deps;
    const { utcMs, suspendedMs } = readings(clock);
    const setByMs = Math.round(utcMs - this.#before.utcMs);
    const stoodMs = Math.round(suspendedMs - this.#before.suspendedMs);
    if (Math.abs(setByMs) >= LEAST_MS) {
      this.#before = { ...this.#before, utcMs };
      timeline.clockSet(utcMs);
      recording.event('clock-step', { ms: setByMs });
    }
    if (stoodMs >= LEAST_MS) {
      this.#before = { ...this.#before, suspendedMs };
      this.#suspendedAtMs = clock.awake();
      recording.event('suspended', { ms: stoodMs });
      this.#onSuspended();
    }
  }
}

function readings(clock: Clock): Readings {
  for (;;) {
    const monotonicMs = clock.monotonic();
    const utcMs = clock.now() - monotonicMs;
    const suspendedMs = monotonicMs - clock.awake();
    // Else the process may have been stopped in between.
    if (clock.monotonic() - monotonicMs < LEAST_MS / 10) return { utcMs, suspendedMs };
  }
}
