import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeJournal, encodeJournalEntry } from '../../src/layout/journal.ts';
import { LivestowError } from '../../src/kernel/errors.ts';
import type { JournalEntry } from '../../src/model/manifest.ts';
import { at, epoch, gap, segment, term } from './sample.ts';

const entries: JournalEntry[] = [
  term(1),
  epoch(1, 1),
  segment(1, 1, 1),
  gap(null, -60_000, 60_000, 'found-late'),
  { type: 'lost', at: at(1), key: 'segments/0001-0001-000001.ts' },
  { type: 'file', at: at(2), file: { key: 'room.json', bytes: 3, sha256: '0'.repeat(64) } },
  {
    type: 'event',
    at: at(3),
    event: 'variant-chosen',
    detail: { id: 'h264/origin/flv', 'line\nbreak': ['\u2028', null] },
  },
  { type: 'sample', at: at(4), viewers: 5, enters: 6, title: null },
  { type: 'credits', at: at(5), charged: 1, lookups: 2 },
  { type: 'end', at: at(6), endedAt: at(6), endCause: 'room-ended' },
];
const text = entries.map(encodeJournalEntry).join('');

const failure = (run: () => unknown): LivestowError => {
  try {
    run();
  } catch (error) {
    if (error instanceof LivestowError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
};

test('every type of entry reads back as it was written, one line each', () => {
  expect(decodeJournal(text, 'j')).toEqual(entries);
  expect(text.match(/\n/g)).toHaveLength(entries.length);
});

test('cut anywhere, a journal gives the entries whose lines are whole, and nothing else', () => {
  const bytes = Buffer.from(text);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: bytes.length }), (length) => {
      const torn = bytes.subarray(0, length).toString('utf8');
      const whole = torn.split('\n').length - 1;
      const read = decodeJournal(torn, 'j');
      // A last line that lacks nothing but its line break is whole as well.
      expect([whole, whole + 1]).toContain(read.length);
      expect(read).toEqual(entries.slice(0, read.length));
    }),
  );
});

describe('what is not understood', () => {
  test('an unknown type of entry and unknown fields are ignored', () => {
    const lines = `{"type":"mood","at":"x","of":1}\n{"type":"credits","at":"${at(0)}","charged":1,"lookups":1,"new":true}\n`;
    expect(decodeJournal(lines, 'j')).toEqual([{ type: 'credits', at: at(0), charged: 1, lookups: 1 }]);
  });

  test.each([
    ['text', 'no json here\n'],
    ['a list', '[]\n'],
    ['null', 'null\n'],
    ['no type', '{"at":"2026-01-01T00:00:00Z"}\n'],
    [
      'a known type with a bad field',
      '{"type":"credits","at":"2026-01-01T00:00:00Z","charged":-1,"lookups":1}\n',
    ],
    ['a key out of the session', '{"type":"lost","at":"2026-01-01T00:00:00Z","key":"segments/../../x.ts"}\n'],
    ['torn in the middle', `{"type":"cre\n${encodeJournalEntry(term(1))}`],
  ])('%s is an error that names the line', (_, bad) => {
    const error = failure(() =>
      decodeJournal(encodeJournalEntry(term(1)) + bad, 'journal/0001-000001.ndjson'),
    );
    expect(error.code).toBe('MANIFEST');
    expect(error.message).toContain('journal/0001-000001.ndjson, line 2');
  });

  test('a higher major format is refused, a higher minor one is read', () => {
    const of = (format: string): string => encodeJournalEntry(term(1, { format }));
    expect(decodeJournal(of('livestow/1.3'), 'j')).toHaveLength(1);
    const changed = '{"type":"term","format":"livestow/2","hold":{}}\n';
    expect(failure(() => decodeJournal(changed, 'j')).hint).toContain('upgrade');
    expect(failure(() => decodeJournal(of('livestow/2'), 'j'))).toMatchObject({
      code: 'MANIFEST',
      hint: expect.stringContaining('upgrade'),
    });
  });
});
