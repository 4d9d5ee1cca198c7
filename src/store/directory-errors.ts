/** What the file system's errors mean for a store. */
import { isLivestowError, LivestowError } from '../kernel/errors.ts';

/** The errno name (`ENOENT`) of an error of the file system, undefined for any other. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** No such file, or a file where the path wants a folder. */
export function isNothing(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === 'ENOENT' || errno === 'ENOTDIR';
}

const FULL = new Set(['ENOSPC', 'EDQUOT']);
const DENIED = new Set(['EACCES', 'EPERM', 'EROFS']);
/** The name is taken by the other kind of thing, or impossible here: waiting does not help. */
const WRONG_NAME = new Set([
  'ENOTDIR',
  'EISDIR',
  'EEXIST',
  'ENOTEMPTY',
  'ENAMETOOLONG',
  'ELOOP',
  'EINVAL',
  'ENOTSUP',
]);

/** A LivestowError for an error of the file system; anything else (an abort, one of ours) as it is. */
export function directoryError(error: unknown, doing: string): unknown {
  const errno = errnoOf(error);
  if (isLivestowError(error) || errno === undefined || !/^E[A-Z0-9]+$/.test(errno)) return error;
  const message = `${doing}: ${errno}`;
  if (errno === 'ENOENT') return new LivestowError('STORE_NOT_FOUND', message, { cause: error });
  if (DENIED.has(errno)) {
    return new LivestowError('STORE_DENIED', message, {
      hint: 'Give the user that livestow runs as the right to write there.',
      cause: error,
    });
  }
  return new LivestowError('STORE_UNAVAILABLE', message, {
    ...(FULL.has(errno) ? { hint: 'Free space on the disk that holds the store.' } : {}),
    retryable: !WRONG_NAME.has(errno),
    cause: error,
  });
}
