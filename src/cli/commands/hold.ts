/** `livestow hold <session>`: keeps it from being removed, or releases it. */
import { Command } from 'commander';
import { holdSession, releaseSession } from '../../archive/hold.ts';
import { resolveSession } from '../../archive/resolve-session.ts';
import { openSession } from '../../archive/session-reader.ts';
import { SESSION_HELP, withArchive } from '../archive-command.ts';
import { action, examples, type CommandFactory } from '../command.ts';
import { EXIT } from '../exit-codes.ts';

interface Options {
  reason?: string;
  release?: true;
}

export const holdCommand: CommandFactory = (context) =>
  new Command('hold')
    .description('keeps a session from being removed by prune and rm, until it is released')
    .argument('<session>', SESSION_HELP)
    .option('--reason <text>', 'why, for whoever comes upon it')
    .option('--release', 'releases it')
    .addHelpText('after', examples('hold @alice --reason "asked for by the court"', 'hold @alice --release'))
    .action(
      action((session: string, { reason, release }: Options, command: Command) =>
        withArchive(context, command, async ({ store, signal }) => {
          const ref = await resolveSession(store, session, signal);
          // Throws for one that is removed.
          await openSession(store, ref, { quick: true, signal });
          if (release) await releaseSession(store, ref, signal);
          else await holdSession(store, ref, { reason: reason ?? null, clock: context.clock, signal });
          context.out.line(`@${ref.handle} ${ref.session}: ${release ? 'released' : 'held'}`);
          return EXIT.done;
        }),
      ),
    );
