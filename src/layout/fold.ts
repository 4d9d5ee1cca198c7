/**
 * The fold: a session's journals, in order of term and number, become its manifest, samples and events. Pure, and the
 * only place where a manifest's contents come from, so that a lost manifest is one fold away.
 */
import { LivestowError } from '../kernel/errors.ts';
import {
  FORMAT,
  type Coverage,
  type Epoch,
  type Gap,
  type JournalEntry,
  type Manifest,
  type Segment,
} from '../model/manifest.ts';
import { parseSegmentKey } from './keys.ts';

const epochName = ({ term, epoch }: { term: number; epoch: number }): string => `${term}-${epoch}`;

type EntryOf<T extends JournalEntry['type']> = Extract<JournalEntry, { type: T }>;

export interface FoldedSession {
  manifest: Manifest;
  samples: EntryOf<'sample'>[];
  events: EntryOf<'event'>[];
  /** Highest term seen. */
  lastTerm: number;
}

/** Segments in the order in which they were recorded; numbers, since a padded one may outgrow its width. */
const inOrder = (a: string, b: string): number => {
  const [x, y] = [parseSegmentKey(a), parseSegmentKey(b)];
  if (!x || !y) return a < b ? -1 : a > b ? 1 : 0;
  return x.term - y.term || x.epoch - y.epoch || x.n - y.n;
};

/** A gap stands after a segment that is still there: when that was lost, after the last one before it. */
function anchored(gap: Gap, segments: ReadonlyMap<string, Segment>, ordered: readonly Segment[]): Gap {
  const { after } = gap;
  if (after === null || segments.has(after)) return gap;
  return { ...gap, after: ordered.findLast((segment) => inOrder(segment.key, after) < 0)?.key ?? null };
}

/** The ratio is cut to four places, not rounded: 1 says that nothing is missing. */
export function coverageOf(segments: readonly Segment[], gaps: readonly Gap[]): Coverage {
  const recordedMs = segments.reduce((sum, segment) => sum + segment.durationMs, 0);
  const liveMs = recordedMs + gaps.reduce((sum, gap) => sum + gap.ms, 0);
  return {
    liveMs,
    recordedMs,
    ratio: liveMs === 0 ? 0 : Math.floor((recordedMs * 10_000) / liveMs) / 10_000,
  };
}

/**
 * @param entries of all journals, in order of (term, n)
 * @param revision of the manifest that comes of it
 */
export function foldSession(entries: Iterable<JournalEntry>, revision: number): FoldedSession {
  let first: EntryOf<'term'> | undefined;
  let last: EntryOf<'term'> | undefined;
  let end: EntryOf<'end'> | undefined;
  let lastTerm = 0;
  let container: Manifest['container'] = null;
  const epochs = new Map<string, Epoch>();
  const segments = new Map<string, Segment>();
  const gaps: Gap[] = [];
  const files = new Map<string, Manifest['files'][number]>();
  const samples: EntryOf<'sample'>[] = [];
  const events: EntryOf<'event'>[] = [];
  const credits = { charged: 0, lookups: 0 };

  for (const entry of entries) {
    switch (entry.type) {
      case 'term':
        first ??= entry;
        last = entry;
        lastTerm = Math.max(lastTerm, entry.term);
        end = undefined;
        break;
      case 'epoch':
        container ??= entry.container;
        epochs.set(epochName(entry.epoch), entry.epoch);
        break;
      case 'segment':
        segments.set(entry.segment.key, entry.segment);
        break;
      case 'gap':
        gaps.push(entry.gap);
        break;
      case 'lost':
        segments.delete(entry.key);
        break;
      case 'file':
        files.set(entry.file.key, entry.file);
        break;
      case 'event':
        events.push(entry);
        break;
      case 'sample':
        samples.push(entry);
        break;
      case 'credits':
        credits.charged += entry.charged;
        credits.lookups += entry.lookups;
        break;
      case 'end':
        end = entry;
        break;
    }
  }
  if (!first || !last) {
    throw new LivestowError('MANIFEST', 'a journal without a beginning: no term entry in it', {
      hint: 'the first journal of the session is missing; look for journal/0001-*.ndjson',
    });
  }
  const ordered = [...segments.values()].sort((a, b) => inOrder(a.key, b.key));
  const used = new Set(ordered.map(epochName));
  const shownGaps = gaps
    .map((gap) => anchored(gap, segments, ordered))
    .sort((a, b) => Date.parse(a.from) - Date.parse(b.from));
  return {
    manifest: {
      format: FORMAT,
      writer: last.writer,
      revision,
      session: first.session,
      sealedAt: null,
      deletedAt: null,
      creator: last.creator,
      room: first.room,
      foundAt: first.foundAt,
      endedAt: end?.endedAt ?? null,
      endCause: end?.endCause ?? null,
      container,
      epochs: [...epochs.values()]
        .filter((epoch) => used.has(epochName(epoch)))
        .sort((a, b) => a.term - b.term || a.epoch - b.epoch),
      segments: ordered,
      gaps: shownGaps,
      coverage: coverageOf(ordered, shownGaps),
      credits,
      files: [...files.values()].sort((a, b) => (a.key < b.key ? -1 : 1)),
    },
    samples,
    events,
    lastTerm,
  };
}
