import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import type { LivestowError } from '../../src/kernel/errors.ts';
import type { Resolve } from '../../src/net/host-guard.ts';
import { createNet, type Net } from '../../src/net/net.ts';
import { serve, serveHttpProxy, serveRaw, serveSocksProxy } from './servers.ts';

const open: Net[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((net) => net.close()));
});

function netWith(settings: Partial<Parameters<typeof createNet>[0]> = {}): Net {
  const net = createNet({ mediaHosts: [], proxy: null, ...settings });
  open.push(net);
  return net;
}

const never = new AbortController().signal;
const read = (net: Net, url: string, maxBytes = 1_000) =>
  net.media.read(url, { signal: never, maxBytes, timeoutMs: 5_000 });
const failure = (promise: Promise<unknown>): Promise<LivestowError> =>
  promise.then(
    () => {
      throw new Error('it succeeded');
    },
    (error: LivestowError) => error,
  );
/** A resolver whose answers the test sets. */
const resolveTo =
  (addresses: string[]): Resolve =>
  (_hostname, _options, callback) =>
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );

describe('forbidden hosts', { tags: 'hostile-address' }, () => {
  test.each([
    ['a literal', (port: number) => `http://127.0.0.1:${port}/`],
    ['a short literal', (port: number) => `http://127.1:${port}/`],
    ['a hexadecimal literal', (port: number) => `http://0x7f000001:${port}/`],
    ['an octal literal', (port: number) => `http://0177.0.0.1:${port}/`],
    ['a decimal literal', (port: number) => `http://2130706433:${port}/`],
    ['full-width digits', (port: number) => `http://１２７.0.0.1:${port}/`],
    ['a trailing dot', (port: number) => `http://127.0.0.1.:${port}/`],
    ['the unspecified address', (port: number) => `http://0.0.0.0:${port}/`],
    ['IPv4-mapped IPv6', (port: number) => `http://[::ffff:127.0.0.1]:${port}/`],
    ['IPv6 loopback', (port: number) => `http://[::1]:${port}/`],
    ['a name', (port: number) => `http://localhost:${port}/`],
  ])('%s is refused before anything is sent', async (_what, urlOf) => {
    let asked = 0;
    await using server = await serve((_request, response) => {
      asked += 1;
      response.end('secret');
    });
    const error = await failure(read(netWith(), urlOf(server.port)));
    expect(error).toMatchObject({ code: 'MEDIA_FORBIDDEN_HOST', retryable: false });
    expect(error.hint).toContain('LIVESTOW_MEDIA_HOSTS');
    expect(asked).toBe(0);
  });

  test('a host that is named is let through, on any port', async () => {
    await using server = await serve((_request, response) => response.end('media'));
    expect((await read(netWith({ mediaHosts: ['127.0.0.1'] }), server.url)).bytes.toString()).toBe('media');
    expect(
      (await read(netWith({ mediaHosts: ['LOCALHOST'] }), `http://localhost:${server.port}/`)).status,
    ).toBe(200);
  });

  test('a redirect to one is refused', async () => {
    let inside = 0;
    await using server = await serve((_request, response) => {
      inside += 1;
      response.end();
    });
    await using front = await serve((_request, response) =>
      response.writeHead(302, { location: `http://127.0.0.1:${server.port}/` }).end(),
    );
    const error = await failure(
      read(netWith({ mediaHosts: ['localhost'] }), `http://localhost:${front.port}/`),
    );
    expect(error.code).toBe('MEDIA_FORBIDDEN_HOST');
    expect(inside).toBe(0);
  });

  test('a name with one private address among public ones is refused', async () => {
    const net = netWith({ resolve: resolveTo(['8.8.8.8', '10.0.0.1']) });
    expect((await failure(read(net, 'http://cdn.example/'))).code).toBe('MEDIA_FORBIDDEN_HOST');
  });

  test('a name whose answer changes: what was judged is what is dialled', async () => {
    let asked = 0;
    await using server = await serve((_request, response) => {
      asked += 1;
      response.end('secret');
    });
    // Public when it is judged, loopback the moment after: as long as one look-up serves both, it is never dialled.
    const answers = [['8.8.8.8'], ['127.0.0.1'], ['8.8.8.8', '127.0.0.1'], ['::ffff:127.0.0.1']];
    let lookups = 0;
    const resolve: Resolve = (hostname, options, callback) =>
      resolveTo(answers[lookups++ % answers.length] ?? [])(hostname, options, callback);
    const net = netWith({ resolve });
    const url = `http://rebinding.example:${server.port}/`;
    const codes: string[] = [];
    for (const _ of answers)
      codes.push((await failure(net.media.read(url, { signal: never, maxBytes: 10, timeoutMs: 300 }))).code);
    const refused = 'MEDIA_FORBIDDEN_HOST';
    expect([codes, asked, lookups]).toEqual([['MEDIA_NETWORK', refused, refused, refused], 0, 4]);
  });

  test.each([
    'file:///etc/passwd',
    'concat:/etc/passwd|/etc/shadow',
    'ftp://8.8.8.8/',
    'gopher://8.8.8.8/_x',
    'data:,x',
    'no url',
    '',
  ])('%j is not fetched, nor after a redirect', async (url) => {
    expect((await failure(read(netWith(), url))).code).toBe('MEDIA_UNSUPPORTED');
    if (!URL.canParse(url)) return;
    await using server = await serve((_request, response) =>
      response.writeHead(302, { location: url }).end(),
    );
    const net = netWith({ mediaHosts: ['127.0.0.1'] });
    expect((await failure(read(net, server.url))).code).toBe('MEDIA_UNSUPPORTED');
  });

  test('line ends in an address become no headers, a user in it no credentials', async () => {
    const seen: IncomingMessage[] = [];
    await using server = await serve((request, response) => {
      seen.push(request);
      response.end('media');
    });
    const net = netWith({ mediaHosts: ['127.0.0.1'] });
    await read(net, `${server.url}/a\r\nx-evil: 1\r\n\r\nGET /b?c=\r\nd`);
    await read(net, server.url.replace('//', '//user:c4n4ry@'));
    expect(seen).toHaveLength(2);
    for (const { headers } of seen) {
      expect(headers['x-evil']).toBeUndefined();
      expect(JSON.stringify(headers)).not.toMatch(/c4n4ry|authorization/i);
    }
  });

  test('a redirect that splits its answer is an error', async () => {
    await using server = await serveRaw('HTTP/1.1 302 Found\r\nlocation: /a\r\n x: y\nset-cookie: a\r\n\r\n');
    const error = await failure(read(netWith({ mediaHosts: ['127.0.0.1'] }), server.url));
    expect(error.code).toMatch(/^MEDIA_(?:NETWORK|HTTP)$/);
  });

  test('headers without end are given up', async () => {
    await using server = await serveRaw(
      `HTTP/1.1 200 OK\r\n${`x-a: ${'y'.repeat(1_000)}\r\n`.repeat(1_000)}`,
    );
    const error = await failure(read(netWith({ mediaHosts: ['127.0.0.1'] }), server.url));
    expect(error.code).toBe('MEDIA_NETWORK');
  });
});

