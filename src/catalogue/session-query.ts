/**
 * What may be asked of a catalogue, and the answer in SQL. Pages go by the place of the last entry (keyset), not by a
 * count, so that they neither skip nor repeat while sessions come in. Whatever is searched for is bound, never SQL.
 */
import { z } from 'zod';
import type { CatalogueEntry } from '../archive/catalogue.ts';
import { LivestowError } from '../kernel/errors.ts';
import { summarySchema } from '../model/manifest.ts';
import { IDS_A_SECOND, type CatalogueFile, type Row } from './catalogue-file.ts';
import { NO_WORDS, searchWords, type SearchWords } from './search-text.ts';
import { CODEC_BITS, SEALED } from './session-rows.ts';

export const SORTS = ['found', 'length', 'size', 'coverage', 'gaps'] as const;
export type SessionSort = (typeof SORTS)[number];

export interface SessionQuery {
  /** Each word in title, display name, handle or session id, whatever its case. */
  text?: string | undefined;
  /** A handle: everybody who was recorded under it, and each of them under all of their handles. */
  creator?: string | undefined;
  /** A day (UTC) or an instant: found then or later. */
  from?: string | undefined;
  /** A day (UTC), which is counted in, or an instant, which is not. */
  to?: string | undefined;
  /** Of what is recorded. */
  minMs?: number | undefined;
  maxMs?: number | undefined;
  gaps?: boolean | undefined;
  codec?: 'h264' | 'h265' | undefined;
  sealed?: boolean | undefined;
  /** `found` unless told. */
  sort?: SessionSort | undefined;
  /** `desc` unless told. */
  order?: 'asc' | 'desc' | undefined;
  /** 50 unless told, 1000 at most. */
  limit?: number | undefined;
  /** A page's `next`, with everything else as it was. */
  cursor?: string | undefined;
}

export interface SessionPage {
  entries: CatalogueEntry[];
  /** Of all pages together. */
  total: number;
  /** Null on the last page. */
  next: string | null;
}

const DEFAULT_LIMIT = 50;
const MOST_AT_ONCE = 1000;
const DAY_MS = 24 * 3_600_000;
/** Totals are asked for again with each page, and while somebody types. */
const TOTALS_KEPT = 200;
/** To go along the order and look at each until a page is full pays while it is likely to end after so many, ... */
const WALKED = 20_000;
/** ... or, where what fits may all lie at one end (of other columns than the order's), while one in so many fits. */
const BROAD = 8;

/** Null: the id of whichever table leads. */
const COLUMNS: Record<SessionSort, string | null> = {
  found: null,
  length: 'session.recorded_ms',
  size: 'session.bytes',
  coverage: 'session.coverage',
  gaps: 'session.gaps',
};

interface Condition {
  sql: string;
  values: (string | number)[];
}

interface Conditions {
  fromId: number | null;
  toId: number | null;
  others: Condition[];
}

const cursorSchema = z.tuple([z.enum(SORTS), z.enum(['asc', 'desc']), z.number(), z.number().int()]);
type Cursor = z.infer<typeof cursorSchema>;

export class SessionQueries {
  readonly #file: CatalogueFile;
  #generation = '';
  readonly #totals = new Map<string, number>();

  constructor(file: CatalogueFile) {
    this.#file = file;
  }

  /** @throws USAGE for what is no date or no cursor of this query */
  search(query: SessionQuery): SessionPage {
    const { sort = 'found', order = 'desc' } = query;
    const limit = Math.min(Math.max(1, Math.floor(query.limit ?? DEFAULT_LIMIT)), MOST_AT_ONCE);
    const conditions = this.#conditions(query);
    const words = query.text === undefined ? NO_WORDS : searchWords(query.text);
    const total = this.#total(conditions, words);
    const after = query.cursor === undefined ? undefined : decodeCursor(query.cursor, sort, order);
    const rows = total === 0 ? [] : this.#page(conditions, words, { sort, order, limit, total, after });
    const entries = rows.slice(0, limit).map(entryOf);
    const last = rows.length > limit ? rows[limit - 1] : undefined;
    const next = last && encodeCursor([sort, order, Number(last['place']), Number(last['id'])]);
    return { entries, total, next: next ?? null };
  }

