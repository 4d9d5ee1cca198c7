/**
 * Looks a creator up at Social Fetch: one request, one answer, no retry (see `retry.ts`). The key travels in a header and
 * nowhere else, and may be replaced at any time; everything the API says is parsed before it is believed.
 */
import { request, type Dispatcher } from 'undici';
import { parseRetryAfterMs } from '../kernel/backoff.ts';
import { systemClock, type Clock } from '../kernel/clock.ts';
import { Deadline } from '../kernel/deadline.ts';
import { isLivestowError, LivestowError } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import { registerSecret } from '../kernel/redact.ts';
import { requireHandle } from '../model/handle.ts';
import type { Look } from '../model/look.ts';
import { lookupError, quoted } from './api-error.ts';
import { CreditLedger } from './credit-ledger.ts';
import { CREDITS_PROBE_MS, KEY_REFUSALS, KeyGate } from './key-gate.ts';
import { chargeOf, parseErrorResponse, parseLookResponse } from './lookup-response.ts';

const DEFAULT_API_URL = 'https://api.socialfetch.dev';
const LOOK_TIMEOUT_MS = 15_000;
/** Real answers have about 20 KB. A title of ten million letters must cost no broadcast, one without end no memory. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
/** How much of an answer that was not understood is kept for the log. */
const QUOTED_CHARS = 500;

export interface LookOptions {
  signal: AbortSignal;
  /** Asks caches on the way not to answer. `meta.cached` says whether one did all the same. */
  fresh?: boolean;
}

export interface LookupClientOptions {
  apiKey: string | undefined;
  /** May have a path; with or without a slash at its end. */
  baseUrl?: string;
  dispatcher: Dispatcher;
  logger: Logger;
  ledger?: CreditLedger;
  clock?: Clock;
  timeoutMs?: number;
  creditsProbeMs?: number;
}

interface Answer {
  status: number;
  retryAfterMs: number | undefined;
  text: string;
}

/** What the API said of one key says nothing of another. */
interface Access {
  apiKey: string | undefined;
  gate: KeyGate;
}

export class LookupClient {
  readonly ledger: CreditLedger;
  readonly #base: URL;
  readonly #dispatcher: Dispatcher;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #creditsProbeMs: number;
  #access: Access;
  readonly #toldOddStreams = new Set<string>();

  /** Throws CONFIG for a base URL that is none. */
  constructor(options: LookupClientOptions) {
    this.#base = parseBaseUrl(options.baseUrl ?? DEFAULT_API_URL);
    this.#dispatcher = options.dispatcher;
    this.#logger = options.logger;
    this.ledger = options.ledger ?? new CreditLedger();
    this.#clock = options.clock ?? systemClock;
    this.#timeoutMs = options.timeoutMs ?? LOOK_TIMEOUT_MS;
    this.#creditsProbeMs = options.creditsProbeMs ?? CREDITS_PROBE_MS;
    this.#access = this.#accessWith(options.apiKey);
  }

  /** From the next look on; the same key once more is tried once more, whatever was said of it. */
  useKey(apiKey: string | undefined): void {
    this.#access = this.#accessWith(apiKey);
  }

  /**
   * One look. Throws USAGE for what is no handle, CONFIG without a key; LOOKUP_BAD_REQUEST, LOOKUP_UNAUTHORIZED and
   * LOOKUP_CREDITS (not retryable); LOOKUP_FAILED and LOOKUP_MALFORMED (retryable, `context.retryAfterMs` where the API
   * said so); the signal's reason when it aborts. An error says nothing about whether the creator is live.
   */
  async look(handle: string, { signal, fresh = false }: LookOptions): Promise<Look> {
    const creator = requireHandle(handle);
    const access = this.#access;
    const apiKey = requireKey(access);
    access.gate.admit();
    try {
      const answer = await this.#ask(creator, apiKey, fresh, signal);
      const look = this.#understand(creator, answer);
      access.gate.open();
      return look;
    } catch (error) {
      if (!isLivestowError(error)) throw error;
      const told = access.gate.failed(error);
      // Of a key that was replaced meanwhile nobody wants to know.
      const isOutdated = access !== this.#access && isLivestowError(error, ...KEY_REFUSALS);
      if (isOutdated) return this.look(creator, { signal, fresh });
      throw told;
    }
  }

