/**
 * The SQLite file behind a catalogue. It is a cache: a file that is damaged, another livestow's, or of another bucket is
 * thrown away, and one that cannot be written is done without, in memory. Several processes may use it at once.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite';
import { LivestowError } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';

/** Grows whenever what is kept in the tables changes its form; of the tables themselves it is known. */
const FORM = 1;
/** "lvst", in the file's header. */
const APPLICATION = 0x6c_76_73_74;
/** Several may write at once; each does so for some milliseconds. Nothing else runs in this process meanwhile. */
const BUSY_MS = 20_000;
/** SQLITE_CORRUPT, SQLITE_NOTADB */
const DAMAGED = new Set([11, 26]);
/** SQLITE_PERM, BUSY, READONLY, IOERR, FULL, CANTOPEN, PROTOCOL: no permission, no room, no locks. */
const UNUSABLE = new Set([3, 5, 8, 10, 13, 14, 15]);

/**
 * `session.id` is the second in which the session was found, times `IDS_A_SECOND`, and a count: so that ids are in the
 * order of time, also for FTS5, which knows no other. What is counted and filtered by is in narrow rows of its own, since
 * all of them are gone through.
 */
const TABLES = `
  CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE person (
    id INTEGER PRIMARY KEY, identity TEXT NOT NULL UNIQUE, account TEXT, newest INTEGER NOT NULL,
    handle TEXT NOT NULL, display_name TEXT) STRICT;
  CREATE TABLE session (
    id INTEGER PRIMARY KEY, person INTEGER NOT NULL, found_ms INTEGER NOT NULL, recorded_ms INTEGER NOT NULL,
    bytes INTEGER NOT NULL, coverage REAL NOT NULL, gaps INTEGER NOT NULL, codecs INTEGER NOT NULL,
    state INTEGER NOT NULL) STRICT;
  CREATE INDEX session_person ON session (person, id, bytes, recorded_ms);
  CREATE INDEX session_length ON session (recorded_ms, id);
  CREATE INDEX session_size ON session (bytes, id);
  CREATE INDEX session_coverage ON session (coverage, id);
  CREATE INDEX session_gaps ON session (gaps, id);
  CREATE TABLE name (
    id INTEGER PRIMARY KEY, session TEXT NOT NULL, handle TEXT NOT NULL, current TEXT NOT NULL, person INTEGER NOT NULL,
    is_sealed INTEGER NOT NULL, index_bytes INTEGER, index_ms INTEGER, UNIQUE (session, handle)) STRICT;
  CREATE INDEX name_handle ON name (handle, person);
  CREATE INDEX name_current ON name (current, person);
  CREATE INDEX name_open ON name (session) WHERE is_sealed = 0;
  CREATE TABLE document (id INTEGER PRIMARY KEY, summary TEXT, problem TEXT) STRICT;
  CREATE TABLE folded (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
  CREATE VIRTUAL TABLE words USING fts5(text, content='', contentless_delete=1, tokenize='trigram case_sensitive 1');
  CREATE TABLE gone (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
  CREATE TABLE change (key TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;`;

/** Positive, as the file's header takes it: another one for other tables. */
const VERSION = createHash('sha256').update(`${FORM}${TABLES}`).digest().readUInt32BE() & 0x7f_ff_ff_ff;

export const IDS_A_SECOND = 16_384;

export type Row = Record<string, SQLOutputValue>;

export class CatalogueFile {
  readonly #of: string;
  readonly #log: Logger;
  readonly #busyMs: number;
  #path: string | null;
  #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #writes = 0;

  /**
   * @param of which bucket's: a file of another one is thrown away
   * @param path null: in memory
   * @param busyMs how long others that write are waited for; then it is kept in memory
   */
  constructor(of: string, path: string | null, log: Logger, busyMs = BUSY_MS) {
    this.#of = of;
    this.#log = log;
    this.#busyMs = busyMs;
    this.#path = path;
    this.#database = this.#open();
  }

  /** Runs on all rows of a query. @throws UNAVAILABLE when the file turned out to be of no use: there is an empty one now. */
  rows(text: string, ...values: SQLInputValue[]): Row[] {
    return this.#guarded(() => this.#prepared(text).all(...values));
  }

  run(text: string, ...values: SQLInputValue[]): void {
    this.#guarded(() => this.#prepared(text).run(...values));
  }

