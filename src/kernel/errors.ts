/**
 * The one error class of livestow. Every expected failure carries a stable code (scripts and tests decide on it, never
 * on the message), a hint that names what to do next, whether the same call may succeed later, and its cause.
 */

/** Stable codes. The exit code that the command line gives each is in `cli/exit-codes.ts`. */
export const ERROR_CODES = {
  USAGE: 'the command line or a setting is wrong',
  CONFIG: 'the configuration is wrong',
  NOT_FOUND: 'the thing asked for does not exist',
  AMBIGUOUS: 'a session prefix fits several sessions',
  HELD: 'another recorder holds this creator',
  CONFLICT: 'it cannot be done as things stand',
  UNAUTHORIZED: 'livestow serve does not accept the token, or got none',
  FORBIDDEN: 'livestow serve takes no requests from there',
  UNAVAILABLE: 'livestow serve cannot do it now',
  UNREACHABLE: 'no livestow serve answers',
  LOOKUP_BAD_REQUEST: 'the lookup API refused the request as malformed',
  LOOKUP_UNAUTHORIZED: 'the lookup API does not accept the key',
  LOOKUP_CREDITS: 'the key has no credits left',
  LOOKUP_FAILED: 'the lookup API could not answer',
  LOOKUP_MALFORMED: 'the lookup API answered something that is not documented',
  MEDIA_FORBIDDEN_HOST: 'media was offered from a host that the configuration does not allow',
  MEDIA_HTTP: 'the CDN refused the media request',
  MEDIA_NOT_MEDIA: 'the CDN answered something that is not media',
  MEDIA_UNSUPPORTED: 'the media is of a kind that livestow cannot record',
  MEDIA_NETWORK: 'the connection to the CDN failed',
  ENGINE: 'the recording engine failed',
  FFMPEG_MISSING: 'ffmpeg was not found',
  FFMPEG_FAILED: 'ffmpeg failed',
  SPOOL: 'the spool cannot be used',
  STORE_EXISTS: 'an object of that key exists already',
  STORE_NOT_FOUND: 'the object does not exist',
  STORE_DENIED: 'the store refused the credentials or the permission',
  STORE_UNAVAILABLE: 'the store did not answer as it should',
  STORE_CORRUPT: 'the store does not hold what was sent',
  MANIFEST: 'a manifest or journal cannot be read',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface ErrorDetail {
  /** What the user can do about it, in one sentence. */
  hint?: string;
  /** Whether the same call may succeed later without anybody changing anything. */
  retryable?: boolean;
  cause?: unknown;
  /** Facts for the log; never a secret or a signed URL. */
  context?: Record<string, unknown>;
}

export class LivestowError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly retryable: boolean;
  readonly context: Record<string, unknown>;

  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}) {
    super(message, { cause: detail.cause });
    this.name = 'LivestowError';
    this.code = code;
    this.hint = detail.hint;
    this.retryable = detail.retryable ?? false;
    this.context = detail.context ?? {};
  }
}

/** True for a LivestowError of one of these codes (of any, when none is given). */
export function isLivestowError(error: unknown, ...codes: ErrorCode[]): error is LivestowError {
  return error instanceof LivestowError && (codes.length === 0 || codes.includes(error.code));
}

/** The message of anything thrown, without a stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const MOST_CAUSES = 8;

/** For whoever looks for a bug: each error with its stack, from the outside in. Nothing else of it, for it may be secret. */
export function errorChain(error: unknown): string[] {
  const chain: string[] = [];
  for (let at: unknown = error; at !== undefined && chain.length < MOST_CAUSES;) {
    const told = at instanceof Error ? (at.stack ?? at.message) : messageOf(at);
    const context = isLivestowError(at) ? ` ${at.code} ${JSON.stringify(at.context)}` : '';
    chain.push(`${chain.length === 0 ? '' : 'caused by '}${told}${context}`);
    at = at instanceof Error ? at.cause : undefined;
  }
  return chain;
}
