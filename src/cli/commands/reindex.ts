/** `livestow reindex`: rebuilds what is derived from the journals, from the bucket alone. */
import { Command } from 'commander';
import { cataloguePath } from '../../catalogue/cache-path.ts';
import { reindexArchive, type Reindexed } from '../../daemon/reindex.ts';
import { withArchive } from '../archive-command.ts';
import { action, examples, JSON_OPTION, type CommandFactory } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { progressBar } from '../progress-bar.ts';

const MORE = `
Rebuilt are manifests that are lost or cannot be read, those of unsealed sessions that the journals are
ahead of, playlists, summaries, the index of sessions, and what is cached of it on this machine. A sealed
manifest that can be read is never touched, and media never is. A session that is being recorded may be
reindexed meanwhile.`;

export const reindexCommand: CommandFactory = (context) =>
  new Command('reindex')
    .description(
      'rebuilds everything derived (manifests, playlists, summaries, the index) from the bucket alone',
    )
    .option(...JSON_OPTION)
    .addHelpText('after', `${MORE}\n${examples('reindex', 'reindex --store s3://lives/archive --json')}`)
    .action(
      action(({ json }: { json?: true }, command: Command) =>
        withArchive(context, command, async ({ store, config, signal }) => {
          const bar = progressBar(context, 'reindex');
          const done: Reindexed[] = [];
          let staleEntries = 0;
          try {
            const sessions = reindexArchive({
              store,
              signal,
              clock: context.clock,
              cachePath: cataloguePath(config.cache, store.description, context.env),
              log: context.createLogger(config),
              onProgress: (index, total, { session }) => bar.update(index / total, session),
            });
            let step = await sessions.next();
            for (; !step.done; step = await sessions.next()) done.push(step.value);
            ({ staleEntries } = step.value);
          } finally {
            bar.stop();
          }
          for (const each of done) {
            if (json) context.out.jsonLine(each);
            else if (each.outcome !== 'kept') context.out.line(describe(each));
          }
          if (!json) context.out.line(totals(done, staleEntries));
          return done.some(({ outcome }) => outcome === 'unreadable') ? EXIT.partly : EXIT.done;
        }),
      ),
    );

function describe({ handle, session, outcome, sealed, lost, problem }: Reindexed): string {
  const what = {
    kept: 'kept',
    mended: 'playlists, summary or index written anew',
    rebuilt: `manifest rebuilt from the journals${sealed ? ', sealed' : ''}`,
    unreadable: 'cannot be read',
  }[outcome];
  const missing =
    lost > 0 ? `; ${lost} ${lost === 1 ? 'segment is' : 'segments are'} not there any more` : '';
  return `@${handle} ${session}: ${what}${missing}${problem === null ? '' : ` (${problem})`}`;
}

function totals(done: readonly Reindexed[], staleEntries: number): string {
  const count = (outcome: Reindexed['outcome']): number =>
    done.filter((each) => each.outcome === outcome).length;
  return [
    `${done.length} ${done.length === 1 ? 'session' : 'sessions'}`,
    `${count('rebuilt')} rebuilt`,
    `${count('mended')} mended`,
    ...(count('unreadable') > 0 ? [`${count('unreadable')} unreadable`] : []),
    ...(staleEntries > 0 ? [`${staleEntries} stale index entries removed`] : []),
  ].join(', ');
}
