/**
 * Ships one session: every closed object at once, each journal once all that it names is in the store, then playlists,
 * manifest, summary and index; at the end it seals. Nothing here remembers what was shipped across processes: that is
 * what the store says.
 *
 * A local object goes only after the store's copy was verified. What can't be shipped for good (damaged or deleted in the
 * spool, or another object under its key) becomes a `lost` entry and a gap, so that sealing never hangs.
 */
import { buffer } from 'node:stream/consumers';
import { isoUtc, type Clock } from '../kernel/clock.ts';
import { isMissing, writeFileDurably } from '../kernel/files.ts';
import type { Logger } from '../kernel/logger.ts';
import { foldSession, type FoldedSession } from '../layout/fold.ts';
import { changeKey, contentTypeOf, parseJournalKey, sessionKeys, sessionPrefix } from '../layout/keys.ts';
import { journaledObjects } from '../layout/objects.ts';
import { PUBLISH_LEAST_MS, publishIntervalMs } from '../layout/publish-interval.ts';
import type { ArchivedFile, JournalEntry, Manifest, Segment } from '../model/manifest.ts';
import { byTermAndNumber, readJournals, type JournalRef } from '../spool/journal-file.ts';
import type { SessionSpool, SpooledObject } from '../spool/session-spool.ts';
import { digestOfPath } from '../store/body.ts';
import type { Store } from '../store/store.ts';
import { lossEntries, lostSegments } from './losses.ts';
import { foldedFiles, Publisher } from './publish.ts';
import { holds, persistently, shipObject, type LocalObject } from './ship-object.ts';
import type { UploadInTurn, Uploads } from './uploads.ts';

/** Made of the session as a whole, when it is sealed. */
const DERIVED: readonly string[] = [sessionKeys.storyboard, sessionKeys.storyboardTrack];
/** What is sealed so long after it was found is noted. */
const LATE_MS = 24 * 3_600_000;

export interface ShipProgress {
  shippedObjects: number;
  shippedBytes: number;
  waitingObjects: number;
}

export interface SessionShipperDeps {
  store: Store;
  spool: SessionSpool;
  /** Shared by all sessions. */
  uploads: Uploads;
  clock: Clock;
  log: Logger;
  /** Ends the shipping; what is left stays in the spool. */
  signal: AbortSignal;
  /** Told how long after it stood in the spool an object was verified in the store. */
  onShipped?: (key: string, tookMs: number, bytes: number) => void;
}

export class SessionShipper {
  readonly progress: ShipProgress = { shippedObjects: 0, shippedBytes: 0, waitingObjects: 0 };
  readonly #deps: SessionShipperDeps;
  readonly #prefix: string;
  readonly #publisher: Publisher;
  readonly #upload: UploadInTurn;
  /** Objects that no shipped journal names yet; true once they are verified in the store. */
  readonly #objects = new Map<string, Promise<boolean>>();
  #journals: JournalRef[] = [];
  readonly #journalKeys = new Set<string>();
  /** Keys of the journals of which every object was verified in the store, by this process or the one that shipped it. */
  readonly #vouched = new Set<string>();
  #journalChain: Promise<void> = Promise.resolve();
  readonly #startedAt: number;
  #lastPublishedAtMs = -Infinity;
  #publishedJournals = 0;
  #cutTimer: (() => void) | null = null;
  #failure: { error: unknown } | null = null;

