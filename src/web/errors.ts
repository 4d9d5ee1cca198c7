/** What went wrong, as the API says it: one shape, and the status that fits. */
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { isLivestowError, type ErrorCode } from '../kernel/errors.ts';
import { scrub } from '../kernel/redact.ts';

export type ErrorStatus = 400 | 401 | 403 | 404 | 409 | 413 | 500 | 502 | 503;

const STATUS_OF: Partial<Record<ErrorCode, ErrorStatus>> = {
  USAGE: 400,
  CONFIG: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  STORE_NOT_FOUND: 404,
  CONFLICT: 409,
  AMBIGUOUS: 409,
  HELD: 409,
  SPOOL: 503,
  STORE_UNAVAILABLE: 503,
  UNAVAILABLE: 503,
};

/** The status of what was thrown. */
export function statusOf(error: unknown): ErrorStatus {
  if (error instanceof HTTPException) return error.status === 413 ? 413 : 400;
  return isLivestowError(error) ? (STATUS_OF[error.code] ?? 502) : 500;
}

export function errorAnswer(c: Context, error: unknown): Response {
  if (error instanceof HTTPException) {
    const hint = error.status === 415 ? 'say what is sent: Content-Type: application/json' : null;
    return answer(c, statusOf(error), 'USAGE', error.message || 'the request cannot be understood', hint);
  }
  if (!isLivestowError(error)) {
    return answer(c, 500, 'UNEXPECTED', 'something unexpected happened', 'the log of livestow says what');
  }
  const status = statusOf(error);
  if (status === 401) c.header('WWW-Authenticate', 'Bearer');
  return answer(c, status, error.code, error.message, error.hint ?? null);
}

function answer(
  c: Context,
  status: ErrorStatus,
  code: string,
  message: string,
  hint: string | null,
): Response {
  const error = { code, message: scrub(message), hint: hint === null ? null : scrub(hint) };
  return c.json({ error }, status);
}