describe('answers', () => {
  test('redirects are followed, relative ones too, and the last URL is told', async () => {
    const seen: IncomingMessage['headers'][] = [];
    await using server = await serve((request, response) => {
      seen.push(request.headers);
      if (request.url === '/end?sign=s') response.end('here');
      else response.writeHead(307, { location: '/end?sign=s' }).end();
    });
    const answer = await read(netWith({ mediaHosts: ['127.0.0.1'] }), `${server.url}/start`);
    expect(answer.bytes.toString()).toBe('here');
    expect(answer.url).toBe(`${server.url}/end?sign=s`);
    expect(seen).toHaveLength(2);
    expect(seen[1]).toMatchObject({
      referer: 'https://www.tiktok.com/',
      'user-agent': expect.stringContaining('Chrome/') as string,
    });
  });

  test('a circle of redirects ends', async () => {
    let asked = 0;
    await using server = await serve((_request, response) => {
      asked += 1;
      response.writeHead(302, { location: '/' }).end();
    });
    const error = await failure(read(netWith({ mediaHosts: ['127.0.0.1'] }), server.url));
    expect(error).toMatchObject({ code: 'MEDIA_HTTP', retryable: true });
    expect(asked).toBe(6);
  });

  test('a refusal carries its status and no signature', async () => {
    await using server = await serve((_request, response) => response.writeHead(404).end('<html>'));
    const error = await failure(
      read(netWith({ mediaHosts: ['127.0.0.1'] }), `${server.url}/a.flv?sign=s3cret`),
    );
    expect(error).toMatchObject({ code: 'MEDIA_HTTP', retryable: true, context: { status: 404 } });
    expect(JSON.stringify([error.message, error.hint, error.context])).not.toContain('s3cret');
  });

  test('nobody listening is a network error', async () => {
    const server = await serve(() => {});
    await server[Symbol.asyncDispose]();
    const error = await failure(read(netWith({ mediaHosts: ['127.0.0.1'] }), `${server.url}/?sign=s3cret`));
    expect(error).toMatchObject({ code: 'MEDIA_NETWORK', retryable: true });
    expect(JSON.stringify([error.message, error.hint, error.context])).not.toContain('s3cret');
  });

  test('a body beyond the bound is given up', async () => {
    await using server = await serve((_request, response) => {
      response.on('error', () => {}).write(Buffer.alloc(2_000));
    });
    expect((await failure(read(netWith({ mediaHosts: ['127.0.0.1'] }), server.url))).code).toBe(
      'MEDIA_NOT_MEDIA',
    );
  });

  test('an answer that takes too long is a network error', async () => {
    await using server = await serve((_request, response) => void response.write('x'));
    const net = netWith({ mediaHosts: ['127.0.0.1'] });
    const error = await failure(net.media.read(server.url, { signal: never, maxBytes: 10, timeoutMs: 50 }));
    expect(error).toMatchObject({ code: 'MEDIA_NETWORK', context: { networkCode: 'ETIMEDOUT' } });
  });

  test('an abort closes the socket at once and gives its reason', async () => {
    const stop = new AbortController();
    const closed = Promise.withResolvers<void>();
    await using server = await serve((request, response) => {
      request.socket.on('close', () => closed.resolve());
      response.write('media');
    });
    const answer = await netWith({ mediaHosts: ['127.0.0.1'] }).media.open(server.url, {
      signal: stop.signal,
    });
    const failed = once(answer.body.resume(), 'error');
    stop.abort(new Error('enough'));
    expect((await failed)[0]).toMatchObject({ message: 'enough' });
    await closed.promise;
  });

  test('an abort before the answer gives its reason', async () => {
    const stop = new AbortController();
    await using server = await serve(() => stop.abort(new Error('enough')));
    const net = netWith({ mediaHosts: ['127.0.0.1'] });
    expect((await failure(net.media.open(server.url, { signal: stop.signal }))).message).toBe('enough');
    expect((await failure(net.media.open(server.url, { signal: stop.signal }))).message).toBe('enough');
  });
});

