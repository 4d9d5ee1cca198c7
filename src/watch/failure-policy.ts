/**
 * How a watch goes on after a look that failed (the table of the lookup API's errors): what waiting can't mend stops it,
 * missing credits make it wait long, all else is tried again with growing pauses. A failure says nothing about whether
 * the creator is live.
 */
import { backoffMs, retryAfterMsOf, type Backoff } from '../kernel/backoff.ts';
import { isLivestowError } from '../kernel/errors.ts';

const TROUBLE: Backoff = { baseMs: 1_000, maxMs: 60_000 };
const CREDITS_PAUSE_MS = 15 * 60_000;

export type AfterFailure =
  /** The error is for whoever started the watch. */
  { kind: 'stop' } | { kind: 'wait'; waitMs: number; why: 'no-credits' | 'trouble' };

/** `failures`: how many in a row, this one included. */
export function afterFailure(
  error: unknown,
  failures: number,
  random: () => number = Math.random,
): AfterFailure {
  if (isLivestowError(error, 'LOOKUP_CREDITS')) {
    return { kind: 'wait', waitMs: retryAfterMsOf(error) ?? CREDITS_PAUSE_MS, why: 'no-credits' };
  }
  if (!isLivestowError(error) || !error.retryable) return { kind: 'stop' };
  const pauseMs = backoffMs(failures, TROUBLE, random);
  const askedMs = retryAfterMsOf(error);
  // A little later than asked for, not all at the same moment.
  return { kind: 'wait', waitMs: askedMs === undefined ? pauseMs : askedMs + pauseMs, why: 'trouble' };
}
