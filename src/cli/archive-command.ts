/** What the commands that read the archive share: a store for as long as the command runs, and how an interruption ends. */
import type { Command } from 'commander';
import type { LoadedConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { stopKind } from '../kernel/stop-request.ts';
import { openStore, requireFolder } from '../store/open-store.ts';
import type { Store } from '../store/store.ts';
import type { CliContext } from './context.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

export interface Archive {
  store: Store;
  config: Config;
  loaded: LoadedConfig;
  signal: AbortSignal;
}

export const SESSION_HELP = 'a session id, the beginning of one, or @handle for the latest of a creator';

/** An interrupted command has undone what was half done when this returns. */
export async function withArchive(
  context: CliContext,
  command: Command,
  use: (archive: Archive) => Promise<ExitCode>,
): Promise<ExitCode> {
  const loaded = await context.loadConfig(command);
  const { config } = loaded;
  const signal = context.stopSignal();
  await requireFolder(config.store);
  const store = openStore(config.store, { logger: context.createLogger(config), clock: context.clock });
  try {
    return await use({ store, config, loaded, signal });
  } catch (error) {
    const stop = stopKind(signal);
    if (stop === undefined) throw error;
    return stop === 'interrupt' ? EXIT.interrupted : EXIT.failed;
  } finally {
    store.close();
  }
}
