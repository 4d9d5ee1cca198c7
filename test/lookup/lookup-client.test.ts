import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent } from 'undici';
import { afterAll, describe, expect, test } from 'vitest';
import type { ErrorCode, LivestowError } from '../../src/kernel/errors.ts';
import { createLogger, silentLogger } from '../../src/kernel/logger.ts';
import { scrub } from '../../src/kernel/redact.ts';
import { CreditLedger } from '../../src/lookup/credit-ledger.ts';
import { LookupClient, type LookupClientOptions } from '../../src/lookup/lookup-client.ts';
import { ManualClock } from '../manual-clock.ts';
import { serve } from '../net/servers.ts';
import { live, offline, STREAM } from './answers.ts';

const KEY = 'sfk_live_abcdefghijklmnop';
/** Known for a secret by nothing but that it is one. */
const OTHER_KEY = 'another-key-of-twenty-eight';
const dispatcher = new Agent();
afterAll(() => dispatcher.destroy());
const signal = new AbortController().signal;

const clientOf = (baseUrl: string, options: Partial<LookupClientOptions> = {}) =>
  new LookupClient({ apiKey: KEY, baseUrl, dispatcher, logger: silentLogger(), ...options });

const reply = (
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
) => response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));
const apiError = (code: string, more: object = {}) => ({
  error: { code, message: 'a message', requestId: 'r1', ...more },
});

const failure = (promise: Promise<unknown>): Promise<LivestowError> =>
  promise.then(
    () => {
      throw new Error('it succeeded');
    },
    (error: LivestowError) => error,
  );
const everythingIn = (error: LivestowError) =>
  JSON.stringify([error.message, error.hint, error.context, error.stack]);

describe('the request', () => {
  test.each(['', '/', '/sf/proxy', '/sf/proxy/', '/?x=1'])('a base URL ending in %j', async (path) => {
    const asked: IncomingMessage[] = [];
    await using api = await serve((request, response) => {
      asked.push(request);
      reply(response, 200, live());
    });
    const look = await clientOf(api.url + path).look('@Alice.Live', { signal });
    expect(look).toMatchObject({
      status: 'live',
      profile: { handle: 'alice.live' },
      room: { roomId: '7301' },
    });
    const prefix = path.startsWith('/sf') ? '/sf/proxy' : '';
    expect(asked.map(({ method, url }) => `${method} ${url}`)).toEqual([
      `GET ${prefix}/v1/tiktok/profiles/alice.live/live`,
    ]);
    expect(asked[0]?.headers['x-api-key']).toBe(KEY);
    expect(asked[0]?.headers['cache-control']).toBeUndefined();
  });

  test('a fresh look asks caches to stand aside', async () => {
    const asked: IncomingMessage['headers'][] = [];
    await using api = await serve((request, response) => {
      asked.push(request.headers);
      reply(response, 200, live());
    });
    await clientOf(api.url).look('alice', { signal, fresh: true });
    expect(asked[0]?.['cache-control']).toBe('no-cache');
  });

  test.each([undefined, '', '  ', 'sfk_a b', 'sfk_ä', 'sfk_a\nb'])(
    'nothing is sent with the key %j',
    async (apiKey) => {
      let asked = 0;
      await using api = await serve((_request, response) => {
        asked += 1;
        response.end();
      });
      const error = await failure(clientOf(api.url, { apiKey }).look('alice', { signal }));
      expect(error).toMatchObject({ code: 'CONFIG', retryable: false });
      expect(error.hint).toContain('LIVESTOW_API_KEY');
      expect(asked).toBe(0);
    },
  );

  test.each(['ftp://x/', 'nonsense', 'http://user:pass@host/', 'http://:pass@host/'])(
    'the base URL %s is a configuration error',
    (baseUrl) => {
      expect(() => clientOf(baseUrl)).toThrow(expect.objectContaining({ code: 'CONFIG' }));
    },
  );

  test('what is no handle is never asked for', async () => {
    expect(await failure(clientOf('http://127.0.0.1:9').look('../x', { signal }))).toMatchObject({
      code: 'USAGE',
    });
  });
});

