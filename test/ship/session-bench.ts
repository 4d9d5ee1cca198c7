/** One session between a spool and a store, with segments that are nothing but words. */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isoUtc } from '../../src/kernel/clock.ts';
import { onTestFinished } from 'vitest';
import { createLogger } from '../../src/kernel/logger.ts';
import { sessionPrefix } from '../../src/layout/keys.ts';
import { decodeManifest } from '../../src/layout/manifest.ts';
import type { JournalEntry, Manifest, Segment } from '../../src/model/manifest.ts';
import { SessionShipper } from '../../src/ship/session-shipper.ts';
import { Uploads } from '../../src/ship/uploads.ts';
import { SessionSpool } from '../../src/spool/session-spool.ts';
import { ManualClock } from '../manual-clock.ts';
import { scratchFolder } from '../spool/scratch.ts';
import { TellingStore } from './telling-store.ts';

export const SESSION = '20261122T000000Z-7300000000000000001';
export const PREFIX = sessionPrefix('alice', SESSION);
const SEGMENT_MS = 6_000;

export const digest = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex');

export class SessionBench {
  readonly root: string;
  readonly store: TellingStore;
  readonly clock: ManualClock;
  readonly giveUp = new AbortController();
  spool!: SessionSpool;
  shipper!: SessionShipper;
  journalsShipped = 0;
  #listeners: (() => void)[] = [];
  #term = 0;
  #startsAtMs: number;

  private constructor(root: string, store: TellingStore, clock: ManualClock) {
    this.root = root;
    this.store = store;
    this.clock = clock;
    this.#startsAtMs = clock.now();
  }

  static async open(options: { store?: TellingStore } = {}): Promise<SessionBench> {
    const root = await scratchFolder();
    const store = options.store ?? new TellingStore(join(root, 'store'));
    const bench = new SessionBench(root, store, new ManualClock());
    await bench.beginTerm();
    return bench;
  }

  /** Another process takes the session over. */
  async beginTerm(term = this.#term + 1): Promise<void> {
    this.#term = term;
    this.spool = await SessionSpool.open(join(this.root, 'spool'), 'alice', SESSION);
    const earlier = await this.spool.earlier();
    const log = createLogger({ level: 'debug', destination: { write: (line) => this.#hear(line) } });
    this.shipper = new SessionShipper({
      store: this.store,
      spool: this.spool,
      uploads: new Uploads({ atOnce: 4, clock: this.clock, log }),
      clock: this.clock,
      log,
      signal: this.giveUp.signal,
    });
    const { spool } = this;
    spool.beginTerm(term);
    // Closes its journal, whatever the test left.
    onTestFinished(() => spool.cutJournal().catch(() => {}));
    await this.spool.append(this.termEntry(term));
    await this.shipper.takeOver(earlier);
  }

  termEntry(term: number): JournalEntry {
    return {
      type: 'term',
      at: this.now(),
      format: 'livestow/1',
      writer: { name: 'livestow', version: '0.0.0' },
      session: SESSION,
      term,
      creator: { handle: 'alice', platformUserId: null, displayName: null },
      room: { roomId: '7300000000000000001', title: null, startedAt: null },
      foundAt: '2026-11-22T00:00:00.000Z',
    };
  }

  now(): string {
    return isoUtc(this.clock.now());
  }

  async epoch(epoch: number, container: 'mpegts' | 'fmp4' = 'mpegts'): Promise<void> {
    const init = container === 'fmp4' ? `segments/${this.#name(epoch)}-init.mp4` : null;
    const bytes = `init ${epoch}`;
    const entry: JournalEntry = {
      type: 'epoch',
      at: this.now(),
      container,
      epoch: {
        term: this.#term,
        epoch,
        codec: container === 'fmp4' ? 'h265' : 'h264',
        width: 640,
        height: 360,
        init,
        initBytes: init === null ? null : bytes.length,
        initSha256: init === null ? null : digest(bytes),
        variant: { codecFamily: 'h264', source: 'primary', qualityKey: 'origin', protocol: 'flv' },
      },
    };
    if (init === null) {
      await this.spool.append(entry);
      return;
    }
    const path = join(await this.spool.engineFolder(this.#term, epoch), 'init.mp4');
    await writeFile(path, bytes);
    await this.spool.addObject(path, { key: init, bytes: bytes.length, sha256: digest(bytes) }, entry);
  }

  /** Closes a segment; gives its key. */
  async segment(epoch: number, n: number, extension: 'ts' | 'm4s' = 'ts'): Promise<string> {
    const { segment, path } = await this.#engineSegment(epoch, n, extension);
    await this.spool.addObject(path, segment, { type: 'segment', at: this.now(), segment });
    return segment.key;
  }

  async #engineSegment(
    epoch: number,
    n: number,
    extension: string,
  ): Promise<{ segment: Segment; path: string }> {
    const name = `${this.#name(epoch)}-${String(n).padStart(6, '0')}.${extension}`;
    const words = `${name}: ${'words '.repeat(n)}`;
    const path = join(await this.spool.engineFolder(this.#term, epoch), name);
    await writeFile(path, words);
    const firstDtsMs = this.#startsAtMs - Date.UTC(2026, 10, 22) + 60_000;
    const segment: Segment = {
      key: `segments/${name}`,
      term: this.#term,
      epoch,
      bytes: words.length,
      sha256: digest(words),
      durationMs: SEGMENT_MS,
      startsAt: isoUtc(this.#startsAtMs),
      pictures: 180,
      audioFrames: 258,
      firstDtsMs,
      lastDtsMs: firstDtsMs + SEGMENT_MS - 33,
    };
    this.#startsAtMs += SEGMENT_MS;
    return { segment, path };
  }

  #name(epoch: number): string {
    return `${String(this.#term).padStart(4, '0')}-${String(epoch).padStart(4, '0')}`;
  }

  endEntry(): JournalEntry {
    return { type: 'end', at: this.now(), endedAt: this.now(), endCause: 'room-ended' };
  }

  /** Lets the clock run until the step is done: waits between tries pass. */
  async passing<T>(step: Promise<T>): Promise<T> {
    const over = new AbortController();
    const settled = step.finally(() => over.abort());
    settled.catch(() => {});
    while (!over.signal.aborted) {
      await Promise.race([settled, this.clock.waiting()]).catch(() => {});
      if (!over.signal.aborted) await this.clock.advance(1_000);
    }
    return settled;
  }

  #hear(line: string): void {
    if (line.includes('journal shipped')) this.journalsShipped += 1;
    for (const tell of this.#listeners.splice(0)) tell();
  }

  /** Resolves when the condition holds; it is looked at whenever something was logged or written. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.#listeners.push(resolve);
        this.store.onWritten = resolve;
      });
    }
  }

  seal(files: string[] = []): Promise<Manifest> {
    return this.passing(this.shipper.seal(this.endEntry(), files));
  }

  inStore(key: string): Promise<string> {
    return readFile(join(this.root, 'store', PREFIX, key), 'utf8');
  }

  storePath(key: string): string {
    return join(this.root, 'store', PREFIX, key);
  }

  async manifest(): Promise<Manifest> {
    return decodeManifest(await this.inStore('manifest.json'), 'manifest.json');
  }
}
