/**
 * Brings a catalogue up to date with its bucket. The bucket is the only truth; what is cached only saves reading again
 * what a listing says has not changed.
 *
 * A full one lists the whole index and every creator's folder: sessions that the index lacks are described from their own
 * objects, and entries without a session are left out. Any other lists the end of the index, from the oldest session on
 * that may still change, and asks for the notes that tell of changes before that (`archive/change-notes.ts`).
 */
import { changesSince, type ChangeNote } from '../archive/change-notes.ts';
import { describeSession, listRefs } from '../archive/catalogue.ts';
import { readText } from '../archive/read-text.ts';
import { notedRemovals } from '../archive/remove-session.ts';
import type { SessionRef } from '../archive/session-reader.ts';
import { forEachAtOnce } from '../kernel/at-once.ts';
import type { Clock } from '../kernel/clock.ts';
import { isLivestowError } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import { foundAtMsOf, indexKey, indexPrefix, parseIndexKey, stampOf } from '../layout/keys.ts';
import { decodeSummary } from '../layout/manifest.ts';
import type { Summary } from '../model/manifest.ts';
import type { Store } from '../store/store.ts';
import type { CatalogueFile } from './catalogue-file.ts';
import {
  nameOf,
  SessionRows,
  type IndexStamp,
  type KnownSession,
  type StoredSession,
} from './session-rows.ts';
import { readSnapshot, SNAPSHOT_LEAST } from './snapshot.ts';

export interface RefreshOptions {
  /** Everything, as the first time. */
  full?: boolean | undefined;
  /** Also sessions that have begun and are not in the index yet: one request more for each creator. */
  folders?: boolean | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((done: number, of: number) => void) | undefined;
}

export interface Refreshed {
  full: boolean;
  /** Sessions that were read. */
  read: number;
  /** Of these, those that stood in the snapshot. */
  fromSnapshot: number;
  removed: number;
}

export interface RefreshDeps {
  file: CatalogueFile;
  store: Store;
  clock: Pick<Clock, 'now'>;
  log: Logger;
}

const READS_AT_ONCE = 32;
/** Sessions in one transaction: some milliseconds, in which others wait. */
const BATCH = 250;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Then everything is listed again, whoever asks. */
const FULL_EVERY_MS = 6 * HOUR_MS;
/** What clocks of several machines may differ by, and more. */
const SKEW_MS = DAY_MS;
/** The end of the index that is always listed: sessions that come late, after an outage of the store, say. */
const LATE_MS = 2 * DAY_MS;
/** It begins earlier for the sake of an open session that is not older than this; older ones are asked for one by one. */
const REACH_MS = 14 * DAY_MS;
const ASKED_SINGLY = 200;
/** An archive of so few is listed in full each time that folders are asked for: that costs little more. */
const SMALL = 2_000;
/** A summary has 4 KiB at most. */
const MOST_BYTES = 16 * 1024;

/** The fact of when the last full one began. */
export const FULL_AT = 'full at';

interface Task extends SessionRef {
  /** Null: the index does not have it. Undefined: that is to be asked. */
  index: IndexStamp | null | undefined;
}

export const refreshCatalogue = (deps: RefreshDeps, options: RefreshOptions): Promise<Refreshed> =>
  new Refresh(deps, options).run();

class Refresh {
  readonly #deps: RefreshDeps;
  readonly #rows: SessionRows;
  readonly #options: RefreshOptions;
  readonly #signal: AbortSignal | undefined;
  readonly #startedMs: number;
  #full: boolean;
  readonly #found: StoredSession[] = [];
  readonly #tasks = new Map<string, Task>();
  #doubtful: ReadonlySet<string> = new Set();
  readonly #done: Omit<Refreshed, 'full'>;

  constructor(deps: RefreshDeps, options: RefreshOptions) {
    this.#deps = deps;
    this.#rows = new SessionRows(deps.file);
    this.#options = options;
    this.#signal = options.signal;
    this.#startedMs = deps.clock.now();
    this.#full = this.#isFullDue();
    this.#done = { read: 0, fromSnapshot: 0, removed: 0 };
  }

