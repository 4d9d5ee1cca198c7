/**
 * A store in an S3 bucket, of AWS or of any server that speaks its language. One way for each thing, chosen so that it
 * works everywhere: objects are deleted one by one, listed with version 2, read with plain GETs.
 */
import { PassThrough, pipeline, Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
} from '@aws-sdk/client-s3';
import { isLivestowError, LivestowError } from '../kernel/errors.ts';
import { readDigest } from './body.ts';
import { checkKey, checkPrefix, isKey } from './key.ts';
import { S3Calls, unlessAborted, sendOptions } from './s3-calls.ts';
import { DEFAULT_S3_TIMEOUTS, type S3Credentials, type S3Timeouts } from './s3-client.ts';
import { s3Error } from './s3-errors.ts';
import { presignGet, probe } from './s3-probe.ts';
import { headObject, putObject } from './s3-put.ts';
import { S3Retention } from './s3-retention.ts';
import type { S3Location } from './s3-url.ts';
import type {
  Body,
  ByteRange,
  ObjectInfo,
  ObjectLock,
  PutOptions,
  Store,
  StoreCapabilities,
} from './store.ts';

/** What S3 accepts at most. */
const LONGEST_PRESIGN_SECONDS = 7 * 24 * 3600;

export interface S3StoreOptions {
  /** Instead of those that the SDK's usual chain finds. */
  credentials?: S3Credentials;
  timeouts?: Partial<S3Timeouts>;
}

export class S3Store implements Store {
  readonly description: string;
  readonly #calls: S3Calls;
  readonly #retention: S3Retention;
  #capabilities: Promise<StoreCapabilities> | undefined;

  constructor(location: S3Location, options: S3StoreOptions = {}) {
    this.#calls = new S3Calls(location, { ...DEFAULT_S3_TIMEOUTS, ...options.timeouts }, options.credentials);
    this.#retention = new S3Retention(this.#calls);
    this.description = `s3://${location.bucket}/${location.prefix}${location.endpoint ? ` at ${location.endpoint.origin}` : ''}`;
  }