describe('errors', () => {
  test.each<[number, string, ErrorCode, boolean]>([
    [400, 'bad_request', 'LOOKUP_BAD_REQUEST', false],
    [401, 'unauthorized', 'LOOKUP_UNAUTHORIZED', false],
    [402, 'payment_required', 'LOOKUP_UNAUTHORIZED', false],
    [402, 'insufficient_credits', 'LOOKUP_CREDITS', false],
    [429, 'temporarily_unavailable', 'LOOKUP_FAILED', true],
    [500, 'internal_error', 'LOOKUP_FAILED', true],
    [502, 'lookup_failed', 'LOOKUP_FAILED', true],
    [503, 'temporarily_unavailable', 'LOOKUP_FAILED', true],
    [400, 'new_code', 'LOOKUP_BAD_REQUEST', false],
    [401, 'new_code', 'LOOKUP_UNAUTHORIZED', false],
    [403, 'new_code', 'LOOKUP_UNAUTHORIZED', false],
    [402, 'new_code', 'LOOKUP_CREDITS', false],
    [404, 'new_code', 'LOOKUP_BAD_REQUEST', false],
    [429, 'new_code', 'LOOKUP_FAILED', true],
    [418, 'constructor', 'LOOKUP_BAD_REQUEST', false],
    [504, 'new_code', 'LOOKUP_FAILED', true],
  ])('HTTP %i %s is %s', async (status, code, expected, retryable) => {
    await using api = await serve((_request, response) => reply(response, status, apiError(code)));
    const error = await failure(clientOf(api.url).look('alice', { signal }));
    expect(error).toMatchObject({
      code: expected,
      retryable,
      context: { status, apiCode: code, requestId: 'r1' },
    });
    expect(everythingIn(error)).not.toContain(KEY);
  });

  test('missing credits say where to buy them', async () => {
    await using api = await serve((_request, response) =>
      reply(
        response,
        402,
        apiError('insufficient_credits', { checkoutUrl: 'https://shop.example/buy?session=s3cret' }),
      ),
    );
    const error = await failure(clientOf(api.url).look('alice', { signal }));
    expect(error.hint).toContain('https://shop.example/buy');
    expect(everythingIn(error)).not.toContain('s3cret');
  });

  test.each<[string, string | undefined, number | undefined]>([
    ['seconds', '7', 7_000],
    ['a date', new Date(Date.UTC(2026, 10, 22, 0, 0, 30)).toUTCString(), 30_000],
    ['a date that is past', new Date(0).toUTCString(), 0],
    ['a day', '86400', 3_600_000],
    ['nonsense', 'soon', undefined],
    ['nothing', undefined, undefined],
  ])('Retry-After: %s', async (_what, header, expected) => {
    await using api = await serve((_request, response) =>
      reply(
        response,
        503,
        apiError('temporarily_unavailable'),
        header === undefined ? {} : { 'retry-after': header },
      ),
    );
    const clock = new ManualClock();
    const error = await failure(clientOf(api.url, { clock }).look('alice', { signal }));
    expect(error.context['retryAfterMs']).toBe(expected);
  });

  test.each<[string, number, unknown]>([
    ['HTML', 200, '<html>sfk_abc123 https://cdn.example/x?sign=s3cret</html>'],
    ['HTML with an error status', 502, '<html>bad gateway</html>'],
    ['an empty body', 401, ''],
    [
      'JSON that is not as documented',
      200,
      { data: { lookupStatus: 'found', secret: 'sfk_abc123' }, meta: {} },
    ],
    ['an error without a code', 500, { message: 'no' }],
    ['a redirect', 302, ''],
    ['another success', 204, ''],
  ])('%s is malformed, retryable, quoted without secrets', async (_what, status, body) => {
    await using api = await serve((_request, response) => reply(response, status, body));
    const error = await failure(clientOf(api.url).look('alice', { signal }));
    expect(error).toMatchObject({ code: 'LOOKUP_MALFORMED', retryable: true, context: { status } });
    expect(everythingIn(error)).not.toMatch(/s3cret|sfk_abc123/);
  });

  test('nobody listening', async () => {
    const api = await serve(() => {});
    await api[Symbol.asyncDispose]();
    expect(await failure(clientOf(api.url).look('alice', { signal }))).toMatchObject({
      code: 'LOOKUP_FAILED',
      retryable: true,
    });
  });

  test.each(['headers', 'body'])('no %s in time', async (part) => {
    const arrived = Promise.withResolvers<void>();
    await using api = await serve((_request, response) => {
      if (part === 'body') response.write('{');
      arrived.resolve();
    });
    const clock = new ManualClock();
    const looking = failure(clientOf(api.url, { clock }).look('alice', { signal }));
    await arrived.promise;
    expect(clock.pendingMs).toEqual([15_000]);
    await clock.advance(15_000);
    expect(await looking).toMatchObject({ code: 'LOOKUP_FAILED', retryable: true });
  });

  test('an abort gives its reason and leaves no timer', async () => {
    const stop = new AbortController();
    const clock = new ManualClock();
    await using api = await serve(() => stop.abort(new Error('enough')));
    const error = await failure(clientOf(api.url, { clock }).look('alice', { signal: stop.signal }));
    expect(error.message).toBe('enough');
    expect(clock.pendingMs).toEqual([]);
  });
});

