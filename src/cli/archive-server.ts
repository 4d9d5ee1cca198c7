/** The pages of an archive without a daemon, read-only: what `livestow browse` serves, and the demo at its end. */
import { settingsInForce } from '../config/describe.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import type { Store } from '../store/store.ts';
import { WebServer } from '../web/server.ts';
import type { CliContext } from './context.ts';
import { openSite } from './open-site.ts';
import { livestowVersion } from './version.ts';

export interface ServedArchive {
  store: Store;
  config: Config;
  /** As the page of settings tells them. */
  loaded: LoadedConfig;
}

const DEFAULT_LISTEN = { host: '127.0.0.1', port: 8470 };

/** Listens until `ending` is disposed of. Resolves with the address. @throws CONFIG when it must not or cannot listen there */
export async function serveArchive(
  context: CliContext,
  { store, config, loaded }: ServedArchive,
  ending: AsyncDisposableStack,
): Promise<string> {
  const { token, viewerToken, listen } = config;
  const { clock, env } = context;
  // A request is no news.
  const log = context.createLogger({
    ...config,
    logLevel: config.logLevel === 'info' ? 'warn' : config.logLevel,
  });
  const version = livestowVersion();
  const web = await WebServer.open({
    listen: listen ?? DEFAULT_LISTEN,
    tokens: { token, viewerToken },
    clock,
    log,
    version,
  });
  ending.defer(() => web.close());
  const inForce = { file: loaded.file, settings: settingsInForce(loaded), waiting: [] };
  const parts = {
    store,
    config,
    clock,
    log,
    env,
    access: web.access,
    daemon: null,
    inForce: () => inForce,
    version,
  };
  web.serve({ daemon: null, pages: await openSite(parts, ending) });
  return web.url;
}
