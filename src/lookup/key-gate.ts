/**
 * One key serves many creators: what the API said about the key holds for all of them at once. A key that is not accepted
 * is not tried again; one without credits is probed by one look at a time, rarely. Shut out looks fail with the error
 * that shut the gate, without a request. Another key has a gate of its own.
 */
import type { Clock } from '../kernel/clock.ts';
import { isLivestowError, LivestowError, type ErrorCode } from '../kernel/errors.ts';

export const CREDITS_PROBE_MS = 15 * 60_000;

/** They say something of the key, and nothing of the creator. */
export const KEY_REFUSALS = ['LOOKUP_UNAUTHORIZED', 'LOOKUP_CREDITS'] as const satisfies ErrorCode[];

export class KeyGate {
  readonly #clock: Clock;
  readonly #probeMs: number;
  #shut: { error: LivestowError; probeAtMs: number } | undefined;

  constructor(clock: Clock, probeMs: number = CREDITS_PROBE_MS) {
    this.#clock = clock;
    this.#probeMs = probeMs;
  }

  /** Throws the standing error; for missing credits with `context.retryAfterMs`, the time to the next probe. */
  admit(): void {
    if (!this.#shut) return;
    const now = this.#clock.monotonic();
    const { error, probeAtMs } = this.#shut;
    if (now >= probeAtMs) {
      // This caller is the probe; whoever comes meanwhile waits for the next.
      this.#shut.probeAtMs = now + this.#probeMs;
      return;
    }
    throw new LivestowError(error.code, error.message, {
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      context: {
        ...error.context,
        withoutRequest: true,
        ...(Number.isFinite(probeAtMs) ? { retryAfterMs: Math.ceil(probeAtMs - now) } : {}),
      },
    });
  }

  /** The error as the caller should see it. */
  failed(error: LivestowError): LivestowError {
    if (isLivestowError(error, 'LOOKUP_UNAUTHORIZED'))
      this.#shut = { error, probeAtMs: Number.POSITIVE_INFINITY };
    if (!isLivestowError(error, 'LOOKUP_CREDITS')) return error;
    this.#shut = { error, probeAtMs: this.#clock.monotonic() + this.#probeMs };
    return new LivestowError(error.code, error.message, {
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      context: { ...error.context, retryAfterMs: this.#probeMs },
    });
  }

  /** A look was answered: all may look again. */
  open(): void {
    this.#shut = undefined;
  }
}
