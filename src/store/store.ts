/**
 * The contract between livestow and any object store.
 *
 * A store keeps immutable-looking objects under string keys, below one prefix that it adds and removes itself. Every
 * adapter MUST pass `test/store/contract.ts`. In prose:
 *
 * - `put` MUST be atomic: a reader sees the whole new object or what was there before, never a part.
 * - `put` MUST compute the SHA-256 of what it sends, refuse (STORE_CORRUPT) when it differs from the one given, and
 *   return only after it has evidence from the store that the bytes arrived whole: a verified checksum, or a read back
 *   of size and digest. What a later `head` says is what the store says, never a local memory of the put.
 * - `put` with `ifAbsent` MUST fail with STORE_EXISTS when the key exists and MUST NOT change it. Where the store has no
 *   conditional write (`capabilities.conditionalCreate` is false) the adapter checks first, and the keys themselves (a
 *   term per writer) keep two writers apart.
 * - `list` MUST return every key below the prefix exactly once, in ascending UTF-8 order, and MUST page by itself.
 * - `get` MUST honour a range, and fail with STORE_NOT_FOUND for a missing key, at the call and not in mid-stream.
 * - `delete` of a missing key MUST succeed.
 * - Every call MUST end within a bounded time on a dead network, and at once when its signal aborts.
 * - Errors MUST be LivestowErrors of the STORE_ codes with `retryable` set honestly; adapters do not retry beyond their
 *   client's own quick attempts. Retry, concurrency and logging are decorators, composed once.
 */
import type { Readable } from 'node:stream';

/** A body that can be opened again for each attempt. */
export type Body = { bytes: Uint8Array } | { file: string; size: number };

export interface ObjectInfo {
  key: string;
  bytes: number;
  /** Lower-case hex; null where the store cannot say (an object that livestow did not write, or in a listing). */
  sha256: string | null;
  modifiedAt: Date | null;
}

export interface PutOptions {
  /** Lower-case hex of the body, when the caller knows it. */
  sha256?: string;
  contentType?: string;
  /** Fail with STORE_EXISTS rather than overwrite. */
  ifAbsent?: boolean;
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
  folders(prefix: string, signal?: AbortSignal): AsyncIterable<string>;
  delete(key: string, signal?: AbortSignal): Promise<void>;
  presign(key: string, expiresInSeconds: number): Promise<string | undefined>;
  /** Releases sockets. */
  close(): void;
}
