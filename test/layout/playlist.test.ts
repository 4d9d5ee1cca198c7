import HLS from 'hls-parser';
import { describe, expect, test } from 'vitest';
import { foldSession } from '../../src/layout/fold.ts';
import { epochPlaylist, sessionPlaylist, windowPlaylist } from '../../src/layout/playlist.ts';
import type { JournalEntry } from '../../src/model/manifest.ts';
import { at, epoch, epochOf, segment, segmentOf, term } from './sample.ts';

const manifestOf = (...entries: JournalEntry[]) => foldSession([term(1), ...entries], 1).manifest;

/** Strict: hls-parser throws on what the specification forbids. */
function parse(text: string) {
  const playlist = HLS.parse(text);
  if (!('segments' in playlist)) throw new Error('not a media playlist');
  return playlist;
}

const twoEpochs = manifestOf(
  epoch(1, 1),
  segment(1, 1, 1, { durationMs: 6033 }),
  segment(1, 1, 2, { firstDtsMs: 6033, durationMs: 7966 }),
  epoch(1, 2, { width: 1280, height: 720 }),
  segment(1, 2, 1, { durationMs: 400, startsAt: at(20_000) }),
);

test('all epochs in one playlist, with a discontinuity between them', () => {
  const playlist = parse(sessionPlaylist(twoEpochs, true));
  expect(playlist).toMatchObject({
    version: 6,
    targetDuration: 8,
    playlistType: 'VOD',
    endlist: true,
    mediaSequenceBase: 0,
  });
  expect(playlist.segments.map((s) => [s.uri, s.duration, s.discontinuity ?? false])).toEqual([
    ['segments/0001-0001-000001.ts', 6.033, false],
    ['segments/0001-0001-000002.ts', 7.966, false],
    ['segments/0001-0002-000001.ts', 0.4, true],
  ]);
  expect(playlist.segments.map((s) => s.programDateTime?.getTime())).toEqual([
    Date.parse(at(0)),
    undefined,
    Date.parse(at(20_000)),
  ]);
});

test('while it goes on it is an EVENT without an end, and what is there only ever grows', () => {
  const shorter = { ...twoEpochs, segments: twoEpochs.segments.slice(0, 2) };
  const early = sessionPlaylist(shorter, false);
  expect(parse(early)).toMatchObject({ playlistType: 'EVENT', endlist: false });
  expect(sessionPlaylist(twoEpochs, false).startsWith(early)).toBe(true);
});

const tenSegments = manifestOf(
  epoch(1, 1),
  ...[0, 1, 2, 3].map((n) => segment(1, 1, n, { firstDtsMs: 2_000 * n, durationMs: 2_000 })),
  epoch(1, 2),
  ...[0, 1, 2, 3, 4, 5].map((n) => segment(1, 2, n, { firstDtsMs: 2_000 * n, durationMs: 2_000 })),
);

test.each([
  ['more than there is', 60, 0, 0, 10],
  ['14 s', 14, 3, 0, 7],
  ['a length that begins with an epoch', 12, 4, 1, 6],
  ['7.5 s: whole segments', 7.5, 6, 1, 4],
  ['less than players need', 1, 7, 1, 3],
])('a window of %s', (_, seconds, from, discontinuities, listed) => {
  const playlist = parse(windowPlaylist(tenSegments, false, 1_000 * seconds));
  expect(playlist).toMatchObject({ targetDuration: 2, endlist: false, mediaSequenceBase: from });
  expect(playlist.discontinuitySequenceBase ?? 0).toBe(discontinuities);
  expect(playlist.segments.map(({ uri }) => uri)).toEqual(
    tenSegments.segments.slice(-listed).map(({ key }) => key),
  );
  expect(playlist.segments[0]?.programDateTime).toBeInstanceOf(Date);
});

test('a window of what is sealed has an end', () => {
  expect(parse(windowPlaylist(tenSegments, true, 8_000)).endlist).toBe(true);
});

test('an epoch alone has its own segments and no discontinuity', () => {
  const [first, second] = twoEpochs.epochs;
  if (!first || !second) throw new Error('two epochs');
  expect(parse(epochPlaylist(twoEpochs, first, true)).segments).toHaveLength(2);
  const text = epochPlaylist(twoEpochs, second, false);
  expect(parse(text).segments.map((s) => s.uri)).toEqual(['segments/0001-0002-000001.ts']);
  expect(text).not.toContain('DISCONTINUITY');
});

test('fMP4: each epoch names its init segment once', () => {
  const init = (e: number): string => `segments/0001-000${e}-init.mp4`;
  const m4s = (e: number, n: number) => segment(1, e, n, { key: `segments/0001-000${e}-00000${n}.m4s` });
  const playlist = parse(
    sessionPlaylist(
      manifestOf(
        epoch(1, 1, { init: init(1) }),
        m4s(1, 1),
        m4s(1, 2),
        epoch(1, 2, { init: init(2) }),
        m4s(2, 1),
      ),
      true,
    ),
  );
  expect(playlist.version).toBe(7);
  expect(playlist.segments.map((s) => s.map?.uri)).toEqual([init(1), init(1), init(2)]);
});

describe('a hole in an epoch’s time line', () => {
  const lostOne = manifestOf(epoch(1, 1), segment(1, 1, 1), segment(1, 1, 3), segment(1, 1, 4));

  test('is a discontinuity, with its own date', () => {
    const { segments } = parse(sessionPlaylist(lostOne, true));
    expect(segments.map((s) => s.discontinuity ?? false)).toEqual([false, true, false]);
    expect(segments[1]?.programDateTime?.getTime()).toBe(Date.parse(at(12_000)));
  });

  test.each([
    [400, false],
    [600, true],
    [-600, true],
  ])('of %i ms: %s', (holeMs, expected) => {
    const manifest = manifestOf(
      epoch(1, 1),
      segment(1, 1, 1),
      segment(1, 1, 2, { firstDtsMs: 6000 + holeMs }),
    );
    expect(sessionPlaylist(manifest, true).includes('#EXT-X-DISCONTINUITY')).toBe(expected);
  });
});

test('with nothing recorded yet it is still a playlist', () => {
  expect(parse(sessionPlaylist(manifestOf(), false)).segments).toEqual([]);
});

test('a session of weeks is no problem', () => {
  const segments = Array.from({ length: 200_000 }, (_, i) => segmentOf(1, 1, i + 1));
  const text = sessionPlaylist({ ...twoEpochs, epochs: [epochOf(1, 1)], segments }, true);
  expect(text.match(/#EXTINF/g)).toHaveLength(200_000);
});
