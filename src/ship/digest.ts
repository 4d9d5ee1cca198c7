/** SHA-256, lower-case hex, of bytes, files and objects. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { isLivestowError, LivestowError } from '../kernel/errors.ts';
import type { Store } from '../store/store.ts';

export const sha256Of = (bytes: string | Uint8Array): string =>
  createHash('sha256').update(bytes).digest('hex');

export const sha256OfFile = (path: string): Promise<string> => sha256OfStream(createReadStream(path));

/** @throws STORE_*, also when it breaks off in the middle */
export async function sha256OfObject(store: Store, key: string, signal?: AbortSignal): Promise<string> {
  try {
    return await sha256OfStream(await store.get(key, signal ? { signal } : {}));
  } catch (cause) {
    signal?.throwIfAborted();
    if (isLivestowError(cause)) throw cause;
    throw new LivestowError('STORE_UNAVAILABLE', `${key} broke off while it was read`, {
      cause,
      retryable: true,
    });
  }
}

async function sha256OfStream(stream: Readable): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of stream) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}
