/** What a term says of a pause for want of room in which the term before it ended. */
import { describe, expect, test } from 'vitest';
import type { JournalEntry } from '../../src/model/manifest.ts';
import { TermGaps, withheldIn } from '../../src/record/term-gaps.ts';

const BEGAN_MS = Date.parse('2026-11-23T12:00:00.000Z');
const at = (second: number): string => new Date(BEGAN_MS + second * 1_000).toISOString();

const event = (second: number, name: string, level?: string): JournalEntry => ({
  type: 'event',
  at: at(second),
  event: name,
  detail: level === undefined ? {} : { level },
});
const term = (second: number): JournalEntry =>
  ({ type: 'term', at: at(second), term: 2 }) as unknown as JournalEntry;
const credits = (second: number): JournalEntry => ({
  type: 'credits',
  at: at(second),
  charged: 1,
  lookups: 1,
});

describe('a pause for want of room', () => {
  test.for<[what: string, entries: JournalEntry[], fromTo: [number, number] | null]>([
    ['that never was', [event(1, 'media'), credits(5)], null],
    ['that a term ended in', [event(1, 'media'), event(4, 'disk', 'out'), credits(9)], [4, 9]],
    ['that a term came out of', [event(4, 'disk', 'out'), event(8, 'disk', 'lower'), credits(9)], null],
    [
      'that another came behind',
      [event(4, 'disk', 'out'), event(8, 'disk', 'low'), event(12, 'disk', 'out')],
      [12, 12],
    ],
    [
      'behind which a term had no media',
      [event(4, 'disk', 'out'), credits(6), term(20), credits(21)],
      [4, 6],
    ],
    [
      'behind which a term had media',
      [event(4, 'disk', 'out'), term(20), event(22, 'media'), credits(30)],
      null,
    ],
    [
      'in which a term began and ended',
      [event(4, 'disk', 'out'), term(20), event(21, 'disk', 'out')],
      [4, 4],
    ],
  ])('%s', ([, entries, fromTo]) => {
    const [fromMs, toMs] = (fromTo ?? []).map((second) => BEGAN_MS + second * 1_000);
    expect(withheldIn(entries)).toEqual(fromTo && { fromMs, toMs });
  });

  const WITHHELD = { fromMs: BEGAN_MS + 4_000, toMs: BEGAN_MS + 9_000 };
  const gapsOf = (): TermGaps =>
    new TermGaps({
      mediaDueSinceMs: BEGAN_MS + 3_800,
      lastSegmentKey: 'segments/0001-0001-000003.ts',
      withheldBefore: WITHHELD,
    });
  const told = (gaps: ReturnType<TermGaps['end']>): string[] =>
    gaps.map(
      ({ from, to, cause }) =>
        `${cause} ${(Date.parse(from) - BEGAN_MS) / 1_000} to ${(Date.parse(to) - BEGAN_MS) / 1_000}`,
    );

  test('is told as that when the next term has media, and the rest as time without a recorder', () => {
    expect(told(gapsOf().head(BEGAN_MS + 15_000, 'flv'))).toEqual([
      'disk-full 3.8 to 9',
      'recorder-down 9 to 15',
    ]);
  });

  test('is told by whoever finishes the session', () => {
    expect(told(gapsOf().end(BEGAN_MS + 60_000, null, null))).toEqual(['disk-full 3.8 to 9']);
    // What was open came out of the tail.
    expect(told(gapsOf().end(BEGAN_MS + 60_000, null, BEGAN_MS + 4_500))).toEqual(['disk-full 4.5 to 9']);
    expect(told(gapsOf().end(BEGAN_MS + 60_000, null, BEGAN_MS + 20_000))).toEqual([]);
  });
});
