/**
 * What is remembered of jobs from one run to the next, in a small SQLite file that a daemon and a run by hand share: up to
 * when each job's runs are accounted for, the history of runs, and which sessions a job has dealt with. The archive itself
 * is never known from here: without this file everything is looked at once more.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite';
import { isoUtc } from '../kernel/clock.ts';
import { LivestowError } from '../kernel/errors.ts';
import { shorten } from '../kernel/foreign-text.ts';
import { jobRunSchema, type JobOutcome, type JobRun } from '../model/job.ts';

const KEPT_OF_A_JOB = 200;
const KEPT_IN_ALL = 5_000;
const PROBLEMS = 20;
const TEXT_CHARS = 500;
/** Failures are counted by the hour, for so long. */
const HOUR_MS = 3_600_000;
const FAILURES_KEPT_MS = 400 * 24 * HOUR_MS;

const TABLES = `
  CREATE TABLE IF NOT EXISTS job (
    name TEXT PRIMARY KEY, seen_ms INTEGER NOT NULL, schedule TEXT, accounted_ms INTEGER) STRICT;
  CREATE TABLE IF NOT EXISTS run (
    id INTEGER PRIMARY KEY AUTOINCREMENT, job TEXT NOT NULL, kind TEXT NOT NULL, by TEXT NOT NULL,
    scheduled_ms INTEGER, missed_since_ms INTEGER, started_ms INTEGER NOT NULL, ended_ms INTEGER,
    outcome TEXT, message TEXT NOT NULL, problems TEXT NOT NULL) STRICT;
  CREATE INDEX IF NOT EXISTS run_of_job ON run (job, id);
  CREATE TABLE IF NOT EXISTS mark (scope TEXT, item TEXT, at_ms INTEGER NOT NULL, PRIMARY KEY (scope, item))
    STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS failure (hour_ms INTEGER, code TEXT, count INTEGER NOT NULL, PRIMARY KEY (hour_ms, code))
    STRICT, WITHOUT ROWID;`;

export interface NewRun {
  job: string;
  kind: string;
  by: JobRun['by'];
  scheduledMs: number | null;
  missedSinceMs: number | null;
  startedMs: number;
}

export interface Ending {
  outcome: JobOutcome;
  message: string;
  problems: readonly string[];
}

const hourOf = (ms: number): number => Math.floor(ms / HOUR_MS) * HOUR_MS;

type Row = Record<string, SQLOutputValue>;

export class JobLedger {
  readonly #database: DatabaseSync;

  private constructor(path: string) {
    try {
      this.#database = new DatabaseSync(path, { timeout: 5_000 });
      this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
      this.#database.exec(TABLES);
    } catch (cause) {
      throw new LivestowError('SPOOL', `${path} cannot be used`, {
        cause,
        hint: 'it is what livestow remembers of its jobs; check who may write to it, or move it away',
      });
    }
  }

  /** @throws SPOOL */
  static open(path: string): JobLedger {
    try {
      mkdirSync(dirname(path), { recursive: true });
    } catch (cause) {
      throw new LivestowError('SPOOL', `${dirname(path)} cannot be made`, { cause });
    }
    return new JobLedger(path);
  }

  /** For who only reads: where there is none yet, none is made. */
  static peek(path: string): JobLedger {
    return new JobLedger(existsSync(path) ? path : ':memory:');
  }

  close(): void {
    this.#database.close();
  }

  /** All that is written in it, or nothing. */
  atOnce(write: () => void): void {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      write();
      this.#database.exec('COMMIT');
    } catch (error) {
      // A full disk has undone it already.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  /** When livestow first saw the job: now, if it never did. */
  firstSeenMs(job: string, nowMs: number): number {
    this.#run('INSERT OR IGNORE INTO job (name, seen_ms) VALUES (?, ?)', job, nowMs);
    return Number(this.#rows('SELECT seen_ms FROM job WHERE name = ?', job)[0]?.['seen_ms'] ?? nowMs);
  }

  /** Up to when the job's runs are accounted for; null: never, or its schedule was another. */
  accountedMs(job: string, schedule: string): number | null {
    const [row] = this.#rows('SELECT accounted_ms FROM job WHERE name = ? AND schedule = ?', job, schedule);
    return row?.['accounted_ms'] == null ? null : Number(row['accounted_ms']);
  }

  account(job: string, schedule: string, accountedMs: number, nowMs: number): void {
    this.firstSeenMs(job, nowMs);
    this.#run('UPDATE job SET schedule = ?, accounted_ms = ? WHERE name = ?', schedule, accountedMs, job);
  }

  begin({ job, kind, by, scheduledMs, missedSinceMs, startedMs }: NewRun): number {
    const { lastInsertRowid } = this.#run(
      "INSERT INTO run (job, kind, by, scheduled_ms, missed_since_ms, started_ms, message, problems) VALUES (?, ?, ?, ?, ?, ?, '', '[]')",
      job,
      kind,
      by,
      scheduledMs,
      missedSinceMs,
      startedMs,
    );
    this.#forget(job);
    return Number(lastInsertRowid);
  }

  end(id: number, { outcome, message, problems }: Ending, endedMs: number | null): JobRun {
    const kept = problems.slice(0, PROBLEMS).map((problem) => shorten(problem, TEXT_CHARS));
    this.#run(
      'UPDATE run SET ended_ms = ?, outcome = ?, message = ?, problems = ? WHERE id = ?',
      endedMs,
      outcome,
      shorten(message, TEXT_CHARS),
      JSON.stringify(kept),
      id,
    );
    const [run] = this.#rows('SELECT * FROM run WHERE id = ?', id).map(runOf);
    if (!run) throw new Error(`the run ${id} is not in the ledger`);
    return run;
  }

