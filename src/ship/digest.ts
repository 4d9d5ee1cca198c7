/** SHA-256, lower-case hex, of bytes, files and objects. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import type { Store } from '../store/store.ts';

export const sha256OfFile = (path: string): Promise<string> => sha256OfStream(createReadStream(path));

export async function sha256OfObject(store: Store, key: string, signal?: AbortSignal): Promise<string> {
  return sha256OfStream(await store.get(key, signal ? { signal } : {}));
}

async function sha256OfStream(stream: Readable): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of stream) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}
