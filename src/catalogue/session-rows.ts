/** Sessions as rows of a catalogue's file: writing them, and telling what is known of which. */
import type { SessionRef } from '../archive/session-reader.ts';
import { foundAtMsOf } from '../layout/keys.ts';
import type { EpochCodec, Summary } from '../model/manifest.ts';
import { IDS_A_SECOND, type CatalogueFile, type Row } from './catalogue-file.ts';
import { searchText } from './search-text.ts';

/** What a listing says of an index object: another one after each write, but for two of one size within its clock's tick. */
export interface IndexStamp {
  bytes: number;
  modifiedMs: number;
}

export interface StoredSession extends SessionRef {
  summary: Summary | null;
  problem: string | null;
  /** Of the index object that this was read from; null where there was none. */
  index: IndexStamp | null;
}

/** `open`: may change at any time. `unreadable`: somebody may mend it. */
const STATES = { open: 0, sealed: 1, unreadable: 2 } as const;
export const SEALED = STATES.sealed;
export const CODEC_BITS: Record<EpochCodec, number> = { h264: 1, h265: 2, none: 4 };

export interface KnownSession extends SessionRef {
  isSealed: boolean;
  index: IndexStamp | null;
}

/** As its index object is named. */
export const nameOf = ({ session, handle }: SessionRef): string => `${session}~${handle}`;

function stateOf({ summary, problem }: StoredSession): number {
  if (summary === null) return problem === null ? STATES.open : STATES.unreadable;
  return summary.sealedAt === null ? STATES.open : STATES.sealed;
}

export class SessionRows {
  readonly #file: CatalogueFile;

  constructor(file: CatalogueFile) {
    this.#file = file;
  }

