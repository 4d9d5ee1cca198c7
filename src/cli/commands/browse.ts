/** `livestow browse`: the pages of any archive, read-only, with no daemon and no key. */
import { once } from 'node:events';
import { Command } from 'commander';
import { settingsInForce } from '../../config/describe.ts';
import { stopKind } from '../../kernel/stop-request.ts';
import { WebServer } from '../../web/server.ts';
import { withArchive } from '../archive-command.ts';
import { action, examples, type CommandFactory } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { openSite } from '../open-site.ts';
import { livestowVersion } from '../version.ts';

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
          const { clock, env } = context;
          const { token, viewerToken } = config;
          const listen = config.listen ?? { host: '127.0.0.1', port: 8470 };
          const log = context.createLogger({ ...config, logLevel: config.logLevel === 'info' ? 'warn' : config.logLevel });
          const version = livestowVersion();
          await using ending = new AsyncDisposableStack();
          const web = await WebServer.open({ listen, tokens: { token, viewerToken }, clock, log, version });
          ending.defer(() => web.close());
          const inForce = { file: loaded.file, settings: settingsInForce(loaded), waiting: [] };
          const site = { store, config, clock, log, env, access: web.access, daemon: null, inForce: () => inForce, version };
          web.serve({ daemon: null, pages: await openSite(site, ending) });
          context.out.line(`${web.url}/`);
          context.err.line(`the archive in ${store.description}; Ctrl-C ends it`);
          if (!signal.aborted) await once(signal, 'abort');
          return stopKind(signal) === 'interrupt' ? EXIT.interrupted : EXIT.done;
        }),
      ),
    );
