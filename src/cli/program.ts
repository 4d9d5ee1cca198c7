/** The command line as a whole: the settings as global flags, and every command of the contract. */
import { Command, Option } from 'commander';
import { aboutSetting, SETTING_KEYS, settingJson } from '../config/schema.ts';
import type { CommandFactory } from './command.ts';
import { configCommand } from './commands/config.ts';
import { demoCommand } from './commands/demo.ts';
import { doctorCommand } from './commands/doctor.ts';
import { exportCommand } from './commands/export.ts';
import { lsCommand } from './commands/ls.ts';
import { playCommand } from './commands/play.ts';
import { recordCommand } from './commands/record.ts';
import { recoverCommand } from './commands/recover.ts';
import { showCommand } from './commands/show.ts';
import { variantsCommand } from './commands/variants.ts';
import { verifyCommand } from './commands/verify.ts';
import { sandboxCommand } from './commands/sandbox.ts';
import type { CliContext } from './context.ts';
import { livestowVersion } from './version.ts';

/** In the order of the help; a factory for each file of `commands/`. */
const COMMANDS: readonly (readonly [heading: string, factories: readonly CommandFactory[]])[] = [
  ['Recording:', [recordCommand, variantsCommand, recoverCommand]],
  ['The archive:', [lsCommand, showCommand, playCommand, exportCommand, verifyCommand]],
  ['Setting up:', [configCommand, doctorCommand, sandboxCommand, demoCommand]],
];

const INTRODUCTION =
  'Records TikTok LIVE broadcasts and keeps them: verified, playable, in S3-compatible storage.';

const EXIT_CODES = `
Exit codes:
  0 done   1 failed   2 usage or configuration   3 done in part   4 not live
  10 not found   11 another recorder holds this creator   130 interrupted, after a clean end`;

export function createProgram(context: CliContext): Command {
  const program = new Command('livestow')
    .description(INTRODUCTION)
    .usage('<command> [options]')
    .version(livestowVersion(), '-V, --version')
    .option('--config <file>', 'config file (default: livestow.yaml, where there is one)')
    .optionsGroup('Settings (also in the config file and the environment):')
    .addHelpText('after', EXIT_CODES);
  for (const option of settingOptions()) program.addOption(option);

  for (const [heading, factories] of COMMANDS) {
    for (const create of factories) program.addCommand(create(context).helpGroup(heading));
  }
  behaveAlike(program, context);
  return program;
}

function settingOptions(): Option[] {
  return SETTING_KEYS.flatMap((key) => {
    const { flag, value, description } = aboutSetting(key);
    if (flag === undefined) return [];
    const fallback = settingJson(key).default;
    const shown =
      typeof fallback === 'string' || typeof fallback === 'number' ? ` (default: ${fallback})` : '';
    // The first sentence is enough here; the rest is in the commented example.
    return [
      new Option(
        `${flag} <${value ?? 'value'}>`,
        `${description.split('. ')[0]?.replace(/\.$/, '')}${shown}`,
      ),
    ];
  });
}

/** What commander hands down only to commands that it makes itself. */
function behaveAlike(command: Command, context: CliContext): void {
  command
    .exitOverride()
    .showHelpAfterError('(--help says more)')
    .configureOutput({
      writeOut: (text) => context.out.line(text.trimEnd()),
      writeErr: (text) => context.err.line(text.trimEnd()),
      outputError: (text, write) => write(text.replace(/^error: /, 'livestow: ')),
    });
  if (command.parent !== null && command.commands.length === 0) {
    command.addHelpText('after', '\nEvery setting of `livestow --help` may be given as well.');
  }
  for (const child of command.commands) behaveAlike(child, context);
}
