/** How long to wait before another try: exponential, with jitter, so that many waiters don't come back together. */
import { isLivestowError } from './errors.ts';

export interface Backoff {
  /** About the wait after the first failure. */
  baseMs: number;
  /** No wait is longer. */
  maxMs: number;
}

/**
 * Milliseconds to wait after so many failures in a row (1 or more): between half of the exponential step and all of it.
 */
export function backoffMs(
  failures: number,
  { baseMs, maxMs }: Backoff,
  random: () => number = Math.random,
): number {
  const step = Math.min(maxMs, baseMs * 2 ** Math.min(30, Math.max(0, failures - 1)));
  return Math.round(step / 2 + (step / 2) * random());
}

/** How long the other side asked to be left alone (`context.retryAfterMs`), undefined when it did not say. */
export function retryAfterMsOf(error: unknown): number | undefined {
  const asked = isLivestowError(error) ? error.context['retryAfterMs'] : undefined;
  return typeof asked === 'number' ? asked : undefined;
}

/** `Retry-After` in either form, as milliseconds; undefined when absent or nonsense. Never more than an hour. */
export function parseRetryAfterMs(header: string | string[] | undefined, nowMs: number): number | undefined {
  const text = (Array.isArray(header) ? header[0] : header)?.trim();
  if (text === undefined || text === '') return undefined;
  const waitMs = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - nowMs;
  return Number.isNaN(waitMs) ? undefined : Math.min(3_600_000, Math.max(0, waitMs));
}
