/** How every command is made, so that they look and behave alike. */
import type { Command } from 'commander';
import type { LoadedConfig } from '../config/load.ts';
import { originText } from '../config/origin.ts';
import type { Config } from '../config/schema.ts';
import { parseByteSize } from '../kernel/byte-size.ts';
import { parseDurationMs } from '../kernel/duration.ts';
import { LivestowError } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import { requireHandle } from '../model/handle.ts';
import type { CliContext } from './context.ts';
import type { ExitCode } from './exit-codes.ts';

/** One file per command exports one of these; `program.ts` lists them. */
export type CommandFactory = (context: CliContext) => Command;

/**
 * Wraps what a command does: it may return an exit code other than 0 for an expected end; what it throws is turned
 * into words and a code by `main.ts`.
 */
export function action<Arguments extends unknown[]>(
  run: (...args: Arguments) => Promise<ExitCode | void> | ExitCode | void,
): (...args: Arguments) => Promise<void> {
  return async (...args) => {
    const code = await run(...args);
    if (code !== undefined) process.exitCode = code;
  };
}

/** `.argument('<handle>', HANDLE_HELP, handleArgument)`: refused before anything is done. */
export const handleArgument = (text: string): string => requireHandle(text);
export const HANDLE_HELP = 'the creator, with or without @';

export const JSON_OPTION = ['--json', 'print JSON instead of text'] as const;

/** What a flag says, in milliseconds: more than none. Throws USAGE. */
export function durationFlag(flag: string, text: string, such: string): number {
  const ms = parseDurationMs(text);
  if (ms !== undefined && ms > 0) return ms;
  throw new LivestowError('USAGE', `${flag}: not a duration: ${JSON.stringify(text)}`, {
    hint: `give a number and a unit, such as ${such}`,
  });
}

/** What a flag says, in bytes: more than none. Throws USAGE. */
export function sizeFlag(flag: string, text: string): number {
  const bytes = parseByteSize(text);
  if (bytes !== undefined && bytes > 0) return bytes;
  throw new LivestowError('USAGE', `${flag}: not a size: ${JSON.stringify(text)}`, {
    hint: 'give a number and a unit, such as 500GB or 1.5TiB',
  });
}

/** What a flag says, a whole number of 1 or more. Throws USAGE. */
export function countFlag(flag: string, text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new LivestowError('USAGE', `${flag}: not a count: ${JSON.stringify(text)}`, {
    hint: 'give a whole number from 1 on',
  });
}

/** Whether the person agrees, or had agreed by --yes. Throws USAGE where there is nobody to ask. */
export async function agreed(
  context: CliContext,
  question: string,
  yes: boolean,
  signal: AbortSignal,
): Promise<boolean> {
  const answer = yes || (await context.confirm(question, signal));
  if (answer !== undefined) return answer;
  throw new LivestowError(
    'USAGE',
    'nothing is removed unless somebody agrees, and there is no terminal to ask on',
    {
      hint: 'give --yes to agree, or --dry-run to see what would be removed',
    },
  );
}

/** Lines for the end of a command's help. */
export const examples = (...lines: string[]): string =>
  `\nExamples:\n${lines.map((line) => `  $ livestow ${line}`).join('\n')}`;

/** Before anything is made or told: without a key nobody can be looked up. */
export function requireKey({ apiKey }: Config): void {
  if (apiKey !== null) return;
  throw new LivestowError('CONFIG', 'there is no key for the lookup API', {
    hint: 'set LIVESTOW_API_KEY, or apiKey in the config file, to a Social Fetch key (sfk_...)',
  });
}

/** Tells of a key that counts for nothing, once: whoever replaces it there would wait for nothing. */
export function hiddenKeyTeller(log: Logger): (loaded: Pick<LoadedConfig, 'given' | 'hidden'>) => void {
  let told: unknown;
  return ({ given, hidden: { apiKey: hidden } }) => {
    if (hidden === undefined || hidden.raw === told) return;
    told = hidden.raw;
    const [inForce, other] = [originText(given.apiKey.origin), originText(hidden.origin)];
    log.warn(
      `the key of ${inForce} is used, and not the other one of ${other}: a variable goes before the file`,
    );
  };
}
