/**
 * Time as a dependency. Nothing outside this file calls Date.now, setTimeout for waiting, or performance.now for a
 * decision, so that a test steps time instead of sleeping.
 */
import { uptime } from 'node:os';

export interface Clock {
  /** Wall clock, milliseconds since the epoch. May be set, to and fro. */
  now(): number;
  /** Milliseconds that only grow, for durations and ages. What the machine slept is in it. */
  monotonic(): number;
  /**
   * The milliseconds of `monotonic` in which this process could do something: not those in which it was stopped
   * (SIGSTOP, a frozen container) or the machine slept. For whatever waits for others: they may have answered meanwhile.
   */
  awake(): number;
  /** Resolves after `ms` awake; rejects with the signal's reason when it aborts first. */
  delay(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls back after `ms` awake unless the returned function was called before. */
  after(ms: number, callback: () => void): () => void;
}

const BEAT_MS = 250;
/** A beat that is later than this, of a process that ran, is late for want of something to run on. */
const LATE_MS = 1_000;
/** The wall clock is off by so much: it was set, or the machine slept. */
const SUSPECT_MS = 250;
/** What setTimeout can take. */
const TIMER_MAX_MS = 2 ** 31 - 1;

function createSystemClock(): Clock {
  const monotonic = countingSleep();
  let stoppedMs = 0;
  let beatAtMs: number | undefined;
  const beat = (): void => {
    const nowMs = performance.now();
    stoppedMs += lateMs(nowMs);
    beatAtMs = nowMs;
  };
  const lateMs = (nowMs: number): number => Math.max(0, nowMs - (beatAtMs ?? nowMs) - BEAT_MS - LATE_MS);
  const awake = (): number => {
    if (beatAtMs === undefined) {
      beat();
      setInterval(beat, BEAT_MS).unref();
    }
    const nowMs = performance.now();
    return nowMs - stoppedMs - lateMs(nowMs);
  };
  const after = (ms: number, callback: () => void): (() => void) => {
    const endsAtMs = awake() + ms;
    const wait = (leftMs: number): NodeJS.Timeout => setTimeout(check, Math.min(leftMs, TIMER_MAX_MS));
    const check = (): void => {
      const leftMs = endsAtMs - awake();
      if (leftMs >= 1) timer = wait(leftMs);
      else callback();
    };
    let timer = wait(ms);
    return () => clearTimeout(timer);
  };
  return {
    now: () => Date.now(),
    monotonic,
    awake,
    after,
    delay: (ms, signal) =>
      new Promise((resolve, reject) => {
        const abort = (): void => {
          cancel();
          reject(signal?.reason as Error);
        };
        const cancel = after(ms, () => {
          signal?.removeEventListener('abort', abort);
          resolve();
        });
        if (signal?.aborted) abort();
        else signal?.addEventListener('abort', abort, { once: true });
      }),
  };
}

/**
 * Node's own monotonic clock stands still on Linux while the machine sleeps, and the system's uptime does not. That is
 * read only where the wall clock jumped: when it was set, the two agree all the same.
 */
function countingSleep(): () => number {
  const ahead = (ms: () => number): number => {
    for (;;) {
      const before = performance.now();
      const read = ms();
      // Else the process may have been stopped in between.
      if (performance.now() - before < SUSPECT_MS / 10) return read - before;
    }
  };
  let uptimeAheadMs: number | undefined;
  let wallAheadMs = 0;
  let sleptMs = 0;
  const uptimeMs = (): number => uptime() * 1_000;
  return () => {
    uptimeAheadMs ??= ahead(uptimeMs);
    const nowMs = performance.now();
    if (Math.abs(Date.now() - nowMs - wallAheadMs) >= SUSPECT_MS) {
      wallAheadMs = ahead(Date.now);
      const asleepMs = ahead(uptimeMs) - uptimeAheadMs;
      if (asleepMs - sleptMs >= SUSPECT_MS) sleptMs = asleepMs;
    }
    return nowMs + sleptMs;
  };
}

export const systemClock: Clock = createSystemClock();

/** ISO-8601 UTC with milliseconds, as it stands in manifests. */
export const isoUtc = (epochMs: number): string => new Date(epochMs).toISOString();
