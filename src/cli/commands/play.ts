/** `livestow play <session>`: serves one session on loopback until it is told to stop. */
import { once } from 'node:events';
import { Command, InvalidArgumentError, Option } from 'commander';
import { openSession } from '../../archive/session-reader.ts';
import { startPlayer } from '../../browse/play-server.ts';
import { stopKind } from '../../kernel/stop-request.ts';
import { SESSION_HELP, withArchive } from '../archive-command.ts';
import { sessionToRead } from '../catalogue.ts';
import { action, examples, JSON_OPTION, type CommandFactory } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { openSessionParts } from '../open-site.ts';

function portNumber(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535)
    throw new InvalidArgumentError('A port is a number up to 65535.');
  return port;
}

export const playCommand: CommandFactory = (context) =>
  new Command('play')
    .description(
      'serves one session on this machine and prints the addresses that a player and a browser open',
    )
    .argument('<session>', SESSION_HELP)
    .addOption(
      new Option('--port <port>', 'the port to listen on').argParser(portNumber).default(0, 'any free one'),
    )
    .option(...JSON_OPTION)
    .addHelpText('after', examples('play @alice', 'play 20261122T140307Z --port 8080'))
    .action(
      action((session: string, { port, json }: { port: number; json?: true }, command: Command) =>
        withArchive(context, command, async (archive) => {
          const { store, config, signal } = archive;
          const ref = await sessionToRead(context, archive, session);
          // What cannot be opened is told now, not by the first request.
          await openSession(store, ref, { quick: true, signal });
          const { clock, env } = context;
          await using ending = new AsyncDisposableStack();
          const log = context.createLogger(config);
          const parts = await openSessionParts({ store, config, clock, log, env }, ending);
          const player = await startPlayer(parts, ref, { port, clock });
          try {
            if (json) context.out.jsonLine({ ...ref, playlist: player.playlistUrl, page: player.pageUrl });
            else context.out.line(`player   ${player.playlistUrl}\nbrowser  ${player.pageUrl}`);
            if (!signal.aborted) await once(signal, 'abort');
          } finally {
            await player.close();
          }
          return stopKind(signal) === 'interrupt' ? EXIT.interrupted : EXIT.done;
        }),
      ),
    );
