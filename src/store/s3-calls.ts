/**
 * One call to an S3 server: made only when there is a region and there are credentials, over as soon as its signal
 * aborts, and failing with nothing but LivestowErrors of the STORE_ codes.
 */
import type { S3Client } from '@aws-sdk/client-s3';
import { LivestowError } from '../kernel/errors.ts';
import { registerSecret } from '../kernel/redact.ts';
import { createS3Client, isAws, type S3Credentials, type S3Timeouts } from './s3-client.ts';
import { s3Error } from './s3-errors.ts';
import type { S3Location } from './s3-url.ts';

export class S3Calls {
  readonly location: S3Location;
  readonly isAws: boolean;
  readonly #client: S3Client;
  readonly #timeouts: S3Timeouts;
  #ready: Promise<void> | undefined;

  constructor(location: S3Location, timeouts: S3Timeouts, credentials?: S3Credentials) {
    this.location = location;
    this.isAws = isAws(location);
    this.#timeouts = timeouts;
    this.#client = createS3Client(location, timeouts, credentials);
  }

  /** What every command names: the bucket, and the object's full name in it. */
  target(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.location.bucket, Key: this.location.prefix + key };
  }

  /** Runs `send` with the client; `doing` is for the error's message: "writing creators/…". */
  async call<T>(
    doing: string,
    signal: AbortSignal | undefined,
    send: (client: S3Client) => Promise<T>,
  ): Promise<T> {
    try {
      signal?.throwIfAborted();
      return await unlessAborted(
        this.#whenReady().then(() => send(this.#client)),
        signal,
      );
    } catch (error) {
      throw s3Error(error, doing, signal);
    }
  }

  close(): void {
    this.#client.destroy();
  }

  #whenReady(): Promise<void> {
    this.#ready ??= this.#check().catch((error: unknown) => {
      this.#ready = undefined;
      throw error;
    });
    return this.#ready;
  }

  async #check(): Promise<void> {
    await this.#client.config.region().catch((cause: unknown) => {
      throw new LivestowError('CONFIG', 'no region is known for the S3 store', {
        hint: 'Add region=… to the store’s URL, or set AWS_REGION.',
        cause,
      });
    });
    const tooLong = new LivestowError('STORE_DENIED', 'no S3 credentials were found in time', {
      hint: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_EC2_METADATA_DISABLED=true to be told at once.',
      retryable: true,
    });
    const timer = new AbortController();
    const timeout = setTimeout(() => timer.abort(tooLong), this.#timeouts.credentialsMs);
    try {
      const { secretAccessKey, sessionToken } = await unlessAborted(
        this.#client.config.credentials(),
        timer.signal,
      );
      // A server may repeat what it was sent, and the SDK what it knows.
      registerSecret(secretAccessKey);
      registerSecret(sessionToken);
    } finally {
      clearTimeout(timeout);
    }
  }
}

/** The options of a `send` for a signal that may not be there. */
export const sendOptions = (signal: AbortSignal | undefined): { abortSignal?: AbortSignal } =>
  signal ? { abortSignal: signal } : {};

/** The work's outcome, or the signal's reason as soon as that aborts: the SDK does not listen between its attempts. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
