/**
 * The contract between livestow and any object store.
 *
 * A store keeps immutable-looking objects under string keys, below one prefix that it adds and removes itself. What a
 * key may be is in `key.ts`; an object of any other name is foreign and is never listed. A key MUST NOT also be a folder
 * of another key. Every adapter MUST pass `test/store/contract.ts`. In prose:
 *
 * - `put` MUST be atomic: a reader sees the whole new object or what was there before, never a part.
 * - `put` MUST compute the SHA-256 of what it sends, refuse (STORE_CORRUPT) when it differs from the one given, and
 *   return only after it has evidence from the store that the bytes arrived whole: a verified checksum, or a read back
 *   of size and digest. It returns the digest that it computed.
 * - `put` with `ifAbsent` MUST fail with STORE_EXISTS when the key exists and MUST NOT change it. Where the store has no
 *   conditional write (`capabilities.conditionalCreate` is false, or the body is too big for it) the adapter looks
 *   first, and the keys themselves (a term per writer) keep two writers apart.
 * - `head` and `list` say what the store says, never a local memory of a put. The digest that `head` gives is the one
 *   that its writer left with the object, null where a store keeps none (a directory; always in a listing). Only
 *   `readDigest` (body.ts) reads the bytes: what is called verified was read.
 * - `list` MUST return every key below the prefix exactly once, in ascending UTF-8 order, and MUST page by itself.
 *   `folders` is in the same order, and names a folder only while it holds an object. With `startAfter` both give only
 *   what sorts after it.
 * - `get` MUST honour a range (one that starts past the end gives no bytes), and fail with STORE_NOT_FOUND for a missing
 *   key, at the call and not in mid-stream. Its stream MUST be read to the end or destroyed, and read without long
 *   pauses: an adapter may take a reader that rests for a network that died.
 * - `delete` of a missing key MUST succeed.
 * - `delete` removes what a reader sees. Where the bucket keeps versions (`keepsVersions`) the old one stays and takes its
 *   room, and a lock (`lockOf`) stops only whoever asks first. Null means that the store does not say.
 * - Every call MUST end within a bounded time on a dead network, and reject with the signal's reason at once when its
 *   signal aborts (whether an aborted put took place is then unknown).
 * - Errors MUST be LivestowErrors of the STORE_ codes with `retryable` set honestly (SPOOL for a local file that cannot
 *   be read, CONFIG for a store that cannot be spoken to as configured); adapters do not retry beyond their client's own
 *   quick attempts. Retry and concurrency are decorators, composed once, in `open-store.ts`.
 */
import type { Readable } from 'node:stream';

/** A local file that does not change while it is being stored, and its size in bytes. */
export interface FileBody {
  file: string;
  size: number;
  /** Nobody writes into this file any more: a store on the same disk may take it as it is, without a copy. */
  immutable?: boolean;
}

/** A body that can be opened again for each attempt. */
export type Body = { bytes: Uint8Array } | FileBody;

export interface ObjectInfo {
  key: string;
  bytes: number;
  /** Lower-case hex; of a put what was sent, of a head what the writer left with the object; null where nobody says. */
  sha256: string | null;
  modifiedAt: Date | null;
}

export interface PutOptions {
  /** Lower-case hex of the body, when the caller knows it. */
  sha256?: string;
  contentType?: string;
  /** Fail with STORE_EXISTS rather than overwrite. */
  ifAbsent?: boolean;
  /**
   * Names this write across attempts: a create that meets the object which an earlier attempt of the same name made
   * (its answer was lost) succeeds. 36 characters at most; `retrying` sets it.
   */
  writeId?: string;
  signal?: AbortSignal;
}

export interface ByteRange {
  /** First byte. */
  start: number;
  /** Last byte, inclusive; to the end when absent. */
  end?: number;
}

export interface StoreCapabilities {
  conditionalCreate: boolean;
  /** Whether `presign` gives URLs that a browser can fetch without credentials. */
  presignedUrls: boolean;
}

/** S3 Object Lock: a retention that has passed may still be told. */
export interface ObjectLock {
  kind: 'retention' | 'legal-hold';
  /** Null for a legal hold, which has no end. */
  until: Date | null;
}

export interface Store {
  /** For people: no credentials in it. */
  readonly description: string;
  /** Measured against the store itself the first time it is asked. */
  capabilities(signal?: AbortSignal): Promise<StoreCapabilities>;
  put(key: string, body: Body, options?: PutOptions): Promise<ObjectInfo>;
  get(key: string, options?: { range?: ByteRange; signal?: AbortSignal }): Promise<Readable>;
  /** Undefined when there is no such object. */
  head(key: string, signal?: AbortSignal): Promise<ObjectInfo | undefined>;
  list(prefix: string, options?: { startAfter?: string; signal?: AbortSignal }): AsyncIterable<ObjectInfo>;
  /** The names directly below the prefix that end in `/`, as full keys: the folders. */
  folders(
    prefix: string,
    options?: { startAfter?: string; signal?: AbortSignal | undefined },
  ): AsyncIterable<string>;
  delete(key: string, signal?: AbortSignal): Promise<void>;
  /** Null when nothing keeps the object, or there is none. */
  lockOf(key: string, signal?: AbortSignal): Promise<ObjectLock | null>;
  keepsVersions(signal?: AbortSignal): Promise<boolean | null>;
  presign(key: string, expiresInSeconds: number): Promise<string | undefined>;
  /** Releases sockets. */
  close(): void;
}
