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

/** Of ten minutes: the first 40 s in an epoch of their own. */
const tenMinutes = manifestOf(
  ...[0, 1].flatMap((e) => [
    epoch(1, e + 1),
    ...Array.from({ length: e === 0 ? 4 : 56 }, (_, n) =>
      segment(1, e + 1, n, {
        firstDtsMs: 10_000 * n,
        durationMs: 10_000,
        startsAt: at(40_000 * e + 10_000 * n),
      }),
    ),
  ]),
);

test.each([
  ['more than there is', 700, 0, 0],
  ['570 s', 570, 3, 0],
  ['a length that begins with an epoch', 560, 4, 1],
  ['105 s: whole segments', 105, 49, 1],
  ['less than is published at once', 1, 51, 1],
])('a window of %s', (_, seconds, from, discontinuities) => {
  const text = windowPlaylist(tenMinutes, false, 1_000 * seconds);
  const playlist = parse(text);
  expect(playlist).toMatchObject({ targetDuration: 10, endlist: false, mediaSequenceBase: from });
  expect(playlist.discontinuitySequenceBase ?? 0).toBe(discontinuities);
  expect(playlist.segments.map(({ uri }) => uri)).toEqual(
    tenMinutes.segments.slice(from).map(({ key }) => key),
  );
  expect(playlist.segments[0]?.programDateTime).toBeInstanceOf(Date);
  expect(text).not.toContain('EVENT');
});

test.each([1, 3, 24])(
  'what a window lists after %d h goes on from the one of the manifest before',
  (hours) => {
    const segments = Array.from({ length: 360 * hours }, (_, n) =>
      segmentOf(1, 1, n, { firstDtsMs: 10_000 * n, durationMs: 10_000, startsAt: at(10_000 * n) }),
    );
    const whole = { ...tenMinutes, segments };
    const before = { ...whole, segments: segments.slice(0, Math.floor(-6 + (segments.length * 39) / 40)) };
    const from = parse(windowPlaylist(whole, false, 60_000)).mediaSequenceBase ?? 0;
    expect(from).toBeLessThan(before.segments.length - 3);
    expect(from).toBeGreaterThan(0.9 * segments.length);
  },
);

test('a window of what is sealed has an end', () => {
  expect(parse(windowPlaylist(tenMinutes, true, 8_000)).endlist).toBe(true);
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
