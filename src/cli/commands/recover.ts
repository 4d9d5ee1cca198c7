/** `livestow recover`: ships and seals what an earlier crash left in the spool. */
import { Command } from 'commander';
import { composeRecorder } from '../../daemon/compose.ts';
import { recoverSpool } from '../../daemon/recover.ts';
import { messageOf } from '../../kernel/errors.ts';
import { stopKind } from '../../kernel/stop-request.ts';
import { action, JSON_OPTION, type CommandFactory } from '../command.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { livestowVersion } from '../version.ts';

const PATIENCE_MS = 15 * 60_000;

export const recoverCommand: CommandFactory = (context) =>
  new Command('recover')
    .description('ships and seals what an earlier crash left in the spool (also done at every start)')
    .option(...JSON_OPTION)
    .addHelpText(
      'after',
      '\nExits 3 when something had to be left in the spool. Creators that a running livestow records are left to it.',
    )
    .action(
      action(async ({ json }: { json?: true }, command: Command): Promise<ExitCode> => {
        const { config } = await context.loadConfig(command);
        const { clock, out } = context;
        const stop = context.stopSignal();
        const log = context.createLogger(config);
        const recorder = await composeRecorder({ config, clock, log, version: livestowVersion() });
        const cancelPatience = clock.after(PATIENCE_MS, recorder.giveUp);
        stop.addEventListener('abort', recorder.giveUp);
        let left = 0;
        let others = 0;
        try {
          for await (const found of recoverSpool(recorder.deps, stop)) {
            if (found.outcome === 'left') left += 1;
            else others += 1;
            const { handle, session, outcome } = found;
            const why = found.outcome === 'left' ? messageOf(found.error) : null;
            if (json) out.jsonLine({ handle, session, outcome, why });
            else if (outcome === 'held') out.line(`@${handle}: another livestow records it; left alone`);
            else out.line(`@${handle} ${session}: ${outcome}${why === null ? '' : `: ${why}`}`);
          }
        } catch (error) {
          if (!stop.aborted) throw error;
        } finally {
          cancelPatience();
          await recorder.close();
        }
        if (!json && !stop.aborted && others + left === 0) context.err.line('nothing was left in the spool');
        if (stopKind(stop) === 'interrupt') return EXIT.interrupted;
        return left > 0 || stop.aborted ? EXIT.partly : EXIT.done;
      }),
    );
