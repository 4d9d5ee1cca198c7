/** Sessions as `livestow ls` shows them: rows of a table, and JSON. */
import type { CatalogueEntry, RemovedSession } from '../archive/catalogue.ts';
import { formatShare } from '../kernel/amounts.ts';
import { formatBytes } from '../kernel/byte-size.ts';
import { formatClockTime } from '../kernel/duration.ts';
import { foreign } from '../kernel/foreign-text.ts';
import { shortTime, table } from './table.ts';

const HEADINGS = ['SESSION', 'CREATOR', 'FOUND (UTC)', 'LENGTH', 'SIZE', 'COVERAGE', 'GAPS', 'STATE'];
const REMOVED_HEADINGS = ['SESSION', 'CREATOR', 'FOUND (UTC)', 'LENGTH', 'SIZE', 'REMOVED (UTC)', 'BY'];
const NUMBERS = new Set([3, 4, 5, 6]);

export const sessionTable = (entries: readonly CatalogueEntry[]): string =>
  table([HEADINGS, ...entries.map(row)], NUMBERS).join('\n');

export const removedTable = (removed: readonly RemovedSession[]): string =>
  table([REMOVED_HEADINGS, ...removed.map(removedRow)], NUMBERS).join('\n');

/** `begun`: there is media, and nothing written of it yet. */
type State = 'sealed' | 'unsealed' | 'begun' | 'unreadable';

function stateOf({ summary, problem }: CatalogueEntry): State {
  if (summary === null) return problem === null ? 'begun' : 'unreadable';
  return summary.sealedAt === null ? 'unsealed' : 'sealed';
}

/** The handle is that of the session's folder, also where the creator has another one by now. */
export const jsonOf = (entry: CatalogueEntry): Record<string, unknown> => ({
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
    formatShare(summary.coverageRatio),
    String(summary.gaps),
    stateOf(entry),
  ];
}

export const jsonOfRemoved = ({ handle, session, manifest, isUnfinished }: RemovedSession) => ({
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
