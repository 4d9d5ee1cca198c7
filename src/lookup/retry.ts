/**
 * A quick second try for a look that somebody waits for (a reconnect, the `variants` command): a few attempts within
 * seconds. How a watch goes on after longer trouble is `watch/`'s own.
 */
import { backoffMs, retryAfterMsOf, type Backoff } from '../kernel/backoff.ts';
import type { Clock } from '../kernel/clock.ts';
import { isLivestowError } from '../kernel/errors.ts';

const QUICK: Backoff = { baseMs: 500, maxMs: 8_000 };

export interface RetryBudget {
  /** How often it is tried in all, 1 or more. */
  tries: number;
  /** All waits together; a wait that would exceed it is not begun. */
  maxWaitMs: number;
  clock: Clock;
  signal: AbortSignal;
  random?: () => number;
}

/** Tries again while the error is retryable and the budget lasts, never before `Retry-After`; throws the last error. */
export async function retryQuickly<T>(operation: () => Promise<T>, budget: RetryBudget): Promise<T> {
  let waitedMs = 0;
  for (let tries = 1; ; tries += 1) {
    try {
      return await operation();
    } catch (error) {
      if (!isLivestowError(error) || !error.retryable || tries >= budget.tries) throw error;
      const pauseMs = Math.max(backoffMs(tries, QUICK, budget.random), retryAfterMsOf(error) ?? 0);
      waitedMs += pauseMs;
      if (waitedMs > budget.maxWaitMs) throw error;
      await budget.clock.delay(pauseMs, budget.signal);
    }
  }
}