  /** Sessions of this id and later ones, and those that are not sealed, by name. */
  known(from: string): Map<string, KnownSession> {
    const columns = 'session, handle, is_sealed, index_bytes, index_ms';
    const rows = this.#file.rows(
      `SELECT ${columns} FROM name WHERE session >= ?
       UNION ALL SELECT ${columns} FROM name WHERE is_sealed = 0 AND session < ?`,
      from,
      from,
    );
    return new Map(rows.map(knownOf).map((each) => [nameOf(each), each]));
  }

  isKnown(ref: SessionRef): boolean {
    return this.#idOf(ref) !== undefined;
  }

  /** Those that are not sealed. */
  open(): SessionRef[] {
    const rows = this.#file.rows('SELECT session, handle FROM name WHERE is_sealed = 0');
    return rows.map(({ session, handle }) => ({ session: String(session), handle: String(handle) }));
  }

  /** The id of the newest that sorts before that; '' where there is none. */
  newestBefore(text: string): string {
    const [row] = this.#file.rows('SELECT max(session) AS newest FROM name WHERE session < ?', text);
    return row?.['newest'] == null ? '' : String(row['newest']);
  }

  count(): number {
    return Number(this.#file.rows('SELECT count(*) AS count FROM session')[0]?.['count']);
  }

  /** Removed for good: what stays in the bucket is a tombstone. */
  gone(): Set<string> {
    return new Set(this.#file.rows('SELECT name FROM gone').map(({ name }) => String(name)));
  }

  put(sessions: readonly StoredSession[]): void {
    this.#file.atOnce(() => {
      for (const each of sessions) {
        this.#put(each);
        this.#file.run('DELETE FROM gone WHERE name = ?', nameOf(each));
      }
    });
  }

  /** @param forGood what was removed stays so, unless the index has it again */
  remove(refs: readonly SessionRef[], forGood: boolean): void {
    this.#file.atOnce(() => {
      for (const ref of refs) {
        const id = this.#idOf(ref);
        if (id !== undefined) this.#delete(id);
        if (forGood) this.#file.run('INSERT OR IGNORE INTO gone VALUES (?)', nameOf(ref));
      }
    });
  }

  #put(stored: StoredSession): void {
    const { session, handle, summary, problem, index } = stored;
    const foundMs = summary === null ? (foundAtMsOf(session) ?? 0) : Date.parse(summary.foundAt);
    const second = Math.floor(foundMs / 1000);
    const before = this.#idOf(stored);
    if (before !== undefined) this.#delete(before);
    const id =
      before !== undefined && Math.floor(before / IDS_A_SECOND) === second ? before : this.#freeId(second);
    const current = summary?.handle ?? handle;
    const person = this.#personOf(id, stored, current);
    const state = stateOf(stored);
    this.#file.run(
      'INSERT INTO session VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
      id,
      person,
      foundMs,
      summary?.recordedMs ?? 0,
      summary?.bytes ?? 0,
      summary?.coverageRatio ?? 0,
      summary?.gaps ?? 0,
      (summary?.codecs ?? []).reduce((bits, codec) => bits | CODEC_BITS[codec], 0),
      state,
    );
    this.#file.run(
      'INSERT INTO name VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      id,
      session,
      handle,
      current,
      person,
      state === SEALED ? 1 : 0,
      index?.bytes ?? null,
      index?.modifiedMs ?? null,
    );
    const json = summary === null ? null : JSON.stringify(summary);
    this.#file.run('INSERT INTO document VALUES (?, ?, ?)', id, json, problem);
    const { title = null, displayName = null } = summary ?? {};
    const text = searchText([title, displayName, `@${handle}`, `@${current}`, session]);
    this.#file.run('INSERT INTO folded VALUES (?, ?)', id, text);
    this.#file.run('INSERT INTO words (rowid, text) VALUES (?, ?)', id, text);
  }

  #delete(id: number): void {
    for (const table of ['session', 'name', 'document', 'folded'])
      this.#file.run(`DELETE FROM ${table} WHERE id = ?`, id);
    this.#file.run('DELETE FROM words WHERE rowid = ?', id);
  }

  #idOf({ session, handle }: SessionRef): number | undefined {
    const [row] = this.#file.rows('SELECT id FROM name WHERE session = ? AND handle = ?', session, handle);
    return row === undefined ? undefined : Number(row['id']);
  }

  #freeId(second: number): number {
    const first = second * IDS_A_SECOND;
    const text = 'SELECT max(id) AS last FROM session WHERE id >= ? AND id < ?';
    const last = this.#file.rows(text, first, first + IDS_A_SECOND)[0]?.['last'] ?? null;
    return last === null ? first : Number(last) + 1;
  }

  /** An account under all of its handles; where the lookup API named none, whoever bears this handle. */
  #personOf(id: number, { handle, summary }: StoredSession, current: string): number {
    const account = summary?.platformUserId ?? null;
    const identity = account === null ? `handles ${handle} ${current}` : `account ${account}`;
    const [known] = this.#file.rows('SELECT id, newest FROM person WHERE identity = ?', identity);
    if (known === undefined) {
      this.#file.run(
        'INSERT INTO person (identity, account, newest, handle, display_name) VALUES (?, ?, ?, ?, ?)',
        identity,
        account,
        id,
        current,
        summary?.displayName ?? null,
      );
      return Number(this.#file.rows('SELECT id FROM person WHERE identity = ?', identity)[0]?.['id']);
    }
    if (Number(known['newest']) <= id)
      this.#file.run(
        'UPDATE person SET newest = ?, handle = ?, display_name = ? WHERE identity = ?',
        id,
        current,
        summary?.displayName ?? null,
        identity,
      );
    return Number(known['id']);
  }
}

const knownOf = ({ session, handle, is_sealed, index_bytes, index_ms }: Row): KnownSession => ({
  session: String(session),
  handle: String(handle),
  isSealed: is_sealed === 1,
  index:
    index_bytes == null || index_ms == null
      ? null
      : { bytes: Number(index_bytes), modifiedMs: Number(index_ms) },
});
