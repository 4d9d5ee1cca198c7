/**
 * Reading and judging bodies. A body is opened anew by each reader, so that an attempt that failed half-way leaves
 * nothing behind for the next; whoever reads one to its end knows its size and digest, and a wrong one is an error
 * before anybody can take it for stored.
 */
import { createHash } from 'node:crypto';
import { open, readFile, type FileHandle } from 'node:fs/promises';
import { isLivestowError, LivestowError } from '../kernel/errors.ts';
import type { Body, Store } from './store.ts';

const READ_CHUNK_BYTES = 1024 * 1024;
/** Read into again and again: fresh memory for each chunk would cost more than hashing it. */
const DIGEST_CHUNK_BYTES = 256 * 1024;

export interface Digest {
  bytes: number;
  /** Lower-case hex. */
  sha256: string;
}

export const bodySize = (body: Body): number => ('bytes' in body ? body.bytes.byteLength : body.size);

export const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

async function digestOf(parts: AsyncIterable<Uint8Array>): Promise<Digest> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const part of parts) {
    hash.update(part);
    bytes += part.byteLength;
  }
  return { bytes, sha256: hash.digest('hex') };
}

/** Of an open local file, from its beginning. Leaves it open. */
export async function digestFile(file: FileHandle, signal?: AbortSignal): Promise<Digest> {
  const chunk = Buffer.allocUnsafeSlow(DIGEST_CHUNK_BYTES);
  const hash = createHash('sha256');
  let bytes = 0;
  for (;;) {
    signal?.throwIfAborted();
    const { bytesRead } = await file.read(chunk, 0, chunk.byteLength, bytes);
    if (bytesRead === 0) return { bytes, sha256: hash.digest('hex') };
    hash.update(chunk.subarray(0, bytesRead));
    bytes += bytesRead;
  }
}

/** Of a local file. Throws the file system's errors as they are. */
export async function digestOfPath(path: string): Promise<Digest> {
  const file = await open(path);
  try {
    return await digestFile(file);
  } finally {
    await file.close();
  }
}

/** An open local file from its beginning; the signal's reason when that aborts. Leaves it open. */
export async function* readLocal(
  file: FileHandle,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const chunks = file.createReadStream({ start: 0, autoClose: false, highWaterMark: READ_CHUNK_BYTES });
  for await (const chunk of chunks) {
    signal?.throwIfAborted();
    yield chunk as Buffer;
  }
}

export function unreadable(path: string, cause: unknown): LivestowError {
  return new LivestowError('SPOOL', `the file to store cannot be read: ${path}`, { cause });
}

export async function openSource(path: string): Promise<FileHandle> {
  return open(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
}

/** The whole body in memory, checked. */
export async function readBody(
  key: string,
  body: Body,
  sha256: string | undefined,
): Promise<Digest & { content: Uint8Array }> {
  const content = 'bytes' in body ? body.bytes : await readSource(body.file);
  const digest = { bytes: content.byteLength, sha256: sha256Of(content) };
  checkDigest(key, digest, body, sha256);
  return { ...digest, content };
}

async function readSource(path: string): Promise<Uint8Array> {
  return readFile(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
}

/** Throws STORE_CORRUPT unless a body is what its owner said it is. */
export function checkDigest(key: string, actual: Digest, body: Body, sha256: string | undefined): void {
  const expectedBytes = bodySize(body);
  if (actual.bytes === expectedBytes && (sha256 === undefined || actual.sha256 === sha256)) return;
  throw new LivestowError('STORE_CORRUPT', `${key}: the bytes to store are not those that were promised`, {
    hint: 'The local file changed or was damaged after it was written.',
    context: {
      expectedBytes,
      actualBytes: actual.bytes,
      expectedSha256: sha256,
      actualSha256: actual.sha256,
    },
  });
}

/**
 * Reads an object back from its store and says what is really there; undefined when nothing is. Throws STORE_*, also when
 * it breaks off in the middle.
 */
export async function readDigest(
  store: Store,
  key: string,
  signal?: AbortSignal,
): Promise<Digest | undefined> {
  try {
    return await digestOf(await store.get(key, signal ? { signal } : {}));
  } catch (cause) {
    signal?.throwIfAborted();
    if (isLivestowError(cause, 'STORE_NOT_FOUND')) return undefined;
    if (isLivestowError(cause)) throw cause;
    throw new LivestowError('STORE_UNAVAILABLE', `${key} broke off while it was read`, {
      cause,
      retryable: true,
    });
  }
}
