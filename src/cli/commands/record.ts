/** `livestow record <handle>`: watches one creator and records every broadcast. */
import { Command } from 'commander';
import { creatorInForce, underFlags, type CreatorInForce } from '../../config/creator-in-force.ts';
import type { LoadedConfig } from '../../config/load.ts';
import { composeRecorder } from '../../daemon/compose.ts';
import { recordCreator, type CreatorOutcome } from '../../daemon/record-creator.ts';
import type { LiveSession } from '../../daemon/record-room.ts';
import { Roster } from '../../daemon/roster.ts';
import { isLivestowError } from '../../kernel/errors.ts';
import type { Logger } from '../../kernel/logger.ts';
import { stopKind } from '../../kernel/stop-request.ts';
import { defaultCadence, fixedCadence } from '../../watch/cadence.ts';
import {
  action,
  durationFlag,
  examples,
  HANDLE_HELP,
  handleArgument,
  hiddenKeyTeller,
  requireKey,
  type CommandFactory,
} from '../command.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { statusLine } from '../status-line.ts';
import { STOP_PATIENCE_MS } from '../stop.ts';
import { livestowVersion } from '../version.ts';

interface RecordFlags {
  once?: true;
  wait: boolean;
  maxDuration?: string;
}

/** How long shipping may go on after the one broadcast that was wanted. */
const DONE_PATIENCE_MS = 15 * 60_000;

const DRAINING = 'draining: the session stays open, and the same command goes on with it';

export const recordCommand: CommandFactory = (context) =>
  new Command('record')
    .description('watches one creator and records every broadcast')
    .argument('<handle>', HANDLE_HELP, handleArgument)
    .option('--once', 'exit after the first broadcast is over and sealed in the store')
    .option('--max-duration <duration>', 'end a recording after this long, and leave that room alone then')
    .option('--no-wait', 'exit 4 if the creator is not live now (10 if there is none of that name)')
    .addHelpText(
      'after',
      `${examples('record alice', 'record @alice --once --no-wait', 'record alice --store "s3://lives/archive?endpoint=http://127.0.0.1:9000&pathStyle=true"')}

Ctrl-C (SIGINT) ends the recording, ships and seals it, and exits 130. SIGTERM, or closing the terminal, ships
what it can and leaves the session open for the next start. A second signal stops at once; nothing recorded is lost then either,
the next start ships it.`,
    )
    .action(
      action(async (handle: string, flags: RecordFlags, command: Command): Promise<ExitCode> => {
        const loaded = await context.loadConfig(command);
        const { config } = loaded;
        const maxDurationMs =
          flags.maxDuration === undefined
            ? null
            : durationFlag('--max-duration', flags.maxDuration, '90s, 30m, 2h or 1h30m');
        requireKey(config);
        const stop = context.stopSignal();
        const status = statusLine(context);
        const log = status.around(context.createLogger(config));
        hiddenKeyTeller(log)(loaded);
        const creator = await listedCreator(handle, loaded, log);
        const { clock } = context;
        const recorder = await composeRecorder({
          config,
          clock,
          log,
          version: livestowVersion(),
          maxDurationMs,
        });
        let cancelPatience: (() => void) | null = null;
        const limitPatience = (ms: number): void => {
          cancelPatience?.();
          cancelPatience = clock.after(ms, recorder.giveUp);
        };
        const onStop = (): void => {
          const kind = stopKind(stop) ?? 'interrupt';
          if (kind === 'drain') log.info(DRAINING);
          limitPatience(STOP_PATIENCE_MS[kind]);
        };
        if (stop.aborted) onStop();
        else stop.addEventListener('abort', onStop);
        const deps = creator
          ? recorder.depsFor({ ...creator, maxDurationMs: maxDurationMs ?? creator.maxDurationMs })
          : recorder.deps;
        const { pollIntervalMs } = creator ?? config;
        log.info({ handle, store: deps.store.description, spool: config.spool }, 'watching');
        try {
          const outcome = await recordCreator(
            {
              handle,
              once: flags.once ?? false,
              noWait: !flags.wait,
              cadence: pollIntervalMs === null ? defaultCadence() : fixedCadence(pollIntervalMs),
              onLook: (look) => {
                if (look.status !== 'live') status.waiting(handle, look.status);
              },
              onSession: (session: LiveSession) => status.follow(session),
              onOver: () => {
                if (flags.once && !stop.aborted) limitPatience(DONE_PATIENCE_MS);
              },
              onSealed: (manifest) => {
                status.clear();
                const { session, coverage, gaps } = manifest;
                context.out.line(
                  `${session} sealed: ${(coverage.recordedMs / 1000).toFixed(1)} s recorded, ${gaps.length} ${gaps.length === 1 ? 'gap' : 'gaps'}, coverage ${(coverage.ratio * 100).toFixed(2)} %`,
                );
              },
            },
            deps,
            stop,
          );
          status.clear();
          if (outcome.kind === 'not-live') context.err.line(`@${handle} is not live`);
          if (outcome.kind === 'not-found') context.err.line(`there is no @${handle}`);
          return exitCodeFor(outcome, stop);
        } finally {
          (cancelPatience as (() => void) | null)?.();
          status.clear();
          await recorder.close();
        }
      }),
    );

/** What is said of a creator; a broadcast does not wait for a file of `serve` to be mended. */
async function listedCreator(
  handle: string,
  loaded: LoadedConfig,
  log: Logger,
): Promise<CreatorInForce | null> {
  const { config } = loaded;
  let listed: CreatorInForce | undefined;
  try {
    listed = (await Roster.read(config)).of(handle);
  } catch (error) {
    if (!isLivestowError(error, 'CONFIG')) throw error;
    log.warn(
      { err: error, handle },
      'who was added while livestow served cannot be read; the config file counts',
    );
    const entry = config.creators.find((each) => each.handle === handle);
    listed = entry && creatorInForce(entry, config);
  }
  return listed ? underFlags(listed, loaded) : null;
}

function exitCodeFor(outcome: CreatorOutcome, stop: AbortSignal): ExitCode {
  if (stopKind(stop) === 'drain') return EXIT.done;
  switch (outcome.kind) {
    case 'unsealed':
      return EXIT.partly;
    case 'not-live':
      return EXIT.notLive;
    case 'not-found':
      return EXIT.notFound;
    case 'once':
      return stop.aborted ? EXIT.interrupted : EXIT.done;
    case 'stopped':
      return EXIT.interrupted;
  }
}
