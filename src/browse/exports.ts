/**
 * MP4s that somebody asked for on a page: made one at a time in a folder of their own, told of while they are, kept for a
 * while to be fetched, then removed. They are for whoever has the address of the session; nothing survives a restart:
 * what a process left that was killed is removed by the next one.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import PQueue from 'p-queue';
import { exportSession, type ExportedFile } from '../archive/export.ts';
import type { Moment } from '../archive/export-range.ts';
import type { SessionRef } from '../archive/session-reader.ts';
import type { Clock } from '../kernel/clock.ts';
import { LivestowError, messageOf } from '../kernel/errors.ts';
import { freeBytes } from '../kernel/files.ts';
import type { Logger } from '../kernel/logger.ts';
import { lockFolder, type FolderLock } from '../spool/folder-lock.ts';
import type { Store } from '../store/store.ts';

const PREFIX = 'exports-';
const KEPT_MS = 3_600_000;
const MOST_WAITING = 10;
const NICENESS = 10;
/** Segments and MP4 are there at once. */
const ROOM_FACTOR = 2.2;

export interface ExportOrder extends SessionRef {
  /** Null: from the beginning, to the end. */
  from: Moment | null;
  to: Moment | null;
}

export interface OrderedExport extends ExportOrder {
  id: string;
  state: 'waiting' | 'working' | 'done' | 'failed';
  /** From 0 to 1. */
  done: number;
  files: readonly ExportedFile[];
  /** Of segments that are damaged and not in it. */
  leftOut: number;
  problem: string | null;
}

export interface ExportsOptions {
  store: Store;
  /** Where a folder for these alone is made, beside those of others. */
  parent: string;
  /** Of its disk, so much stays free: recordings may need it. */
  reserveBytes: number;
  ffmpegPath: () => Promise<string>;
  clock: Clock;
  log: Logger;
}

interface Entry extends OrderedExport {
  stop: AbortController;
  /** Resolves when nothing is written any more. */
  made: Promise<void>;
  forget: () => void;
}

export class Exports {
  readonly #options: ExportsOptions;
  readonly #folder: string;
  /** Held from the first export on. */
  #lock: FolderLock | undefined;
  readonly #queue = new PQueue({ concurrency: 1 });
  readonly #orders = new Map<string, Entry>();

  private constructor(options: ExportsOptions) {
    this.#options = options;
    this.#folder = join(options.parent, `${PREFIX}${randomUUID()}`);
  }

  static async open(options: ExportsOptions): Promise<Exports> {
    await removeLeftBehind(options.parent);
    return new Exports(options);
  }

  /** Newest first. */
  of({ handle, session }: SessionRef): OrderedExport[] {
    return [...this.#orders.values()]
      .filter((order) => order.handle === handle && order.session === session)
      .reverse();
  }

  /** @throws UNAVAILABLE when too many wait */
  order(order: ExportOrder): OrderedExport {
    if (this.#queue.size >= MOST_WAITING)
      throw new LivestowError('UNAVAILABLE', `${MOST_WAITING} exports wait already`, { retryable: true });
    const entry: Entry = {
      ...order,
      id: randomBytes(9).toString('base64url'),
      state: 'waiting',
      done: 0,
      files: [],
      leftOut: 0,
      problem: null,
      stop: new AbortController(),
      made: Promise.resolve(),
      forget: () => {},
    };
    this.#orders.set(entry.id, entry);
    void this.#queue.add(() => (entry.made = this.#make(entry)));
    return entry;
  }

  /** Where a finished one lies; undefined: there is none of this name. */
  pathOf(ref: SessionRef, id: string, name: string): string | undefined {
    const order = this.of(ref).find((each) => each.id === id && each.state === 'done');
    return order?.files.find(({ path }) => basename(path) === name)?.path;
  }

  async cancel(ref: SessionRef, id: string): Promise<void> {
    if (this.of(ref).some((order) => order.id === id)) await this.#drop(id);
  }

  async close(): Promise<void> {
    for (const id of this.#orders.keys()) await this.#drop(id);
    await this.#queue.onIdle();
    await this.#remove(this.#folder);
    this.#lock?.release();
  }

  async #make(order: Entry): Promise<void> {
    const { store, ffmpegPath, clock, log } = this.#options;
    const { signal } = order.stop;
    if (signal.aborted) return;
    order.state = 'working';
    try {
      this.#lock ??= lockFolder(this.#folder, { message: `${this.#folder} is in use`, hint: 'try again' });
      const folder = await mkdtemp(join(this.#folder, `${order.id}-`));
      const made = await exportSession(store, order, {
        out: join(folder, `${order.handle}-${order.session}.mp4`),
        force: false,
        ffmpegPath: await ffmpegPath(),
        ...(order.from ? { from: order.from } : {}),
        ...(order.to ? { to: order.to } : {}),
        niceness: NICENESS,
        onPlanned: (bytes) => this.#requireRoom(bytes),
        onProgress: (done) => (order.done = done),
        signal,
      });
      order.files = made.files;
      order.leftOut = made.leftOut.length;
      order.state = made.files.length > 0 ? 'done' : 'failed';
      if (made.files.length === 0) order.problem = 'nothing of it can be exported';
    } catch (error) {
      order.state = 'failed';
      order.problem = messageOf(error);
      if (!signal.aborted) log.warn({ err: error, session: order.session }, 'an export failed');
    }
    if (!signal.aborted) order.forget = clock.after(KEPT_MS, () => void this.#drop(order.id));
  }

  async #requireRoom(bytes: number): Promise<void> {
    const free = await freeBytes(this.#folder);
    if (free < bytes * ROOM_FACTOR + this.#options.reserveBytes)
      throw new LivestowError('UNAVAILABLE', 'there is no room for it on the disk of livestow');
  }

  async #drop(id: string): Promise<void> {
    const order = this.#orders.get(id);
    if (!order) return;
    this.#orders.delete(id);
    order.forget();
    order.stop.abort();
    await order.made;
    for (const name of await namesIn(this.#folder))
      if (name.startsWith(`${id}-`)) await this.#remove(join(this.#folder, name));
  }

  /** Never rejects: nobody waits for it as a rule, and the next process tries again. */
  async #remove(path: string): Promise<void> {
    try {
      await rm(path, { recursive: true, force: true });
    } catch (error) {
      this.#options.log.warn({ err: error, path }, 'an export could not be removed');
    }
  }
}

/** Those of processes that are not there any more. */
async function removeLeftBehind(parent: string): Promise<void> {
  for (const name of await namesIn(parent)) {
    if (!name.startsWith(PREFIX)) continue;
    const folder = join(parent, name);
    try {
      lockFolder(folder, { message: `${folder} is in use`, hint: 'leave it' }).release();
      await rm(folder, { recursive: true, force: true });
    } catch {
      // In use, or somebody else's.
    }
  }
}

/** None where it cannot be listed: there is nothing to tidy up, then. */
const namesIn = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);