  /** Of whoever bears the handle, and of nobody else. */
  peopleOf(creator: string): number[] {
    const text = 'SELECT person FROM name WHERE handle = ? UNION SELECT person FROM name WHERE current = ?';
    return this.#file.rows(text, creator, creator).map(({ person }) => Number(person));
  }

  #conditions(query: SessionQuery): Conditions {
    const { creator, minMs, maxMs, gaps, codec, sealed } = query;
    const fromMs = query.from === undefined ? undefined : instantOf('from', query.from, 0);
    const toMs = query.to === undefined ? undefined : instantOf('to', query.to, DAY_MS);
    const others: (Condition | false)[] = [
      creator !== undefined && among('session.person', this.peopleOf(creator)),
      // Ids know seconds. A plus keeps SQLite from an index whose rows it would have to look up one by one.
      fromMs !== undefined && fromMs % 1000 !== 0 && { sql: 'session.found_ms >= ?', values: [fromMs] },
      toMs !== undefined && toMs % 1000 !== 0 && { sql: 'session.found_ms < ?', values: [toMs] },
      minMs !== undefined && { sql: '+session.recorded_ms >= ?', values: [minMs] },
      maxMs !== undefined && { sql: '+session.recorded_ms <= ?', values: [maxMs] },
      gaps !== undefined && { sql: gaps ? '+session.gaps > 0' : '+session.gaps = 0', values: [] },
      codec !== undefined && { sql: '(session.codecs & ?) <> 0', values: [CODEC_BITS[codec]] },
      sealed !== undefined && { sql: `session.state ${sealed ? '=' : '<>'} ?`, values: [SEALED] },
    ];
    return {
      fromId: fromMs === undefined ? null : Math.floor(fromMs / 1000) * IDS_A_SECOND,
      toId: toMs === undefined ? null : Math.ceil(toMs / 1000) * IDS_A_SECOND,
      others: others.filter((condition) => condition !== false),
    };
  }

  #total(conditions: Conditions, { match, short, all }: SearchWords): number {
    const { generation } = this.#file;
    if (generation !== this.#generation) this.#totals.clear();
    this.#generation = generation;
    const key = JSON.stringify([conditions, all]);
    const known = this.#totals.get(key);
    if (known !== undefined) return known;
    const { others } = conditions;
    const { from, id } = tablesOf({ match, looked: short, walks: false, needsSession: others.length > 0 });
    const { sql, values } = allOf([
      ...matching(match),
      ...within(conditions, id),
      ...others,
      ...short.map(containing),
    ]);
    const [row] = this.#file.rows(`SELECT count(*) AS total FROM ${from} WHERE ${sql}`, ...values);
    const total = Number(row?.['total']);
    if (this.#totals.size >= TOTALS_KEPT) this.#totals.clear();
    this.#totals.set(key, total);
    return total;
  }

  /** One row more than asked for, where there is one. */
  #page(
    conditions: Conditions,
    words: SearchWords,
    { sort, order, limit, total, after }: PageOptions,
  ): Row[] {
    const sessions = Number(this.#file.rows('SELECT count(*) AS count FROM session')[0]?.['count']);
    const { others } = conditions;
    const walks =
      others.length === 0
        ? (limit + 1) * sessions <= total * WALKED
        : words.all.length > 0 && total * BROAD > sessions;
    const match = sort === 'found' || !walks ? words.match : null;
    const looked = match === null ? words.all : words.short;
    const { from, id } = tablesOf({
      match,
      looked,
      walks: walks && sort !== 'found',
      needsSession: others.length > 0 || sort !== 'found',
    });
    const place = COLUMNS[sort] ?? id;
    // With a plus, what fits is sorted: to go along an index would be to look at much that does not fit.
    const by = walks || sort === 'found' ? place : `+${place}`;
    const { sql, values } = allOf([
      ...matching(match),
      ...within(conditions, id),
      ...others,
      ...looked.map(containing),
      ...(after === undefined ? [] : [beyond(after, by, id)]),
    ]);
    const direction = order === 'asc' ? 'ASC' : 'DESC';
    // What is shown is fetched for this page alone, not for all that is sorted.
    const text = `
      SELECT page.id, page.place, name.session, name.handle, document.summary, document.problem FROM (
        SELECT ${id} AS id, ${place} AS place FROM ${from} WHERE ${sql}
        ORDER BY ${by} ${direction}${sort === 'found' ? '' : `, ${id} ${direction}`} LIMIT ?) AS page
      CROSS JOIN name ON name.id = page.id CROSS JOIN document ON document.id = page.id
      ORDER BY page.place ${direction}, page.id ${direction}`;
    return this.#file.rows(text, ...values, limit + 1);
  }
}

