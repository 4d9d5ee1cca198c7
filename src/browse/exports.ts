/**
 * MP4s that somebody asked for on a page: made one at a time in a folder of their own, told of while they are, kept for a
 * while to be fetched, then removed. They are for whoever has the address of the session; nothing survives a restart.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import PQueue from 'p-queue';
import { exportSession, type ExportedFile } from '../archive/export.ts';
import type { Moment } from '../archive/export-range.ts';
import type { SessionRef } from '../archive/session-reader.ts';
import type { Clock } from '../kernel/clock.ts';
import { LivestowError, messageOf } from '../kernel/errors.ts';
import { freeBytes } from '../kernel/files.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Store } from '../store/store.ts';

const KEPT_MS = 3_600_000;
const MOST_WAITING = 10;
const NICENESS = 10;
/** Segments and MP4 are there at once. */
const ROOM_FACTOR = 2.2;

export interface ExportOrder extends SessionRef {
  /** Null: from the beginning, to the end. */
  from: Moment | null;
  to: Moment | null;
  bytes: number;
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
  /** A folder for these alone. */
  folder: string;
  ffmpegPath: () => Promise<string>;
  clock: Clock;
  log: Logger;
}

export class Exports {
  readonly #options: ExportsOptions;
  readonly #queue = new PQueue({ concurrency: 1 });
  readonly #orders = new Map<string, OrderedExport & { stop: AbortController; folder: string | null }>();

  constructor(options: ExportsOptions) {
    this.#options = options;
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
    const entry = {
      ...order,
      id: randomBytes(9).toString('base64url'),
      state: 'waiting' as OrderedExport['state'],
      done: 0,
      files: [] as readonly ExportedFile[],
      leftOut: 0,
      problem: null as string | null,
      stop: new AbortController(),
      folder: null as string | null,
    };
    this.#orders.set(entry.id, entry);
    void this.#queue.add(() => this.#make(entry));
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
    await rm(this.#options.folder, { recursive: true, force: true });
  }

  async #make(order: OrderedExport & { stop: AbortController; folder: string | null }): Promise<void> {
    const { store, folder, ffmpegPath, clock, log } = this.#options;
    if (order.stop.signal.aborted) return;
    order.state = 'working';
    try {
      await mkdir(folder, { recursive: true });
      if ((await freeBytes(folder)) < order.bytes * ROOM_FACTOR)
        throw new LivestowError('UNAVAILABLE', 'there is no room for it on the disk of livestow');
      order.folder = await mkdtemp(join(folder, 'export-'));
      const made = await exportSession(store, order, {
        out: join(order.folder, `${order.handle}-${order.session}.mp4`),
        force: false,
        ffmpegPath: await ffmpegPath(),
        ...(order.from ? { from: order.from } : {}),
        ...(order.to ? { to: order.to } : {}),
        niceness: NICENESS,
        onProgress: (done) => (order.done = done),
        signal: order.stop.signal,
      });
      order.files = made.files;
      order.leftOut = made.leftOut.length;
      order.state = made.files.length > 0 ? 'done' : 'failed';
      if (made.files.length === 0) order.problem = 'nothing of it can be exported';
    } catch (error) {
      order.state = 'failed';
      order.problem = messageOf(error);
      if (!order.stop.signal.aborted) log.warn({ err: error, session: order.session }, 'an export failed');
    }
    clock.after(KEPT_MS, () => void this.#drop(order.id));
  }

  async #drop(id: string): Promise<void> {
    const order = this.#orders.get(id);
    this.#orders.delete(id);
    order?.stop.abort();
    if (order?.folder) await rm(order.folder, { recursive: true, force: true });
  }
}