  constructor(deps: SessionShipperDeps) {
    this.#deps = deps;
    this.#prefix = sessionPrefix(deps.spool.handle, deps.spool.session);
    this.#publisher = new Publisher(deps.store, deps.spool.handle);
    this.#upload = deps.uploads.session(deps.signal);
    this.#startedAt = deps.clock.monotonic();
    deps.spool.on('object', (object) => this.#enqueueObject(object));
    deps.spool.on('journal', (ref) => this.#enqueueJournal(ref));
  }

  /** Takes over what an earlier process left: everything that the store does not have yet is shipped. */
  async takeOver(earlier: { journals: JournalRef[]; entries: JournalEntry[] }): Promise<void> {
    const waiting = await this.#deps.spool.objectKeys();
    for (const object of journaledObjects(earlier.entries))
      if (waiting.has(object.key)) this.#enqueueObject(object);
    for (const ref of earlier.journals) this.#enqueueJournal(ref);
  }

  /** Cuts the journal every 30 s for as long as the session is recorded. */
  start(): void {
    const tick = (): void => {
      this.#cutTimer = this.#deps.clock.after(PUBLISH_LEAST_MS, tick);
      this.#deps.spool.cutJournal().catch((error: unknown) => {
        this.#deps.log.error({ err: error }, 'the journal cannot be cut');
      });
    };
    this.#cutTimer = this.#deps.clock.after(PUBLISH_LEAST_MS, tick);
  }

  stop(): void {
    this.#cutTimer?.();
    this.#cutTimer = null;
  }

  /** Ships everything up to now and leaves the session open, its manifest up to date. Rejects with the signal's reason. */
  async drain(): Promise<void> {
    this.stop();
    await this.#cutAndDrain();
    if (this.#publishedJournals < this.#journals.length) await this.#publish(this.#journals);
  }

  /**
   * Seals the session: everything recorded is in the store with the size and hash that the manifest says.
   * @param end the last entry of its journals
   * @param made files of the session that lie in the spool (`cover.jpg`), some of them still being made; what is not there
   *   is left out
   * @param derive makes further ones of what is in the store by then, under the manifest that it is given
   */
  async seal(
    end: JournalEntry,
    made: readonly string[] | Promise<readonly string[]>,
    derive?: (manifest: Manifest) => Promise<readonly string[]>,
  ): Promise<Manifest> {
    const { spool, clock } = this.#deps;
    this.stop();
    // Why it ended is written down first: nobody knows it afterwards if this is given up.
    const [files] = await Promise.all([made, this.#write(() => spool.append(end))]);
    await this.#cutAndDrain();
    await this.#persistently('checking the session', () => this.#fetchStrangers());
    const lost = await this.#persistently('checking the session', () => this.#losses());
    await this.#write(() => spool.append(...lossEntries(lost, clock.now())));
    await this.#cutAndDrain();
    const folded = await this.#fold(this.#journals);
    for (const [key, text] of foldedFiles(folded)) await this.#write(() => spool.writeFile(key, text));
    const derived = (await derive?.(folded.manifest)) ?? [];
    const outdated = DERIVED.filter((key) => !derived.includes(key));
    await this.#removeDerived(
      outdated.filter((key) => folded.manifest.files.some((file) => file.key === key)),
    );
    const shipped = new Set<string>();
    for (const key of new Set([...files, ...derived, ...foldedFiles(folded).keys()])) {
      if (await this.#shipFile(key)) shipped.add(key);
    }
    await this.#cutAndDrain();
    const { manifest } = await this.#fold(this.#journals);
    const sealed: Manifest = {
      ...manifest,
      files: await this.#persistently('checking the session', () =>
        this.#present(
          manifest.files.filter(({ key }) => !outdated.includes(key)),
          shipped,
        ),
      ),
      revision: manifest.revision + 1,
      sealedAt: isoUtc(clock.now()),
    };
    await this.#persistently('sealing', () => this.#publisher.publish(sealed, this.#deps.signal));
    await this.#noteIfLate(sealed);
    return sealed;
  }

  /** Of an earlier try to seal, after which the recording went on. Where it can't be removed it is a stray. */
  async #removeDerived(keys: readonly string[]): Promise<void> {
    const { store, signal, log } = this.#deps;
    for (const key of keys) {
      await store.delete(`${this.#prefix}${key}`, signal).catch((error: unknown) => {
        log.debug({ err: error, key }, 'what is of an earlier state of this session cannot be removed');
      });
    }
  }