describe('through a proxy', () => {
  const kinds = [
    ['http', serveHttpProxy, (port: number) => `http://127.0.0.1:${port}`],
    ['socks5', serveSocksProxy, (port: number) => `socks5://127.0.0.1:${port}`],
  ] as const;

  test.each(kinds)('%s: what is allowed goes through it', async (_kind, serveProxy, proxyUrl) => {
    const asked: string[] = [];
    await using proxy = await serveProxy(asked);
    await using server = await serve((_request, response) => response.end('media'));
    const net = netWith({ mediaHosts: ['localhost'], proxy: proxyUrl(proxy.port) });
    const answer = await read(net, `http://localhost:${server.port}/`);
    expect(answer.bytes.toString()).toBe('media');
    expect(asked).toHaveLength(1);
    expect(asked[0]).toContain(`localhost:${server.port}`);
  });

  test.each(kinds)('%s: what is forbidden never reaches it', async (_kind, serveProxy, proxyUrl) => {
    const asked: string[] = [];
    await using proxy = await serveProxy(asked);
    const net = netWith({ proxy: proxyUrl(proxy.port), resolve: resolveTo(['192.168.0.1']) });
    for (const url of ['http://127.0.0.1/', 'http://[::1]/', 'https://cdn.example/']) {
      expect((await failure(read(net, url))).code).toBe('MEDIA_FORBIDDEN_HOST');
    }
    expect(asked).toEqual([]);
  });

  test('another kind of proxy is a configuration error that does not quote it', () => {
    const error = (() => {
      try {
        return createNet({ mediaHosts: [], proxy: 'ftp://user:hunter2@host' });
      } catch (caught) {
        return caught as LivestowError;
      }
    })();
    expect(error).toMatchObject({ code: 'CONFIG' });
    expect((error as LivestowError).message).not.toContain('hunter2');
  });
});
