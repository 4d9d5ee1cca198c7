/**
 * Keeps a reserve on the spool's disk that no recording uses up. Looks at how much is free, more often the nearer the
 * reserve is, and tells each recording of this process what that leaves it:
 *
 * - ample: all is well
 * - low: less than twice the reserve is free; it is said, nothing else
 * - lower: less than one and a half of it; recordings go to lower variants
 * - out: the reserve is reached; recording stops. Of several, the less important stop a little before the others
 *
 * A level is left again when a quarter more is free than where it began. What is recorded is closed, shipped and sealed
 * within the reserve. Each process acts on its own, and knows no other.
 */
import { EventEmitter } from 'node:events';
import { formatBytes } from '../kernel/byte-size.ts';
import type { Clock } from '../kernel/clock.ts';
import { freeBytes } from '../kernel/files.ts';
import type { Logger } from '../kernel/logger.ts';

const LEVELS = ['ample', 'low', 'lower', 'out'] as const;
export type DiskLevel = (typeof LEVELS)[number];

/** In reserves. */
const BEGINS_BELOW = { low: 2, lower: 1.5, out: 1 } as const;
const LEFT_AT = 1.25;
/** So much before the most important recording the least important one stops, in reserves. */
const LEAST_IMPORTANT_AHEAD = 0.25;

const LOOK_LEAST_MS = 250;
const LOOK_MOST_MS = 5_000;
/** Nobody fills a disk from one moment to the next; slower than this is not reckoned with. */
const FILLED_PER_MS = (8 * 1024 * 1024) / 1_000;
/** Looks before the reserve would be reached. */
const LOOKS_AHEAD = 4;

const TOLD: Record<DiskLevel, string> = {
  ample: 'the disk of the spool has room again',
  low: 'the disk of the spool nears its reserve',
  lower: 'the disk of the spool nears its reserve: recordings go to lower variants where there are any',
  out: 'the disk of the spool has no room but its reserve: recording stops until there is more',
};

export interface DiskGuardOptions {
  /** On the disk in question; has to be there when the first recording joins. */
  folder: string;
  /** 0: none is kept. */
  reserveBytes: number;
  clock: Clock;
  log: Logger;
  /** Told of the level of the disk as a whole, when it becomes another. */
  onLevel?: (level: DiskLevel, freeBytes: number) => void;
}

/** What the disk leaves one recording. */
export class DiskShare extends EventEmitter<{ level: [level: DiskLevel, freeBytes: number] }> {
  readonly priority: number;
  readonly #onLeave: () => void;
  #level: DiskLevel = 'ample';
  #freeBytes = 0;
  #full = new AbortController();

  constructor(priority: number, onLeave: () => void) {
    super();
    this.priority = priority;
    this.#onLeave = onLeave;
  }

  get level(): DiskLevel {
    return this.#level;
  }

  /** When the level was reached. */
  get freeBytes(): number {
    return this.#freeBytes;
  }

  /** Aborts when nothing more may be recorded; another one once there is room again. */
  get full(): AbortSignal {
    return this.#full.signal;
  }

  /** Resolves when something may be recorded, or when the signal aborts. */
  async room(signal: AbortSignal): Promise<void> {
    while (this.#level === 'out' && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const go = (): void => resolve();
      this.once('level', go);
      signal.addEventListener('abort', go, { once: true });
      await promise;
      this.off('level', go);
      signal.removeEventListener('abort', go);
    }
  }

  leave(): void {
    this.#onLeave();
  }

