import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { coverageOf, foldSession } from '../../src/layout/fold.ts';
import { decodeManifest, encodeManifest } from '../../src/layout/manifest.ts';
import type { JournalEntry } from '../../src/model/manifest.ts';
import { at, epoch, gap, segment, segmentOf, term } from './sample.ts';

const fold = (...entries: JournalEntry[]) => foldSession(entries, 7).manifest;
const key = (t: number, e: number, n: number): string => segmentOf(t, e, n).key;

test('one term: everything is in its place', () => {
  const folded = foldSession(
    [
      term(1),
      gap(null, -60_000, 60_000, 'found-late'),
      epoch(1, 1),
      segment(1, 1, 1),
      segment(1, 1, 2),
      { type: 'credits', at: at(1), charged: 1, lookups: 1 },
      { type: 'credits', at: at(2), charged: 2, lookups: 1 },
      { type: 'sample', at: at(3), viewers: 1, enters: 2, title: 'Tea' },
      { type: 'event', at: at(4), event: 'held', detail: {} },
      { type: 'file', at: at(5), file: { key: 'room.json', bytes: 1, sha256: 'a'.repeat(64) } },
      { type: 'file', at: at(6), file: { key: 'cover.jpg', bytes: 2, sha256: 'b'.repeat(64) } },
      { type: 'file', at: at(7), file: { key: 'room.json', bytes: 3, sha256: 'c'.repeat(64) } },
      { type: 'end', at: at(8), endedAt: at(12_000), endCause: 'room-ended' },
    ],
    7,
  );
  expect(folded.manifest).toMatchObject({
    format: 'livestow/1',
    revision: 7,
    session: '20261122T140307Z-7412',
    sealedAt: null,
    deletedAt: null,
    endedAt: at(12_000),
    endCause: 'room-ended',
    container: 'mpegts',
    coverage: { liveMs: 72_000, recordedMs: 12_000, ratio: 0.1666 },
    credits: { charged: 3, lookups: 2 },
    files: [
      { key: 'cover.jpg', bytes: 2 },
      { key: 'room.json', bytes: 3 },
    ],
  });
  expect(folded.manifest.segments.map((s) => s.key)).toEqual([key(1, 1, 1), key(1, 1, 2)]);
  expect(folded.samples).toHaveLength(1);
  expect(folded.events).toHaveLength(1);
  expect(folded.lastTerm).toBe(1);
});

test('a second term goes on: its writer and creator, the first one’s room and time, and the end is open again', () => {
  const manifest = fold(
    term(1),
    epoch(1, 1),
    segment(1, 1, 1),
    { type: 'end', at: at(1), endedAt: at(6000), endCause: 'media-lost' },
    term(2, { creator: { handle: 'alice2', platformUserId: '42', displayName: null }, foundAt: at(90_000) }),
  );
  expect(manifest).toMatchObject({
    writer: { version: '0.1.2' },
    creator: { handle: 'alice2' },
    foundAt: at(0),
    endedAt: null,
    endCause: null,
  });
});

describe('epochs', () => {
  test('those without a segment left are not shown; one journaled twice is shown once, as it was last', () => {
    const manifest = fold(
      term(1),
      epoch(1, 1),
      epoch(1, 2),
      segment(1, 2, 1),
      epoch(1, 2, { width: 1280 }),
      epoch(1, 3),
      segment(1, 3, 1),
      { type: 'lost', at: at(0), key: key(1, 3, 1) },
    );
    expect(manifest.epochs.map(({ term, epoch, width }) => [term, epoch, width])).toEqual([[1, 2, 1280]]);
  });

  test('the container is that of the first epoch', () => {
    expect(fold(term(1)).container).toBeNull();
    expect(fold(term(1), epoch(1, 1, { init: 'segments/0001-0001-init.mp4' }), epoch(1, 2)).container).toBe(
      'fmp4',
    );
  });
});

