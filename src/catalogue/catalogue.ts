/**
 * The sessions of one bucket, listed, searched and counted without asking the bucket. What is known is cached in a local
 * SQLite file, which may be deleted at any time; `refresh` brings it up to date.
 */
import type { CatalogueEntry } from '../archive/catalogue.ts';
import type { Clock } from '../kernel/clock.ts';
import { isLivestowError, LivestowError } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Store } from '../store/store.ts';
import { CatalogueFile } from './catalogue-file.ts';
import { Overview, type CatalogueCreator, type CatalogueDay, type CatalogueTotals } from './overview.ts';
import { FULL_AT, refreshCatalogue, type Refreshed, type RefreshOptions } from './refresh.ts';
import { entryOf, SessionQueries, type SessionPage, type SessionQuery } from './session-query.ts';
import { JointRun } from './joint-run.ts';
import { writeSnapshot } from './snapshot.ts';

export interface CatalogueDeps {
  /** Of the cache file; null: in memory, as it is also where the file cannot be written. */
  path: string | null;
  clock: Pick<Clock, 'now'>;
  log: Logger;
  /** How long another process that writes the file is waited for, in which nothing else runs in this one. */
  busyMs?: number | undefined;
}

export class Catalogue {
  readonly #store: Store;
  readonly #deps: CatalogueDeps;
  readonly #file: CatalogueFile;
  readonly #queries: SessionQueries;
  readonly #overview: Overview;
  readonly #refreshes: JointRun<RefreshOptions, Refreshed>;

  private constructor(store: Store, deps: CatalogueDeps) {
    this.#store = store;
    this.#deps = deps;
    this.#file = new CatalogueFile(store.description, deps.path, deps.log, deps.busyMs);
    this.#queries = new SessionQueries(this.#file);
    this.#overview = new Overview(this.#file);
    this.#refreshes = new JointRun((asked, signal) => this.#refresh(asked, signal));
  }

  static open(store: Store, deps: CatalogueDeps): Catalogue {
    return new Catalogue(store, deps);
  }

  /**
   * Brings it up to date: all that was sealed, removed or written before this call is known when it returns. Everything is
   * read the first time, and listed again after some hours; else only what may have changed. Those who ask at once share
   * one run. Rejects with the store's errors and the signal's reason; what was learned until then is kept.
   */
  refresh(options: RefreshOptions = {}): Promise<Refreshed> {
    return this.#refreshes.ask(options);
  }

  /** Whether it was ever read in full. */
  get isBuilt(): boolean {
    return this.#file.fact(FULL_AT) !== null;
  }

  /** One page; asks the bucket nothing. @throws USAGE for what is no date, or no cursor of this query */
  search(query: SessionQuery = {}): SessionPage {
    return this.#queries.search(query);
  }

  /** The one of that handle's folder, or the only one of that id. */
  get(session: string, handle?: string): CatalogueEntry | undefined {
    const rows = this.#file.rows(
      `SELECT session, handle, summary, problem FROM name JOIN document USING (id)
       WHERE session = ? AND (? IS NULL OR handle = ?) LIMIT 2`,
      session,
      handle ?? null,
      handle ?? null,
    );
    return rows.length === 1 ? rows.map(entryOf)[0] : undefined;
  }

  /** Of whole ids that begin so, newest first. */
  idsBeginning(text: string, limit: number): { session: string; handle: string }[] {
    const rows = this.#file.rows(
      'SELECT session, handle FROM name WHERE session >= ? AND session < ? ORDER BY session DESC LIMIT ?',
      text,
      `${text}\u{10FFFF}`,
      limit,
    );
    return rows.map(({ session, handle }) => ({ session: String(session), handle: String(handle) }));
  }

  /** Who was recorded last comes first. A renamed creator is one. */
  creators(): CatalogueCreator[] {
    return this.#overview.creators();
  }

  /** The days (UTC) on which sessions were found: of one creator, or of all. */
  days(handle: string | undefined, fromMs: number, toMs: number): CatalogueDay[] {
    const people = handle === undefined ? null : this.#queries.peopleOf(handle);
    return this.#overview.days(people, fromMs, toMs);
  }

  totals(): CatalogueTotals {
    return this.#overview.totals();
  }

  /** Puts what is known into the bucket, for whoever lists it for the first time. @returns sessions in it */
  writeSnapshot(signal?: AbortSignal): Promise<number> {
    return writeSnapshot(this.#file, this.#store, this.#deps.clock.now(), signal);
  }

  /** Ends what is being refreshed, and closes the file. */
  async close(): Promise<void> {
    await this.#refreshes.stop(new LivestowError('UNAVAILABLE', 'the list of sessions is being closed'));
    this.#file.close();
  }

  async #refresh(asked: readonly RefreshOptions[], signal: AbortSignal): Promise<Refreshed> {
    const { clock, log } = this.#deps;
    const deps = { file: this.#file, store: this.#store, clock, log };
    const options: RefreshOptions = {
      full: asked.some(({ full }) => full),
      folders: asked.some(({ folders }) => folders),
      signal,
      onProgress: (done, of) => {
        for (const { onProgress } of asked) onProgress?.(done, of);
      },
    };
    try {
      return await refreshCatalogue(deps, options);
    } catch (error) {
      // The file was damaged, and is empty now.
      if (!isLivestowError(error, 'UNAVAILABLE') || signal.aborted) throw error;
      return refreshCatalogue(deps, options);
    }
  }
}
