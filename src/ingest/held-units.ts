/**
 * Units that a time line holds back while it is not known where they go: behind a new connection, at a step of the
 * source's clock, at media that looks as if it had been there before. Configurations are held in their place.
 */
import {
  isConfig,
  type AudioConfig,
  type MediaPacket,
  type MediaUnit,
  type VideoConfig,
} from '../media/packet.ts';
import { printOf } from './recent-media.ts';
import { JUMP_MS, type Arrived } from './source-clock.ts';

const BYTES_MAX = 32 * 1024 * 1024;
/** Half a minute of pictures and sound, at more than the usual rate. */
const PACKETS_MAX = 4_096;
/** Up to so many, each packet is a reason to look again; of more, half as many again. */
const FEW = 64;

export interface Configs {
  video: VideoConfig | null;
  audio: AudioConfig | null;
}

export interface HeldUnit {
  unit: MediaUnit;
  arrivedAtMs: number;
}

export class HeldUnits {
  #units: HeldUnit[] = [];
  #packets: Arrived[] = [];
  #bytes = 0;
  #lengthMs = 0;
  /** Of the kind that came first. */
  #lastDtsMs = 0;
  #lookedAt = { count: 0, arrivedAtMs: -Infinity };

  get isEmpty(): boolean {
    return this.#units.length === 0;
  }

  get count(): number {
    return this.#units.length;
  }

  /** More would be too much, whatever is not known yet. */
  get isFull(): boolean {
    return this.#bytes > BYTES_MAX || this.#units.length >= PACKETS_MAX;
  }

  /**
   * Whether enough came since the last look that another may say more: with many units at once, a look at each would
   * take for ever.
   */
  get isWorthALook(): boolean {
    const { count, arrivedAtMs } = this.#lookedAt;
    const least = this.#units.length <= FEW ? 1 : 1.5 * count;
    return this.isFull || this.#units.length >= least || arrivedAtMs !== this.#units.at(-1)?.arrivedAtMs;
  }

  get hasUnseen(): boolean {
    return this.#units.length > this.#lookedAt.count;
  }

  looked(): void {
    this.#lookedAt = { count: this.#units.length, arrivedAtMs: this.#units.at(-1)?.arrivedAtMs ?? 0 };
  }

  get packets(): readonly Arrived[] {
    return this.#packets;
  }

  add(held: HeldUnit): void {
    const { unit, arrivedAtMs } = held;
    this.#units.push(held);
    if (isConfig(unit)) return;
    this.#measure(unit);
    this.#packets.push({ packet: unit, print: printOf(unit), arrivedAtMs });
    this.#bytes += unit.data.length;
  }

  #measure({ kind, dtsMs }: MediaPacket): void {
    const first = this.#packets[0]?.packet;
    if (first && kind !== first.kind) return;
    if (first) this.#lengthMs += Math.max(0, Math.min(dtsMs - this.#lastDtsMs, JUMP_MS));
    this.#lastDtsMs = dtsMs;
  }

  /** All of it, which is held no longer. */
  take(): HeldUnit[] {
    const units = this.#units;
    this.#forget();
    return units;
  }

  /** Lets pictures go; says how many. */
  dropPictures(): number {
    const before = this.#packets.length;
    if (!this.#packets.some(({ packet }) => packet.kind === 'video')) return 0;
    const units = this.#units.filter(({ unit }) => isConfig(unit) || unit.kind === 'audio');
    this.#forget();
    for (const each of units) this.add(each);
    this.looked();
    return before - this.#packets.length;
  }

  #forget(): void {
    this.#units = [];
    this.#packets = [];
    this.#bytes = 0;
    this.#lengthMs = 0;
    this.#lookedAt = { count: 0, arrivedAtMs: -Infinity };
  }

  /** From the first arrival to the last. */
  get watchedMs(): number {
    return (this.#packets.at(-1)?.arrivedAtMs ?? 0) - (this.#packets[0]?.arrivedAtMs ?? 0);
  }

  /** How much media that is, whatever jumps are in its timestamps. */
  get lengthMs(): number {
    return this.#lengthMs;
  }

  /** The configurations at a packet, given those before all. Those of the sound may come late and count from the beginning. */
  configsAt(packet: MediaPacket | undefined, before: Configs): Configs {
    let { video, audio } = before;
    let passed = false;
    for (const { unit } of this.#units) {
      passed ||= unit === packet;
      if (!isConfig(unit)) continue;
      if (unit.kind === 'video' && !passed) video = unit;
      if (unit.kind === 'audio' && (!passed || audio === null)) audio = unit;
    }
    return { video, audio };
  }
}
