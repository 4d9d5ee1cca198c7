/**
 * One try of one message, and what its answer means. Of the answer only the status counts: what else it says may echo
 * what is secret. Redirects are not followed.
 */
import { request, type Dispatcher } from 'undici';
import { parseRetryAfterMs } from '../kernel/backoff.ts';
import type { Clock } from '../kernel/clock.ts';

const TIMEOUT_MS = 15_000;
/** What is read of an answer, so that its connection can be used again. */
const ANSWER_BYTES = 64 * 1_024;

export interface Answer {
  /** later: the same may be taken another time. */
  verdict: 'taken' | 'later' | 'refused';
  status: number | null;
  /** A code such as ECONNREFUSED or TIMEOUT; never a message, which may quote an address. */
  error: string | null;
  retryAfterMs: number;
}

export interface Posting {
  url: string;
  headers: Record<string, string>;
  body: string;
  dispatcher: Dispatcher;
  clock: Clock;
  /** Ends the try; it counts as one that failed. */
  signal: AbortSignal;
}

/** Never throws. */
export async function post({ url, headers, body, dispatcher, clock, signal }: Posting): Promise<Answer> {
  const ending = new AbortController();
  const end = () => ending.abort();
  let timedOut = false;
  const cancelTimeout = clock.after(TIMEOUT_MS, () => {
    timedOut = true;
    end();
  });
  signal.addEventListener('abort', end, { once: true });
  try {
    signal.throwIfAborted();
    const answer = await request(url, { method: 'POST', headers, body, dispatcher, signal: ending.signal });
    // The status is the answer, whatever becomes of the rest.
    await answer.body.dump({ limit: ANSWER_BYTES, signal: ending.signal }).catch(() => {});
    return {
      verdict: verdictOf(answer.statusCode),
      status: answer.statusCode,
      error: null,
      retryAfterMs: parseRetryAfterMs(answer.headers['retry-after'], clock.now()) ?? 0,
    };
  } catch (error) {
    const code = timedOut ? 'TIMEOUT' : signal.aborted ? 'STOPPED' : codeOf(error);
    return { verdict: 'later', status: null, error: code, retryAfterMs: 0 };
  } finally {
    cancelTimeout();
    signal.removeEventListener('abort', end);
  }
}

function verdictOf(status: number): Answer['verdict'] {
  if (status >= 200 && status < 300) return 'taken';
  return status === 408 || status === 425 || status === 429 || status >= 500 ? 'later' : 'refused';
}

function codeOf(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'string' && /^[A-Z][A-Z0-9_]*$/.test(at.code)) return at.code;
  }
  return 'NETWORK';
}
