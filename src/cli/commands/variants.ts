/** `livestow variants <handle>`: looks once and prints what would be recorded, in order, with the reason for each place. */
import { Command } from 'commander';
import { composeRecorder } from '../../daemon/compose.ts';
import { foreign } from '../../kernel/foreign-text.ts';
import { retryQuickly } from '../../lookup/retry.ts';
import type { RankedVariant } from '../../variant/rank.ts';
import {
  action,
  examples,
  HANDLE_HELP,
  handleArgument,
  JSON_OPTION,
  type CommandFactory,
} from '../command.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { table } from '../table.ts';
import { livestowVersion } from '../version.ts';

const LOOK_TRIES = 4;
const LOOK_WAIT_MS = 20_000;

export const variantsCommand: CommandFactory = (context) =>
  new Command('variants')
    .description('looks once and prints the ranked variants with the reason for each place')
    .argument('<handle>', HANDLE_HELP, handleArgument)
    .option(...JSON_OPTION)
    .addHelpText(
      'after',
      `${examples('variants alice', 'variants alice --json')}\n\nExits 4 when the creator is not live. The look costs a credit.`,
    )
    .action(
      action(async (handle: string, { json }: { json?: true }, command: Command): Promise<ExitCode> => {
        const { config } = await context.loadConfig(command);
        const { clock } = context;
        const signal = context.stopSignal();
        const log = context.createLogger(config);
        const recorder = await composeRecorder({ config, clock, log, version: livestowVersion() });
        try {
          const budget = { tries: LOOK_TRIES, maxWaitMs: LOOK_WAIT_MS, clock, signal };
          const look = await retryQuickly(() => recorder.look(handle, signal), budget);
          if (look.status !== 'live') {
            if (json) context.out.json({ handle, live: false, variants: [] });
            else
              context.err.line(
                look.status === 'offline' ? `@${handle} is not live` : `there is no @${handle}`,
              );
            return look.status === 'offline' ? EXIT.notLive : EXIT.notFound;
          }
          const ranked = recorder.rank(look.room);
          const { roomId, title } = look.room;
          if (json) context.out.json({ handle, live: true, roomId, title, variants: ranked.map(printable) });
          else for (const line of lines(ranked)) context.out.line(line);
          return EXIT.done;
        } finally {
          await recorder.close();
        }
      }),
    );

/** Without the URL, which is signed. */
const printable = ({ variant: { url: _, ...variant }, place, verdict, reason }: RankedVariant) => ({
  place,
  verdict,
  reason,
  ...variant,
});

function lines(ranked: readonly RankedVariant[]): string[] {
  if (ranked.length === 0) return ['the room is live and offers no streams'];
  return table(
    ranked.map(({ variant, place, verdict, reason }) => [
      place === null ? '–' : String(place),
      foreign(variant.id),
      variant.height === null
        ? ''
        : variant.width === null
          ? `${variant.height}p`
          : `${variant.width}x${variant.height}`,
      variant.bitrateBps === null ? '' : `${(variant.bitrateBps / 1e6).toFixed(2)} Mbit/s`,
      foreign(verdict === 'ranked' ? reason : `${verdict}: ${reason}`),
    ]),
  );
}
