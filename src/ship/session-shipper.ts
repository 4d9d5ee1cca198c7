/**
 * Ships one session: every closed object at once, each journal once all that it names is in the store, then manifest,
 * playlists, summary and index; at the end it seals. Nothing here remembers what was shipped across processes: that is
 * what the store says.
 *
 * A local object goes only after the store's copy was verified. What can't be shipped for good (damaged or deleted in the
 * spool, or another object under its key) becomes a `lost` entry and a gap, so that sealing never hangs.
 */
import { stat } from 'node:fs/promises';
import type PQueue from 'p-queue';
import { isoUtc, type Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import { foldSession, type FoldedSession } from '../layout/fold.ts';
import { sessionPrefix } from '../layout/keys.ts';
import type { ArchivedFile, JournalEntry, Manifest, Segment } from '../model/manifest.ts';
import { readJournals, type JournalRef } from '../spool/journal-file.ts';
import type { SessionSpool, SpooledObject } from '../spool/session-spool.ts';
import type { Store } from '../store/store.ts';
import { sha256OfFile } from './digest.ts';
import { foldedFiles, publish } from './publish.ts';
import { holds, persistently, shipObject, type LocalObject } from './ship-object.ts';

/** The manifest is rewritten at most this often ... */
const PUBLISH_LEAST_MS = 30_000;
/** ... and at most this many times per length of the recording, so that a day of it costs megabytes, not gigabytes. */
const PUBLISH_SHARE = 1 / 40;

export interface ShipProgress {
  shippedObjects: number;
  shippedBytes: number;
  waitingObjects: number;
}

export interface SessionShipperDeps {
  store: Store;
  spool: SessionSpool;
  /** Shared by all sessions: what runs at once. */
  queue: PQueue;
  clock: Clock;
  log: Logger;
  /** Ends the shipping; what is left stays in the spool. */
  signal: AbortSignal;
  /** Told how long after it stood in the spool an object was verified in the store. */
  onShipped?: (key: string, tookMs: number) => void;
}

export class SessionShipper {
  readonly progress: ShipProgress = { shippedObjects: 0, shippedBytes: 0, waitingObjects: 0 };
  readonly #deps: SessionShipperDeps;
  readonly #prefix: string;
  /** Verified in the store by this process. */
  readonly #verified = new Set<string>();
  readonly #objects = new Map<string, Promise<void>>();
  readonly #journals: JournalRef[] = [];
  #journalChain: Promise<void> = Promise.resolve();
  readonly #startedAt: number;
  #lastPublishedAtMs = -Infinity;
  #cutTimer: (() => void) | null = null;
  #failure: { error: unknown } | null = null;

  constructor(deps: SessionShipperDeps) {
    this.#deps = deps;
    this.#prefix = sessionPrefix(deps.spool.handle, deps.spool.session);
    this.#startedAt = deps.clock.monotonic();
    deps.spool.on('object', (object) => this.#enqueueObject(object));
    deps.spool.on('journal', (ref) => this.#enqueueJournal(ref));
  }

  /** Takes over what an earlier process left: everything that the store does not have yet is shipped. */
  async takeOver(earlier: { journals: JournalRef[]; entries: JournalEntry[] }): Promise<void> {
    for (const object of objectsOf(earlier.entries)) {
      if ((await this.#deps.spool.sizeOf(object.key)) !== undefined) this.#enqueueObject(object);
    }
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

  /** Resolves when everything that was handed over is in the store. Rejects with the signal's reason. */
  async drained(): Promise<void> {
    let seen = -1;
    while (seen !== this.#objects.size + this.#journals.length) {
      seen = this.#objects.size + this.#journals.length;
      await Promise.all(this.#objects.values());
      await this.#journalChain;
    }
    if (this.#failure) throw this.#failure.error;
  }

  /**
   * Seals the session: everything recorded is in the store with the size and hash that the manifest says.
   * @param files further files of the session that lie in the spool (`cover.jpg`)
   */
  async seal(files: readonly string[]): Promise<Manifest> {
    const { spool, clock, log, signal, store } = this.#deps;
    this.stop();
    await spool.cutJournal();
    await this.drained();
    await persistently({ clock, log }, signal, 'checking the session', () => this.#settleLosses());
    const folded = await this.#fold(this.#journals);
    for (const [key, text] of foldedFiles(folded)) await spool.writeFile(key, text);
    for (const key of new Set([...files, ...foldedFiles(folded).keys()])) await this.#shipFile(key);
    await spool.cutJournal();
    await this.drained();
    const sealed = await this.#fold(this.#journals);
    const manifest: Manifest = {
      ...sealed.manifest,
      revision: sealed.manifest.revision + 1,
      sealedAt: isoUtc(clock.now()),
    };
    await persistently({ clock, log }, signal, 'sealing', () =>
      publish(store, spool.handle, manifest, signal),
    );
    return manifest;
  }

  #enqueueObject(object: SpooledObject): void {
    const { key } = object;
    if (this.#objects.has(key)) return;
    this.progress.waitingObjects += 1;
    const since = this.#deps.clock.monotonic();
    const shipped = this.#deps.queue
      .add(() => this.#shipObject(object, since))
      .catch((error: unknown) => this.#fail(error));
    this.#objects.set(key, shipped);
  }

  async #shipObject({ key, bytes, sha256 }: SpooledObject, since: number): Promise<void> {
    const { spool, clock, signal, onShipped } = this.#deps;
    const object: LocalObject = { key: `${this.#prefix}${key}`, path: spool.pathOf(key), bytes, sha256 };
    const outcome = await shipObject(object, this.#deps, signal);
    this.progress.waitingObjects -= 1;
    if (outcome === 'shipped') {
      this.#verified.add(key);
      this.progress.shippedObjects += 1;
      this.progress.shippedBytes += object.bytes;
      onShipped?.(key, clock.monotonic() - since);
      await spool.dropObject(key);
      return;
    }
    this.#deps.log.error(
      { key, outcome },
      'a recorded object cannot be shipped; it is set aside in the spool',
    );
    if ((await spool.sizeOf(key)) !== undefined) await spool.setAside(key);
  }

  #enqueueJournal(ref: JournalRef): void {
    if (this.#journals.some(({ key }) => key === ref.key)) return;
    this.#journals.push(ref);
    this.#journalChain = this.#journalChain
      .then(() => this.#shipJournal(ref))
      .catch((error: unknown) => this.#fail(error));
  }

  async #shipJournal(ref: JournalRef): Promise<void> {
    if (this.#failure) return;
    const { spool, clock, log, signal, store } = this.#deps;
    for (const { key } of objectsOf(await readJournals(spool.folder, [ref]))) await this.#objects.get(key);
    const path = spool.pathOf(ref.key);
    const object: LocalObject = {
      key: `${this.#prefix}${ref.key}`,
      path,
      bytes: (await stat(path)).size,
      sha256: await sha256OfFile(path),
    };
    const outcome = await shipObject(object, this.#deps, signal);
    if (outcome !== 'shipped') log.error({ key: ref.key, outcome }, 'a journal cannot be shipped');
    const isLast = this.#journals.at(-1) === ref;
    const recordedMs = clock.monotonic() - this.#startedAt;
    const due = Math.max(PUBLISH_LEAST_MS, recordedMs * PUBLISH_SHARE);
    if (!isLast || clock.monotonic() - this.#lastPublishedAtMs < due - 1_000) return;
    const shipped = this.#journals.slice(0, this.#journals.indexOf(ref) + 1);
    const { manifest } = await this.#fold(shipped);
    await persistently({ clock, log }, signal, 'publishing', () =>
      publish(store, spool.handle, manifest, signal),
    );
    this.#lastPublishedAtMs = clock.monotonic();
  }

  async #fold(journals: readonly JournalRef[]): Promise<FoldedSession> {
    return foldSession(await readJournals(this.#deps.spool.folder, journals), journals.length);
  }

  /** Every object of the manifest must be in the store; one that is not is shipped if it is here, else a gap. */
  async #settleLosses(): Promise<void> {
    const { spool, clock, store, signal } = this.#deps;
    const { manifest } = await this.#fold(this.#journals);
    const lost: Segment[] = [];
    const inStore = async (object: SpooledObject): Promise<boolean> =>
      this.#verified.has(object.key) ||
      holds(store, { ...object, key: `${this.#prefix}${object.key}` }, signal);
    const lostEpochs = new Set<string>();
    for (const { term, epoch, init, initBytes, initSha256 } of manifest.epochs) {
      if (init === null) continue;
      const object = { key: init, bytes: initBytes ?? 0, sha256: initSha256 ?? '' };
      if (!(await inStore(object))) lostEpochs.add(`${term}-${epoch}`);
    }
    for (const segment of manifest.segments) {
      const decodable = !lostEpochs.has(`${segment.term}-${segment.epoch}`);
      if (!decodable || !(await inStore(segment))) lost.push(segment);
    }
    if (lost.length === 0) return;
    const at = isoUtc(clock.now());
    const entries = lost.flatMap((segment): JournalEntry[] => {
      const from = Date.parse(segment.startsAt);
      const ms = segment.durationMs;
      const gap = {
        after: segment.key,
        from: segment.startsAt,
        to: isoUtc(from + ms),
        ms,
        cause: 'lost-locally' as const,
      };
      return [
        { type: 'lost', at, key: segment.key },
        { type: 'gap', at, gap },
      ];
    });
    await spool.append(...entries);
    await spool.cutJournal();
    await this.drained();
  }

  async #shipFile(key: string): Promise<void> {
    const { spool, store, clock, log, signal } = this.#deps;
    const path = spool.filePath(key);
    const file: ArchivedFile = { key, bytes: (await stat(path)).size, sha256: await sha256OfFile(path) };
    await persistently({ clock, log }, signal, `shipping ${key}`, async () => {
      await store.put(
        `${this.#prefix}${key}`,
        { file: path, size: file.bytes },
        { sha256: file.sha256, signal },
      );
    });
    await spool.append({ type: 'file', at: isoUtc(clock.now()), file });
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    if (!this.#deps.signal.aborted) this.#deps.log.error({ err: error }, 'shipping failed');
  }
}

/** The segments and init files that journal entries name. */
function objectsOf(entries: readonly JournalEntry[]): SpooledObject[] {
  return entries.flatMap((entry) => {
    if (entry.type === 'segment') return [entry.segment];
    if (entry.type !== 'epoch' || entry.epoch.init === null) return [];
    const { init, initBytes, initSha256 } = entry.epoch;
    return [{ key: init, bytes: initBytes ?? 0, sha256: initSha256 ?? '' }];
  });
}