describe('segments', () => {
  test('stand in the order of term, epoch and number, also where a number outgrows its width', () => {
    const names = [key(1, 1, 999_999), key(1, 1, 1_000_000), key(1, 2, 1), key(2, 1, 1), key(10_000, 1, 1)];
    const entries = [
      segment(10_000, 1, 1),
      segment(2, 1, 1),
      segment(1, 1, 1_000_000),
      segment(1, 2, 1),
      segment(1, 1, 999_999),
    ];
    expect(fold(term(1), ...entries).segments.map((s) => s.key)).toEqual(names);
  });

  test('one journaled twice (a journal shipped again under another number) counts once', () => {
    const manifest = fold(term(1), epoch(1, 1), segment(1, 1, 1), segment(1, 1, 1));
    expect(manifest.segments).toHaveLength(1);
    expect(manifest.coverage.recordedMs).toBe(6000);
  });

  test.each([
    ['the one before', [1, 2, 3], [3], key(1, 1, 3), key(1, 1, 2)],
    ['the one before in an earlier epoch', [1, 2], [1, 2], key(1, 1, 2), null],
    ['itself while it is there', [1, 2, 3], [1], key(1, 1, 3), key(1, 1, 3)],
  ])('a gap after a lost segment stands after %s', (_, there, lost, after, expected) => {
    const manifest = fold(
      term(1),
      epoch(1, 1),
      ...there.map((n) => segment(1, 1, n)),
      gap(after, 20_000, 1000),
      ...lost.map((n): JournalEntry => ({ type: 'lost', at: at(0), key: key(1, 1, n) })),
    );
    expect(manifest.gaps[0]?.after).toBe(expected);
  });
});

test('gaps stand in the order of their beginning, whatever term wrote them', () => {
  const manifest = fold(term(1), gap(null, 5000, 10), gap(null, 1000, 10), gap(null, -1000, 10));
  expect(manifest.gaps.map((g) => g.from)).toEqual([at(-1000), at(1000), at(5000)]);
});

describe('coverage', () => {
  test.each([
    [[], [], { liveMs: 0, recordedMs: 0, ratio: 0 }],
    [[6000], [], { liveMs: 6000, recordedMs: 6000, ratio: 1 }],
    [[], [100], { liveMs: 100, recordedMs: 0, ratio: 0 }],
    [[86_400_000], [1], { liveMs: 86_400_001, recordedMs: 86_400_000, ratio: 0.9999 }],
  ])('%j recorded, %j missing', (recorded, missing, expected) => {
    const segments = recorded.map((durationMs, i) => segmentOf(1, 1, i + 1, { durationMs }));
    const gaps = missing.map((ms) => gap(null, 0, ms).gap);
    expect(coverageOf(segments, gaps)).toEqual(expected);
  });

  test('is 1 exactly when something is there and nothing is missing', () => {
    const lengths = fc.array(fc.integer({ min: 0, max: 10_000_000 }), { maxLength: 20 });
    fc.assert(
      fc.property(lengths, lengths, (recorded, missing) => {
        const { liveMs, recordedMs, ratio } = coverageOf(
          recorded.map((durationMs, i) => segmentOf(1, 1, i + 1, { durationMs })),
          missing.map((ms) => gap(null, 0, ms).gap),
        );
        expect(ratio === 1).toBe(recordedMs > 0 && recordedMs === liveMs);
        expect(ratio).toBeLessThanOrEqual(liveMs === 0 ? 0 : recordedMs / liveMs);
      }),
    );
  });
});

test('without a term entry there is no session', () => {
  expect(() => fold(epoch(1, 1))).toThrow(expect.objectContaining({ code: 'MANIFEST' }));
});

test('however entries of one term are shuffled behind its term entry, the manifest is the same', () => {
  const rest: JournalEntry[] = [
    epoch(1, 1),
    epoch(1, 2),
    ...[1, 2, 3, 4].map((n) => segment(1, 1, n)),
    segment(1, 2, 1),
    gap(null, -500, 500, 'found-late'),
    gap(key(1, 1, 2), 12_000, 70),
    { type: 'credits', at: at(0), charged: 1, lookups: 1 },
    { type: 'file', at: at(0), file: { key: 'room.json', bytes: 1, sha256: 'a'.repeat(64) } },
  ];
  const expected = fold(term(1), ...rest);
  fc.assert(
    fc.property(fc.shuffledSubarray(rest, { minLength: rest.length }), (shuffled) => {
      expect(fold(term(1), ...shuffled)).toEqual(expected);
    }),
  );
});

test('what the fold gives, the manifest’s decoder takes', () => {
  const manifest = fold(term(1), epoch(1, 1), segment(1, 1, 1), gap(key(1, 1, 1), 6000, 10));
  expect(decodeManifest(encodeManifest(manifest), 'manifest.json')).toEqual(manifest);
});
