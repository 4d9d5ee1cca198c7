/**
 * Real S3 for the tests of the `s3` project (`*.s3.test.ts`): a bucket of its own for whoever asks, on Ceph's radosgw,
 * on OpenStack Swift (the server without conditional writes), or on the server that `LIVESTOW_TEST_S3` names
 * (`s3://bucket/prefix?endpoint=…`, credentials from the environment).
 */
import { randomUUID } from 'node:crypto';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { inject } from 'vitest';

export interface S3Server {
  endpoint: string;
  region: string;
  accessKeyId: string;
  secretAccessKey: string;
}

export interface S3Bucket {
  /** A location for `LIVESTOW_STORE`; there is nothing at it yet. */
  url: string;
  /** What a process that is to use it needs in its environment. */
  env: { AWS_ACCESS_KEY_ID: string; AWS_SECRET_ACCESS_KEY: string; AWS_REGION: string };
  credentials: { accessKeyId: string; secretAccessKey: string };
}

export type RealServer = 'radosgw' | 'swift';

/** Throws, with the one command to run, when the server cannot be started: nothing is skipped for the lack of it. */
export async function s3Server(name: RealServer): Promise<S3Server> {
  const answer = await fetch(`${inject('s3Servers')}/${name}`);
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return JSON.parse(text) as S3Server;
}

/** The location to test against in place of radosgw, undefined when none was named. */
export const otherServer = process.env['LIVESTOW_TEST_S3'];

/** Whether radosgw and Swift are to be tested against: always in CI, and elsewhere unless another server was named. */
export const ownServers = otherServer === undefined || process.env['CI'] === 'true';

/** A place of its own on the server that was named, or on radosgw. What most tests want. */
export async function s3Bucket(): Promise<S3Bucket> {
  return otherServer === undefined ? bucketOn('radosgw') : placeOnOther(otherServer);
}

/** A new bucket. */
export async function bucketOn(name: RealServer): Promise<S3Bucket> {
  const server = await s3Server(name);
  return newBucket(server, server.endpoint);
}

/** A new bucket on the server, reached by another endpoint (a proxy that makes faults). */
export async function newBucket(server: S3Server, endpoint: string): Promise<S3Bucket> {
  const bucket = `livestow-${randomUUID()}`;
  const client = new S3Client({
    endpoint: server.endpoint,
    region: server.region,
    forcePathStyle: true,
    credentials: server,
  });
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  client.destroy();
  return {
    url: `s3://${bucket}/archive?endpoint=${endpoint}&region=${server.region}&pathStyle=true`,
    ...asUser(server.accessKeyId, server.secretAccessKey, server.region),
  };
}

export function placeOnOther(location: string): S3Bucket {
  const url = new URL(location);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/test-${randomUUID()}`;
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = process.env;
  if (AWS_ACCESS_KEY_ID === undefined || AWS_SECRET_ACCESS_KEY === undefined) {
    throw new Error('LIVESTOW_TEST_S3 needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY beside it');
  }
  return {
    url: url.href,
    ...asUser(AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, url.searchParams.get('region') ?? 'us-east-1'),
  };
}

function asUser(accessKeyId: string, secretAccessKey: string, region: string): Omit<S3Bucket, 'url'> {
  return {
    env: { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_REGION: region },
    credentials: { accessKeyId, secretAccessKey },
  };
}
