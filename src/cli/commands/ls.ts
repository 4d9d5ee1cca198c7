/** `livestow ls [handle]`: what the bucket holds, newest first. */
import { Command } from 'commander';
import {
  listRemoved,
  listSessions,
  type CatalogueEntry,
  type RemovedSession,
} from '../../archive/catalogue.ts';
import { formatBytes } from '../../kernel/byte-size.ts';
import { formatClockTime } from '../../kernel/duration.ts';
import { foreign } from '../../kernel/foreign-text.ts';
import { withArchive } from '../archive-command.ts';
import {
  action,
  examples,
  HANDLE_HELP,
  handleArgument,
  JSON_OPTION,
  type CommandFactory,
} from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { shortTime, table } from '../table.ts';

const HEADINGS = ['SESSION', 'CREATOR', 'FOUND (UTC)', 'LENGTH', 'SIZE', 'COVERAGE', 'GAPS', 'STATE'];
const NUMBERS = new Set([3, 4, 5, 6]);

const REMOVED_HEADINGS = ['SESSION', 'CREATOR', 'FOUND (UTC)', 'LENGTH', 'SIZE', 'REMOVED (UTC)', 'BY'];

interface Options {
  deleted?: true;
  json?: true;
}

export const lsCommand: CommandFactory = (context) =>
  new Command('ls')
    .description('lists the sessions of the archive, newest first')
    .argument(
      '[handle]',
      `${HANDLE_HELP}; sessions under an earlier handle of the same account are listed too`,
      handleArgument,
    )
    .option('--deleted', 'those that were removed instead: when, and why')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('ls', 'ls alice', 'ls --json | jq -r .session'))
    .action(
      action((handle: string | undefined, { deleted, json }: Options, command: Command) =>
        withArchive(context, command, async ({ store, signal }) => {
          if (deleted) {
            const removed = await listRemoved(store, { handle, signal });
            if (json) for (const each of removed) context.out.jsonLine(printableRemoved(each));
            else if (removed.length > 0)
              context.out.line(table([REMOVED_HEADINGS, ...removed.map(removedRow)], NUMBERS).join('\n'));
            else context.err.line(`nothing was removed from ${store.description}`);
            return EXIT.done;
          }
          const entries = await listSessions(store, { handle, signal });
          if (json) for (const entry of entries) context.out.jsonLine(printable(entry));
          else if (entries.length > 0)
            context.out.line(table([HEADINGS, ...entries.map(row)], NUMBERS).join('\n'));
          else
            context.err.line(
              `no sessions${handle === undefined ? '' : ` of @${handle}`} in ${store.description}`,
            );
          return EXIT.done;
        }),
      ),
    );

/** `begun`: there is media, and nothing written of it yet. */
type State = 'sealed' | 'unsealed' | 'begun' | 'unreadable';

function stateOf({ summary, problem }: CatalogueEntry): State {
  if (summary === null) return problem === null ? 'begun' : 'unreadable';
  return summary.sealedAt === null ? 'unsealed' : 'sealed';
}

/** The handle is that of the session's folder, also where the creator has another one by now. */
const printable = (entry: CatalogueEntry): Record<string, unknown> => ({
  ...entry.summary,
  session: entry.session,
  handle: entry.handle,
  state: stateOf(entry),
  problem: entry.problem,
});

function row(entry: CatalogueEntry): string[] {
  const { session, handle, summary } = entry;
  if (summary === null) {
    const problem = entry.problem === null ? '' : `: ${entry.problem}`;
    return [session, `@${handle}`, '', '', '', '', '', `${stateOf(entry)}${problem}`];
  }
  return [
    session,
    `@${handle}`,
    shortTime(summary.foundAt),
    formatClockTime(summary.recordedMs),
    formatBytes(summary.bytes),
    `${(Math.floor(summary.coverageRatio * 1000) / 10).toFixed(1)} %`,
    String(summary.gaps),
    stateOf(entry),
  ];
}

const printableRemoved = ({ handle, session, manifest, isUnfinished }: RemovedSession) => ({
  session,
  handle,
  state: isUnfinished ? 'being-removed' : 'removed',
  foundAt: manifest.foundAt,
  endedAt: manifest.endedAt,
  recordedMs: manifest.coverage.recordedMs,
  sealedAt: manifest.sealedAt,
  deletedAt: manifest.deletedAt,
  reason: manifest.deletion?.reason ?? null,
  bytes: manifest.deletion?.bytes ?? null,
});

const removedRow = ({ handle, session, manifest, isUnfinished }: RemovedSession): string[] => [
  session,
  `@${handle}`,
  shortTime(manifest.foundAt),
  formatClockTime(manifest.coverage.recordedMs),
  manifest.deletion ? formatBytes(manifest.deletion.bytes) : '',
  shortTime(manifest.deletedAt ?? ''),
  `${foreign(manifest.deletion?.reason ?? '')}${isUnfinished ? ' (not finished: `livestow prune` does it)' : ''}`,
];
