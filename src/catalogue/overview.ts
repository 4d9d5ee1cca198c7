/** What a catalogue says of its sessions together: creators, days, totals. Asked for again only after a change. */
import type { CatalogueFile, Row } from './catalogue-file.ts';
import { IDS_A_SECOND } from './catalogue-file.ts';

export interface CatalogueCreator {
  /** The one borne last. */
  handle: string;
  /** All that sessions lie under, or bore: a renamed creator is one. */
  handles: string[];
  /** Null where the lookup API named no account. */
  platformUserId: string | null;
  displayName: string | null;
  sessions: number;
  bytes: number;
  recordedMs: number;
  /** Its id. */
  newest: string;
}

export interface CatalogueDay {
  /** `2026-11-22`, of UTC. */
  day: string;
  sessions: number;
  recordedMs: number;
}

export interface CatalogueTotals {
  sessions: number;
  bytes: number;
  recordedMs: number;
  creators: number;
}

const DAY_MS = 24 * 3_600_000;

export class Overview {
  readonly #file: CatalogueFile;
  #known: { generation: string; creators: CatalogueCreator[] } | undefined;

  constructor(file: CatalogueFile) {
    this.#file = file;
  }

  /** Who was recorded last comes first. */
  creators(): CatalogueCreator[] {
    const { generation } = this.#file;
    if (this.#known?.generation !== generation) this.#known = { generation, creators: this.#creators() };
    return this.#known.creators;
  }

  totals(): CatalogueTotals {
    const totals = { sessions: 0, bytes: 0, recordedMs: 0, creators: 0 };
    for (const { sessions, bytes, recordedMs } of this.creators()) {
      totals.sessions += sessions;
      totals.bytes += bytes;
      totals.recordedMs += recordedMs;
      totals.creators += 1;
    }
    return totals;
  }

  /** Days with sessions, by when these were found. @param people null: everybody */
  days(people: readonly number[] | null, fromMs: number, toMs: number): CatalogueDay[] {
    const perDay = (DAY_MS / 1000) * IDS_A_SECOND;
    const whose = people === null ? '' : 'AND person IN (SELECT value FROM json_each(?))';
    const rows = this.#file.rows(
      `SELECT (found_ms - ((found_ms % ${DAY_MS}) + ${DAY_MS}) % ${DAY_MS}) AS day_ms,
         count(*) AS sessions, sum(recorded_ms) AS recorded_ms
       FROM session WHERE id >= ? AND id < ? AND found_ms >= ? AND found_ms < ? ${whose}
       GROUP BY day_ms ORDER BY day_ms`,
      Math.floor(fromMs / DAY_MS) * perDay,
      Math.ceil(toMs / DAY_MS) * perDay,
      fromMs,
      toMs,
      ...(people === null ? [] : [JSON.stringify(people)]),
    );
    return rows.map(({ day_ms, sessions, recorded_ms }) => ({
      day: new Date(Number(day_ms)).toISOString().slice(0, 10),
      sessions: Number(sessions),
      recordedMs: Number(recorded_ms),
    }));
  }

  #creators(): CatalogueCreator[] {
    const handles = new Map<number, Set<string>>();
    for (const { person, handle } of this.#file.rows(
      'SELECT DISTINCT person, handle FROM name UNION SELECT DISTINCT person, current FROM name',
    )) {
      const known = handles.get(Number(person)) ?? new Set();
      handles.set(Number(person), known.add(String(handle)));
    }
    const rows = this.#file.rows(
      `SELECT person.*, total.*, name.session AS newest_session
       FROM (SELECT person AS of, count(*) AS sessions, sum(bytes) AS bytes, sum(recorded_ms) AS recorded_ms,
               max(id) AS last FROM session INDEXED BY session_person GROUP BY person) AS total
       JOIN person ON person.id = total.of JOIN name ON name.id = total.last ORDER BY total.last DESC`,
    );
    return joined(rows.map((row) => creatorOf(row, [...(handles.get(Number(row['of'])) ?? [])].sort())));
  }
}

const creatorOf = (row: Row, handles: string[]): CatalogueCreator => ({
  handle: String(row['handle']),
  handles,
  platformUserId: row['account'] == null ? null : String(row['account']),
  displayName: row['display_name'] == null ? null : String(row['display_name']),
  sessions: Number(row['sessions']),
  bytes: Number(row['bytes']),
  recordedMs: Number(row['recorded_ms']),
  newest: String(row['newest_session']),
});

/** Sessions of which no account is known belong to whoever bore their handle last, and else to one of that handle. */
function joined(creators: readonly CatalogueCreator[]): CatalogueCreator[] {
  const byHandle = new Map<string, CatalogueCreator>();
  const all: CatalogueCreator[] = [];
  const known = creators.filter(({ platformUserId }) => platformUserId !== null);
  const unknown = creators.filter(({ platformUserId }) => platformUserId === null);
  for (const creator of [...known, ...unknown]) {
    const whose =
      creator.platformUserId === null ? creator.handles.map((handle) => byHandle.get(handle)) : [];
    const owner = whose.find((each) => each !== undefined);
    if (owner === undefined) {
      all.push(creator);
      for (const handle of creator.handles) if (!byHandle.has(handle)) byHandle.set(handle, creator);
      continue;
    }
    owner.sessions += creator.sessions;
    owner.bytes += creator.bytes;
    owner.recordedMs += creator.recordedMs;
    owner.handles = [...new Set([...owner.handles, ...creator.handles])].sort();
    for (const handle of creator.handles) if (!byHandle.has(handle)) byHandle.set(handle, owner);
    if (creator.newest > owner.newest) owner.newest = creator.newest;
  }
  return all.sort((a, b) => (a.newest < b.newest ? 1 : a.newest > b.newest ? -1 : 0));
}
