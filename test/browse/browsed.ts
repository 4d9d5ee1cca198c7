/** The pages of an archive on loopback, as `livestow browse` serves them, over a store of the test's own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSessionParts, openSite } from '../../src/cli/open-site.ts';
import { settingsInForce } from '../../src/config/describe.ts';
import { loadConfig } from '../../src/config/load.ts';
import { startPlayer, type PlayServer } from '../../src/browse/play-server.ts';
import type { SessionRef } from '../../src/archive/session-reader.ts';
import { systemClock, type Clock } from '../../src/kernel/clock.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import type { Store } from '../../src/store/store.ts';
import { WebServer } from '../../src/web/server.ts';

export interface Browsed extends AsyncDisposable {
  /** Without a slash at its end. */
  url: string;
}

const parts = async (store: Store, env: Record<string, string>, clock: Clock) => {
  const cache = await mkdtemp(join(tmpdir(), 'livestow-cache-'));
  const given = { LIVESTOW_LISTEN: '127.0.0.1:0', LIVESTOW_CACHE: cache, ...env };
  const loaded = await loadConfig({ flags: {}, env: given, cwd: cache });
  const shared = { store, config: loaded.config, clock, log: silentLogger(), env: process.env };
  return { cache, loaded, shared };
};

export async function browse(
  store: Store,
  env: Record<string, string> = {},
  clock: Clock = systemClock,
): Promise<Browsed> {
  const { cache, loaded, shared } = await parts(store, env, clock);
  const { listen, token, viewerToken } = loaded.config;
  if (listen === null) throw new Error('nobody listens');
  const ending = new AsyncDisposableStack();
  ending.defer(() => rm(cache, { recursive: true, force: true }));
  const { log } = shared;
  const server = await WebServer.open({
    listen,
    tokens: { token, viewerToken },
    clock,
    log,
    version: '1.2.3',
  });
  ending.defer(() => server.close());
  const inForce = { file: null, settings: settingsInForce(loaded), waiting: [] };
  const site = { ...shared, access: server.access, daemon: null, inForce: () => inForce, version: '1.2.3' };
  server.serve({ daemon: null, pages: await openSite(site, ending) });
  return { url: server.url, [Symbol.asyncDispose]: () => ending.disposeAsync() };
}

/** As `livestow play` does. */
export async function play(
  store: Store,
  ref: SessionRef,
  { port = 0, clock = systemClock }: { port?: number; clock?: Clock } = {},
): Promise<PlayServer> {
  const { cache, shared } = await parts(store, {}, clock);
  const ending = new AsyncDisposableStack();
  ending.defer(() => rm(cache, { recursive: true, force: true }));
  try {
    const server = await startPlayer(await openSessionParts(shared, ending), ref, { port, clock });
    ending.defer(() => server.close());
    return { ...server, close: () => ending.disposeAsync() };
  } catch (error) {
    await ending.disposeAsync();
    throw error;
  }
}