interface PageOptions {
  sort: SessionSort;
  order: 'asc' | 'desc';
  limit: number;
  total: number;
  after: Cursor | undefined;
}

interface Tables {
  match: string | null;
  looked: readonly string[];
  /** Along an index of sessions. */
  walks: boolean;
  needsSession: boolean;
}

/** As few as will do, in the order in which they are gone through: CROSS JOIN keeps it. */
function tablesOf({ match, looked, walks, needsSession }: Tables): { from: string; id: string } {
  const folded = looked.length > 0 ? ['folded'] : [];
  const session = needsSession ? ['session'] : [];
  const order = match === null ? [...folded, ...session] : ['words', ...session, ...folded];
  if (walks) order.reverse();
  const [first = 'session', ...others] = order;
  const id = first === 'words' ? 'words.rowid' : `${first}.id`;
  return {
    from: [first, ...others.map((table) => `${table} ON ${table}.id = ${id}`)].join(' CROSS JOIN '),
    id,
  };
}

const within = ({ fromId, toId }: Conditions, id: string): Condition[] => [
  ...(fromId === null ? [] : [{ sql: `${id} >= ?`, values: [fromId] }]),
  ...(toId === null ? [] : [{ sql: `${id} < ?`, values: [toId] }]),
];
const matching = (match: string | null): Condition[] =>
  match === null ? [] : [{ sql: 'words MATCH ?', values: [match] }];
const containing = (word: string): Condition => ({ sql: 'instr(folded.text, ?) > 0', values: [word] });

function among(column: string, values: readonly number[]): Condition {
  const [only] = values;
  if (only === undefined) return { sql: 'FALSE', values: [] };
  // In this form its index gives them in order.
  if (values.length === 1) return { sql: `${column} = ?`, values: [only] };
  return { sql: `${column} IN (SELECT value FROM json_each(?))`, values: [JSON.stringify(values)] };
}

function beyond([sort, order, place, last]: Cursor, by: string, id: string): Condition {
  const sign = order === 'asc' ? '>' : '<';
  return sort === 'found'
    ? { sql: `${by} ${sign} ?`, values: [last] }
    : { sql: `(${by}, ${id}) ${sign} (?, ?)`, values: [place, last] };
}

const allOf = (conditions: readonly Condition[]): Condition => ({
  sql: conditions.length === 0 ? 'TRUE' : conditions.map(({ sql }) => `(${sql})`).join(' AND '),
  values: conditions.flatMap(({ values }) => values),
});

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const instantSchema = z.iso.datetime({ offset: true });

/** @param dayMs what is added to a day that is named without a time */
function instantOf(name: string, text: string, dayMs: number): number {
  if (DAY.test(text) || instantSchema.safeParse(text).success) {
    const ms = Date.parse(text);
    if (!Number.isNaN(ms)) return DAY.test(text) ? ms + dayMs : ms;
  }
  throw new LivestowError('USAGE', `${name}: not a date: ${JSON.stringify(text.slice(0, 60))}`, {
    hint: 'write a day such as 2026-11-22, or an instant such as 2026-11-22T14:00:00Z',
  });
}

const encodeCursor = (cursor: Cursor): string => Buffer.from(JSON.stringify(cursor)).toString('base64url');

function decodeCursor(text: string, sort: SessionSort, order: 'asc' | 'desc'): Cursor {
  try {
    const cursor = cursorSchema.parse(JSON.parse(Buffer.from(text, 'base64url').toString()));
    if (cursor[0] === sort && cursor[1] === order) return cursor;
  } catch {
    // Told below.
  }
  throw new LivestowError('USAGE', 'the cursor is not one of this list', {
    hint: 'begin with the first page',
  });
}

export const entryOf = ({ session, handle, summary, problem }: Row): CatalogueEntry => ({
  handle: String(handle),
  session: String(session),
  summary: summary == null ? null : summarySchema.parse(JSON.parse(String(summary))),
  problem: problem == null ? null : String(problem),
});
