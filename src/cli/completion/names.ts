/** What handles and sessions this machine knows of, for completion: from the cached list and the config file alone. */
import { existsSync } from 'node:fs';
import { cataloguePath } from '../../catalogue/cache-path.ts';
import { Catalogue } from '../../catalogue/catalogue.ts';
import type { Config } from '../../config/schema.ts';
import { silentLogger } from '../../kernel/logger.ts';
import { openStore } from '../../store/open-store.ts';
import type { CliContext } from '../context.ts';

/** The newest; nobody looks through more. */
const SESSIONS = 500;

/** Of a session: `@alice`, for the latest of hers, and ids. */
export async function knownNames(
  { clock, env }: CliContext,
  config: Config,
  kind: 'session' | 'handle',
): Promise<string[]> {
  const handles = new Set(kind === 'handle' ? config.creators.map(({ handle }) => handle) : []);
  const sessions: string[] = [];
  const store = openStore(config.store);
  const path = cataloguePath(config.cache, store.description, env);
  // One is made by `ls`, not by a key that was pressed.
  if (path !== null && existsSync(path)) {
    const catalogue = Catalogue.open(store, { path, clock, log: silentLogger() });
    for (const creator of catalogue.creators()) for (const handle of creator.handles) handles.add(handle);
    if (kind === 'session')
      sessions.push(...catalogue.search({ limit: SESSIONS }).entries.map(({ session }) => session));
    await catalogue.close();
  }
  store.close();
  return kind === 'handle'
    ? [...handles]
    : [...[...handles].map((handle) => `@${handle}`), ...new Set(sessions)];
}