  async run(): Promise<Refreshed> {
    const { file, store } = this.#deps;
    if (this.#options.full === true) file.run('DELETE FROM gone');
    // Notes first: of what changes from now on, the next refresh is to be told.
    const notes = await this.#notes();
    const { since, singly } = this.#full ? { since: '', singly: [] } : this.#reach();
    const known = this.#rows.known(since);
    const listed = await this.#list(since);
    const removals = await notedRemovals(store, this.#signal);
    this.#doubtful = new Set(removals.map(nameOf));
    const folders =
      this.#full || this.#options.folders === true
        ? new Map((await listRefs(store, this.#signal, since)).map((ref) => [nameOf(ref), ref]))
        : undefined;

    const isThere = (name: string): boolean => !this.#full || folders?.has(name) === true;
    for (const [name, task] of listed) if (isThere(name)) this.#planListed(task, known.get(name));
    const lost: KnownSession[] = [];
    for (const [name, each] of known) {
      if (each.session < since || (listed.has(name) && isThere(name))) continue;
      if (folders?.has(name) === false) lost.push(each);
      else if (this.#full || each.index !== null || !each.isSealed) this.#plan(each, null);
    }
    if (folders !== undefined) {
      const gone = this.#rows.gone();
      for (const [name, ref] of folders)
        if (!listed.has(name) && !known.has(name) && !gone.has(name)) this.#plan(ref, null);
    }
    for (const each of [...singly, ...notes.of]) this.#plan(each, undefined);
    for (const each of removals) if (this.#rows.isKnown(each)) this.#plan(each, undefined);

    this.#remove(lost, false);
    await this.#read();
    this.#account(notes.all);
    return { full: this.#full, ...this.#done };
  }

  #isFullDue(): boolean {
    const { file } = this.#deps;
    const fullAt = file.fact(FULL_AT);
    if (this.#options.full === true || fullAt === null) return true;
    const ageMs = this.#startedMs - Number(fullAt);
    if (ageMs < 0 || ageMs > FULL_EVERY_MS) return true;
    return this.#options.folders === true && this.#rows.count() <= SMALL;
  }

  /** From where on the index is listed, and which sessions before that may change all the same. */
  #reach(): { since: string; singly: SessionRef[] } {
    const newest = this.#rows.newestBefore(stampOf(this.#startedMs + 1000));
    const lateMs = (foundAtMsOf(newest) ?? 0) - LATE_MS;
    const open = this.#rows.open().map((each) => ({ each, foundMs: foundAtMsOf(each.session) ?? 0 }));
    const old = open.filter(({ foundMs }) => foundMs < lateMs - REACH_MS);
    const within =
      old.length > ASKED_SINGLY ? open : open.filter(({ foundMs }) => foundMs >= lateMs - REACH_MS);
    const sinceMs = within.reduce((least, { foundMs }) => Math.min(least, foundMs), lateMs);
    return {
      since: stampOf(Math.max(0, sinceMs)),
      singly: old.length > ASKED_SINGLY ? [] : old.map(({ each }) => each),
    };
  }

  /** Those that came since; one of everything makes this a full one. */
  async #notes(): Promise<{ all: ChangeNote[]; of: SessionRef[] }> {
    const { file, store } = this.#deps;
    const fromMs = (this.#full ? this.#startedMs : Number(file.fact(FULL_AT))) - SKEW_MS;
    const all: ChangeNote[] = [];
    for await (const note of changesSince(store, fromMs, this.#signal)) all.push(note);
    const seen = new Set(file.rows('SELECT key FROM change').map(({ key }) => String(key)));
    const unseen = this.#full ? [] : all.filter(({ key }) => !seen.has(key)).map(({ of }) => of);
    if (unseen.includes(null)) this.#full = true;
    return { all, of: unseen.filter((of) => of !== null) };
  }

  async #list(since: string): Promise<Map<string, Task>> {
    const listed = new Map<string, Task>();
    const signal = this.#signal ? { signal: this.#signal } : {};
    const startAfter = since === '' ? {} : { startAfter: indexPrefix(since) };
    for await (const { key, bytes, modifiedAt } of this.#deps.store.list(indexPrefix(''), {
      ...startAfter,
      ...signal,
    })) {
      const ref = parseIndexKey(key);
      if (ref) listed.set(nameOf(ref), { ...ref, index: { bytes, modifiedMs: modifiedAt?.getTime() ?? 0 } });
    }
    return listed;
  }

  #planListed(task: Task, known: KnownSession | undefined): void {
    const { index } = task;
    if (known !== undefined && index && known.index !== null) {
      const isSame = known.index.bytes === index.bytes && known.index.modifiedMs === index.modifiedMs;
      // Two writes within a tick of the store's clock look alike.
      const isRecent = index.modifiedMs > this.#startedMs - HOUR_MS;
      if (isSame && (known.isSealed || !(this.#full || isRecent))) return;
    }
    this.#plan(task, index);
  }

  #plan({ session, handle }: SessionRef, index: Task['index']): void {
    const name = nameOf({ session, handle });
    if (!this.#tasks.has(name)) this.#tasks.set(name, { session, handle, index });
  }

  async #read(): Promise<void> {
    const { onProgress } = this.#options;
    const of = this.#tasks.size;
    const tell = (): void => onProgress?.(of - this.#tasks.size, of);
    tell();
    if (this.#full && of >= SNAPSHOT_LEAST) await this.#readSnapshot(tell);
    const gone: SessionRef[] = [];
    await forEachAtOnce([...this.#tasks.values()], READS_AT_ONCE, async (task) => {
      this.#signal?.throwIfAborted();
      const found = await this.#look(task);
      this.#tasks.delete(nameOf(task));
      this.#done.read += 1;
      if (found) this.#keep(found);
      else gone.push(task);
      tell();
    }).finally(() => this.#flush());
    this.#remove(gone, true);
  }

  async #readSnapshot(tell: () => void): Promise<void> {
    const taken = readSnapshot(this.#deps.store, this.#tasks.size, this.#deps.log, this.#signal);
    for await (const { index, ...said } of taken) {
      const task = this.#tasks.get(nameOf(said));
      const isCurrent = task?.index?.bytes === index.bytes && task.index.modifiedMs === index.modifiedMs;
      if (!isCurrent || this.#doubtful.has(nameOf(said))) continue;
      this.#tasks.delete(nameOf(said));
      this.#done.read += 1;
      this.#done.fromSnapshot += 1;
      this.#keep({ ...said, problem: null, index });
      if (this.#done.read % BATCH === 0) tell();
    }
  }

  /** Undefined when the session is not there. */
  async #look(task: Task): Promise<StoredSession | undefined> {
    const { store } = this.#deps;
    const isDoubtful = this.#doubtful.has(nameOf(task));
    const index = task.index === undefined ? await this.#stampOf(task) : task.index;
    const summary = isDoubtful || index === null ? undefined : await this.#readIndex(task, index);
    if (summary !== undefined) {
      if (summary.deletedAt !== null) return undefined;
      return { session: task.session, handle: task.handle, summary, problem: null, index };
    }
    const described = await describeSession(store, task, isDoubtful, this.#signal);
    return described && { ...described, session: task.session, handle: task.handle, index };
  }

  async #stampOf({ session, handle }: SessionRef): Promise<IndexStamp | null> {
    const key = indexKey(session, handle);
    // As a listing has it: a head may give its time less exactly.
    for await (const found of this.#deps.store.list(key, this.#signal ? { signal: this.#signal } : {}))
      if (found.key === key) return { bytes: found.bytes, modifiedMs: found.modifiedAt?.getTime() ?? 0 };
    return null;
  }

  /** Undefined when it is not there, or cannot be read: the session itself says the same. */
  async #readIndex({ session, handle }: SessionRef, { bytes }: IndexStamp): Promise<Summary | undefined> {
    if (bytes > MOST_BYTES) return undefined;
    const key = indexKey(session, handle);
    const text = await readText(this.#deps.store, key, this.#signal);
    if (text === undefined) return undefined;
    try {
      const summary = decodeSummary(text, key);
      return summary.session === session ? summary : undefined;
    } catch (error) {
      if (isLivestowError(error, 'MANIFEST')) return undefined;
      throw error;
    }
  }

  #keep(found: StoredSession): void {
    this.#found.push(found);
    if (this.#found.length >= BATCH) this.#flush();
  }

  #flush(): void {
    if (this.#found.length > 0) this.#rows.put(this.#found.splice(0));
  }

  #remove(refs: readonly SessionRef[], forGood: boolean): void {
    for (let at = 0; at < refs.length; at += BATCH) this.#rows.remove(refs.slice(at, at + BATCH), forGood);
    this.#done.removed += refs.length;
  }

  #account(notes: readonly ChangeNote[]): void {
    const { file } = this.#deps;
    file.atOnce(() => {
      if (this.#full) {
        file.setFact(FULL_AT, String(this.#startedMs));
        file.run('DELETE FROM change');
      }
      for (const { key } of notes) file.run('INSERT OR IGNORE INTO change VALUES (?)', key);
    });
  }
}
