/**
 * What every command is given instead of reaching for `process`: where to write, what the settings are, how it is
 * asked to stop.
 */
import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { loadConfig, type LoadedConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { SETTING_KEYS, type SettingKey } from '../config/schema.ts';
import { systemClock, type Clock } from '../kernel/clock.ts';
import { createLogger, type Logger } from '../kernel/logger.ts';
import { createOutput, type Output } from './output.ts';
import { listenForStop } from './stop.ts';

export interface CliContext {
  /** Results. */
  readonly out: Output;
  /** What is said to the person who runs the command, beside the log: progress, warnings, errors. */
  readonly err: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly clock: Clock;
  /**
   * The settings in force for this command. Throws CONFIG.
   * @param options `tell`: false where the command tells the warnings itself
   */
  loadConfig(command: Command, options?: { tell: boolean }): Promise<LoadedConfig>;
  /** To standard error: readable on a terminal, one JSON object a line elsewhere. */
  createLogger(config: Config): Logger;
  /**
   * Aborts when the operator asks the command to stop, with a `StopRequest` as its reason (see `stopKind`). The first
   * call installs the handlers; a command that never calls is ended by the signal itself. With `onHangup`, SIGHUP asks
   * for that and not for an end.
   */
  stopSignal(options?: { onHangup: () => void }): AbortSignal;
  /** Asks the person at the terminal, no being what silence says; undefined where there is nobody to ask. */
  confirm(question: string, signal: AbortSignal): Promise<boolean | undefined>;
}

export function createContext(process: {
  stdin: NodeJS.ReadStream;
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
  env: NodeJS.ProcessEnv;
  cwd(): string;
}): CliContext {
  const out = createOutput(process.stdout);
  const err = createOutput(process.stderr);
  const cwd = process.cwd();
  let stop: AbortSignal | undefined;

  return {
    out,
    err,
    env: process.env,
    cwd,
    clock: systemClock,

    async loadConfig(command, { tell } = { tell: true }) {
      const options: Record<string, unknown> = command.optsWithGlobals();
      const flags: Partial<Record<SettingKey, string>> = {};
      for (const key of SETTING_KEYS) {
        const value = options[key];
        if (typeof value === 'string') flags[key] = value;
      }
      const file = options['config'];
      const given = { flags, env: process.env, cwd, ...(typeof file === 'string' ? { file } : {}) };
      const loaded = await loadConfig(given);
      if (tell) for (const warning of loaded.warnings) err.line(`warning: ${warning}`);
      return loaded;
    },

    createLogger: (config) => createLogger({ level: config.logLevel, pretty: err.isTerminal }),

    stopSignal(options) {
      stop ??= listenForStop((kind) => {
        // A terminal has shown ^C: written over.
        const start = err.isTerminal ? '\r' : '';
        if (kind === 'interrupt') err.coloured(`${start}ending cleanly; Ctrl-C again stops at once`);
      }, options?.onHangup);
      return stop;
    },

    async confirm(question, signal) {
      if (!process.stdin.isTTY || !err.isTerminal) return undefined;
      // Not in raw mode: Ctrl-C is a signal here as everywhere.
      const asking = createInterface({ input: process.stdin, output: process.stderr, terminal: false });
      try {
        const ended = once(asking, 'close', { signal }).then(() => '');
        return /^y(?:es)?$/i.test(
          (await Promise.race([asking.question(`${question} [y/N] `), ended])).trim(),
        );
      } catch (error) {
        signal.throwIfAborted();
        throw error;
      } finally {
        asking.close();
      }
    },
  };
}
