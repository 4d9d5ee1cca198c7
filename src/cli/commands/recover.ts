/** `livestow recover`: ships and seals what an earlier crash left in the spool. */
import { Command } from 'commander';
import { underFlags } from '../../config/creator-in-force.ts';
import { composeRecorder } from '../../daemon/compose.ts';
import type { RoomDeps } from '../../daemon/record-room.ts';
import { recoverSpool } from '../../daemon/recover.ts';
import { Roster } from '../../daemon/roster.ts';
import type { Clock } from '../../kernel/clock.ts';
import { isLivestowError, messageOf } from '../../kernel/errors.ts';
import { stopKind } from '../../kernel/stop-request.ts';
import type { Pace } from '../../ship/pace.ts';
import {
  action,
  durationFlag,
  examples,
  handleArgument,
  HANDLE_HELP,
  JSON_OPTION,
  type CommandFactory,
} from '../command.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { livestowVersion } from '../version.ts';

/** A store that is there answers within seconds; one that is slow takes an object in this time. */
const PATIENCE = '2m';

interface RecoverFlags {
  json?: true;
  timeout: string;
}

export const recoverCommand: CommandFactory = (context) =>
  new Command('recover')
    .description('ships and seals what an earlier crash left in the spool (also done at every start)')
    .argument('[handles...]', `${HANDLE_HELP}; every creator when none is named`)
    .option('--timeout <duration>', 'give up when the store has not answered for this long', PATIENCE)
    .option(...JSON_OPTION)
    .addHelpText(
      'after',
      `${examples('recover', 'recover alice --store ./archive')}

Exits 3 when something had to be left in the spool. Creators that a running livestow records are left to it. Each goes into the
store that the config file names for it; of those that are named here, the flags come first.`,
    )
    .action(
      action(
        async (named: string[], { json, timeout }: RecoverFlags, command: Command): Promise<ExitCode> => {
          const handles = named.map(handleArgument);
          const patienceMs = durationFlag('--timeout', timeout, '30s, 2m or 1h');
          const loaded = await context.loadConfig(command);
          const { config } = loaded;
          const { clock, out } = context;
          const stop = context.stopSignal();
          const log = context.createLogger(config);
          const roster = await Roster.read(config);
          let answered = (): void => {};
          const recorder = await composeRecorder({
            config,
            clock,
            log,
            version: livestowVersion(),
            onAnswer: () => answered(),
          });
          const { pace } = recorder.deps.uploads;
          const patience = whileAStoreAnswers(pace, clock, patienceMs, recorder.giveUp);
          answered = patience.answered;
          const depsOf = (handle: string): RoomDeps | null => {
            if (handles.length > 0 && !handles.includes(handle)) return null;
            const listed = roster.of(handle);
            if (!listed) return recorder.deps;
            return recorder.depsFor(handles.length > 0 ? underFlags(listed, loaded) : listed);
          };
          stop.addEventListener('abort', recorder.giveUp);
          let left = 0;
          let others = 0;
          try {
            for await (const found of recoverSpool(recorder.deps, stop, depsOf)) {
              if (found.outcome === 'left') left += 1;
              else others += 1;
              const { handle, session, outcome } = found;
              const why = found.outcome === 'left' ? reasonOf(found.error) : null;
              const setAside = found.outcome === 'sealed' ? (found.aside ?? null) : null;
              if (json) out.jsonLine({ handle, session, outcome, why, setAside });
              else if (outcome === 'held') out.line(`@${handle}: another livestow records it; left alone`);
              else {
                const more = [why, setAside && `set aside: ${setAside}`].filter((each) => each !== null);
                out.line([`@${handle} ${session ?? ''}`.trimEnd(), outcome, ...more].join(': '));
              }
            }
          } catch (error) {
            if (!stop.aborted) throw error;
          } finally {
            patience.cancel();
            await recorder.close();
          }
          if (!json && !stop.aborted && others + left === 0)
            context.err.line('nothing was left in the spool');
          if (stopKind(stop) === 'interrupt') return EXIT.interrupted;
          return left > 0 || stop.aborted ? EXIT.partly : EXIT.done;
        },
      ),
    );

/**
 * Calls back when no store has answered for so long, until it is cancelled. While a bandwidth holds back what one would
 * answer to, it is not waited for.
 */
function whileAStoreAnswers(
  pace: Pace,
  clock: Clock,
  patienceMs: number,
  giveUp: () => void,
): { answered: () => void; cancel: () => void } {
  let lastAnswerMs = clock.awake();
  let cancel = (): void => {};
  // One timer, not one for each answer.
  const waitOn = (ms: number): void => {
    cancel = clock.after(ms, () => {
      const silentMs = Math.min(clock.awake() - lastAnswerMs, clock.monotonic() - pace.freeAtMs);
      const leftMs = patienceMs - silentMs;
      if (leftMs > 0) waitOn(leftMs);
      else giveUp();
    });
  };
  waitOn(patienceMs);
  return {
    answered: () => {
      lastAnswerMs = clock.awake();
    },
    cancel: () => cancel(),
  };
}

const reasonOf = (error: unknown): string =>
  isLivestowError(error) && error.hint !== undefined ? `${error.message} (${error.hint})` : messageOf(error);
