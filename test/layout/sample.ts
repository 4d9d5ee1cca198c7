/** Small, whole journal entries, for tests that need one with a certain field. */
import { sessionKeys } from '../../src/layout/keys.ts';
import { FORMAT, type Epoch, type Gap, type JournalEntry, type Segment } from '../../src/model/manifest.ts';

const T0 = Date.UTC(2026, 10, 22, 14, 3, 7);
export const at = (ms: number): string => new Date(T0 + ms).toISOString();

type EntryOf<T extends JournalEntry['type']> = Extract<JournalEntry, { type: T }>;

export const term = (n: number, changes: Partial<EntryOf<'term'>> = {}): EntryOf<'term'> => ({
  type: 'term',
  at: at(0),
  format: FORMAT,
  writer: { name: 'livestow', version: `0.1.${n}` },
  session: '20261122T140307Z-7412',
  term: n,
  creator: { handle: 'alice', platformUserId: '42', displayName: 'Alice' },
  room: { roomId: '7412', title: 'Tea', startedAt: at(-60_000) },
  foundAt: at(0),
  ...changes,
});

export const epochOf = (t: number, e: number, changes: Partial<Epoch> = {}): Epoch => ({
  term: t,
  epoch: e,
  codec: 'h264',
  width: 720,
  height: 1280,
  init: null,
  initBytes: null,
  initSha256: null,
  variant: { codecFamily: 'h264', source: 'primary', qualityKey: 'origin', protocol: 'flv' },
  ...changes,
});

export const epoch = (t: number, e: number, changes: Partial<Epoch> = {}): EntryOf<'epoch'> => ({
  type: 'epoch',
  at: at(0),
  container: changes.init ? 'fmp4' : 'mpegts',
  epoch: epochOf(t, e, changes),
});

/** Six seconds, in a row within its epoch. */
export const segmentOf = (t: number, e: number, n: number, changes: Partial<Segment> = {}): Segment => ({
  key: sessionKeys.segment(t, e, n, 'mpegts'),
  term: t,
  epoch: e,
  bytes: 1000 + n,
  sha256: n.toString(16).padStart(64, '0'),
  durationMs: 6000,
  startsAt: at((n - 1) * 6000),
  pictures: 180,
  audioFrames: 281,
  firstDtsMs: (n - 1) * 6000,
  lastDtsMs: n * 6000 - 33,
  ...changes,
});

export const segment = (
  t: number,
  e: number,
  n: number,
  changes: Partial<Segment> = {},
): EntryOf<'segment'> => ({
  type: 'segment',
  at: at(n * 6000),
  segment: segmentOf(t, e, n, changes),
});

export const gap = (
  after: string | null,
  fromMs: number,
  ms: number,
  cause: Gap['cause'] = 'stall',
): EntryOf<'gap'> => ({
  type: 'gap',
  at: at(fromMs + ms),
  gap: { after, from: at(fromMs), to: at(fromMs + ms), ms, cause },
});
