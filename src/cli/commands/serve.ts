/** `livestow serve`: the daemon, for every creator of the config file. */
import { once } from 'node:events';
import { Command } from 'commander';
import { onFileChange } from '../../config/file-watch.ts';
import { Daemon } from '../../daemon/daemon.ts';
import { WebView } from '../../daemon/web-view.ts';
import { stopKind } from '../../kernel/stop-request.ts';
import { action, examples, hiddenKeyTeller, requireKey, type CommandFactory } from '../command.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { overview } from '../creators-table.ts';
import { liveTable } from '../live-table.ts';
import { logAbove } from '../log-above.ts';
import { ConfigReload } from '../config-reload.ts';
import { STOP_PATIENCE_MS } from '../stop.ts';
import { openSite } from '../open-site.ts';
import { openStore } from '../../store/open-store.ts';
import { livestowVersion } from '../version.ts';
import { WebServer } from '../../web/server.ts';

export const serveCommand: CommandFactory = (context) =>
  new Command('serve')
    .description('the daemon: watches and records every creator of the config file')
    .addHelpText(
      'after',
      `${examples('serve', 'serve --config /etc/livestow/livestow.yaml')}

The config file is read again when it changes, and on SIGHUP: creators come and go without a restart and without a cut
in any recording; a file that is wrong is refused, and what was in force stays. Ctrl-C (SIGINT) ends all recordings,
ships and seals them, and exits 130. SIGTERM ships what it can and leaves the sessions open for the next start. A second
signal stops at once; nothing recorded is lost then either.`,
    )
    .action(
      action(async (_flags: unknown, command: Command): Promise<ExitCode> => {
        const loaded = await context.loadConfig(command);
        requireKey(loaded.config);
        const log = context.err.isTerminal
          ? logAbove(context.err, context.createLogger(loaded.config))
          : context.createLogger(loaded.config);
        let reload = (): void => {};
        const stop = context.stopSignal({ onHangup: () => reload() });
        const { clock } = context;
        const version = livestowVersion();
        const { listen, token, viewerToken } = loaded.config;
        await using ending = new AsyncDisposableStack();
        const web =
          listen && (await WebServer.open({ listen, tokens: { token, viewerToken }, clock, log, version }));
        if (web) ending.defer(() => web.close());
        const daemon = await Daemon.open({ config: loaded.config, clock, log, version });
        ending.defer(() => daemon.close());
        const inForce = { first: loaded, latest: loaded, waiting: [] as string[] };
        const view = new WebView(daemon, { clock, version, config: () => inForce });
        // Before anything that takes its time: an edit in between would go unnoticed.
        const telling = hiddenKeyTeller(log);
        telling(loaded);
        const reloading = new ConfigReload({
          load: () => context.loadConfig(command, { tell: false }),
          file: loaded.file,
          daemon,
          log,
          onReloaded: (latest, waiting) => {
            telling(latest);
            Object.assign(inForce, { latest, waiting });
          },
        });
        reload = () => void reloading.begin();
        if (loaded.file !== null) onFileChange(loaded.file, reload, { clock, log, signal: stop });
        if (web) {
          // With connections of its own: whoever reads slowly on a page keeps no segment from the store.
          const store = openStore(loaded.config.store, { logger: log, clock });
          ending.defer(() => store.close());
          const site = openSite(
            {
              store,
              config: loaded.config,
              clock,
              log,
              env: context.env,
              access: web.access,
              daemon: view,
              inForce: () => view.config(),
              version,
            },
            ending,
          );
          // Recording does not hang on pages.
          const pages = await site.catch((error: unknown) => {
            log.error({ err: error }, 'there are no pages');
            return null;
          });
          web.serve({ daemon: view, pages });
        }
        ending.defer(
          liveTable(context.err, clock, async (most) =>
            overview(await view.status(), view.creatorStatuses(), clock.now(), most),
          ),
        );
        log.info(
          {
            creators: daemon.roster.all.length,
            store: daemon.recorder.store.description,
            spool: loaded.config.spool,
            listen: web?.url ?? null,
          },
          'serving',
        );
        if (daemon.roster.all.length === 0) log.warn('nobody is watched: the config file lists no creators');
        if (!stop.aborted) await once(stop, 'abort');
        const kind = stopKind(stop) ?? 'interrupt';
        if (kind === 'drain') log.info('draining: sessions stay open, and the next start goes on with them');
        const cancel = clock.after(STOP_PATIENCE_MS[kind], () => daemon.giveUp());
        await daemon.end(kind);
        cancel();
        return kind === 'drain' ? EXIT.done : EXIT.interrupted;
      }),
    );
