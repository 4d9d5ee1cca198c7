/** Puts the pages together for the commands that serve them: catalogue, pictures, exports, links, over one archive. */
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import { Assets } from '../browse/assets.ts';
import { Exports } from '../browse/exports.ts';
import { Pictures } from '../browse/pictures.ts';
import type { SessionSiteDeps } from '../browse/session-site.ts';
import { ShareLinks } from '../browse/share.ts';
import { Site } from '../browse/site.ts';
import { Catalogue } from '../catalogue/catalogue.ts';
import { cataloguePath } from '../catalogue/cache-path.ts';
import type { Config } from '../config/schema.ts';
import { findFfmpeg } from '../ffmpeg/capabilities.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Store } from '../store/store.ts';
import type { Access } from '../web/access.ts';
import type { DaemonView } from '../web/daemon-view.ts';
import type { ConfigInForce } from '../web/schemas.ts';

/** Another livestow may have been stopped (Ctrl-Z) as it wrote the list of sessions. */
const RECORDING_WAITS_MS = 1_000;

export interface SessionPartsOptions {
  store: Store;
  config: Config;
  clock: Clock;
  log: Logger;
  env: Readonly<Record<string, string | undefined>>;
}

export interface OpenSiteOptions extends SessionPartsOptions {
  access: Access;
  daemon: DaemonView | null;
  inForce: () => ConfigInForce;
  version: string;
}

/** What the pages of sessions need. What is under way ends with `ending`. */
export async function openSessionParts(
  { store, config, clock, log, env }: SessionPartsOptions,
  ending: AsyncDisposableStack,
): Promise<SessionSiteDeps> {
  const over = new AbortController();
  ending.defer(() => over.abort());
  // Looked for when it is needed: an archive can be browsed without it.
  const ffmpegPath = async (): Promise<string> => (await findFfmpeg(env, over.signal)).path;
  const cache = cataloguePath(config.cache, store.description, env);
  const folder = cache === null ? null : cache.replace(/catalogue-(\w+)\.sqlite$/, 'pictures-$1');
  const pictures = new Pictures({ store, folder, ffmpegPath, log, signal: over.signal });
  const parent = cache === null ? tmpdir() : dirname(cache);
  const reserveBytes = config.diskReserveBytes;
  const exports = await Exports.open({ store, parent, reserveBytes, ffmpegPath, clock, log });
  ending.defer(() => exports.close());
  const shares = config.token === null ? null : new ShareLinks(config.token, clock);
  return { store, assets: await Assets.load(), pictures, exports, shares };
}

export async function openSite(options: OpenSiteOptions, ending: AsyncDisposableStack): Promise<Site> {
  const { store, config, clock, log, env, access, daemon, inForce, version } = options;
  const parts = await openSessionParts(options, ending);
  const path = cataloguePath(config.cache, store.description, env);
  const busyMs = daemon === null ? undefined : RECORDING_WAITS_MS;
  const catalogue = Catalogue.open(store, { path, clock, log, busyMs });
  ending.defer(() => catalogue.close());
  return new Site({ ...parts, catalogue, access, daemon, config: inForce, clock, version });
}