describe('one key for many creators', () => {
  test('a key that is not accepted is asked with once', async () => {
    let asked = 0;
    await using api = await serve((_request, response) => {
      asked += 1;
      reply(response, 401, apiError('unauthorized'));
    });
    const clock = new ManualClock();
    const client = clientOf(api.url, { clock });
    await failure(client.look('alice', { signal }));
    await clock.advance(24 * 3_600_000);
    expect(await failure(client.look('bob', { signal }))).toMatchObject({
      code: 'LOOKUP_UNAUTHORIZED',
      context: { withoutRequest: true },
    });
    expect(asked).toBe(1);
  });

  test('another key is another matter: it is asked with from the next look on, and kept out of the log', async () => {
    const asked: unknown[] = [];
    await using api = await serve(({ headers }, response) => {
      asked.push(headers['x-api-key']);
      if (headers['x-api-key'] === OTHER_KEY) reply(response, 200, offline());
      else reply(response, 401, apiError('unauthorized'));
    });
    const client = clientOf(api.url);
    await failure(client.look('alice', { signal }));
    client.useKey(`${OTHER_KEY}\n`);
    expect((await client.look('alice', { signal })).status).toBe('offline');
    expect(asked).toEqual([KEY, OTHER_KEY]);
    expect(scrub(`with ${OTHER_KEY}`)).toBe('with [redacted]');
  });

  test.each([
    [401, 'unauthorized'],
    [402, 'insufficient_credits'],
  ])(
    'a refusal of the old key (%i) that comes late is asked again with the new one',
    async (status, code) => {
      const asked: unknown[] = [];
      await using api = await serve(({ headers }, response) => {
        asked.push(headers['x-api-key']);
        client.useKey(OTHER_KEY);
        if (headers['x-api-key'] === OTHER_KEY) reply(response, 200, offline());
        else reply(response, status, apiError(code));
      });
      const client = clientOf(api.url);
      expect((await client.look('alice', { signal })).status).toBe('offline');
      expect(asked).toEqual([KEY, OTHER_KEY]);
    },
  );

  test('the same key once more is tried once more', async () => {
    let asked = 0;
    await using api = await serve((_request, response) => {
      asked += 1;
      reply(response, 401, apiError('unauthorized'));
    });
    const client = clientOf(api.url);
    await failure(client.look('alice', { signal }));
    client.useKey(KEY);
    await failure(client.look('alice', { signal }));
    await failure(client.look('bob', { signal }));
    expect(asked).toBe(2);
  });

  test('without credits one look in fifteen minutes probes, for all; an answer opens the gate', async () => {
    let rich = false;
    let asked = 0;
    await using api = await serve((_request, response) => {
      asked += 1;
      if (rich) reply(response, 200, offline());
      else reply(response, 402, apiError('insufficient_credits'));
    });
    const clock = new ManualClock();
    const client = clientOf(api.url, { clock });
    expect((await failure(client.look('alice', { signal }))).context['retryAfterMs']).toBe(900_000);
    await clock.advance(600_000);
    const refused = await failure(client.look('bob', { signal }));
    expect(refused).toMatchObject({
      code: 'LOOKUP_CREDITS',
      context: { withoutRequest: true, retryAfterMs: 300_000 },
    });
    expect(asked).toBe(1);

    await clock.advance(300_000);
    await Promise.all([failure(client.look('alice', { signal })), failure(client.look('bob', { signal }))]);
    expect(asked).toBe(2);

    rich = true;
    await clock.advance(900_000);
    expect((await client.look('alice', { signal })).status).toBe('offline');
    expect((await client.look('bob', { signal })).status).toBe('offline');
    expect(asked).toBe(4);
  });

  test('credits are counted as charged, in all and for each session', async () => {
    const answers = [
      offline({ creditsCharged: 2 }),
      live(),
      { data: 'nonsense', meta: { creditsCharged: 5 } },
      apiError('internal_error'),
    ];
    await using api = await serve((_request, response) => {
      const answer = answers.shift();
      reply(response, answer && 'error' in answer ? 500 : 200, answer);
    });
    const ledger = new CreditLedger();
    const client = clientOf(api.url, { ledger });
    await client.look('alice', { signal });
    const session = ledger.open('alice', { charged: 1, lookups: 1 });
    const other = ledger.open('bob');
    await client.look('@ALICE', { signal });
    await failure(client.look('alice', { signal }));
    await failure(client.look('alice', { signal }));
    expect(ledger.total).toEqual({ charged: 8, lookups: 3 });
    expect(session.credits).toEqual({ charged: 7, lookups: 3 });
    expect(other.credits).toEqual({ charged: 0, lookups: 0 });
    session.close();
    ledger.add('alice', 1);
    expect(session.credits).toEqual({ charged: 7, lookups: 3 });
  });
});

test('no secret reaches the log, whatever happens', { tags: 'secrets' }, async () => {
  const lines: string[] = [];
  const logger = createLogger({ level: 'trace', destination: { write: (line) => void lines.push(line) } });
  const answers: [number, unknown][] = [
    [200, live({ streams: [{ ...STREAM, codecFamily: 'av1' }] })],
    [200, `oops ${KEY} https://pull.tiktokcdn.com/a.flv?sign=s3cret`],
    [401, apiError('unauthorized', { message: `bad key ${KEY}` })],
  ];
  await using api = await serve((request, response) => {
    const [status, body] = answers.shift() ?? [500, request.headers];
    reply(response, status, body);
  });
  const client = clientOf(api.url, { logger });
  await client.look('alice', { signal });
  for (let i = 0; i < 2; i += 1) {
    logger.error({ err: await failure(client.look('alice', { signal })) }, 'look failed');
  }
  const log = lines.join('');
  expect(log).toContain('codecFamily');
  expect(log).toContain('LOOKUP_UNAUTHORIZED');
  expect(log).not.toContain(KEY);
  expect(log).not.toContain('s3cret');
});
