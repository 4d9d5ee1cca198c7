/**
 * What recording takes of the line and of the machine, and how many more may begin. Looked at every 5 s while there is a
 * limit, and never else. What is recorded goes on as it is, whatever is measured.
 */
import { cpus } from 'node:os';
import type { Clock } from '../kernel/clock.ts';
import type { Places } from '../kernel/places.ts';

const LOOK_MS = 5_000;
/** HLS comes in lumps: what is received is the mean of so many looks. */
const MEAN_LOOKS = 6;

/** What may hold a recording back beside the number of places. */
export type LoadLimit = 'bandwidth' | 'cpu';

/** Null: there is none. */
export interface LoadLimits {
  downloadBytesPerSecond: number | null;
  uploadBytesPerSecond: number | null;
  cpuShare: number | null;
}

/** Since whenever; of all cores together. */
export interface CpuTime {
  busyMs: number;
  totalMs: number;
}

export interface LoadWatchDeps {
  clock: Clock;
  places: Places<LoadLimit>;
  receivedBytes: () => number;
  shippedBytes: () => number;
  cpuTime?: () => CpuTime;
}

/** Null: not measured, and no limit. */
export type Load = Record<keyof LoadLimits, { used: number | null; most: number | null }>;

/** All of it only grows. */
interface Sample {
  atMs: number;
  receivedBytes: number;
  shippedBytes: number;
  cpu: CpuTime;
  /** Of all recordings, one beside the other. */
  recordingMs: number;
}

export class LoadWatch {
  readonly #deps: LoadWatchDeps;
  #limits: LoadLimits;
  /** Oldest first. */
  #samples: Sample[] = [];
  #cancel: (() => void) | null = null;

  constructor(deps: LoadWatchDeps, limits: LoadLimits) {
    this.#deps = deps;
    this.#limits = limits;
    this.#begin();
  }

  /** Holds at once. */
  set limits(limits: LoadLimits) {
    this.#limits = limits;
    this.#begin();
  }

  get load(): Load {
    const { downloadBytesPerSecond, uploadBytesPerSecond, cpuShare } = this.#limits;
    return {
      downloadBytesPerSecond: { used: this.#perSecond('receivedBytes'), most: downloadBytesPerSecond },
      uploadBytesPerSecond: { used: this.#perSecond('shippedBytes'), most: uploadBytesPerSecond },
      cpuShare: { used: this.#cpuShare, most: cpuShare },
    };
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  #begin(): void {
    const { downloadBytesPerSecond, uploadBytesPerSecond, cpuShare } = this.#limits;
    if (downloadBytesPerSecond === null && uploadBytesPerSecond === null && cpuShare === null) {
      this.close();
      this.#samples = [];
      this.#deps.places.admitAll();
    } else if (this.#cancel) this.#admit();
    else this.#look();
  }

  readonly #look = (): void => {
    const { clock, places, receivedBytes, shippedBytes, cpuTime = cpuTimeOfMachine } = this.#deps;
    const atMs = clock.awake();
    const before = this.#samples.at(-1);
    const recordingMs = before ? before.recordingMs + places.taken * (atMs - before.atMs) : 0;
    const counted = { receivedBytes: receivedBytes(), shippedBytes: shippedBytes(), cpu: cpuTime() };
    this.#samples = [...this.#samples.slice(-MEAN_LOOKS), { atMs, recordingMs, ...counted }];
    this.#cancel = clock.after(LOOK_MS, this.#look);
    this.#admit();
  };

  #admit(): void {
    const { places } = this.#deps;
    const limits = [this.#moreByBandwidth, this.#moreByCpu].filter((limit) => limit !== null);
    const tightest = limits.toSorted((a, b) => a.more - b.more)[0];
    if (tightest) places.admit(tightest.more, tightest.why);
    else places.admitAll();
  }

  #perSecond(what: 'receivedBytes' | 'shippedBytes'): number | null {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (!first || !last || last.atMs === first.atMs) return null;
    return ((last[what] - first[what]) * 1_000) / (last.atMs - first.atMs);
  }

  /**
   * What one takes in the mean is reckoned for each that there is: some may just have begun. As long as nothing was
   * measured, nobody comes.
   */
  get #moreByBandwidth(): { more: number; why: LoadLimit } | null {
    const { downloadBytesPerSecond: most } = this.#limits;
    if (most === null) return null;
    const { taken } = this.#deps.places;
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    const recordedMs = first && last ? last.recordingMs - first.recordingMs : 0;
    if (!first || !last || recordedMs === 0) return { more: 0, why: 'bandwidth' };
    const each = ((last.receivedBytes - first.receivedBytes) * 1_000) / recordedMs;
    const room = most - each * taken;
    return { more: each > room ? 0 : moreInto(room, each, taken), why: 'bandwidth' };
  }

  /** What others take of the machine cannot be told from what recordings do: one is let in as long as there is any room. */
  get #moreByCpu(): { more: number; why: LoadLimit } | null {
    const { cpuShare: most } = this.#limits;
    if (most === null) return null;
    const { taken } = this.#deps.places;
    const used = this.#cpuShare;
    if (used === null) return { more: 0, why: 'cpu' };
    return { more: used >= most ? 0 : moreInto(most - used, used / Math.max(1, taken), taken), why: 'cpu' };
  }

  /** Between the last two looks. */
  get #cpuShare(): number | null {
    const [before, last] = this.#samples.slice(-2);
    const totalMs = before && last ? last.cpu.totalMs - before.cpu.totalMs : 0;
    return before && last && totalMs > 0 ? (last.cpu.busyMs - before.cpu.busyMs) / totalMs : null;
  }
}

/**
 * How many may begin until the next look, where there is room for one. They fill half of the room at most, because what
 * began last does not take all of its part yet, and are no more than there are, because a mean of few says little: so
 * sixty that are live when it starts are recorded after half a minute, and near the limit they come one by one.
 */
export function moreInto(room: number, each: number, taken: number): number {
  const fitting = each > 0 ? Math.floor(room / each / 2) : Infinity;
  return Math.max(1, Math.min(taken, fitting));
}

function cpuTimeOfMachine(): CpuTime {
  let [busyMs, totalMs] = [0, 0];
  for (const { times } of cpus()) {
    const allMs = times.user + times.nice + times.sys + times.irq + times.idle;
    totalMs += allMs;
    busyMs += allMs - times.idle;
  }
  return { busyMs, totalMs };
}
