/** `/healthz` and `/readyz`: what whoever supervises the daemon decides on. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import { LoopWatch } from '../../src/web/health.ts';
import { WebServer } from '../../src/web/server.ts';
import { ManualClock } from '../manual-clock.ts';
import { Served } from './served.ts';

const ready = async (served: Served) => {
  const response = await served.fetch('/readyz');
  return { status: response.status, body: (await response.json()) as { checks: Record<string, boolean> } };
};

test('a daemon that can do its work is alive and ready', async () => {
  const served = await Served.open();
  const alive = await served.fetch('/healthz');
  expect([alive.status, await alive.json()]).toEqual([200, { ok: true, checks: { eventLoop: true } }]);
  expect(await ready(served)).toEqual({
    status: 200,
    body: { ok: true, checks: { config: true, store: true, key: true, spool: true, notEnding: true } },
  });
});

test('one whose key is refused is not ready', async () => {
  const served = await Served.open({ env: { LIVESTOW_API_KEY: 'sfk_another' } });
  await served.happens(({ type }) => type === 'failed');
  expect(await ready(served)).toMatchObject({ status: 503, body: { checks: { key: false, store: true } } });
});

test('one whose store does not answer is not ready', async () => {
  const served = await Served.open({
    // Nobody listens there.
    env: { LIVESTOW_STORE: 's3://bucket?endpoint=http://127.0.0.1:9&region=x&pathStyle=true' },
  });
  expect(await ready(served)).toMatchObject({ status: 503, body: { checks: { store: false, spool: true } } });
});

test('one whose spool cannot be written is not ready', async () => {
  const served = await Served.open({ config: '{}' });
  const folder = join(served.folder, 'spool/livestow-serve');
  await rm(folder, { recursive: true });
  await writeFile(folder, 'in its place');
  expect(await ready(served)).toMatchObject({ status: 503, body: { checks: { spool: false } } });
});

test('one that ends is alive and not ready', async () => {
  const served = await Served.open();
  await served.daemon.end('drain');
  expect(await ready(served)).toMatchObject({ status: 503, body: { checks: { notEnding: false } } });
  expect((await served.fetch('/healthz')).status).toBe(200);
});

test('one that starts is alive, and neither ready nor asked', async () => {
  const server = await WebServer.open({
    listen: { host: '127.0.0.1', port: 0 },
    tokens: { token: null, viewerToken: null },
    clock: systemClock,
    log: silentLogger(),
    version: '1.2.3',
  });
  const statuses = ['/healthz', '/readyz', '/api/v1/status'].map(
    async (path) => (await fetch(`${server.url}${path}`)).status,
  );
  expect(await Promise.all(statuses)).toEqual([200, 503, 503]);
  await server.close();
});

test('an event loop that is held up again and again is told', async () => {
  const loop = new LoopWatch(new ManualClock());
  expect(loop.isKeepingUp).toBe(true);
  for (let count = 0; count < 2; count += 1) {
    const sinceMs = performance.now();
    while (performance.now() - sinceMs < 2_100);
    await turn();
    await turn();
  }
  expect(loop.isKeepingUp).toBe(false);
  loop.close();
});
