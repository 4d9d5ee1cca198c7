/**
 * Watches one creator: looks at the cadence's times and hands out each live room it finds. While the consumer records
 * one, the watch rests (the recording looks at its own times); a look that the recording got can be given back with
 * `offer`, so that a new room is not paid for twice.
 */
import type { Clock } from '../kernel/clock.ts';
import { isLivestowError } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import { Nap } from '../kernel/nap.ts';
import type { Look } from '../model/look.ts';
import type { Cadence } from './cadence.ts';
import { afterFailure } from './failure-policy.ts';

export type LiveLook = Extract<Look, { status: 'live' }>;

/** One look, without retries of its own. */
export type LookOnce = (handle: string, options: { signal: AbortSignal; fresh?: boolean }) => Promise<Look>;

export interface WatchOptions {
  handle: string;
  look: LookOnce;
  cadence: Cadence;
  clock: Clock;
  signal: AbortSignal;
  logger: Logger;
  /** Rooms that are not to be recorded (again); they are passed over as if offline. */
  ignoreRoom?: (roomId: string) => boolean;
  /** Told of every answered look. */
  onLook?: (look: Look) => void;
  /** Told of every failed look that the watch survives, with the pause it takes. */
  onFailure?: (error: unknown, waitMs: number) => void;
  random?: () => number;
}

export class Watcher {
  readonly #options: WatchOptions;
  #offered: Look | undefined;
  #looks = 0;
  #isHurried = false;
  readonly #nap: Nap;
  /** After a look that failed. */
  readonly #pause: Nap;
  /** Monotonic time at which the last answered look was begun. */
  #lookedAtMs: number | null = null;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#nap = new Nap(options.clock);
    this.#pause = new Nap(options.clock);
  }

  /** A look that somebody else got just now; the next one the watch considers, before it asks again itself. */
  offer(look: Look): void {
    this.#offered = look;
    this.#lookedAtMs = this.#options.clock.monotonic();
  }

  /** The cadence says something else now: it is asked again. */
  reconsider(): void {
    this.#nap.wake();
  }

  /** The next look comes at once, whatever the cadence says. */
  hurry(): void {
    this.#isHurried = true;
    this.#nap.wake();
  }

  /** What the last look failed for is over: it is tried again at once. */
  retry(): void {
    this.#pause.wake();
  }

  /**
   * One answered look now, with pauses while the API is in trouble. Throws as `rooms`, and the look's error after so many
   * tries.
   */
  async lookNow(triesMax = Infinity): Promise<Look> {
    const { handle, look, clock, signal, logger, random } = this.#options;
    for (let failures = 1; ; failures += 1) {
      signal.throwIfAborted();
      const begunMs = clock.monotonic();
      try {
        const answer = await look(handle, { signal });
        this.#lookedAtMs = begunMs;
        this.#looks += 1;
        this.#options.onLook?.(answer);
        return answer;
      } catch (error) {
        signal.throwIfAborted();
        const next = afterFailure(error, failures, random);
        if (next.kind === 'stop' || failures >= triesMax) throw error;
        // The gate of the key has told already when there was no request.
        const quiet = isLivestowError(error) && error.context['withoutRequest'] === true;
        logger[quiet ? 'debug' : 'warn']({ err: error, handle, waitMs: next.waitMs }, 'look failed');
        this.#options.onFailure?.(error, next.waitMs);
        await this.#pause.take(next.waitMs, signal);
      }
    }
  }

  /**
   * Live rooms, one at a time, without end. Throws the error that stops a watch (CONFIG without a key, LOOKUP_UNAUTHORIZED,
   * LOOKUP_BAD_REQUEST, anything unexpected), and the signal's reason when it aborts.
   */
  async *rooms(): AsyncGenerator<LiveLook, never, undefined> {
    const { signal, ignoreRoom } = this.#options;
    for (;;) {
      await this.#untilDue();
      signal.throwIfAborted();
      const look = this.#offered ?? (await this.lookNow());
      this.#offered = undefined;
      if (look.status === 'live' && ignoreRoom?.(look.room.roomId) !== true) yield look;
    }
  }

  async #untilDue(): Promise<void> {
    const { cadence, signal } = this.#options;
    while (this.#offered === undefined && !this.#isHurried) {
      const waitMs = cadence.nextLookInMs(this.#state());
      if (waitMs <= 0) return;
      await this.#nap.take(waitMs, signal);
    }
    this.#isHurried = false;
  }

  #state() {
    const { clock } = this.#options;
    return {
      nowMs: clock.now(),
      looks: this.#looks,
      sinceLookMs: this.#lookedAtMs === null ? null : clock.monotonic() - this.#lookedAtMs,
    };
  }
}
