/**
 * The SDK's client, set up for S3 as it is out there. The SDK's own defaults wait for ever on a server that stopped
 * answering, and send checksums (since 2025) that servers other than AWS refuse or store as part of the object.
 */
import { S3Client } from '@aws-sdk/client-s3';
import type { S3Location } from './s3-url.ts';

export interface S3Timeouts {
  /** Until a connection stands. */
  connectMs: number;
  /** Without a byte in either direction: the only one that catches a body that stalls. */
  idleMs: number;
  /** From a request's first byte to its response's headers, body sent included; for one that dribbles. */
  requestMs: number;
  /** Until the credentials chain has said something; its last link asks a cloud's metadata service. */
  credentialsMs: number;
}

/** With the client's three attempts, a dead network is known in under a minute. */
export const DEFAULT_S3_TIMEOUTS: S3Timeouts = {
  connectMs: 5_000,
  idleMs: 15_000,
  requestMs: 120_000,
  credentialsMs: 10_000,
};

export interface S3Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

/** AWS verifies the SDK's checksums and answers with an error to a wrong one; no other server is trusted to. */
export function isAws(location: S3Location): boolean {
  return location.endpoint === undefined || /\.amazonaws\.com(?:\.cn)?$/.test(location.endpoint.hostname);
}

export function createS3Client(
  location: S3Location,
  timeouts: S3Timeouts,
  credentials?: S3Credentials,
): S3Client {
  const checksums = isAws(location) ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED';
  const region =
    location.region ?? (location.endpoint ? (process.env['AWS_REGION'] ?? 'us-east-1') : undefined);
  return new S3Client({
    forcePathStyle: location.pathStyle,
    requestChecksumCalculation: checksums,
    responseChecksumValidation: checksums,
    // Waits a second on servers that don't know it, and opens a connection of its own for each object.
    expectContinueHeader: false,
    maxAttempts: 3,
    requestHandler: {
      connectionTimeout: timeouts.connectMs,
      socketTimeout: timeouts.idleMs,
      requestTimeout: timeouts.requestMs,
      throwOnRequestTimeout: true,
    },
    ...(location.endpoint ? { endpoint: location.endpoint.href } : {}),
    ...(region === undefined ? {} : { region }),
    ...(credentials ? { credentials } : {}),
  });
}
