import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { foldSession } from '../../src/layout/fold.ts';
import {
  decodeManifest,
  decodeSummary,
  encodeManifest,
  encodeSummary,
  summaryOf,
} from '../../src/layout/manifest.ts';
import { at, epoch, segment, term } from './sample.ts';

const { manifest } = foldSession(
  [
    term(1),
    epoch(1, 1),
    segment(1, 1, 1),
    segment(1, 1, 2),
    epoch(1, 2, { width: 1920, height: 1080 }),
    segment(1, 2, 1),
    { type: 'file', at: at(0), file: { key: 'poster.jpg', bytes: 1, sha256: 'a'.repeat(64) } },
  ],
  1,
);

test('a summary says of a manifest what a list shows', () => {
  expect(summaryOf(manifest)).toEqual({
    format: 'livestow/1',
    session: '20261122T140307Z-7412',
    handle: 'alice',
    platformUserId: '42',
    displayName: 'Alice',
    roomId: '7412',
    title: 'Tea',
    startedAt: at(-60_000),
    foundAt: at(0),
    endedAt: null,
    endCause: null,
    sealedAt: null,
    deletedAt: null,
    container: 'mpegts',
    codecs: ['h264'],
    width: 1920,
    height: 1080,
    recordedMs: 18_000,
    coverageRatio: 1,
    gaps: 0,
    epochs: 2,
    segments: 3,
    bytes: 1001 + 1002 + 1001,
    poster: 'poster.jpg',
  });
});

test('a summary is 4 KB at most and well-formed text, whatever creators call themselves and their rooms', () => {
  const anyText = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 3000 }),
    fc.string({ unit: fc.constantFrom('\u0000', '"', '\\', '👩‍👩‍👧', 'ß', '\ud800'), maxLength: 3000 }),
  );
  fc.assert(
    fc.property(anyText, anyText, anyText, anyText, (title, displayName, roomId, platformUserId) => {
      const summary = summaryOf({
        ...manifest,
        creator: { handle: 'a'.repeat(64), displayName, platformUserId },
        room: { roomId, title, startedAt: null },
      });
      const encoded = encodeSummary(summary);
      expect(Buffer.byteLength(encoded)).toBeLessThanOrEqual(4096);
      expect(decodeSummary(encoded, 'summary.json').session).toBe(manifest.session);
      expect(summary.title?.isWellFormed() || !title.isWellFormed()).toBe(true);
      expect(summary.title === title).toBe(Buffer.byteLength(title) <= 1024);
    }),
  );
});

describe('reading', () => {
  const changed = (change: object): string => JSON.stringify({ ...manifest, ...change });

  test.each([{ later: 1 }, { format: 'livestow/1.9' }])('%j is read', (change) => {
    expect(decodeManifest(changed(change), 'manifest.json').session).toBe(manifest.session);
  });

  test.each([
    ['a higher major format', changed({ format: 'livestow/2' }), /upgrade/],
    ['a much higher one', changed({ format: 'livestow/11' }), /upgrade/],
    ['no number', changed({ format: 'livestow/1x' }), /did not write/],
    ['another program’s', changed({ format: 'other/1' }), /did not write/],
    ['none', changed({ format: undefined }), /did not write/],
    ['a torn file', encodeManifest(manifest).slice(0, 300), /reindex/],
    ['a field of the wrong kind', changed({ segments: {} }), /reindex/],
    [
      'a key that leaves the session',
      changed({ files: [{ key: '../x', bytes: 1, sha256: 'a'.repeat(64) }] }),
      /reindex/,
    ],
    ['an unknown cause', changed({ endCause: 'boredom' }), /reindex/],
    ['nothing', '', /reindex/],
    ['null', 'null', /did not write/],
  ])('%s is refused and says what to do', (_, text, hint) => {
    expect(() => decodeManifest(text, 'manifest.json')).toThrow(
      expect.objectContaining({ code: 'MANIFEST', hint: expect.stringMatching(hint) }),
    );
  });
});
