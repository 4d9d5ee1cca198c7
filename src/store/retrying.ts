/**
 * A store that tries again what may succeed later: jittered, growing waits, a bounded number of tries. It bridges a
 * server's bad minute; what outlasts that is its caller's to keep (the spool does).
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../kernel/clock.ts';
import { isLivestowError, type LivestowError } from '../kernel/errors.ts';
import type { Store } from './store.ts';

export interface RetryPolicy {
  /** Tries altogether, Infinity until the signal aborts. */
  tries: number;
  /** The longest first wait; each further one is at most twice the one before. */
  firstDelayMs: number;
  longestDelayMs: number;
}

const DEFAULT_RETRY_POLICY: RetryPolicy = { tries: 4, firstDelayMs: 500, longestDelayMs: 15_000 };

export interface RetryDeps {
  clock: Clock;
  policy?: Partial<RetryPolicy>;
  /** From 0 up to 1. */
  random?: () => number;
  onRetry?: (retry: { operation: string; error: LivestowError; attempt: number; delayMs: number }) => void;
}

export function retrying(store: Store, deps: RetryDeps): Store {
  const policy = { ...DEFAULT_RETRY_POLICY, ...deps.policy };
  const random = deps.random ?? Math.random;

  /** Waits and returns when there is to be another try; throws the error when not. */
  async function beforeNext(
    operation: string,
    error: unknown,
    attempt: number,
    signal?: AbortSignal,
  ): Promise<void> {
    signal?.throwIfAborted();
    if (!isLivestowError(error) || !error.retryable || attempt >= policy.tries) throw error;
    const ceilingMs = Math.min(policy.longestDelayMs, policy.firstDelayMs * 2 ** (attempt - 1));
    // Half fixed, half drawn: many writers that failed together do not come back together.
    const delayMs = Math.round((ceilingMs / 2) * (1 + random()));
    deps.onRetry?.({ operation, error, attempt, delayMs });
    await deps.clock.delay(delayMs, signal);
  }

  async function again<T>(
    operation: string,
    signal: AbortSignal | undefined,
    run: () => Promise<T>,
  ): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await run();
      } catch (error) {
        await beforeNext(operation, error, attempt, signal);
      }
    }
  }

  /** A listing that broke off goes on after the last entry it gave. */
  async function* goingOn<T>(
    operation: string,
    signal: AbortSignal | undefined,
    open: (after: T | undefined) => AsyncIterable<T>,
  ): AsyncGenerator<T> {
    let last: T | undefined;
    for (let attempt = 1; ; attempt += 1) {
      try {
        for await (const entry of open(last)) {
          last = entry;
          attempt = 1;
          yield entry;
        }
        return;
      } catch (error) {
        await beforeNext(operation, error, attempt, signal);
      }
    }
  }

  return {
    description: store.description,
    capabilities: (signal) => again('capabilities', signal, () => store.capabilities(signal)),
    put: (key, body, options) => {
      const named = { writeId: randomUUID(), ...options };
      return again(`put ${key}`, options?.signal, () => store.put(key, body, named));
    },
    get: (key, options) => again(`get ${key}`, options?.signal, () => store.get(key, options)),
    head: (key, signal) => again(`head ${key}`, signal, () => store.head(key, signal)),
    list: (prefix, options = {}) =>
      goingOn(`list ${prefix}`, options.signal, (last) =>
        store.list(prefix, last === undefined ? options : { ...options, startAfter: last.key }),
      ),
    folders: (prefix, options = {}) =>
      goingOn<string>(`folders ${prefix}`, options.signal, (last) =>
        beyond(store.folders(prefix, options), last),
      ),
    delete: (key, signal) => again(`delete ${key}`, signal, () => store.delete(key, signal)),
    lockOf: (key, signal) => again(`lock of ${key}`, signal, () => store.lockOf(key, signal)),
    keepsVersions: (signal) => again('versions', signal, () => store.keepsVersions(signal)),
    presign: (key, expiresInSeconds) => store.presign(key, expiresInSeconds),
    close: () => store.close(),
  };
}

async function* beyond(folders: AsyncIterable<string>, last: string | undefined): AsyncGenerator<string> {
  for await (const folder of folders) if (last === undefined || folder > last) yield folder;
}
