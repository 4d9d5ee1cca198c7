/** The exit codes of the command line: part of the public contract. */
import { LivestowError, type ErrorCode } from '../kernel/errors.ts';

export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  /** Something is left in the spool, or `verify` found damage. */
  partly: 3,
  notLive: 4,
  notFound: 10,
  held: 11,
  /** SIGINT, after a clean end. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const EXIT_OF: Record<ErrorCode, ExitCode> = {
  USAGE: EXIT.usage,
  CONFIG: EXIT.usage,
  NOT_FOUND: EXIT.notFound,
  AMBIGUOUS: EXIT.usage,
  HELD: EXIT.held,
  CONFLICT: EXIT.failed,
  UNAUTHORIZED: EXIT.failed,
  FORBIDDEN: EXIT.failed,
  UNAVAILABLE: EXIT.failed,
  UNREACHABLE: EXIT.failed,
  LOOKUP_BAD_REQUEST: EXIT.failed,
  LOOKUP_UNAUTHORIZED: EXIT.failed,
  LOOKUP_CREDITS: EXIT.failed,
  LOOKUP_FAILED: EXIT.failed,
  LOOKUP_MALFORMED: EXIT.failed,
  MEDIA_FORBIDDEN_HOST: EXIT.failed,
  MEDIA_HTTP: EXIT.failed,
  MEDIA_NOT_MEDIA: EXIT.failed,
  MEDIA_UNSUPPORTED: EXIT.failed,
  MEDIA_NETWORK: EXIT.failed,
  ENGINE: EXIT.failed,
  FFMPEG_MISSING: EXIT.failed,
  FFMPEG_FAILED: EXIT.failed,
  SPOOL: EXIT.failed,
  STORE_EXISTS: EXIT.failed,
  STORE_NOT_FOUND: EXIT.notFound,
  STORE_DENIED: EXIT.failed,
  STORE_UNAVAILABLE: EXIT.failed,
  STORE_CORRUPT: EXIT.failed,
  MANIFEST: EXIT.failed,
};

export function exitCodeOf(error: unknown): ExitCode {
  return error instanceof LivestowError ? EXIT_OF[error.code] : EXIT.failed;
}
