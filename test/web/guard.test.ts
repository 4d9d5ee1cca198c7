/** Who is answered, and who is not. */
import { request, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { parseListenAddress } from '../../src/config/listen-address.ts';
import { Secret } from '../../src/kernel/secret.ts';
import { requireToken } from '../../src/web/server.ts';
import { SECRETS, Served } from './served.ts';

/** As `fetch` would not send it: browsers alone may name a host or an origin. */
async function ask(
  served: Served,
  headers: Record<string, string>,
  { path = '/api/v1/status', method = 'GET' } = {},
): Promise<{ status: number | undefined; headers: IncomingMessage['headers'] }> {
  const sent = request(`${served.server.url}${path}`, { headers, method }).end();
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  answer.resume();
  return { status: answer.statusCode, headers: answer.headers };
}

const hostOf = (served: Served): string => new URL(served.server.url).host;
const portOf = (served: Served): string => new URL(served.server.url).port;

describe('without a token', () => {
  test('this machine is answered under its own names', async () => {
    const served = await Served.open();
    for (const host of ['127.0.0.1', 'localhost', '[::1]', '127.0.0.2'])
      expect(await ask(served, { host: `${host}:${portOf(served)}` })).toMatchObject({ status: 200 });
  });

  test('and not under a name that somebody else points at it', async () => {
    const served = await Served.open();
    for (const host of ['evil.example', `localhost.evil.example:${portOf(served)}`, '10.0.0.1', '[::2]']) {
      for (const path of ['/api/v1/status', '/metrics', '/healthz', '/api/openapi.json'])
        expect([host, path, (await ask(served, { host }, { path })).status]).toEqual([host, path, 403]);
    }
  });

  test.each([
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['another port of this machine', { 'sec-fetch-site': 'same-site' }],
    ['another origin, in a browser that says no more', { origin: 'https://evil.example' }],
    ['a file or a sandboxed frame', { origin: 'null' }],
  ])('a page of %s gets nothing and orders nothing', async (_who, headers) => {
    const served = await Served.open();
    const pause = { path: '/api/v1/creators/alice/pause', method: 'POST' };
    expect((await ask(served, headers)).status).toBe(403);
    expect((await ask(served, headers, pause)).status).toBe(403);
    expect((await served.call('GET', '/creators/alice')).body).toMatchObject({ paused: false });
  });

  test('a page of its own is answered', async () => {
    const served = await Served.open();
    const headers = { 'sec-fetch-site': 'same-origin', origin: `http://${hostOf(served)}` };
    expect((await ask(served, headers)).status).toBe(200);
  });
});

describe('with a token', () => {
  test.each([
    ['none', {}],
    ['another one', { authorization: `Bearer ${SECRETS.token.slice(0, -1)}X` }],
    ['the beginning of it', { authorization: `Bearer ${SECRETS.token.slice(0, -1)}` }],
    ['it, as something else', { authorization: `Basic ${SECRETS.token}` }],
    ['it in the address', {}, `?token=${SECRETS.token}`],
  ])('whoever shows %s is refused', async (_what, headers, query = '') => {
    const served = await Served.open({ token: SECRETS.token });
    for (const path of ['/api/v1/status', '/metrics', '/api/openapi.json', '/nothing']) {
      const { status, headers: answered } = await ask(served, headers, { path: `${path}${query}` });
      expect([path, status, answered['www-authenticate']]).toEqual([path, 401, 'Bearer']);
    }
  });

  test('whoever shows it is answered, under any name; health tells anybody', async () => {
    const served = await Served.open({ token: SECRETS.token });
    const shown = { authorization: `bearer ${SECRETS.token}`, host: 'livestow.example' };
    for (const path of ['/api/v1/status', '/metrics', '/api/openapi.json'])
      expect([path, (await ask(served, shown, { path })).status]).toEqual([path, 200]);
    for (const path of ['/healthz', '/readyz'])
      expect([path, (await ask(served, {}, { path })).status]).toEqual([path, 200]);
  });
});

test('no answer can be read by another site, or kept', async () => {
  const served = await Served.open();
  const answers = [
    await ask(served, {}),
    await ask(served, { origin: 'https://evil.example' }),
    await ask(served, { origin: `http://${hostOf(served)}` }),
    await ask(
      served,
      { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
      { method: 'OPTIONS' },
    ),
    await ask(served, {}, { path: '/nothing' }),
  ];
  for (const { headers } of answers) {
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'cross-origin-resource-policy': 'same-origin',
    });
  }
});

describe('an address that other machines reach', () => {
  const reach = (text: string, token: Secret | null) =>
    requireToken({ listen: parseListenAddress(text) ?? null, token, viewerToken: null });

  test.each(['0.0.0.0:8470', '[::]:8470', '192.168.1.2:8470', 'nas.local:8470', '[::ffff:127.0.0.1]:1'])(
    '%s needs a token',
    (text) => {
      expect(() => reach(text, null)).toThrow(expect.objectContaining({ code: 'CONFIG' }) as Error);
      expect(() => reach(text, new Secret(SECRETS.token))).not.toThrow();
    },
  );

  test.each(['127.0.0.1:8470', 'localhost:0', '[::1]:8470', '127.1.2.3:8470'])('%s needs none', (text) => {
    expect(() => reach(text, null)).not.toThrow();
  });
});
