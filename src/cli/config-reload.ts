/**
 * The config file, read again while `serve` runs. Whatever is wrong with it is told, and what was in force stays. One
 * reading at a time, so that what is in force in the end is what the file said last.
 */
import type { LoadedConfig } from '../config/load.ts';
import type { Daemon } from '../daemon/daemon.ts';
import { LivestowError, messageOf } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import { requireToken } from '../web/server.ts';
import { requireKey } from './command.ts';

export interface ConfigReloadOptions {
  load: () => Promise<LoadedConfig>;
  /** That the daemon began with. */
  file: string | null;
  daemon: Pick<Daemon, 'reload' | 'events'>;
  log: Logger;
  onReloaded: (latest: LoadedConfig, waiting: string[]) => void;
}

export class ConfigReload {
  readonly #options: ConfigReloadOptions;
  #file: string | null;
  #reading: Promise<void> = Promise.resolve();

  constructor(options: ConfigReloadOptions) {
    this.#options = options;
    this.#file = options.file;
  }

  /** Resolves when the file was read; never rejects. */
  begin(): Promise<void> {
    this.#reading = this.#reading.then(() => this.#reload());
    return this.#reading;
  }

  async #reload(): Promise<void> {
    const { daemon, log } = this.#options;
    try {
      this.#take(await this.#read());
    } catch (error) {
      // Whatever it is, a bug too: recordings go on.
      log.error({ err: error }, 'the config file is refused; what was in force stays');
      daemon.events.report({ type: 'config', outcome: 'refused', message: messageOf(error) });
    }
  }

  async #read(): Promise<LoadedConfig> {
    const loaded = await this.#options.load();
    // By the defaults nobody would be watched any more: hardly what somebody means who moves a file, or whose editor has
    // emptied it to write it anew.
    if (this.#file !== null && loaded.file === null)
      throw gone(`there is no config file ${this.#file} any more`);
    if (loaded.file !== null && Object.values(loaded.given).every(({ origin }) => origin.kind !== 'file'))
      throw gone(`${loaded.file} is empty`);
    requireKey(loaded.config);
    requireToken(loaded.config);
    this.#file = loaded.file;
    return loaded;
  }

  #take(loaded: LoadedConfig): void {
    const { daemon, log, onReloaded } = this.#options;
    const { change, jobs, settings, waiting } = daemon.reload(loaded.config);
    const message = [
      ...(['added', 'removed', 'changed'] as const).flatMap((what) =>
        change[what].length === 0
          ? []
          : [`${what}: ${change[what].map((handle) => `@${handle}`).join(', ')}`],
      ),
      ...(jobs.length === 0 ? [] : [`jobs: ${jobs.join(', ')}`]),
      ...(settings.length === 0 ? [] : [`settings: ${settings.join(', ')}`]),
      ...(waiting.length === 0 ? [] : [`wait for the next start: ${waiting.join(', ')}`]),
    ].join('; ');
    log.info(
      { ...change, jobs, settings, waiting },
      `the config file was read again${message === '' ? ': nothing changed' : ''}`,
    );
    daemon.events.report({
      type: 'config',
      outcome: 'reloaded',
      message: message === '' ? 'nothing changed' : message,
    });
    onReloaded(loaded, waiting);
  }
}

const gone = (message: string): LivestowError =>
  new LivestowError('CONFIG', message, { hint: 'to watch nobody any more, write `creators: []`' });
