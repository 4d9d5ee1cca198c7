/** A search says what a plain filter over `listSessions` says, whatever is asked of whatever is there. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listSessions, ofCreators, type CatalogueEntry } from '../../src/archive/catalogue.ts';
import type { Catalogue } from '../../src/catalogue/catalogue.ts';
import { SORTS, type SessionQuery } from '../../src/catalogue/session-query.ts';
import { openStore } from '../../src/store/open-store.ts';
import { randomFrom, pick, span } from '../support/random.ts';
import { open, write, type OpenCatalogue } from './archive.ts';

const DAY = 86_400_000;
const BEGINNING = Date.UTC(2026, 0, 1);
const HANDLES = ['alice', 'alicia', 'bob', 'b.o_b', 'x1'];
/** Pieces that titles and searches are made of: what is likely to be taken for something else. */
const PIECES = [
  'Tea',
  'TALK',
  'café',
  'cafe\u0301',
  'Straße',
  'İstanbul',
  'ночь',
  'НОЧЬ',
  'おはよう',
  'は',
  'ＦＵＬＬ',
  '𝓯𝓪𝓷𝓬𝔂',
  '🎸',
  '👩‍👩‍👧',
  '\uD83C',
  '\u0000',
  '\u001B[31m',
  '\u202E',
  '"',
  '""',
  "'; DROP TABLE session; --",
  '*',
  'a*',
  'NEAR(',
  'AND',
  'text:',
  '^',
  '%',
  '_',
  '\\',
  '<script>alert(1)</script>',
  '{{7*7}}',
  'é',
  'ab',
  ' ',
  '\n',
];

