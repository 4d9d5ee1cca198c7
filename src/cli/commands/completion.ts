/** `livestow completion bash|zsh|fish`: prints what makes the shell complete livestow's commands, flags, handles, sessions. */
import { Argument, Command, Option } from 'commander';
import { LivestowError } from '../../kernel/errors.ts';
import { action, type CommandFactory } from '../command.ts';
import { placesOf } from '../completion/grammar.ts';
import { knownNames } from '../completion/names.ts';
import { completionScript, SHELLS, type Shell } from '../completion/scripts.ts';
import { createProgram } from '../program.ts';

const MORE = `
bash   source <(livestow completion bash)          in ~/.bashrc
zsh    source <(livestow completion zsh)           in ~/.zshrc, behind compinit
fish   livestow completion fish | source           in ~/.config/fish/config.fish

Handles and session ids are those of the last \`livestow ls\` on this machine: nothing is asked of a bucket.`;

export const completionCommand: CommandFactory = (context) =>
  new Command('completion')
    .description('prints what makes a shell complete commands, flags, handles and sessions')
    .addArgument(new Argument('[shell]', 'whose script').choices(SHELLS))
    .addOption(
      new Option('--names <kind>', 'what the scripts ask for').choices(['session', 'handle']).hideHelp(),
    )
    .addHelpText('after', MORE)
    .action(
      action(
        async (shell: Shell | undefined, { names }: { names?: 'session' | 'handle' }, command: Command) => {
          if (names !== undefined) {
            const { config } = await context.loadConfig(command, { tell: false });
            for (const name of await knownNames(context, config, names)) context.out.line(name);
          } else if (shell === undefined) {
            throw new LivestowError('USAGE', 'for which shell?', {
              hint: `name one of ${SHELLS.join(', ')}`,
            });
          } else {
            context.out.line(completionScript(shell, placesOf(await createProgram(context, []))));
          }
        },
      ),
    );
