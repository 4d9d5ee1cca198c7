/** No secret is in any answer, whatever happens. */
import { expect, test } from 'vitest';
import { CANARY, findCanary } from '../e2e/canary.ts';
import { SECRETS, Served } from './served.ts';

const PATHS = [
  '/api/v1/status',
  '/api/v1/config',
  '/api/v1/creators',
  '/api/v1/creators/alice',
  '/api/v1/events?limit=1000',
  '/api/openapi.json',
  '/metrics',
  '/healthz',
  '/readyz',
  '/nothing',
];

test('neither key nor token nor the password of a proxy nor a signed address', async () => {
  const served = await Served.open({
    token: SECRETS.token,
    env: { LIVESTOW_PROXY: `http://user:${CANARY}@127.0.0.1:9` },
  });
  // The proxy is not there: looks fail, and say so.
  const { events } = served.daemon;
  const message = `GET https://cdn.example/a.flv?sign=${CANARY} with ${SECRETS.apiKey} failed`;
  events.report({ type: 'failed', handle: 'alice', code: 'MEDIA_HTTP', message, hint: null });
  const stream = await served.fetch('/api/v1/events/stream', { headers: { 'last-event-id': 'x.1' } });
  const reader = stream.body!.getReader();
  let told = '';
  while (!told.includes('MEDIA_HTTP')) told += new TextDecoder().decode((await reader.read()).value);
  await reader.cancel();
  const found = findCanary(told, 'the stream');
  for (const path of PATHS) {
    for (const authorization of [`Bearer ${SECRETS.token}`, `Bearer ${SECRETS.token}x`]) {
      const response = await served.fetch(path, { headers: { authorization } });
      found.push(...findCanary(await response.text(), path));
      found.push(...findCanary(JSON.stringify([...response.headers]), `the head of ${path}`));
    }
  }
  const wrong = await served.call('POST', '/creators', { handle: `../${CANARY}`, [CANARY]: 1 });
  expect(wrong.status).toBe(400);
  expect(found).toEqual([]);
});
