/**
 * Puts one local object into the store. What goes wrong there is an error, and is tried again for as long as it takes; what
 * went wrong here (the local file is gone, can't be read or is not what the journal says) is an outcome.
 */
import { backoffMs } from '../kernel/backoff.ts';
import type { Clock } from '../kernel/clock.ts';
import { isLivestowError, LivestowError } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import { contentTypeOf } from '../layout/keys.ts';
import { digestOfPath, readDigest } from '../store/body.ts';
import type { Body, Store } from '../store/store.ts';
import { OUTAGE } from './uploads.ts';

/** The file is not there, is no file, or this disk and this user will not give it back. */
const UNREADABLE = new Set(['ENOENT', 'ENOTDIR', 'EISDIR', 'EIO', 'EACCES', 'EPERM', 'ELOOP']);

/** A closed file, which nobody writes into any more. */
export interface LocalObject {
  /** Full key below the store's prefix. */
  key: string;
  path: string;
  bytes: number;
  sha256: string;
}

/**
 * - shipped: the store has evidence that it holds exactly these bytes
 * - held: it held them already
 * - lost: they are not in the store, and the local copy is missing or altered
 * - conflict: the store has something else under this key, which is never overwritten
 */
export type ShipOutcome = 'shipped' | 'held' | 'lost' | 'conflict';

/** One try. Throws what the store throws, and the signal's reason. */
export async function shipObject(
  object: LocalObject,
  store: Store,
  signal: AbortSignal,
): Promise<ShipOutcome> {
  const body: Body = { file: object.path, size: object.bytes, immutable: true };
  const contentType = contentTypeOf(object.key);
  try {
    await store.put(object.key, body, { sha256: object.sha256, contentType, ifAbsent: true, signal });
    return 'shipped';
  } catch (error) {
    if (isLivestowError(error, 'STORE_EXISTS')) {
      return (await holds(store, object, signal)) ? 'held' : 'conflict';
    }
    if (await localIsWhole(object)) throw error;
    return (await holds(store, object, signal)) ? 'held' : 'lost';
  }
}

/** Whether the store holds exactly these bytes, by its own word or by reading them back. */
export async function holds(
  store: Store,
  object: Pick<LocalObject, 'key' | 'bytes' | 'sha256'>,
  signal?: AbortSignal,
): Promise<boolean> {
  const info = await store.head(object.key, signal);
  if (!info || info.bytes !== object.bytes) return false;
  const sha256 = info.sha256 ?? (await readDigest(store, object.key, signal))?.sha256;
  return sha256 === object.sha256;
}

/** Repeats a step until it succeeds, slower and slower, whatever the store says. */
export async function persistently<T>(
  deps: { clock: Clock; log: Logger },
  signal: AbortSignal,
  doing: string,
  step: () => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    signal.throwIfAborted();
    try {
      return await step();
    } catch (error) {
      signal.throwIfAborted();
      // A bug is no outage: repeating it would hide it for ever. Nor does a manifest mend itself.
      if (!isLivestowError(error) || error.code === 'MANIFEST') throw error;
      const waitMs = backoffMs(tries, OUTAGE);
      deps.log.warn({ err: error, tries, waitMs }, `${doing} failed; trying again`);
      await deps.clock.delay(waitMs, signal);
    }
  }
}

/** @throws SPOOL when nobody can say now (too many open files) */
async function localIsWhole(object: LocalObject): Promise<boolean> {
  try {
    return (await digestOfPath(object.path)).sha256 === object.sha256;
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    if (UNREADABLE.has(code)) return false;
    throw new LivestowError('SPOOL', `${object.key} cannot be read in the spool now`, {
      cause,
      retryable: true,
    });
  }
}
