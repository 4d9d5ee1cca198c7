/**
 * The lookup API, version 1: `GET /v1/tiktok/profiles/{handle}/live`. Answers the truth about the simulated creators,
 * or what a rule of the scenario makes of it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../kernel/clock.ts';
import { API_ERROR_STATUS, type ApiAnswer, type ApiErrorCode, type ApiRule } from './api-rules.ts';
import type { SimulatedCreator } from './creators.ts';
import type { Ledger } from './ledger.ts';
import { liveAnswer, type LiveAnswer } from './live-answer.ts';
import type { Scenario } from './scenario.ts';
import { WEB_PAGE } from './web-page.ts';

export interface LookupApiDependencies {
  scenario: Scenario;
  creators: ReadonlyMap<string, SimulatedCreator>;
  ledger: Ledger;
  clock: Clock;
  /** Milliseconds since the scenario began. */
  now: () => number;
  /** Path and query of an address that is good from now. */
  streamAddress: Parameters<typeof liveAnswer>[0]['streamAddress'];
}

const PATH = /^\/v1\/tiktok\/profiles\/([^/]*)\/live$/;
const CHECKOUT_URL = 'https://example.com/checkout';

export class LookupApi {
  readonly #deps: LookupApiDependencies;
  readonly #rules: { rule: ApiRule; left: number }[];
  readonly #stopped = new AbortController();
  #requests = 0;
  #charged = 0;

  constructor(deps: LookupApiDependencies) {
    this.#deps = deps;
    this.#rules = deps.scenario.api.map(withCount);
  }

  get requests(): number {
    return this.#requests;
  }

  get creditsCharged(): number {
    return this.#charged;
  }

  addRule(rule: ApiRule): void {
    this.#rules.push(withCount(rule));
  }

  /** Ends answers that are being delayed. */
  close(): void {
    this.#stopped.abort();
  }

  /** False when the path is not of this API. */
  async serve(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    origin: string,
  ): Promise<boolean> {
    const match = PATH.exec(path);
    if (!match) {
      return false;
    }
    this.#requests += 1;
    const requestId = `req_${String(this.#requests).padStart(6, '0')}`;
    const asked = decode(match[1]!);
    const handle = asked.replace(/^@/, '').toLowerCase();
    const rule = this.#ruleFor(handle);
    if (rule && rule.delayMs > 0) {
      await this.#deps.clock.delay(rule.delayMs, this.#stopped.signal).catch(() => {});
    }
    if (!response.destroyed && !this.#stopped.signal.aborted) {
      this.#answer(request, response, {
        requestId,
        asked,
        handle,
        origin,
        answer: rule?.answer ?? { type: 'truth' },
      });
    }
    return true;
  }

  #ruleFor(handle: string): ApiRule | undefined {
    const now = this.#deps.now();
    const found = this.#rules.find(
      ({ rule, left }) =>
        left > 0 &&
        now >= rule.fromMs &&
        now < (rule.toMs ?? Infinity) &&
        (rule.handle === undefined || rule.handle === handle),
    );
    if (found) {
      found.left -= 1;
    }
    return found?.rule;
  }

  #answer(
    request: IncomingMessage,
    response: ServerResponse,
    about: { requestId: string; asked: string; handle: string; origin: string; answer: ApiAnswer },
  ): void {
    const { requestId, asked, handle, answer } = about;
    const told = (status: number | null, live = false, creditsCharged = 0) => {
      this.#charged += creditsCharged;
      this.#deps.ledger.say({ type: 'lookup', handle, status, answer: answer.type, live, creditsCharged });
    };
    const fail = (
      code: string,
      message: string,
      extra: { status?: number; retryAfter?: number | string; checkoutUrl?: string } = {},
    ) => {
      const status = extra.status ?? API_ERROR_STATUS[code as ApiErrorCode] ?? 500;
      told(status);
      const { checkoutUrl, retryAfter } = extra;
      const error = { code, message, requestId, ...(checkoutUrl === undefined ? {} : { checkoutUrl }) };
      json(
        response,
        status,
        { error },
        retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) },
      );
    };
    switch (answer.type) {
      case 'error': {
        const { status, retryAfter, checkoutUrl } = answer;
        return fail(answer.code, 'Scripted by the sandbox.', {
          ...(status === undefined ? {} : { status }),
          ...(retryAfter === undefined ? {} : { retryAfter }),
          ...(checkoutUrl === undefined ? {} : { checkoutUrl }),
        });
      }
      case 'body':
        told(answer.status);
        response.writeHead(answer.status, { 'content-type': answer.contentType }).end(answer.body);
        return;
      case 'html':
        told(answer.status);
        response.writeHead(answer.status, { 'content-type': 'text/html' }).end(WEB_PAGE);
        return;
      case 'reset':
        told(null);
        response.socket?.resetAndDestroy();
        return;
      case 'hang':
        told(null);
        return;
      case 'cached':
      case 'offline':
      case 'malformed':
      case 'extra-fields':
      case 'truncated':
      case 'truth':
        break;
    }
    const key = request.headers['x-api-key'];
    if (request.method !== 'GET') {
      return fail('bad_request', 'Only GET is served here.');
    }
    if (key === undefined) {
      return fail('payment_required', 'Send an API key, or buy one.', { checkoutUrl: CHECKOUT_URL });
    }
    if (key !== this.#deps.scenario.apiKey) {
      return fail('unauthorized', 'The API key is not known.');
    }
    if (handle.length < 1 || handle.length > 64 || asked.includes('/')) {
      return fail('bad_request', 'A handle has 1 to 64 characters.');
    }
    const { credits, creditsPerLookup } = this.#deps.scenario;
    if (credits !== null && this.#charged + creditsPerLookup > credits) {
      return fail('insufficient_credits', 'No credits are left.', { checkoutUrl: CHECKOUT_URL });
    }
    const ageMs = answer.type === 'cached' ? answer.ageMs : 0;
    const truth = liveAnswer({
      handle,
      creator: this.#deps.creators.get(handle),
      timeMs: this.#deps.now() - ageMs,
      wallMs: this.#deps.clock.now() - ageMs,
      offline: answer.type === 'offline',
      streamAddress: this.#deps.streamAddress,
      origin: about.origin,
    });
    const cached = answer.type === 'cached';
    const meta = {
      requestId,
      creditsCharged: creditsPerLookup,
      version: 'v1',
      ...(cached ? { cached } : {}),
    };
    told(200, truth.liveStatus === 'live', creditsPerLookup);
    this.#send(response, { data: truth, meta }, answer);
  }

  #send(response: ServerResponse, body: { data: LiveAnswer; meta: object }, answer: ApiAnswer): void {
    switch (answer.type) {
      case 'malformed':
        return json(response, 200, { data: { ...body.data, lookupStatus: 'maybe', profile: {} }, meta: {} });
      case 'extra-fields':
        return json(response, 200, {
          data: { ...body.data, surprise: [1] },
          meta: { ...body.meta, shard: 'b' },
          debug: null,
        });
      case 'truncated': {
        const text = Buffer.from(JSON.stringify(body));
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': text.length });
        response.write(text.subarray(0, text.length / 2), () => response.socket?.destroy());
        return;
      }
      case 'cached': {
        const age = answer.ageHeader ? { age: String(Math.round(answer.ageMs / 1_000)) } : {};
        return json(response, 200, body, age);
      }
      default:
        return json(response, 200, body);
    }
  }
}

const withCount = (rule: ApiRule) => ({ rule, left: rule.next ?? Infinity });

function json(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}
