/** The provider's error table (its reference, quoted in docs/lookup-api.md): decided on HTTP status and code only. */
import { LivestowError, type ErrorCode } from '../kernel/errors.ts';
import { foreign, shorten } from '../kernel/foreign-text.ts';
import { bareUrl, scrub } from '../kernel/redact.ts';
import type { ApiError } from './lookup-response.ts';

type LookupErrorCode = Extract<ErrorCode, `LOOKUP_${string}`>;

const BY_CODE: ReadonlyMap<string, LookupErrorCode> = new Map([
  ['bad_request', 'LOOKUP_BAD_REQUEST'],
  ['unauthorized', 'LOOKUP_UNAUTHORIZED'],
  ['payment_required', 'LOOKUP_UNAUTHORIZED'],
  ['insufficient_credits', 'LOOKUP_CREDITS'],
  ['lookup_failed', 'LOOKUP_FAILED'],
  ['internal_error', 'LOOKUP_FAILED'],
  ['temporarily_unavailable', 'LOOKUP_FAILED'],
]);

/** For a code that is not documented. */
function byStatus(status: number): LookupErrorCode {
  if (status === 401 || status === 403) return 'LOOKUP_UNAUTHORIZED';
  if (status === 402) return 'LOOKUP_CREDITS';
  if (status === 408 || status === 425 || status === 429 || status >= 500) return 'LOOKUP_FAILED';
  return 'LOOKUP_BAD_REQUEST';
}

const SCRUBBED_CHARS = 64 * 1024;

/** Scrubbed before it is cut, so that no half of a secret is left at the end. */
export const quoted = (text: string, most: number): string =>
  shorten(foreign(scrub(text.slice(0, SCRUBBED_CHARS))), most);

export interface ApiFailure {
  handle: string;
  status: number;
  error: ApiError;
  retryAfterMs: number | undefined;
}

export function lookupError({ handle, status, error, retryAfterMs }: ApiFailure): LivestowError {
  const code = BY_CODE.get(error.code) ?? byStatus(status);
  const said = quoted(error.message, 300);
  const context = {
    handle,
    status,
    apiCode: quoted(error.code, 64),
    requestId: error.requestId === undefined ? undefined : quoted(error.requestId, 128),
    retryAfterMs,
  };
  switch (code) {
    case 'LOOKUP_BAD_REQUEST':
      return new LivestowError(
        code,
        `the lookup API refused to look up @${handle}: ${said || context.apiCode}`,
        {
          hint: 'check the handle, and the base URL of the lookup API (LIVESTOW_API_URL) if it was changed',
          context,
        },
      );
    case 'LOOKUP_UNAUTHORIZED':
      return new LivestowError(code, 'the lookup API does not accept the key', {
        hint: 'check LIVESTOW_API_KEY, or apiKey in the config file: it must be a valid Social Fetch key (sfk_...)',
        context,
      });
    case 'LOOKUP_CREDITS': {
      const shop = error.checkoutUrl === undefined ? '' : `: ${bareUrl(error.checkoutUrl)}`;
      return new LivestowError(code, 'the key has no credits left; a recording in progress goes on', {
        hint: `buy credits${shop}; looking resumes by itself`,
        context:
          error.checkoutUrl === undefined ? context : { ...context, checkoutUrl: bareUrl(error.checkoutUrl) },
      });
    }
    default:
      return new LivestowError(
        'LOOKUP_FAILED',
        `the lookup API could not answer (${status} ${context.apiCode})`,
        {
          retryable: true,
          context,
        },
      );
  }
}
