/** What a term says of a pause for want of room in which the term before it ended. */
import { describe, expect, test } from 'vitest';
import type { JournalEntry } from '../../src/model/manifest.ts';
import { TermGaps } from '../../src/record/term-gaps.ts';
import { withheldIn, type Withheld } from '../../src/record/withheld.ts';

const BEGAN_MS = Date.parse('2026-11-23T12:00:00.000Z');
const LAST_KEY = 'segments/0001-0001-000003.ts';
const at = (second: number): string => new Date(BEGAN_MS + second * 1_000).toISOString();

const event = (second: number, name: string, level?: string): JournalEntry => ({
  type: 'event',
  at: at(second),
  event: name,
  detail: level === undefined ? {} : { level },
});
const broke = (second: number, cause: string, mediaMs: number): JournalEntry => ({
  type: 'event',
  at: at(second),
  event: 'media-broke',
  detail: { cause, mediaMs },
});
const term = (second: number): JournalEntry =>
  ({ type: 'term', at: at(second), term: 2 }) as unknown as JournalEntry;
const credits = (second: number): JournalEntry => ({
  type: 'credits',
  at: at(second),
  charged: 1,
  lookups: 1,
});

const told = (gaps: ReturnType<TermGaps['end']>): string[] =>
  gaps.map(
    ({ from, to, cause }) =>
      `${cause} ${(Date.parse(from) - BEGAN_MS) / 1_000} to ${(Date.parse(to) - BEGAN_MS) / 1_000}`,
  );

