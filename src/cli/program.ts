/** The command line as a whole: the settings as global flags, and every command of the contract. */
import { Command, Option } from 'commander';
import { aboutSetting, SETTING_KEYS, settingJson } from '../config/schema.ts';
import type { CommandFactory } from './command.ts';
import type { CliContext } from './context.ts';
import { livestowVersion } from './version.ts';

/** In the order of the help. Only the command that is run is loaded: `ls` need not wait for what `record` needs. */
const COMMANDS: Record<string, Record<string, () => Promise<CommandFactory>>> = {
  'Recording:': {
    record: async () => (await import('./commands/record.ts')).recordCommand,
    serve: async () => (await import('./commands/serve.ts')).serveCommand,
    status: async () => (await import('./commands/status.ts')).statusCommand,
    creators: async () => (await import('./commands/creators.ts')).creatorsCommand,
    variants: async () => (await import('./commands/variants.ts')).variantsCommand,
    recover: async () => (await import('./commands/recover.ts')).recoverCommand,
  },
  'The archive:': {
    ls: async () => (await import('./commands/ls.ts')).lsCommand,
    show: async () => (await import('./commands/show.ts')).showCommand,
    play: async () => (await import('./commands/play.ts')).playCommand,
    browse: async () => (await import('./commands/browse.ts')).browseCommand,
    download: async () => (await import('./commands/download.ts')).downloadCommand,
    export: async () => (await import('./commands/export.ts')).exportCommand,
    verify: async () => (await import('./commands/verify.ts')).verifyCommand,
    rm: async () => (await import('./commands/rm.ts')).rmCommand,
    prune: async () => (await import('./commands/prune.ts')).pruneCommand,
    hold: async () => (await import('./commands/hold.ts')).holdCommand,
    reindex: async () => (await import('./commands/reindex.ts')).reindexCommand,
    jobs: async () => (await import('./commands/jobs.ts')).jobsCommand,
  },
  'Setting up:': {
    config: async () => (await import('./commands/config.ts')).configCommand,
    doctor: async () => (await import('./commands/doctor.ts')).doctorCommand,
    sandbox: async () => (await import('./commands/sandbox.ts')).sandboxCommand,
    demo: async () => (await import('./commands/demo.ts')).demoCommand,
    completion: async () => (await import('./commands/completion.ts')).completionCommand,
  },
};

const INTRODUCTION =
  'Records TikTok LIVE broadcasts and keeps them: verified, playable, in S3-compatible storage.';

const ENVIRONMENT = `
Environment:
  LIVESTOW_API_KEY is the Social Fetch key (no flag: it would stand in the process list).
  Each setting has a variable: --poll-interval is LIVESTOW_POLL_INTERVAL. \`livestow config\` shows those in force.
`;

const EXIT_CODES = `
Exit codes:
  0 done   1 failed   2 usage or configuration   3 done in part   4 not live
  10 not found   11 another recorder holds this creator   130 interrupted, after a clean end`;

/** @param args without the names of Node and the script */
export async function createProgram(context: CliContext, args: readonly string[]): Promise<Command> {
  const program = new Command('livestow')
    .description(INTRODUCTION)
    .usage('<command> [options]')
    .version(livestowVersion(), '-V, --version')
    .option('--config <file>', 'config file (default: livestow.yaml, where there is one)')
    .optionsGroup('Settings (also in the config file and the environment):')
    .addHelpText('after', `${ENVIRONMENT}${EXIT_CODES}`);
  for (const option of settingOptions()) program.addOption(option);

  // Help and complaints about a name need them all; so does a line that does not begin with the command.
  const [first = ''] = args;
  const one = Object.values(COMMANDS).some((group) => Object.hasOwn(group, first));
  for (const [heading, group] of Object.entries(COMMANDS)) {
    for (const [name, load] of Object.entries(group)) {
      if (one && name !== first) continue;
      const create = await load();
      program.addCommand(create(context).helpGroup(heading));
    }
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
