/** `livestow browse`: the pages of any archive, read-only, with no daemon and no key. */
import { once } from 'node:events';
import { Command } from 'commander';
import { stopKind } from '../../kernel/stop-request.ts';
import { withArchive } from '../archive-command.ts';
import { serveArchive } from '../archive-server.ts';
import { action, examples, type CommandFactory } from '../command.ts';
import { EXIT } from '../exit-codes.ts';

const MORE = `
Whatever livestow wrote can be browsed, from any machine that can read the bucket; nothing is written there. The pages are
at the address of the setting listen (--listen 127.0.0.1:0 takes any free port). Where other machines can reach it, a
token has to be shown: LIVESTOW_TOKEN or LIVESTOW_VIEWER_TOKEN.`;

export const browseCommand: CommandFactory = (context) =>
  new Command('browse')
    .description('serves pages to look through an archive and play it; read-only')
    .addHelpText('after', `${MORE}\n${examples('browse', "browse --store 's3://bucket/prefix?endpoint=…'")}`)
    .action(
      action((_options: unknown, command: Command) =>
        withArchive(context, command, async ({ store, config, loaded, signal }) => {
          await using ending = new AsyncDisposableStack();
          context.out.line(`${await serveArchive(context, { store, config, loaded }, ending)}/`);
          context.err.line(`the archive in ${store.description}; Ctrl-C ends it`);
          if (!signal.aborted) await once(signal, 'abort');
          return stopKind(signal) === 'interrupt' ? EXIT.interrupted : EXIT.done;
        }),
      ),
    );