describe('a pause for want of room', () => {
  test.for<[what: string, entries: JournalEntry[], pauses: [number, number][]]>([
    ['that never was', [event(1, 'media'), credits(5)], []],
    ['that a term ended in', [event(1, 'media'), event(4, 'disk', 'out'), credits(9)], [[4, 9]]],
    ['that media came behind', [event(4, 'disk', 'out'), event(8, 'disk', 'lower'), event(9, 'media')], []],
    [
      'that room came behind, and no media',
      [event(4, 'disk', 'out'), event(8, 'disk', 'lower'), credits(20)],
      [[4, 8]],
    ],
    [
      'that another came behind',
      [event(4, 'disk', 'out'), event(8, 'disk', 'low'), event(12, 'disk', 'out'), event(14, 'withheld')],
      [
        [4, 8],
        [12, 14],
      ],
    ],
    [
      'behind which a term had no media',
      [event(4, 'disk', 'out'), credits(6), term(20), credits(21)],
      [[4, 6]],
    ],
    [
      'behind which a term had media',
      [event(4, 'disk', 'out'), term(20), event(22, 'media'), credits(30)],
      [],
    ],
    [
      'in which a term ended and another began and ended',
      [event(4, 'disk', 'out'), credits(6), term(20), event(21, 'disk', 'out'), event(30, 'withheld')],
      [
        [4, 6],
        [21, 30],
      ],
    ],
    ['in which the session ended', [event(4, 'disk', 'out'), event(9, 'ended'), credits(60)], [[4, 9]]],
  ])('%s', ([, entries, pauses]) => {
    expect(withheldIn(entries)).toEqual(
      pauses.map(([fromS, toS]) => ({
        fromMs: BEGAN_MS + fromS * 1_000,
        toMs: BEGAN_MS + toS * 1_000,
        cutMedia: false,
      })),
    );
  });

  test.for<[what: string, broken: JournalEntry, cutMedia: boolean]>([
    ['that media came until', broke(4, 'disk-full', 9_000), true],
    ['that began while nothing came', broke(4, 'disk-full', 0), false],
    ['behind a refusal', broke(3, 'refused', 0), false],
  ])('%s', ([, broken, cutMedia]) => {
    expect(withheldIn([event(4, 'disk', 'out'), broken])).toMatchObject([{ cutMedia }]);
  });

  const WITHHELD = { fromMs: BEGAN_MS + 4_000, toMs: BEGAN_MS + 9_000 };
  const behindPauses = (withheldBefore: Withheld[], lastSegmentKey: string | null = LAST_KEY): TermGaps =>
    new TermGaps({ mediaDueSinceMs: BEGAN_MS + 2_000, lastSegmentKey, withheldBefore, told: [] });
  const termBehind = (cutMedia: boolean): TermGaps => behindPauses([{ ...WITHHELD, cutMedia }]);
  test('is told as that when the next term has media, and the rest as time without a recorder', () => {
    expect(told(termBehind(true).head(BEGAN_MS + 15_000, 'flv'))).toEqual([
      'disk-full 2 to 9',
      'recorder-down 9 to 15',
    ]);
    expect(told(termBehind(false).head(BEGAN_MS + 15_000, 'flv'))).toEqual([
      'recorder-down 2 to 4',
      'disk-full 4 to 9',
      'recorder-down 9 to 15',
    ]);
  });

  test.for<[what: string, fromS: number, toS: number, story: string[]]>([
    ['ends in it', 2, 6, ['disk-full 2 to 6']],
    ['begins in it', 5, 12, ['disk-full 5 to 9', 'recorder-down 9 to 12']],
    ['lies in it', 5, 6, ['disk-full 5 to 6']],
    ['lies behind it', 10, 12, ['recorder-down 10 to 12']],
    ['ends before it, behind the picture with which it was cut', 2, 3, ['disk-full 2 to 3']],
  ])('is the cause of a gap as far as it lies in it: one that %s', ([, fromS, toS, story]) => {
    const [fromMs, toMs] = [BEGAN_MS + fromS * 1_000, BEGAN_MS + toS * 1_000];
    expect(told(termBehind(true).between(fromMs, toMs, 'recorder-down'))).toEqual(story);
  });

  test('is told with those of other terms, and with this one’s own', () => {
    const two = [
      { ...WITHHELD, cutMedia: true },
      { fromMs: BEGAN_MS + 20_000, toMs: BEGAN_MS + 30_000, cutMedia: false },
    ];
    expect(told(behindPauses(two).end(BEGAN_MS + 60_000, null, null))).toEqual([
      'disk-full 2 to 9',
      'disk-full 20 to 30',
    ]);
    const gaps = behindPauses(two);
    gaps.withhold(BEGAN_MS + 40_000, false);
    expect(told(gaps.end(BEGAN_MS + 60_000, BEGAN_MS + 50_000, BEGAN_MS + 3_000))).toEqual([
      'disk-full 3 to 9',
      'recorder-down 9 to 20',
      'disk-full 20 to 30',
      'recorder-down 30 to 40',
      'disk-full 40 to 50',
    ]);
  });

  test('is a part of no media at all', () => {
    const gaps = behindPauses([{ ...WITHHELD, cutMedia: false }], null);
    expect(told(gaps.end(BEGAN_MS + 12_000, null, null))).toEqual([
      'no-media 2 to 4',
      'disk-full 4 to 9',
      'no-media 9 to 12',
    ]);
  });

  test('is told by whoever finishes the session', () => {
    const endMs = BEGAN_MS + 60_000;
    expect(told(termBehind(true).end(endMs, null, null))).toEqual(['disk-full 2 to 9']);
    expect(told(termBehind(false).end(endMs, null, null))).toEqual(['disk-full 4 to 9']);
    // What was open came out of the tail.
    expect(told(termBehind(true).end(endMs, null, BEGAN_MS + 4_500))).toEqual(['disk-full 4.5 to 9']);
    expect(told(termBehind(true).end(endMs, null, BEGAN_MS + 20_000))).toEqual([]);
  });

  const first = (): TermGaps =>
    new TermGaps({ mediaDueSinceMs: BEGAN_MS, lastSegmentKey: null, withheldBefore: [], told: [] });

  test.for<[what: string, cutMedia: boolean, sinceS: number, liveUntilS: number, story: string[]]>([
    ['in which she was seen live', true, 20, 35, ['disk-full 20.2 to 35']],
    // She was live for certain while her media came.
    ['in which nobody looked', true, 21, 15, ['disk-full 20.2 to 21']],
    ['when nothing came any more, and she was live', false, 30, 35, ['disk-full 30 to 35']],
    ['when nothing came any more, and she was not live', false, 30, 21, []],
  ])('%s is told at the end', ([, cutMedia, sinceS, liveUntilS, story]) => {
    const gaps = first();
    gaps.withhold(BEGAN_MS + sinceS * 1_000, cutMedia);
    gaps.withhold(BEGAN_MS + 50_000, false);
    expect(told(gaps.end(BEGAN_MS + 60_000, BEGAN_MS + liveUntilS * 1_000, BEGAN_MS + 20_200))).toEqual(
      story,
    );
  });

  test('is over with the first segment that begins behind it', () => {
    const gaps = first();
    gaps.withhold(BEGAN_MS + 10_000, true);
    gaps.segmentClosed('segments/0001-0001-000001.ts', BEGAN_MS + 6_000);
    gaps.segmentClosed('segments/0001-0001-000002.ts', BEGAN_MS + 14_000);
    gaps.withhold(BEGAN_MS + 30_000, false);
    expect(told(gaps.end(BEGAN_MS + 60_000, BEGAN_MS + 35_000, BEGAN_MS + 18_000))).toEqual([
      'disk-full 30 to 35',
    ]);
  });

  test('says nothing of what was missing before it', () => {
    const gaps = first();
    gaps.withhold(BEGAN_MS + 10_000, true);
    expect(told(gaps.head(BEGAN_MS + 8_000, 'flv'))).toEqual(['found-late 0 to 8']);
  });
});

describe('what an earlier term has told', () => {
  const from = (second: number): number => BEGAN_MS + second * 1_000;
  const behind = (fromS: number, toS: number): TermGaps =>
    new TermGaps({
      mediaDueSinceMs: from(2),
      lastSegmentKey: 'segments/0001-0001-000003.ts',
      withheldBefore: [],
      told: [{ after: null, from: at(fromS), to: at(toS), ms: (toS - fromS) * 1_000, cause: 'disk-full' }],
    });

  test.for<[what: string, told: [number, number], gaps: [number, number][]]>([
    ['all of it', [2, 8], []],
    ['all of it but what a clock was corrected by', [2.05, 8], []],
    ['its beginning', [2, 5], [[5, 8]]],
    ['something else', [12, 15], [[2, 8]]],
  ])('is not told again: %s', ([, [fromS, toS], gaps]) => {
    expect(told(behind(fromS, toS).between(from(2), from(8), 'recorder-down'))).toEqual(
      gaps.map(([a, b]) => `recorder-down ${a} to ${b}`),
    );
  });
});
