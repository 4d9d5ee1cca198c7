/** The store that a setting (`LIVESTOW_STORE`) names, ready for use: the adapter under its decorators. */
import { stat } from 'node:fs/promises';
import { systemClock, type Clock } from '../kernel/clock.ts';
import { LivestowError } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import { DirectoryStore } from './directory-store.ts';
import { limited } from './limited.ts';
import { parseLocation } from './location.ts';
import { retrying, type RetryPolicy } from './retrying.ts';
import type { S3Credentials, S3Timeouts } from './s3-client.ts';
import { S3Store } from './s3-store.ts';
import type { Store } from './store.ts';

export interface StoreDeps {
  /** What a relative path is relative to; the working folder unless told. */
  cwd?: string;
  clock?: Clock;
  /** Told of each retry. */
  logger?: Logger;
  retry?: Partial<RetryPolicy>;
  /** How many puts at once; the others wait. */
  putsAtOnce?: number;
  s3?: { credentials?: S3Credentials; timeouts?: Partial<S3Timeouts> };
}

/** Throws CONFIG when the location names no store. Touches neither disk nor network. */
export function openStore(location: string, deps: StoreDeps = {}): Store {
  const { logger } = deps;
  // The limit is outside: a put that waits for its next try keeps its place, so that a server in trouble is not given
  // more work by those behind it.
  return limited(
    retrying(openAdapter(location, deps), {
      clock: deps.clock ?? systemClock,
      ...(deps.retry ? { policy: deps.retry } : {}),
      // Whoever waits longer than these few tries says so itself: one trouble is told once.
      onRetry: ({ operation, error, attempt, delayMs }) =>
        logger?.debug({ operation, attempt, delayMs, err: error }, 'the store failed; trying again'),
    }),
    deps.putsAtOnce,
  );
}

/**
 * Throws STORE_NOT_FOUND for a folder that is not there: a writer would make it, and a reader would find an empty archive
 * where only its name was mistyped.
 */
export async function requireFolder(location: string, cwd: string = process.cwd()): Promise<void> {
  const at = parseLocation(location, cwd);
  if (at.kind !== 'folder') return;
  const { path } = at;
  if ((await stat(path).catch(() => undefined))?.isDirectory() === true) return;
  throw new LivestowError('STORE_NOT_FOUND', `there is no archive in ${path}: no such folder`, {
    hint: 'name the archive by --store, LIVESTOW_STORE or in livestow.yaml',
  });
}

function openAdapter(location: string, { cwd, s3 }: StoreDeps): Store {
  const at = parseLocation(location, cwd);
  return at.kind === 'folder' ? new DirectoryStore(at.path) : new S3Store(at.bucket, s3);
}
