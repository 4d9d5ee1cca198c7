/** Where the cached list of a bucket's sessions lies on this machine, unless told otherwise. */
import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

type Environment = Readonly<Record<string, string | undefined>>;

/** Of this user, for all that may be deleted. */
function cacheFolder(env: Environment, platform: NodeJS.Platform = process.platform): string {
  const given = env['XDG_CACHE_HOME'];
  if (given !== undefined && isAbsolute(given)) return join(given, 'livestow');
  const home = env['HOME'] ?? homedir();
  return join(home, ...(platform === 'darwin' ? ['Library', 'Caches'] : ['.cache']), 'livestow');
}

/**
 * Null: there is to be none.
 * @param cache as the setting has it
 * @param store its description, which names it and holds no secret
 */
export function cataloguePath(cache: string | null, store: string, env: Environment): string | null {
  if (cache === 'off') return null;
  const digest = createHash('sha256').update(store).digest('hex');
  return join(cache ?? cacheFolder(env), `catalogue-${digest.slice(0, 16)}.sqlite`);
}