  /** All that is written in it, or nothing. */
  atOnce(write: () => void): void {
    this.#guarded(() => {
      this.#database.exec('BEGIN IMMEDIATE');
      try {
        write();
        this.#database.exec('COMMIT');
        this.#writes += 1;
      } catch (error) {
        if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
        throw error;
      }
    });
  }

  /** Another one after each change, by whichever process. */
  get generation(): string {
    return `${String(this.rows('PRAGMA data_version')[0]?.['data_version'])}/${this.#writes}`;
  }

  fact(name: string): string | null {
    const [row] = this.rows('SELECT value FROM fact WHERE name = ?', name);
    return row === undefined ? null : String(row['value']);
  }

  setFact(name: string, value: string): void {
    this.run('INSERT OR REPLACE INTO fact VALUES (?, ?)', name, value);
  }

  close(): void {
    this.#statements.clear();
    if (this.#database.isOpen) this.#database.close();
  }

  #prepared(text: string): StatementSync {
    const known = this.#statements.get(text) ?? this.#database.prepare(text);
    this.#statements.set(text, known);
    return known;
  }

  /** What the file itself suffers from is told once; then there is an empty one, or one in memory. */
  #guarded<T>(use: () => T): T {
    try {
      return use();
    } catch (error) {
      const trouble = this.#path === null ? undefined : troubleOf(error);
      if (trouble === undefined) throw error;
      this.close();
      if (trouble === 'damaged') {
        this.#log.warn(
          { err: error, path: this.#path },
          'the cached list of sessions is damaged; it is made anew',
        );
        this.#discard();
      } else {
        this.#log.warn({ err: error, path: this.#path }, NOT_CACHED);
        this.#path = null;
      }
      this.#database = this.#open();
      this.#writes += 1;
      throw new LivestowError('UNAVAILABLE', 'the cached list of sessions cannot be used', {
        cause: error,
        hint: 'it is made anew: try again',
        retryable: true,
      });
    }
  }

  /** The file, made anew where it is of no use; one in memory where there can be none. */
  #open(): DatabaseSync {
    const path = this.#path;
    if (path === null) return this.#ready(new DatabaseSync(':memory:'));
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      return this.#opened(path);
    } catch (error) {
      this.#log.warn({ err: error, path }, NOT_CACHED);
      this.#path = null;
      return this.#open();
    }
  }

  #opened(path: string): DatabaseSync {
    for (let tries = 0; ; tries += 1) {
      const database = new DatabaseSync(path, { timeout: this.#busyMs });
      try {
        return this.#ready(database);
      } catch (error) {
        database.close();
        if (tries > 0 || !(troubleOf(error) === 'damaged' || error instanceof Foreign)) throw error;
        this.#discard();
      }
    }
  }

  #ready(database: DatabaseSync): DatabaseSync {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -32768');
    database.exec('BEGIN IMMEDIATE');
    const number = (pragma: string): number =>
      Number(Object.values(database.prepare(`PRAGMA ${pragma}`).get() ?? {})[0]);
    const [application, version] = [number('application_id'), number('user_version')];
    if (application === 0 && version === 0 && number('schema_version') === 0) {
      database.exec(`${TABLES}; PRAGMA application_id = ${APPLICATION}; PRAGMA user_version = ${VERSION}`);
      database.prepare('INSERT INTO fact VALUES (?, ?)').run('store', this.#of);
    }
    const isOurs = number('application_id') === APPLICATION && number('user_version') === VERSION;
    const of = isOurs ? database.prepare("SELECT value FROM fact WHERE name = 'store'").get() : undefined;
    if (of?.['value'] !== this.#of) throw new Foreign();
    database.exec('COMMIT');
    return database;
  }

  #discard(): void {
    if (this.#path === null) return;
    for (const end of ['', '-wal', '-shm', '-journal']) rmSync(this.#path + end, { force: true });
  }
}

class Foreign extends Error {}

const NOT_CACHED = 'the list of sessions cannot be cached on this disk; it is kept in memory';

/** Undefined for what is nobody's fault but ours. */
function troubleOf(error: unknown): 'damaged' | 'unusable' | undefined {
  if (!(error instanceof Error && 'errcode' in error)) return undefined;
  const code = Number(error.errcode) & 0xff;
  if (DAMAGED.has(code)) return 'damaged';
  return UNUSABLE.has(code) ? 'unusable' : undefined;
}
