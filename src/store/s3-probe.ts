/**
 * What a bucket can do, tried for real with an object of its own. Documentation does not help here: some servers
 * refuse a conditional write (Swift, B2: 501), some ignore the condition and overwrite.
 */
import { randomUUID } from 'node:crypto';
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { isLivestowError } from '../kernel/errors.ts';
import type { S3Calls } from './s3-calls.ts';
import type { StoreCapabilities } from './store.ts';

const PRESIGNED_FOR_SECONDS = 60;
const FETCH_TIMEOUT_MS = 10_000;

/** `remove` deletes a key whatever becomes of the probe; a bucket that forbids deleting keeps an empty object. */
export async function probe(
  calls: S3Calls,
  remove: (key: string) => Promise<void>,
): Promise<StoreCapabilities> {
  const key = `livestow-probe/${randomUUID()}`;
  try {
    const conditionalCreate = await triesConditionalCreate(calls, key);
    return { conditionalCreate, presignedUrls: await triesPresignedUrl(calls, key) };
  } finally {
    await remove(key).catch(() => {});
  }
}

async function triesConditionalCreate(calls: S3Calls, key: string): Promise<boolean> {
  const put = (condition: { IfNoneMatch?: string }) =>
    calls.call('probing the store with a write', undefined, (client) =>
      client.send(new PutObjectCommand({ ...calls.target(key), Body: new Uint8Array(), ...condition })),
    );
  try {
    await put({ IfNoneMatch: '*' });
  } catch (error) {
    // Told from a bucket that takes no writes at all by one without a condition. STORE_EXISTS: the first answer was
    // lost and the client's own second attempt met the condition, which is an answer as well.
    if (isLivestowError(error, 'STORE_EXISTS')) return true;
    if (!isLivestowError(error, 'STORE_UNAVAILABLE') || error.retryable) throw error;
    await put({});
    return false;
  }
  try {
    await put({ IfNoneMatch: '*' });
    return false;
  } catch (error) {
    if (isLivestowError(error, 'STORE_EXISTS')) return true;
    throw error;
  }
}

/** Fetches it as a browser would: no credentials, no SDK. */
async function triesPresignedUrl(calls: S3Calls, key: string): Promise<boolean> {
  const url = await presignGet(calls, key, PRESIGNED_FOR_SECONDS);
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) });
    await answer.arrayBuffer();
    return answer.status === 200;
  } catch {
    return false;
  }
}

/** A signed URL: as good as a password for its time; never to be logged. */
export function presignGet(calls: S3Calls, key: string, expiresInSeconds: number): Promise<string> {
  return calls.call(`signing a link to ${key}`, undefined, (client) =>
    getSignedUrl(client, new GetObjectCommand(calls.target(key)), { expiresIn: expiresInSeconds }),
  );
}
