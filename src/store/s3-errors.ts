/**
 * What an S3 server's errors mean for a store: by error name first, for that says more, then by HTTP status. Names and
 * statuses are what AWS, Ceph, Swift, R2, B2 and MinIO answer with; messages are theirs and are never interpreted.
 */
import { S3ServiceException } from '@aws-sdk/client-s3';
import { isLivestowError, LivestowError, type ErrorCode } from '../kernel/errors.ts';

interface Meaning {
  code: ErrorCode;
  hint?: string;
  retryable?: boolean;
}

const CLOCK = 'Set this machine’s clock (NTP): S3 refuses requests signed more than 15 minutes off.';
const KEYS = 'Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or the profile) that livestow runs with.';
const TOKEN = 'The temporary credentials have expired: renew them.';
const RIGHTS = 'Allow these credentials to get, put, list and delete objects in this bucket.';
const BUCKET = 'Create the bucket, or correct its name and the endpoint in the store’s URL.';
const REGION = 'Give the bucket’s own region (and endpoint) in the store’s URL: region=…';
const UNABLE = 'The server does not offer what livestow asked for; see which servers are supported.';
const NO_CREDENTIALS =
  'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or any other source that the AWS SDK reads.';

const busy: Meaning = { code: 'STORE_UNAVAILABLE', retryable: true };
const damagedOnTheWay: Meaning = { code: 'STORE_CORRUPT', retryable: true };

/** The client signs the next request with the time that the server told with its refusal. */
const otherTime: Meaning = { code: 'STORE_DENIED', hint: CLOCK, retryable: true };

const BY_NAME: Record<string, Meaning> = {
  NoSuchKey: { code: 'STORE_NOT_FOUND' },
  NoSuchBucket: { code: 'STORE_UNAVAILABLE', hint: BUCKET },
  InvalidBucketName: { code: 'STORE_UNAVAILABLE', hint: BUCKET },
  PreconditionFailed: { code: 'STORE_EXISTS' },
  // Another writer of the same key was in the way; the second look says who won.
  ConditionalRequestConflict: busy,
  OperationAborted: busy,
  InvalidAccessKeyId: { code: 'STORE_DENIED', hint: KEYS },
  SignatureDoesNotMatch: { code: 'STORE_DENIED', hint: KEYS },
  AccessDenied: { code: 'STORE_DENIED', hint: RIGHTS },
  AllAccessDisabled: { code: 'STORE_DENIED', hint: RIGHTS },
  KMSAccessDenied: { code: 'STORE_DENIED', hint: RIGHTS },
  ExpiredToken: { code: 'STORE_DENIED', hint: TOKEN },
  InvalidToken: { code: 'STORE_DENIED', hint: TOKEN },
  RequestTimeTooSkewed: otherTime,
  RequestExpired: otherTime,
  // R2 says it with a 400.
  ExpiredRequest: otherTime,
  PermanentRedirect: { code: 'STORE_DENIED', hint: REGION },
  AuthorizationHeaderMalformed: { code: 'STORE_DENIED', hint: REGION },
  IllegalLocationConstraintException: { code: 'STORE_DENIED', hint: REGION },
  BadDigest: damagedOnTheWay,
  XAmzContentChecksumMismatch: damagedOnTheWay,
  XAmzContentSHA256Mismatch: damagedOnTheWay,
  IncompleteBody: busy,
  RequestTimeout: busy,
  SlowDown: busy,
  NotImplemented: { code: 'STORE_UNAVAILABLE', hint: UNABLE },
  QuotaExceeded: {
    code: 'STORE_UNAVAILABLE',
    hint: 'The bucket’s quota is used up: raise it, or prune.',
    retryable: true,
  },
};

function byStatus(status: number): Meaning {
  if (status === 404) return { code: 'STORE_NOT_FOUND' };
  if (status === 412) return { code: 'STORE_EXISTS' };
  if (status === 401 || status === 403) return { code: 'STORE_DENIED', hint: `${KEYS} ${RIGHTS}` };
  if (status === 301 || status === 307) return { code: 'STORE_DENIED', hint: REGION };
  if (status === 501) return { code: 'STORE_UNAVAILABLE', hint: UNABLE };
  return {
    code: 'STORE_UNAVAILABLE',
    retryable: status >= 500 || status === 408 || status === 409 || status === 429,
  };
}

/** Errors of the connection that no waiting mends. */
function byConnection(code: string): Meaning {
  if (/^(?:CERT_|ERR_TLS_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_)/.test(code)) {
    return {
      code: 'STORE_UNAVAILABLE',
      hint: 'The server’s certificate is not trusted: name its authority in NODE_EXTRA_CA_CERTS.',
    };
  }
  if (code === 'EPROTO' || code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code.startsWith('HPE_')) {
    return {
      code: 'STORE_UNAVAILABLE',
      hint: 'What answers at the endpoint is not what its URL says: http or https?',
    };
  }
  return { ...busy, hint: 'Check that the endpoint in the store’s URL can be reached from here.' };
}

/** The signal's reason when that has aborted; else a LivestowError, whatever was thrown. */
export function s3Error(error: unknown, doing: string, signal?: AbortSignal): unknown {
  if (signal?.aborted === true) return signal.reason;
  if (isLivestowError(error)) return error;
  const { name, code, status } = factsOf(error);
  const meaning = meaningOf(error, name, code, status);
  const said = [name, status === undefined ? undefined : `HTTP ${status}`, code].filter(
    (part) => part !== undefined,
  );
  return new LivestowError(meaning.code, `${doing}: ${said.join(', ')}`, {
    ...(meaning.hint === undefined ? {} : { hint: meaning.hint }),
    retryable: meaning.retryable ?? false,
    cause: error,
  });
}

function meaningOf(
  error: unknown,
  name: string,
  code: string | undefined,
  status: number | undefined,
): Meaning {
  const named = Object.hasOwn(BY_NAME, name) ? BY_NAME[name] : undefined;
  if (named !== undefined && error instanceof S3ServiceException) return named;
  if (name === 'CredentialsProviderError') return { code: 'STORE_DENIED', hint: NO_CREDENTIALS };
  // An answer that is no S3 answer: a proxy's page, a captive portal, the wrong server.
  if (status !== undefined) return byStatus(status);
  return byConnection(code ?? '');
}

interface Facts {
  name: string;
  /** Node's, of a connection error. */
  code: string | undefined;
  status: number | undefined;
}

function factsOf(error: unknown): Facts {
  if (!(error instanceof Error)) return { name: typeof error, code: undefined, status: undefined };
  const { code, $metadata } = error as Error & { code?: unknown; $metadata?: { httpStatusCode?: number } };
  return {
    // HEAD has no body: all that the SDK can say is Unknown.
    name: error.name === 'Unknown' ? 'refused' : error.name,
    code: typeof code === 'string' ? code : undefined,
    status: $metadata?.httpStatusCode,
  };
}
