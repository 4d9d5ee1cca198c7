/** `livestow show <session>`: what was recorded of one broadcast, and what was not. */
import { Command } from 'commander';
import { heldBecause } from '../../archive/hold.ts';
import { openSession, type OpenedSession } from '../../archive/session-reader.ts';
import { viewerSamples, viewersOf, type Viewers } from '../../archive/viewers.ts';
import { counted } from '../../kernel/amounts.ts';
import { formatBytes } from '../../kernel/byte-size.ts';
import { formatClockTime } from '../../kernel/duration.ts';
import { foreign } from '../../kernel/foreign-text.ts';
import { sessionPrefix } from '../../layout/keys.ts';
import { END_CAUSES, GAP_CAUSES } from '../../model/causes.ts';
import type { Epoch, Manifest } from '../../model/manifest.ts';
import { SESSION_HELP, withArchive } from '../archive-command.ts';
import { sessionToRead } from '../catalogue.ts';
import { action, examples, type CommandFactory } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { shortTime, table } from '../table.ts';

export const showCommand: CommandFactory = (context) =>
  new Command('show')
    .description('shows one session: epochs, variants, gaps and their causes, viewers, credits, files')
    .argument('<session>', SESSION_HELP)
    .option('--segments', 'list the segments too, with their hashes')
    .option('--json', 'print the manifest, with `viewers` beside it')
    .addHelpText('after', examples('show @alice', 'show @alice --segments', 'show 20261122T140307Z --json'))
    .action(
      action((session: string, { segments, json }: { segments?: true; json?: true }, command: Command) =>
        withArchive(context, command, async (archive) => {
          const { store, signal } = archive;
          const ref = await sessionToRead(context, archive, session);
          const opened = await openSession(store, ref, { signal });
          if (opened.manifestProblem !== null)
            context.err.line(`warning: ${opened.manifestProblem}; shown from the journals`);
          const viewers = viewersOf(await viewerSamples(store, opened, signal));
          if (json) context.out.json({ ...opened.manifest, viewers });
          else {
            const held = await heldBecause(store, ref, signal);
            const lines = describe(opened, { store: store.description, held, viewers });
            if (segments) lines.push(...section('Segments', segmentLines(opened.manifest)));
            context.out.line(lines.join('\n'));
          }
          return EXIT.done;
        }),
      ),
    );

interface Beside {
  store: string;
  held: string | null;
  viewers: Viewers | null;
}

function describe({ ref, manifest }: OpenedSession, { store, held, viewers }: Beside): string[] {
  return [
    ...facts(ref.handle, manifest, store, viewers),
    ...(held === null ? [] : ['', foreign(held)]),
    ...section('Epochs', epochs(manifest)),
    ...section('Variants', variants(manifest)),
    ...section('Gaps', gaps(manifest)),
    ...section('Files', files(manifest)),
  ];
}

const section = (heading: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : ['', heading, ...lines.map((line) => `  ${line}`)];

function facts(folder: string, manifest: Manifest, store: string, viewers: Viewers | null): string[] {
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
      `${recorded} (${Math.floor(coverage.ratio * 1000) / 10} %), ${counted(manifest.gaps.length, 'gap')}`,
    ],
    [
      'media',
      `${counted(segments.length, 'segment')}, ${counted(pictures, 'picture')}, ${formatBytes(bytes)}, ${container ?? 'no container yet'}`,
    ],
    [
      'viewers',
      viewers === null
        ? 'not known'
        : `${viewers.min} to ${viewers.max}, ${viewers.mean} in the mean of ${counted(viewers.samples, 'look')}`,
    ],
    ['credits', `${credits.charged} for ${counted(credits.lookups, 'lookup')}`],
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
      counted(own.length, 'segment'),
      counted(
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

/** How much was recorded of each variant, most first. */
function variants(manifest: Manifest): string[] {
  const of = new Map<string, { durationMs: number; epochs: number }>();
  for (const epoch of manifest.epochs) {
    const { codecFamily, source, qualityKey, protocol } = epoch.variant;
    const name = [codecFamily, source, foreign(qualityKey), protocol].join('/');
    const known = of.get(name) ?? { durationMs: 0, epochs: 0 };
    known.epochs += 1;
    for (const { durationMs } of manifest.segments.filter(isOf(epoch))) known.durationMs += durationMs;
    of.set(name, known);
  }
  const rows = [...of].sort(([, a], [, b]) => b.durationMs - a.durationMs);
  return table(
    rows.map(([name, { durationMs, epochs: n }]) => [name, formatClockTime(durationMs), counted(n, 'epoch')]),
  );
}

const SIZES = new Set([1]);

const files = (manifest: Manifest): string[] =>
  table(
    manifest.files.map(({ key, bytes, sha256 }) => [key, formatBytes(bytes), sha256]),
    SIZES,
  );

function segmentLines({ epochs: all, segments }: Manifest): string[] {
  const inits = all.flatMap(({ init, initBytes, initSha256 }) =>
    init === null ? [] : [[init, formatBytes(initBytes ?? 0), '', '', initSha256 ?? '']],
  );
  const rows = segments.map(({ key, bytes, startsAt, durationMs, sha256 }) => [
    key,
    formatBytes(bytes),
    shortTime(startsAt),
    `${(durationMs / 1000).toFixed(1)} s`,
    sha256,
  ]);
  return table([...inits, ...rows], SIZES);
}