  capabilities(signal?: AbortSignal): Promise<StoreCapabilities> {
    // One probe for all who ask at once, so it is nobody's signal that ends it.
    this.#capabilities ??= probe(this.#calls, (key) => this.#remove(key)).catch((error: unknown) => {
      this.#capabilities = undefined;
      throw error;
    });
    return unlessAborted(this.#capabilities, signal);
  }

  async put(key: string, body: Body, options: PutOptions = {}): Promise<ObjectInfo> {
    checkKey(key);
    return putObject(
      {
        calls: this.#calls,
        conditionalCreate: async (signal) => (await this.capabilities(signal)).conditionalCreate,
        readBack: (written, signal) => readDigest(this, written, signal),
        remove: (written) => this.#remove(written),
      },
      key,
      body,
      options,
    );
  }

  async get(key: string, options: { range?: ByteRange; signal?: AbortSignal } = {}): Promise<Readable> {
    checkKey(key);
    const { range, signal } = options;
    const doing = `reading ${key}`;
    const Range = range === undefined ? undefined : `bytes=${range.start}-${range.end ?? ''}`;
    const body = await this.#calls.call(doing, signal, async (client) => {
      try {
        const answer = await client.send(
          new GetObjectCommand({ ...this.#calls.target(key), ...(Range === undefined ? {} : { Range }) }),
          sendOptions(signal),
        );
        return answer.Body as Readable;
      } catch (error) {
        if (error instanceof Error && error.name === 'InvalidRange') return undefined;
        throw error;
      }
    });
    return body === undefined ? Readable.from([]) : speakingOurErrors(body, doing, signal);
  }

  async head(key: string, signal?: AbortSignal): Promise<ObjectInfo | undefined> {
    checkKey(key);
    const head = await headObject(this.#calls, key, signal);
    return head && { key, bytes: head.bytes, sha256: head.sha256, modifiedAt: head.modifiedAt };
  }

  async *list(
    prefix: string,
    options: { startAfter?: string; signal?: AbortSignal } = {},
  ): AsyncGenerator<ObjectInfo> {
    for await (const page of this.#pages(prefix, undefined, options.startAfter, options.signal)) {
      for (const { Key = '', Size = 0, LastModified = null } of page.Contents ?? []) {
        const key = this.#keyOf(Key);
        if (key !== undefined) yield { key, bytes: Size, sha256: null, modifiedAt: LastModified };
      }
    }
  }

  async *folders(
    prefix: string,
    { startAfter = '', signal }: { startAfter?: string; signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<string> {
    for await (const page of this.#pages(prefix, '/', startAfter || undefined, signal)) {
      for (const { Prefix = '' } of page.CommonPrefixes ?? []) {
        const key = this.#keyOf(Prefix.slice(0, -1));
        // Servers differ on a folder that is itself what the listing starts after: keys in it sort after it.
        if (key !== undefined && `${key}/` > startAfter) yield `${key}/`;
      }
    }
  }

  async delete(key: string, signal?: AbortSignal): Promise<void> {
    checkKey(key);
    await this.#remove(key, signal);
  }

  async lockOf(key: string, signal?: AbortSignal): Promise<ObjectLock | null> {
    checkKey(key);
    return this.#retention.lockOf(key, signal);
  }

  keepsVersions(signal?: AbortSignal): Promise<boolean | null> {
    return this.#retention.keepsVersions(signal);
  }

  async presign(key: string, expiresInSeconds: number): Promise<string> {
    checkKey(key);
    return presignGet(this.#calls, key, Math.min(expiresInSeconds, LONGEST_PRESIGN_SECONDS));
  }

  close(): void {
    this.#calls.close();
  }

  async #remove(key: string, signal?: AbortSignal): Promise<void> {
    try {
      await this.#calls.call(`removing ${key}`, signal, (client) =>
        client.send(new DeleteObjectCommand(this.#calls.target(key)), sendOptions(signal)),
      );
    } catch (error) {
      if (!isLivestowError(error, 'STORE_NOT_FOUND')) throw error;
    }
  }

  /** Undefined for an object that livestow cannot have written. */
  #keyOf(name: string): string | undefined {
    const key = name.slice(this.#calls.location.prefix.length);
    return isKey(key) ? key : undefined;
  }

  async *#pages(
    prefix: string,
    delimiter: string | undefined,
    startAfter: string | undefined,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<ListObjectsV2CommandOutput> {
    checkPrefix(prefix);
    const { bucket, prefix: root } = this.#calls.location;
    let token: string | undefined;
    do {
      const command = new ListObjectsV2Command({
        Bucket: bucket,
        Prefix: root + prefix,
        ...(delimiter === undefined ? {} : { Delimiter: delimiter }),
        ...(startAfter === undefined ? {} : { StartAfter: root + startAfter }),
        ...(token === undefined ? {} : { ContinuationToken: token }),
      });
      const page = await this.#calls.call(`listing ${prefix}`, signal, (client) =>
        client.send(command, sendOptions(signal)),
      );
      // Whatever XML or HTML says 200, the SDK reads; a portal's log-in page must not pass for an empty archive.
      if (page.Name === undefined && page.IsTruncated === undefined) throw notS3(prefix);
      yield page;
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }
}

const notS3 = (prefix: string): LivestowError =>
  new LivestowError('STORE_UNAVAILABLE', `listing ${prefix}: the answer is not a listing`, {
    hint: 'Check the endpoint: something other than an S3 server answers there.',
    retryable: true,
  });

/** The body as it comes; when it breaks off, an error that a reader of any store can understand. */
function speakingOurErrors(body: Readable, doing: string, signal: AbortSignal | undefined): Readable {
  const out = new PassThrough({
    destroy: (error, done) => done(error === null ? null : (s3Error(error, doing, signal) as Error)),
  });
  // The error goes out by `out`; pipeline only ties the two ends together.
  pipeline(body, out, () => {});
  return out;
}
