/** `livestow show <session>`: what was recorded of one broadcast, and what was not. */
import { Command } from 'commander';
import { heldBecause } from '../../archive/hold.ts';
import { resolveSession } from '../../archive/resolve-session.ts';
import { openSession, type OpenedSession } from '../../archive/session-reader.ts';
import { formatBytes } from '../../kernel/byte-size.ts';
import { formatClockTime } from '../../kernel/duration.ts';
import { foreign } from '../../kernel/foreign-text.ts';
import { sessionPrefix } from '../../layout/keys.ts';
import { END_CAUSES, GAP_CAUSES } from '../../model/causes.ts';
import type { Epoch, Manifest } from '../../model/manifest.ts';
import { SESSION_HELP, withArchive } from '../archive-command.ts';
import { action, examples, type CommandFactory } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { shortTime, table } from '../table.ts';

export const showCommand: CommandFactory = (context) =>
  new Command('show')
    .description('shows one session: epochs, gaps and their causes, coverage, credits, files')
    .argument('<session>', SESSION_HELP)
    .option('--json', 'print the manifest')
    .addHelpText('after', examples('show @alice', 'show 20261122T140307Z --json'))
    .action(
      action((session: string, { json }: { json?: true }, command: Command) =>
        withArchive(context, command, async ({ store, signal }) => {
          const ref = await resolveSession(store, session, signal);
          const opened = await openSession(store, ref, { signal });
          if (opened.manifestProblem !== null)
            context.err.line(`warning: ${opened.manifestProblem}; shown from the journals`);
          if (json) context.out.json(opened.manifest);
          else {
            const held = await heldBecause(store, ref, signal);
            context.out.line(describe(opened, store.description, held).join('\n'));
          }
          return EXIT.done;
        }),
      ),
    );

function describe({ ref, manifest }: OpenedSession, store: string, held: string | null): string[] {
  return [
    ...facts(ref.handle, manifest, store),
    ...(held === null ? [] : ['', foreign(held)]),
    ...section('Epochs', epochs(manifest)),
    ...section('Gaps', gaps(manifest)),
    ...section('Files', files(manifest)),
  ];
}

const section = (heading: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : ['', heading, ...lines.map((line) => `  ${line}`)];

const count = (n: number, one: string): string => `${n} ${one}${n === 1 ? '' : 's'}`;

function facts(folder: string, manifest: Manifest, store: string): string[] {
  const { session, creator, room, coverage, credits, segments, container, endCause } = manifest;
  const bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0);
  const pictures = segments.reduce((sum, segment) => sum + segment.pictures, 0);
  const renamed = creator.handle === folder ? '' : `, now @${creator.handle}`;
  const name = creator.displayName === null ? '' : ` (${foreign(creator.displayName)})`;
  const recorded = `${formatClockTime(coverage.recordedMs)} of ${formatClockTime(coverage.liveMs)}`;
  return table([
    ['session', session],
    ['creator', `@${folder}${renamed}${name}`],
    ['title', room.title === null ? '–' : foreign(room.title)],
    ['room', foreign(room.roomId)],
    ['began', room.startedAt === null ? 'not known' : `${shortTime(room.startedAt)} UTC`],
    ['found', `${shortTime(manifest.foundAt)} UTC`],
    ['ended', manifest.endedAt === null ? 'not yet' : `${shortTime(manifest.endedAt)} UTC`],
    ...(endCause === null ? [] : [['because', `${END_CAUSES[endCause].meaning} (${endCause})`]]),
    ['state', manifest.sealedAt === null ? 'not sealed' : `sealed ${shortTime(manifest.sealedAt)} UTC`],
    [
      'recorded',
      `${recorded} (${Math.floor(coverage.ratio * 1000) / 10} %), ${count(manifest.gaps.length, 'gap')}`,
    ],
    [
      'media',
      `${count(segments.length, 'segment')}, ${count(pictures, 'picture')}, ${formatBytes(bytes)}, ${container ?? 'no container yet'}`,
    ],
    ['credits', `${credits.charged} for ${count(credits.lookups, 'lookup')}`],
    ['lies in', `${store}, ${sessionPrefix(folder, session)}`],
  ]);
}

const isOf = (epoch: Epoch) => (item: { term: number; epoch: number }) =>
  item.term === epoch.term && item.epoch === epoch.epoch;

function epochs(manifest: Manifest): string[] {
  const rows = manifest.epochs.map((epoch) => {
    const own = manifest.segments.filter(isOf(epoch));
    const { codecFamily, qualityKey, protocol } = epoch.variant;
    return [
      `${epoch.term}-${epoch.epoch}`,
      epoch.codec,
      `${epoch.width}x${epoch.height}`,
      own[0] === undefined ? '' : shortTime(own[0].startsAt),
      formatClockTime(own.reduce((sum, { durationMs }) => sum + durationMs, 0)),
      count(own.length, 'segment'),
      count(
        own.reduce((sum, { pictures }) => sum + pictures, 0),
        'picture',
      ),
      `from ${codecFamily}/${foreign(qualityKey)}/${protocol}`,
    ];
  });
  return table(rows);
}

const gaps = (manifest: Manifest): string[] =>
  table(
    manifest.gaps.map(({ from, ms, cause, after }) => [
      shortTime(from),
      `${(ms / 1000).toFixed(1)} s`,
      cause,
      after === null ? 'before the first segment' : `after ${after}`,
      GAP_CAUSES[cause],
    ]),
    new Set([1]),
  );

const files = (manifest: Manifest): string[] =>
  table(manifest.files.map(({ key, bytes }) => [key, formatBytes(bytes)]));