  /** Whoever keeps a list of the archive looks for new sessions among the newest, and for notes of others. */
  async #noteIfLate({ session, foundAt }: Manifest): Promise<void> {
    const { spool, store, clock, signal } = this.#deps;
    const nowMs = clock.now();
    if (nowMs - Date.parse(foundAt) < LATE_MS) return;
    const key = changeKey(nowMs, { session, handle: spool.handle });
    const options = { contentType: contentTypeOf(key), ...(signal ? { signal } : {}) };
    await this.#persistently('sealing', () => store.put(key, { bytes: Buffer.from('{}\n') }, options));
  }

  async #cutAndDrain(): Promise<void> {
    await this.#write(() => this.#deps.spool.cutJournal());
    let seen = -1;
    while (seen !== this.#journals.length || this.progress.waitingObjects > 0) {
      seen = this.#journals.length;
      await Promise.all(this.#objects.values());
      await this.#journalChain;
      if (this.#failure) throw this.#failure.error;
    }
  }

  #enqueueObject(object: SpooledObject): void {
    const { key } = object;
    if (this.#objects.has(key)) return;
    this.progress.waitingObjects += 1;
    const since = this.#deps.clock.monotonic();
    const shipped = this.#shipObject(object, since)
      .catch((error: unknown) => {
        this.#fail(error);
        return false;
      })
      .finally(() => {
        this.progress.waitingObjects -= 1;
      });
    this.#objects.set(key, shipped);
  }

  /** True once it is verified in the store. */
  async #shipObject({ key, bytes, sha256 }: SpooledObject, since: number): Promise<boolean> {
    const { spool, store, clock, signal, log, onShipped } = this.#deps;
    const object: LocalObject = { key: `${this.#prefix}${key}`, path: spool.pathOf(key), bytes, sha256 };
    const outcome = await this.#upload(`shipping ${object.key}`, bytes, () =>
      shipObject(object, store, signal),
    );
    if (outcome === 'shipped' || outcome === 'held') {
      this.progress.shippedObjects += 1;
      this.progress.shippedBytes += object.bytes;
      onShipped?.(key, clock.monotonic() - since, bytes);
      await spool.dropObject(key).catch((error: unknown) => {
        log.warn({ err: error, key }, 'a shipped object cannot be removed from the spool');
      });
      return true;
    }
    log.error({ key, outcome }, 'a recorded object cannot be shipped; it is set aside in the spool');
    await spool.setAside(key).catch((error: unknown) => {
      log.error({ err: error, key }, 'it cannot be set aside either');
    });
    return false;
  }

  #enqueueJournal(ref: JournalRef): void {
    if (this.#journalKeys.has(ref.key)) return;
    this.#journalKeys.add(ref.key);
    this.#journals.push(ref);
    this.#journalChain = this.#journalChain
      .then(() => this.#shipJournal(ref))
      .catch((error: unknown) => this.#fail(error));
  }

  async #shipJournal(ref: JournalRef): Promise<void> {
    if (this.#failure) return;
    const { spool, store, log, signal } = this.#deps;
    const objects = journaledObjects(await readJournals(spool.folder, [ref]));
    const verified: (boolean | undefined)[] = [];
    for (const { key } of objects) verified.push(await this.#objects.get(key));
    if (this.#failure) return;
    const path = spool.pathOf(ref.key);
    const journal = { key: `${this.#prefix}${ref.key}`, path, ...(await digestOfPath(path)) };
    const outcome = await this.#persistently(`shipping ${journal.key}`, () =>
      shipObject(journal, store, signal),
    );
    if (outcome === 'lost' || outcome === 'conflict') {
      log.error({ key: ref.key, outcome }, 'a journal cannot be shipped');
    }
    // A journal is shipped behind its objects: one that was there already vouches for those that are not here any more.
    if (verified.every((each) => each ?? outcome === 'held')) this.#vouched.add(ref.key);
    for (const { key } of objects) this.#objects.delete(key);
    const isDue = this.#journals.at(-1) === ref && this.#isManifestDue;
    if (isDue) await this.#publish(this.#journals);
    log.debug({ key: ref.key, published: isDue }, 'journal shipped');
  }

  get #isManifestDue(): boolean {
    const nowMs = this.#deps.clock.monotonic();
    const everyMs = publishIntervalMs(nowMs - this.#startedAt);
    // Journals come every 30 s, a timer's slack more or less.
    return nowMs - this.#lastPublishedAtMs >= everyMs - 1_000;
  }

  /** @param journals that are shipped */
  async #publish(journals: readonly JournalRef[]): Promise<void> {
    const shipped = [...journals];
    const { manifest } = await this.#fold(shipped);
    await this.#persistently('publishing', () => this.#publisher.publish(manifest, this.#deps.signal));
    this.#lastPublishedAtMs = this.#deps.clock.monotonic();
    this.#publishedJournals = shipped.length;
  }

  async #fold(journals: readonly JournalRef[]): Promise<FoldedSession> {
    return foldSession(await readJournals(this.#deps.spool.folder, journals), journals.length);
  }

  /** Journals of another recorder's terms, which could not be had when this term began. */
  async #fetchStrangers(): Promise<void> {
    const { store, spool, signal } = this.#deps;
    for await (const { key: fullKey } of store.list(`${this.#prefix}journal/`, { signal })) {
      const key = fullKey.slice(this.#prefix.length);
      const name = parseJournalKey(key);
      if (!name || this.#journalKeys.has(key)) continue;
      await writeFileDurably(spool.pathOf(key), await buffer(await store.get(fullKey, { signal })));
      this.#journalKeys.add(key);
      this.#journals = [...this.#journals, { key, ...name }].sort(byTermAndNumber);
      this.#vouched.add(key);
    }
  }

  /** Segments of the manifest that are not in the store. */
  async #losses(): Promise<Segment[]> {
    const { spool, store, signal } = this.#deps;
    const { manifest } = await this.#fold(this.#journals);
    const doubtful = this.#journals.filter(({ key }) => !this.#vouched.has(key));
    const unverified = new Set(
      journaledObjects(await readJournals(spool.folder, doubtful)).map(({ key }) => key),
    );
    return lostSegments(manifest, {
      store,
      prefix: this.#prefix,
      signal,
      wasVerified: (key) => !unverified.has(key),
    });
  }

  async #present(files: readonly ArchivedFile[], shipped: ReadonlySet<string>): Promise<ArchivedFile[]> {
    const { store, signal, log } = this.#deps;
    const present: ArchivedFile[] = [];
    for (const file of files) {
      const isThere =
        shipped.has(file.key) || (await holds(store, { ...file, key: `${this.#prefix}${file.key}` }, signal));
      if (isThere) present.push(file);
      else log.warn({ key: file.key }, 'a file of this session is not in the store any more');
    }
    return present;
  }

  /** False when it does not lie in the spool. */
  async #shipFile(key: string): Promise<boolean> {
    const { spool, store, clock, signal, log } = this.#deps;
    const path = spool.filePath(key);
    let file: ArchivedFile;
    try {
      file = { key, ...(await digestOfPath(path)) };
    } catch (error) {
      if (!isMissing(error)) throw error;
      log.warn({ key }, 'a file of this session is not in the spool');
      return false;
    }
    await this.#persistently(`shipping ${key}`, async () => {
      const body = { file: path, size: file.bytes };
      await store.put(`${this.#prefix}${key}`, body, { sha256: file.sha256, signal });
    });
    await this.#write(() => spool.append({ type: 'file', at: isoUtc(clock.now()), file }));
    return true;
  }

  #write<T>(step: () => Promise<T>): Promise<T> {
    return this.#persistently('writing to the spool', step);
  }

  #persistently<T>(doing: string, step: () => Promise<T>): Promise<T> {
    return persistently(this.#deps, this.#deps.signal, doing, step);
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    if (!this.#deps.signal.aborted) this.#deps.log.error({ err: error }, 'shipping failed');
  }
}