  /** By the guard alone. */
  reach(level: DiskLevel, free: number): void {
    if (level === this.#level) return;
    if (this.#level === 'out') this.#full = new AbortController();
    this.#level = level;
    this.#freeBytes = free;
    if (level === 'out') this.#full.abort();
    this.emit('level', level, free);
  }
}

export class DiskGuard {
  readonly #options: DiskGuardOptions;
  /** The more important first; among equals the older. */
  #shares: DiskShare[] = [];
  #level: DiskLevel = 'ample';
  #seen: { freeBytes: number; atMs: number } | null = null;
  #looking: Promise<void> | null = null;
  #cancel: (() => void) | null = null;

  constructor(options: DiskGuardOptions) {
    this.#options = options;
  }

  /**
   * A recording begins. Its level is known when this resolves.
   * @param priority the higher, the later it stops; among equals the youngest stops first
   */
  async join(priority = 0): Promise<DiskShare> {
    const share: DiskShare = new DiskShare(priority, () => {
      this.#shares = this.#shares.filter((each) => each !== share);
      if (this.#shares.length > 0) return;
      this.#cancel?.();
      this.#cancel = null;
      this.#seen = null;
    });
    this.#shares = [...this.#shares, share].sort((a, b) => b.priority - a.priority);
    await this.#look();
    return share;
  }

  #look(): Promise<void> {
    if (this.#options.reserveBytes === 0) return Promise.resolve();
    this.#looking ??= this.#lookOnce().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  async #lookOnce(): Promise<void> {
    const { folder, reserveBytes, clock, log } = this.#options;
    this.#cancel?.();
    const before = this.#seen;
    let nextMs = LOOK_MOST_MS;
    try {
      const seen = { freeBytes: await freeBytes(folder), atMs: clock.monotonic() };
      const elapsedMs = Math.max(LOOK_LEAST_MS, seen.atMs - (before?.atMs ?? seen.atMs));
      const filled = before ? Math.max(0, before.freeBytes - seen.freeBytes) / elapsedMs : 0;
      const aboveBytes = seen.freeBytes - reserveBytes;
      const lookMs = aboveBytes / Math.max(filled, FILLED_PER_MS) / LOOKS_AHEAD;
      nextMs = Math.min(Math.max(lookMs, LOOK_LEAST_MS), LOOK_MOST_MS);
      this.#seen = seen;
      // What will be there at the next look, if it goes on like this.
      this.#tell(seen.freeBytes - filled * nextMs, seen.freeBytes);
    } catch (error) {
      log.warn({ err: error }, 'the disk of the spool does not say how much room it has');
    }
    if (this.#shares.length > 0) this.#cancel = clock.after(nextMs, () => void this.#look());
  }

  #tell(expectedBytes: number, free: number): void {
    const { reserveBytes, log } = this.#options;
    const reserves = expectedBytes / reserveBytes;
    const level = levelAt(reserves, this.#level, BEGINS_BELOW.out);
    if (level !== this.#level) {
      this.#level = level;
      const facts = { freeBytes: free, reserveBytes };
      if (level === 'ample') log.info(facts, TOLD[level]);
      else log.warn({ ...facts, hint: hintOf(free, reserveBytes) }, TOLD[level]);
      this.#options.onLevel?.(level, free);
    }
    const last = Math.max(1, this.#shares.length - 1);
    for (const [place, share] of this.#shares.entries()) {
      const outBelow = BEGINS_BELOW.out + (LEAST_IMPORTANT_AHEAD * place) / last;
      share.reach(levelAt(reserves, share.level, outBelow), free);
    }
  }
}

function levelAt(reserves: number, before: DiskLevel, outBelow: number): DiskLevel {
  const isBelow = (level: DiskLevel, begins: number): boolean =>
    reserves < begins * (LEVELS.indexOf(before) >= LEVELS.indexOf(level) ? LEFT_AT : 1);
  if (isBelow('out', outBelow)) return 'out';
  if (isBelow('lower', BEGINS_BELOW.lower)) return 'lower';
  return isBelow('low', BEGINS_BELOW.low) ? 'low' : 'ample';
}

const hintOf = (free: number, reserveBytes: number): string =>
  `${formatBytes(free)} are free, ${formatBytes(reserveBytes)} stay so (--disk-reserve): make room, or see why the store does not take what lies in the spool`;
