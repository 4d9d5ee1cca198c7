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

  get isEmpty(): boolean {
    return this.#units.length === 0;
  }

  get count(): number {
    return this.#units.length;
  }

  /** More would be too much, whatever is not known yet. */
  get isFull(): boolean {
    return this.#bytes > BYTES_MAX;
  }

  get packets(): readonly Arrived[] {
    return this.#packets;
  }

  add(held: HeldUnit): void {
    const { unit, arrivedAtMs } = held;
    this.#units.push(held);
    if (isConfig(unit)) return;
    this.#packets.push({ packet: unit, print: printOf(unit), arrivedAtMs });
    this.#bytes += unit.data.length;
  }

  /** All of it, which is held no longer. */
  take(): HeldUnit[] {
    const units = this.#units;
    this.#units = [];
    this.#packets = [];
    this.#bytes = 0;
    return units;
  }

  /** Lets pictures go; says how many. */
  dropPictures(): number {
    const before = this.#packets.length;
    this.#units = this.#units.filter(({ unit }) => isConfig(unit) || unit.kind === 'audio');
    this.#packets = this.#packets.filter(({ packet }) => packet.kind === 'audio');
    this.#bytes = this.#packets.reduce((sum, { packet }) => sum + packet.data.length, 0);
    return before - this.#packets.length;
  }

  /** From the first arrival to the last. */
  get watchedMs(): number {
    return (this.#packets.at(-1)?.arrivedAtMs ?? 0) - (this.#packets[0]?.arrivedAtMs ?? 0);
  }

  /** How much media that is, whatever jumps are in its timestamps. */
  get lengthMs(): number {
    const kind = this.#packets[0]?.packet.kind;
    const times = this.#packets.flatMap(({ packet }) => (packet.kind === kind ? [packet.dtsMs] : []));
    const steps = times.map((dtsMs, i) => Math.min(dtsMs - (times[i - 1] ?? dtsMs), JUMP_MS));
    return steps.reduce((sum, stepMs) => sum + Math.max(0, stepMs), 0);
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
