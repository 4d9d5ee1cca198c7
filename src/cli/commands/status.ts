/** `livestow status`: what a running daemon is at. */
import { Command } from 'commander';
import { isLivestowError, LivestowError } from '../../kernel/errors.ts';
import { ApiClient } from '../../web/client.ts';
import { creatorListSchema, statusSchema } from '../../web/schemas.ts';
import { action, examples, JSON_OPTION, type CommandFactory } from '../command.ts';
import { overview } from '../creators-table.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';

const REFRESH_MS = 1_000;

export const statusCommand: CommandFactory = (context) =>
  new Command('status')
    .description('what a running `livestow serve` is at: every creator, credits, disk, uploads')
    .option('--watch', 'shows it until Ctrl-C')
    .option(...JSON_OPTION)
    .addHelpText(
      'after',
      `${examples('status', 'status --watch', 'status --listen nas:8470 --json')}

Asks the daemon at the address of the setting listen, with the setting token.`,
    )
    .action(
      action(async (flags: { watch?: true; json?: true }, command: Command): Promise<ExitCode> => {
        const { config } = await context.loadConfig(command);
        const client = new ApiClient(config);
        const { out, clock } = context;
        const ask = async (signal?: AbortSignal) => {
          const [status, { creators }] = await Promise.all([
            client.get('/status', statusSchema, signal),
            client.get('/creators', creatorListSchema, signal),
          ]);
          return { status, creators };
        };
        if (flags.watch !== true) {
          const { status, creators } = await ask();
          if (flags.json) out.json({ status, creators });
          else out.line(overview(status, creators, clock.now()).join('\n'));
          return EXIT.done;
        }
        if (flags.json || !out.isTerminal) {
          throw new LivestowError('USAGE', '--watch is for a terminal', {
            hint: 'programs read the stream of events: GET /api/v1/events/stream',
          });
        }
        // What is wrong from the start is no matter of waiting.
        await ask();
        const stop = context.stopSignal();
        while (!stop.aborted) {
          try {
            const { status, creators } = await ask(stop);
            out.live(overview(status, creators, clock.now(), out.size.rows - 1).join('\n'));
          } catch (error) {
            if (stop.aborted) break;
            if (!isLivestowError(error)) throw error;
            out.live(`${error.message}; asking again`);
          }
          await clock.delay(REFRESH_MS, stop).catch(() => {});
        }
        out.live('');
        return EXIT.interrupted;
      }),
    );