  #accessWith(given: string | undefined): Access {
    const apiKey = given?.trim() || undefined;
    registerSecret(apiKey);
    return { apiKey, gate: new KeyGate(this.#clock, this.#creditsProbeMs) };
  }

  async #ask(handle: string, apiKey: string, fresh: boolean, signal: AbortSignal): Promise<Answer> {
    signal.throwIfAborted();
    using deadline = new Deadline(this.#clock, this.#timeoutMs, signal);
    try {
      const url = new URL(`v1/tiktok/profiles/${encodeURIComponent(handle)}/live`, this.#base);
      const { statusCode, headers, body } = await request(url, {
        dispatcher: this.#dispatcher,
        signal: deadline.signal,
        headers: {
          'x-api-key': apiKey,
          accept: 'application/json',
          'user-agent': 'livestow',
          ...(fresh ? { 'cache-control': 'no-cache' } : {}),
        },
      });
      const text = await readText(body);
      const retryAfterMs = parseRetryAfterMs(headers['retry-after'], this.#clock.now());
      return { status: statusCode, retryAfterMs, text };
    } catch (error) {
      signal.throwIfAborted();
      if (isLivestowError(error)) throw error;
      const timedOut = deadline.signal.aborted;
      throw new LivestowError(
        'LOOKUP_FAILED',
        timedOut
          ? `the lookup API did not answer within ${this.#timeoutMs / 1_000} s`
          : `the lookup API at ${this.#base.host} could not be reached`,
        { retryable: true, cause: error, context: { handle } },
      );
    }
  }

  #understand(handle: string, { status, retryAfterMs, text }: Answer): Look {
    const malformed = (what: string) =>
      new LivestowError(
        'LOOKUP_MALFORMED',
        `the lookup API answered something that is not documented: ${what}`,
        {
          retryable: true,
          context: { handle, status, retryAfterMs, body: quoted(text, QUOTED_CHARS) },
        },
      );

    const body = parseJson(text);
    if (body === undefined) throw malformed('no JSON');
    if (status !== 200) {
      const error = parseErrorResponse(body);
      if (error === undefined || status < 400) throw malformed(`HTTP ${status} without an error body`);
      throw lookupError({ handle, status, error, retryAfterMs });
    }

    const parsed = parseLookResponse(body);
    if ('malformed' in parsed) {
      const charged = chargeOf(body);
      if (charged !== undefined) this.ledger.add(handle, charged);
      throw malformed(parsed.malformed);
    }
    const { look, oddStreams } = parsed;
    this.ledger.add(handle, look.meta.creditsCharged);
    if (oddStreams.length > 0) {
      // Every look at this room will say the same; once is news.
      const level = this.#toldOddStreams.has(handle) ? 'debug' : 'warn';
      this.#toldOddStreams.add(handle);
      this.#logger[level](
        { handle, requestId: look.meta.requestId, oddStreams },
        'streams left out: not as documented',
      );
    }
    return look;
  }
}

function requireKey({ apiKey }: Access): string {
  // What a header can't carry is no key either, and must not reach an error message of the HTTP client.
  if (apiKey !== undefined && /^[\x21-\x7e]+$/.test(apiKey)) return apiKey;
  const what =
    apiKey === undefined ? 'there is no key for the lookup API' : 'the key for the lookup API is malformed';
  throw new LivestowError('CONFIG', what, {
    hint: 'set LIVESTOW_API_KEY to a Social Fetch key (sfk_...)',
    context: { withoutRequest: true },
  });
}

function parseBaseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:';
  if (url === undefined || !isHttp || url.username !== '' || url.password !== '') {
    throw new LivestowError('CONFIG', 'the base URL of the lookup API is not an http(s) URL', {
      hint: `set LIVESTOW_API_URL (--api-url) to something like ${DEFAULT_API_URL}, or leave it out`,
    });
  }
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  url.search = '';
  url.hash = '';
  return url;
}

async function readText(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) {
      throw new LivestowError(
        'LOOKUP_MALFORMED',
        `the lookup API answered with more than ${MAX_ANSWER_BYTES} bytes`,
        {
          retryable: true,
          context: {
            body: quoted(Buffer.concat(chunks.slice(0, 4)).toString('utf8', 0, 64 * 1024), QUOTED_CHARS),
          },
        },
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes).toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
