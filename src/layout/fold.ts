/**
 * The fold: a session's journals, in order of term and number, become its manifest, samples and events. Pure, and the
 * only place where a manifest's contents come from, so that a lost manifest is one fold away.
 */
import { LivestowError } from '../kernel/errors.ts';
import { FORMAT, type Coverage, type Gap, type JournalEntry, type Manifest, type Segment } from '../model/manifest.ts';
import { parseSegmentKey } from './keys.ts';

type EntryOf<T extends JournalEntry['type']> = Extract<JournalEntry, { type: T }>;

export interface FoldedSession {
  manifest: Manifest;
  samples: EntryOf<'sample'>[];
  events: EntryOf<'event'>[];
  /** Highest term seen. */
  lastTerm: number;
}

const inOrder = (a: Segment, b: Segment): number => {
  const [x, y] = [parseSegmentKey(a.key), parseSegmentKey(b.key)];
  return a.term - b.term || a.epoch - b.epoch || (x?.n ?? 0) - (y?.n ?? 0);
};

export function coverageOf(segments: readonly Segment[], gaps: readonly Gap[]): Coverage {
  const recordedMs = segments.reduce((sum, segment) => sum + segment.durationMs, 0);
  const liveMs = recordedMs + gaps.reduce((sum, gap) => sum + gap.ms, 0);
  return { liveMs, recordedMs, ratio: liveMs === 0 ? 0 : Math.round((recordedMs / liveMs) * 10_000) / 10_000 };
}

/**
 * @param entries of all journals, in order of (term, n)
 * @param revision of the manifest that comes of it
 */
export function foldSession(entries: Iterable<JournalEntry>, revision: number): FoldedSession {
  let first: EntryOf<'term'> | undefined;
  let last: EntryOf<'term'> | undefined;
  let end: EntryOf<'end'> | undefined;
  let container: Manifest['container'] = null;
  const epochs: Manifest['epochs'] = [];
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
        end = undefined;
        break;
      case 'epoch':
        container ??= entry.container;
        epochs.push(entry.epoch);
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
  const ordered = [...segments.values()].sort(inOrder);
  const used = new Set(ordered.map((segment) => `${segment.term}-${segment.epoch}`));
  gaps.sort((a, b) => Date.parse(a.from) - Date.parse(b.from));
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
      epochs: epochs.filter((epoch) => used.has(`${epoch.term}-${epoch.epoch}`)),
      segments: ordered,
      gaps,
      coverage: coverageOf(ordered, gaps),
      credits,
      files: [...files.values()].sort((a, b) => (a.key < b.key ? -1 : 1)),
    },
    samples,
    events,
    lastTerm: last.term,
  };
}
