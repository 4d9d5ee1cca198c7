/**
 * Fetches media and pictures: http and https only, every hop guarded, redirects followed by hand, the headers that the
 * CDNs expect. No URL that it was given, nor its query string, ever stands in an error.
 */
import { isIP } from 'node:net';
import type { Readable } from 'node:stream';
import { request, type Dispatcher } from 'undici';
import { systemClock, type Clock } from '../kernel/clock.ts';
import { Deadline } from '../kernel/deadline.ts';
import { isLivestowError, LivestowError } from '../kernel/errors.ts';
import type { HostGuard } from './host-guard.ts';

/** What the CDNs see of peers (field notes): a desktop Chrome that came from the site. */
const BROWSER_HEADERS = {
  'user-agent':
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36',
  referer: 'https://www.tiktok.com/',
  accept: '*/*',
} as const;

const MAX_REDIRECTS = 5;
const HEADERS_TIMEOUT_MS = 15_000;

export interface OpenOptions {
  signal: AbortSignal;
  headers?: Record<string, string>;
  /** The body fails with MEDIA_NETWORK when it is silent for this long. 0, the default: the caller watches it. */
  idleTimeoutMs?: number;
}

export interface MediaResponse {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  /** Destroying it closes the connection at once. Its errors are raw: map them with `mediaError`. */
  body: Readable;
  /** Where the media really came from, after redirects; signed. */
  url: string;
}

export interface ReadOptions extends OpenOptions {
  /** A longer body is MEDIA_NOT_MEDIA. */
  maxBytes: number;
  /** For everything, redirects and body included. */
  timeoutMs: number;
}

export interface MediaClient {
  /**
   * One GET. Throws MEDIA_FORBIDDEN_HOST, MEDIA_HTTP (any status from 400, retryable, `context.status`), MEDIA_NETWORK
   * (retryable), MEDIA_UNSUPPORTED (not http); the signal's reason when it aborts.
   */
  open(url: string, options: OpenOptions): Promise<MediaResponse>;
  /** As `open`, for a small body as a whole. */
  read(url: string, options: ReadOptions): Promise<Omit<MediaResponse, 'body'> & { bytes: Buffer }>;
}

/** What a failed request or body is to the rest of livestow: the signal's reason when that was why, a bug as it is. */
export function mediaError(error: unknown, url: string, signal?: AbortSignal): unknown {
  if (signal?.aborted) return signal.reason;
  if (isLivestowError(error)) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
  return new LivestowError(
    'MEDIA_NETWORK',
    `the connection to ${hostOf(url)} failed${code ? ` (${code})` : ''}`,
    {
      retryable: true,
      cause: error,
      context: { host: hostOf(url), networkCode: code },
    },
  );
}

export const hostOf = (url: string): string => (URL.canParse(url) ? new URL(url).host : 'the CDN');

function requireHttp(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed && (parsed.protocol === 'http:' || parsed.protocol === 'https:')) return parsed;
  throw new LivestowError('MEDIA_UNSUPPORTED', 'media was offered by a URL that is neither http nor https', {
    context: { host: hostOf(url) },
  });
}

export function createMediaClient(deps: {
  dispatcher: Dispatcher;
  guard: HostGuard;
  /** Whether a proxy dials for us. */
  proxied: boolean;
  clock?: Clock;
}): MediaClient {
  const { dispatcher, guard, proxied, clock = systemClock } = deps;

  /**
   * Best effort: a name that does not resolve here may still do so for the proxy, and what the proxy finds can differ.
   */
  async function admitToProxy(target: URL): Promise<void> {
    const refusal = guard.refusal(target.hostname);
    if (refusal) throw refusal;
    if (isIP(target.hostname.replace(/^\[|\]$/g, '')) !== 0) return;
    await new Promise<void>((resolve, reject) => {
      guard.lookup(target.hostname, { all: true }, (error) => {
        if (isLivestowError(error)) reject(error);
        else resolve();
      });
    });
  }

  async function open(
    url: string,
    { signal, headers, idleTimeoutMs = 0 }: OpenOptions,
  ): Promise<MediaResponse> {
    let current = requireHttp(url);
    for (let hop = 0; ; hop += 1) {
      signal.throwIfAborted();
      if (proxied) await admitToProxy(current);
      const response = await request(current, {
        dispatcher,
        signal,
        headers: { ...BROWSER_HEADERS, ...headers },
        // Said here again because the dispatcher for SOCKS proxies forgets its own options.
        headersTimeout: HEADERS_TIMEOUT_MS,
        bodyTimeout: idleTimeoutMs,
      }).catch((error: unknown) => {
        throw mediaError(error, current.href, signal);
      });
      const { statusCode: status, headers: responseHeaders, body } = response;
      const location = responseHeaders['location'];
      if (status < 300) return { status, headers: responseHeaders, body, url: current.href };

      // Whatever else it says is not wanted, and reading it out would only delay the next try.
      body.on('error', () => {}).destroy();
      if (status < 400 && typeof location === 'string' && hop < MAX_REDIRECTS) {
        if (!URL.canParse(location, current.href))
          throw httpError(status, current, 'redirects to what is no URL');
        current = requireHttp(new URL(location, current.href).href);
        continue;
      }
      throw httpError(status, current, hop < MAX_REDIRECTS ? `answered ${status}` : 'redirects without end');
    }
  }

  async function read(
    url: string,
    options: ReadOptions,
  ): Promise<Omit<MediaResponse, 'body'> & { bytes: Buffer }> {
    using deadline = new Deadline(clock, options.timeoutMs, options.signal);
    try {
      options.signal.throwIfAborted();
      const { body, ...head } = await open(url, { ...options, signal: deadline.signal });
      return { ...head, bytes: await readAll(body, options.maxBytes, head.url) };
    } catch (error) {
      throw mediaError(deadline.signal.aborted ? timedOut() : error, url, options.signal);
    }
  }

  return { open, read };
}

const timedOut = () => Object.assign(new Error('no complete answer in time'), { code: 'ETIMEDOUT' });

const httpError = (status: number, url: URL, what: string): LivestowError =>
  new LivestowError('MEDIA_HTTP', `${url.host} ${what}`, {
    retryable: true,
    context: { status, host: url.host },
  });

async function readAll(body: Readable, maxBytes: number, url: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) {
      throw new LivestowError('MEDIA_NOT_MEDIA', `${hostOf(url)} sent more than ${maxBytes} bytes`, {
        context: { host: hostOf(url) },
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}
