/** `livestow ls [handle]`: what the bucket holds, newest first unless told otherwise. */
import { Command, Option } from 'commander';
import { listRemoved, type CatalogueEntry } from '../../archive/catalogue.ts';
import type { Catalogue } from '../../catalogue/catalogue.ts';
import { SORTS, type SessionQuery, type SessionSort } from '../../catalogue/session-query.ts';
import { formatBytes } from '../../kernel/byte-size.ts';
import { formatClockTime } from '../../kernel/duration.ts';
import { LivestowError } from '../../kernel/errors.ts';
import { withArchive, type Archive } from '../archive-command.ts';
import { refreshWithBar, withCatalogue } from '../catalogue.ts';
import {
  action,
  countFlag,
  durationFlag,
  examples,
  HANDLE_HELP,
  handleArgument,
  JSON_OPTION,
  type CommandFactory,
} from '../command.ts';
import type { CliContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { jsonOf, jsonOfRemoved, removedTable, sessionTable } from '../session-table.ts';

/** Of the catalogue, at once. */
const PAGE = 1000;

interface Options {
  from?: string;
  to?: string;
  text?: string;
  minLength?: string;
  maxLength?: string;
  gaps?: boolean;
  codec?: 'h264' | 'h265';
  sealed?: true;
  unsealed?: true;
  sort?: SessionSort;
  reverse?: true;
  limit?: string;
  deleted?: true;
  refresh?: true;
  json?: true;
}

const MORE = `
A day is one of UTC, and --to counts it in. --text looks for each word in title, display name, handle and
session id. What is known of the archive is cached (--cache), and brought up to date each time.`;

export const lsCommand: CommandFactory = (context) =>
  new Command('ls')
    .description('lists the sessions of the archive, newest first')
    .argument(
      '[handle]',
      `${HANDLE_HELP}; sessions under an earlier handle of the same account are listed too`,
      handleArgument,
    )
    .option('--from <date>', 'found on this day or later; an instant may be given too')
    .option('--to <date>', 'found on this day or earlier')
    .option('--text <words>', 'with these words, in part or in whole')
    .option('--min-length <duration>', 'at least so much is recorded, such as 30m')
    .option('--max-length <duration>', 'at most so much is recorded')
    .option('--gaps', 'with gaps only')
    .option('--no-gaps', 'without gaps only')
    .addOption(new Option('--codec <codec>', 'with pictures of this codec').choices(['h264', 'h265']))
    .option('--sealed', 'finished ones only')
    .addOption(new Option('--unsealed', 'those that are not sealed').conflicts('sealed'))
    .addOption(new Option('--sort <by>', 'by what, the most first').choices(SORTS))
    .option('--reverse', 'the other way round')
    .option('--limit <count>', 'so many at most')
    .option('--deleted', 'those that were removed instead: when, and why')
    .option('--refresh', 'read everything anew, whatever is cached')
    .option(...JSON_OPTION)
    .addHelpText(
      'after',
      `${MORE}\n${examples(
        'ls',
        'ls alice --from 2026-11-01 --gaps',
        'ls --text "tea talk" --sort length --limit 10',
        'ls --json | jq -r .session',
      )}`,
    )
    .action(
      action((handle: string | undefined, options: Options, command: Command) => {
        const query = queryOf(handle, options);
        return withArchive(context, command, async (archive) => {
          if (options.deleted) await listDeleted(context, archive, handle, options);
          else
            await withCatalogue(context, archive, (known) => list(context, archive, known, query, options));
          return EXIT.done;
        });
      }),
    );

function queryOf(creator: string | undefined, options: Options): SessionQuery {
  const { from, to, text, minLength, maxLength, gaps, codec, sealed, unsealed, sort, reverse } = options;
  const lengthOf = (flag: string, given: string | undefined): number | undefined =>
    given === undefined ? undefined : durationFlag(flag, given, '30m or 2h');
  const query: SessionQuery = {
    creator,
    from,
    to,
    text,
    minMs: lengthOf('--min-length', minLength),
    maxMs: lengthOf('--max-length', maxLength),
    gaps,
    codec,
    sealed: unsealed ? false : sealed,
    sort,
    order: reverse ? 'asc' : 'desc',
  };
  const isFiltered = Object.entries(query).some(
    ([name, value]) => value !== undefined && !['creator', 'order'].includes(name),
  );
  if (options.deleted && (isFiltered || reverse || options.limit !== undefined)) {
    throw new LivestowError('USAGE', '--deleted takes a handle and no filters', {
      hint: 'leave the others out',
    });
  }
  return query;
}

async function list(
  context: CliContext,
  { store, signal }: Archive,
  catalogue: Catalogue,
  query: SessionQuery,
  { json, refresh, limit }: Options,
): Promise<void> {
  const most = limit === undefined ? Infinity : countFlag('--limit', limit);
  // A date that is none is told before anything is read.
  catalogue.search({ ...query, limit: 1 });
  await refreshWithBar(context, catalogue, { full: refresh === true, signal });
  const listed: CatalogueEntry[] = [];
  const totals = { sessions: 0, recordedMs: 0, bytes: 0 };
  let page = catalogue.search({ ...query, limit: Math.min(most, PAGE) });
  for (;;) {
    for (const entry of page.entries) {
      totals.sessions += 1;
      totals.recordedMs += entry.summary?.recordedMs ?? 0;
      totals.bytes += entry.summary?.bytes ?? 0;
      if (json) context.out.jsonLine(jsonOf(entry));
      else listed.push(entry);
    }
    const left = most - totals.sessions;
    if (page.next === null || left <= 0 || context.out.closed || signal.aborted) break;
    page = catalogue.search({ ...query, limit: Math.min(left, PAGE), cursor: page.next });
  }
  if (listed.length > 0) context.out.line(sessionTable(listed));
  else if (totals.sessions === 0 && !json)
    context.err.line(`no sessions${whichOf(query)} in ${store.description}`);
  if (context.err.isTerminal && totals.sessions > 0)
    context.err.line(
      `${totals.sessions < page.total ? `${totals.sessions} of ` : ''}${page.total} ${page.total === 1 ? 'session' : 'sessions'}, ${formatClockTime(totals.recordedMs)} recorded, ${formatBytes(totals.bytes)}`,
    );
}

function whichOf({ creator, order: _, ...filters }: SessionQuery): string {
  const such = Object.values(filters).some((value) => value !== undefined) ? ' like that' : '';
  return `${creator === undefined ? '' : ` of @${creator}`}${such}`;
}

async function listDeleted(
  context: CliContext,
  { store, signal }: Archive,
  handle: string | undefined,
  { json }: Options,
): Promise<void> {
  const removed = await listRemoved(store, { handle, signal });
  if (json) for (const each of removed) context.out.jsonLine(jsonOfRemoved(each));
  else if (removed.length > 0) context.out.line(removedTable(removed));
  else context.err.line(`nothing was removed from ${store.description}`);
}
