/**
 * Time as a dependency. Nothing outside this file calls Date.now, setTimeout for waiting, or performance.now for a
 * decision, so that a test steps time instead of sleeping.
 */
import { setTimeout as timersDelay } from 'node:timers/promises';

export interface Clock {
  /** Wall clock, milliseconds since the epoch. May jump. */
  now(): number;
  /** Monotonic milliseconds, for durations and time-outs. Never jumps. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
  delay(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls back after `ms` unless the returned function was called before. */
  after(ms: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  delay: async (ms, signal) => {
    await timersDelay(ms, undefined, signal ? { signal } : {}).catch((error: unknown) => {
      throw signal?.aborted ? signal.reason : error;
    });
  },
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

/** ISO-8601 UTC with milliseconds, as it stands in manifests. */
export const isoUtc = (epochMs: number): string => new Date(epochMs).toISOString();
