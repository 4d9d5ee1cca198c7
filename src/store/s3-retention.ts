/**
 * What a bucket keeps although it is told to delete. In a bucket with versions a plain DELETE succeeds even for an object
 * under Object Lock: it hides the object behind a marker and removes nothing. So a lock is asked for, not met.
 */
import {
  GetBucketVersioningCommand,
  GetObjectLegalHoldCommand,
  GetObjectLockConfigurationCommand,
  GetObjectRetentionCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { isLivestowError, LivestowError } from '../kernel/errors.ts';
import { sendOptions, unlessAborted, type S3Calls } from './s3-calls.ts';
import type { ObjectLock } from './store.ts';

/** Whether objects of this bucket can be locked; not every credentials may ask. */
type Locks = 'no' | 'yes' | 'not-told';

export class S3Retention {
  readonly #calls: S3Calls;
  #locks: Promise<Locks> | undefined;

  constructor(calls: S3Calls) {
    this.#calls = calls;
  }

  async lockOf(key: string, signal?: AbortSignal): Promise<ObjectLock | null> {
    // One question for all who ask at once, so it is nobody's signal that ends it.
    this.#locks ??= this.#bucketLocks().catch((error: unknown) => {
      this.#locks = undefined;
      throw error;
    });
    const locks = await unlessAborted(this.#locks, signal);
    if (locks === 'no') return null;
    const of = this.#calls.target(key);
    const hold = await this.#ask(`the legal hold of ${key}`, signal, (client) =>
      client.send(new GetObjectLegalHoldCommand(of), sendOptions(signal)),
    );
    if (hold === 'denied' && locks === 'yes') throw notTold(key);
    if (typeof hold === 'object' && hold.LegalHold?.Status === 'ON')
      return { kind: 'legal-hold', until: null };
    const retention = await this.#ask(`the retention of ${key}`, signal, (client) =>
      client.send(new GetObjectRetentionCommand(of), sendOptions(signal)),
    );
    // Of a bucket that does not even say whether it locks: a delete destroys no locked version, so going on is safe.
    if (retention === 'denied' && locks === 'yes') throw notTold(key);
    const until = typeof retention === 'object' ? retention.Retention?.RetainUntilDate : undefined;
    return until === undefined ? null : { kind: 'retention', until };
  }

  async keepsVersions(signal?: AbortSignal): Promise<boolean | null> {
    const { bucket } = this.#calls.location;
    const answer = await this.#ask('the versioning of the bucket', signal, (client) =>
      client.send(new GetBucketVersioningCommand({ Bucket: bucket }), sendOptions(signal)),
    );
    if (answer === 'denied') return null;
    return answer !== 'none' && answer.Status === 'Enabled';
  }

  async #bucketLocks(): Promise<Locks> {
    const { bucket } = this.#calls.location;
    const answer = await this.#ask('the locks of the bucket', undefined, (client) =>
      client.send(new GetObjectLockConfigurationCommand({ Bucket: bucket })),
    );
    if (answer === 'denied') return 'not-told';
    return answer !== 'none' && answer.ObjectLockConfiguration?.ObjectLockEnabled === 'Enabled'
      ? 'yes'
      : 'no';
  }

  /** `none`: there is none, or the server does not know such a thing. Throws what may be answered later. */
  async #ask<T>(
    what: string,
    signal: AbortSignal | undefined,
    send: (client: S3Client) => Promise<T>,
  ): Promise<T | 'none' | 'denied'> {
    try {
      return await this.#calls.call(`asking for ${what}`, signal, send);
    } catch (error) {
      if (!isLivestowError(error) || error.retryable) throw error;
      return error.code === 'STORE_DENIED' ? 'denied' : 'none';
    }
  }
}

const notTold = (key: string): LivestowError =>
  new LivestowError('STORE_DENIED', `these credentials may not ask whether ${key} is locked`, {
    hint: 'Objects of this bucket can be locked: allow s3:GetObjectRetention and s3:GetObjectLegalHold.',
  });