  /** Jobs with runs of which nobody said how they ended. */
  unfinished(): string[] {
    return this.#rows('SELECT DISTINCT job FROM run WHERE outcome IS NULL').map(({ job }) => String(job));
  }

  underWay(job: string): JobRun | null {
    const text = 'SELECT * FROM run WHERE job = ? AND outcome IS NULL ORDER BY id DESC LIMIT 1';
    return this.#rows(text, job).map(runOf)[0] ?? null;
  }

  /** Of a job that nobody runs: what had begun was interrupted. Called by who holds its lock. */
  interrupted(job: string): JobRun[] {
    const message = 'livestow was gone in the middle of it';
    return this.#rows('SELECT id FROM run WHERE outcome IS NULL AND job = ?', job).map(({ id }) =>
      this.end(Number(id), { outcome: 'interrupted', message, problems: [] }, null),
    );
  }

  /** Newest first. */
  history({ job, most }: { job?: string | undefined; most: number }): JobRun[] {
    const rows =
      job === undefined
        ? this.#rows('SELECT * FROM run ORDER BY id DESC LIMIT ?', most)
        : this.#rows('SELECT * FROM run WHERE job = ? ORDER BY id DESC LIMIT ?', job, most);
    return rows.map(runOf);
  }

  /** The last run that ended, other than by being left out. */
  last(job: string): JobRun | null {
    const text = "SELECT * FROM run WHERE job = ? AND outcome <> 'skipped' ORDER BY id DESC LIMIT 1";
    return this.#rows(text, job).map(runOf)[0] ?? null;
  }

  /** When a run was last done in full; null: none that is remembered was. */
  lastDoneAt(job: string): string | null {
    const text = "SELECT * FROM run WHERE job = ? AND outcome = 'done' ORDER BY id DESC LIMIT 1";
    return this.#rows(text, job).map(runOf)[0]?.endedAt ?? null;
  }

  /** How often runs that began then ended otherwise than done. */
  troubledRuns(fromMs: number, toMs: number): { job: string; outcome: string; count: number }[] {
    const rows = this.#rows(
      "SELECT job, outcome, count(*) AS count FROM run WHERE started_ms >= ? AND started_ms < ? AND outcome <> 'done' GROUP BY job, outcome ORDER BY job, outcome",
      fromMs,
      toMs,
    );
    return rows.map(({ job, outcome, count }) => ({
      job: String(job),
      outcome: String(outcome),
      count: Number(count),
    }));
  }

  /** What was dealt with, and when. */
  marks(scope: string): Map<string, number> {
    const rows = this.#rows('SELECT item, at_ms FROM mark WHERE scope = ?', scope);
    return new Map(rows.map(({ item, at_ms }) => [String(item), Number(at_ms)]));
  }

  mark(scope: string, item: string, atMs: number): void {
    this.#run('INSERT OR REPLACE INTO mark (scope, item, at_ms) VALUES (?, ?, ?)', scope, item, atMs);
  }

  countFailure(code: string, atMs: number): void {
    this.#run(
      'INSERT INTO failure (hour_ms, code, count) VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1',
      hourOf(atMs),
      code,
    );
    this.#run('DELETE FROM failure WHERE hour_ms < ?', atMs - FAILURES_KEPT_MS);
  }

  /** In whole hours: of the one in which it ends, the next digest tells. */
  failures(fromMs: number, toMs: number): { code: string; count: number }[] {
    const rows = this.#rows(
      'SELECT code, sum(count) AS count FROM failure WHERE hour_ms >= ? AND hour_ms < ? GROUP BY code ORDER BY count DESC, code',
      hourOf(fromMs),
      hourOf(toMs),
    );
    return rows.map(({ code, count }) => ({ code: String(code), count: Number(count) }));
  }

  #forget(job: string): void {
    const beyond = 'SELECT id FROM run WHERE outcome IS NOT NULL';
    this.#run(
      `DELETE FROM run WHERE id IN (${beyond} AND job = ? ORDER BY id DESC LIMIT -1 OFFSET ${KEPT_OF_A_JOB})`,
      job,
    );
    this.#run(`DELETE FROM run WHERE id IN (${beyond} ORDER BY id DESC LIMIT -1 OFFSET ${KEPT_IN_ALL})`);
  }

  #run(text: string, ...values: (string | number | null)[]) {
    return this.#database.prepare(text).run(...values);
  }

  #rows(text: string, ...values: (string | number)[]): Row[] {
    return this.#database.prepare(text).all(...values);
  }
}

function runOf(row: Row): JobRun {
  const at = (ms: SQLOutputValue | undefined): string | null => (ms == null ? null : isoUtc(Number(ms)));
  return jobRunSchema.parse({
    id: row['id'],
    job: row['job'],
    kind: row['kind'],
    by: row['by'],
    scheduledFor: at(row['scheduled_ms']),
    missedSince: at(row['missed_since_ms']),
    startedAt: at(row['started_ms']),
    endedAt: at(row['ended_ms']),
    outcome: row['outcome'],
    message: row['message'],
    problems: JSON.parse(String(row['problems'])) as unknown,
  });
}