let folder: string;
let it: OpenCatalogue;
let catalogue: Catalogue;
let all: CatalogueEntry[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'livestow-search-'));
  const store = openStore(join(folder, 'archive'));
  const random = randomFrom(7);
  const titleOf = (): string =>
    Array.from({ length: span(random, 0, 4) }, () => pick(random, PIECES)).join(pick(random, ['', ' ']));
  for (let n = 0; n < 240; n += 1) {
    await write(store, {
      handle: pick(random, HANDLES),
      handleNow: pick(random, HANDLES),
      account: pick(random, ['1', '2', '3', null]),
      roomId: String(n),
      foundAtMs: BEGINNING + span(random, 0, 40) * (DAY / 2) + pick(random, [0, 1, 999]),
      title: random() < 0.1 ? null : titleOf(),
      displayName: random() < 0.3 ? null : titleOf(),
      recordedMs: pick(random, [0, 1000, 60_000, 3_600_000]),
      bytes: span(random, 0, 5),
      gaps: span(random, 0, 2),
      codecs: pick(random, [[], ['h264'], ['h265'], ['h264', 'h265']] as const).slice(),
      isSealed: random() < 0.8,
    });
  }
  it = open(store);
  catalogue = it.catalogue;
  await catalogue.refresh();
  all = await listSessions(store);
});
afterAll(async () => {
  await it[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** As somebody would write it who has all the time in the world. */
function naive(query: SessionQuery): Set<string> {
  const plain = (text: string): string =>
    text
      .toWellFormed()
      .normalize('NFKC')
      .toLowerCase()
      .replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, ' ');
  const words = plain(query.text ?? '')
    .split(/\s+/)
    .filter(Boolean);
  const instant = (text: string, days: number): number =>
    /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(text) + days * DAY : Date.parse(text);
  const whose = query.creator === undefined ? all : ofCreators(all, [query.creator]);
  const fitting = whose.filter(({ session, handle, summary }) => {
    if (summary === null) throw new Error('all of these have a summary');
    const fields = [summary.title, summary.displayName, `@${handle}`, `@${summary.handle}`, session];
    const texts = fields.filter((field) => field !== null).map(plain);
    const foundMs = Date.parse(summary.foundAt);
    return (
      words.every((word) => texts.some((text) => text.includes(word))) &&
      (query.from === undefined || foundMs >= instant(query.from, 0)) &&
      (query.to === undefined || foundMs < instant(query.to, 1)) &&
      summary.recordedMs >= (query.minMs ?? 0) &&
      summary.recordedMs <= (query.maxMs ?? Infinity) &&
      (query.gaps === undefined || query.gaps === summary.gaps > 0) &&
      (query.codec === undefined || summary.codecs.includes(query.codec)) &&
      (query.sealed === undefined || query.sealed === (summary.sealedAt !== null))
    );
  });
  return new Set(fitting.map(({ handle, session }) => `${handle}/${session}`));
}

const VALUE_OF = {
  found: (entry: CatalogueEntry) => Math.floor(Date.parse(entry.summary?.foundAt ?? '') / 1000),
  length: (entry: CatalogueEntry) => entry.summary?.recordedMs ?? 0,
  size: (entry: CatalogueEntry) => entry.summary?.bytes ?? 0,
  coverage: (entry: CatalogueEntry) => entry.summary?.coverageRatio ?? 0,
  gaps: (entry: CatalogueEntry) => entry.summary?.gaps ?? 0,
};

const instants = fc
  .integer({ min: -5, max: 45 })
  .chain((halves) => fc.constantFrom(0, 1, 999).map((ms) => BEGINNING + halves * (DAY / 2) + ms))
  .chain((ms) => {
    const iso = new Date(ms).toISOString();
    return fc.constantFrom(iso, iso.slice(0, 10));
  });
const optional = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(of, { nil: undefined, freq: 1 });
const texts = fc.oneof(
  fc
    .array(fc.constantFrom(...PIECES, ...HANDLES, 'id', '2026', '-1'), { maxLength: 3 })
    .map((parts) => parts.join(' ')),
  fc.array(fc.constantFrom(...PIECES), { maxLength: 2 }).map((parts) => parts.join('')),
  fc.string({ unit: 'binary', maxLength: 4 }),
  fc.constantFrom('te', 't', '@a', '@alice', 'alk te', 'fé', 'STRASSE', 'full', 'fancy'),
);
const queries: fc.Arbitrary<SessionQuery> = fc.record({
  text: optional(texts),
  creator: optional(fc.constantFrom(...HANDLES, 'nobody')),
  from: optional(instants),
  to: optional(instants),
  minMs: optional(fc.constantFrom(0, 1000, 1001)),
  maxMs: optional(fc.constantFrom(0, 60_000, 59_999)),
  gaps: optional(fc.boolean()),
  codec: optional(fc.constantFrom('h264', 'h265')),
  sealed: optional(fc.boolean()),
  sort: optional(fc.constantFrom(...SORTS)),
  order: optional(fc.constantFrom('asc', 'desc')),
  limit: fc.constantFrom(1, 7, 50, 1000),
});

test('what is found, how many, and in which order, page by page', () => {
  let found = 0;
  fc.assert(
    fc.property(queries, (query) => {
      const expected = naive(query);
      const entries: CatalogueEntry[] = [];
      let cursor: string | undefined;
      do {
        const page = catalogue.search({ ...query, cursor });
        expect(page.total).toBe(expected.size);
        expect(page.entries.length).toBeLessThanOrEqual(query.limit ?? 50);
        entries.push(...page.entries);
        cursor = page.next ?? undefined;
      } while (cursor !== undefined);
      const names = entries.map(({ handle, session }) => `${handle}/${session}`);
      expect(names.length).toBe(expected.size);
      expect(new Set(names)).toEqual(expected);
      const values = entries.map(VALUE_OF[query.sort ?? 'found']);
      const sign = query.order === 'asc' ? 1 : -1;
      expect(values).toEqual(values.toSorted((a, b) => sign * (a - b)));
      found += names.length;
    }),
    { numRuns: 600 },
  );
  expect(found).toBeGreaterThan(1000);
});

test('each title finds its own session, whatever is in it', () => {
  for (const { session, summary } of all) {
    const text = summary?.title ?? '';
    const ids: string[] = [];
    let cursor: string | undefined;
    do {
      const page = catalogue.search({ text, limit: 1000, cursor });
      ids.push(...page.entries.map((entry) => entry.session));
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
    expect(ids).toContain(session);
  }
});

test.each(['yesterday', '2026-13-01', '2026-02-30T00:00:00Z', '', "2026-01-01' OR 1"])(
  '%j is no date',
  (from) => {
    expect(() => catalogue.search({ from })).toThrow(expect.objectContaining({ code: 'USAGE' }));
  },
);
