/** The disk of all recorders' spools, on which somebody else leaves ever less room. */
import { spawnSync } from 'node:child_process';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { SmallDisk } from '../support/small-disk.ts';
import type { Done } from './recorder.ts';

const RESERVE_MIB = 16;
/** More than what a recording spools while the storm keeps it from the store. */
const ROOM_FOR_EACH_MIB = 16;

/** What is left, in reserves: enough for lower variants, not enough for any, nothing at all. */
const LEFT = { lower: 1.4, out: 0.9, full: 0 } as const;
export type DiskTrouble = keyof typeof LEFT;
export const DISK_TROUBLES = Object.keys(LEFT) as DiskTrouble[];

/** So fast that recorders see it coming: they reckon with what is filled until they look again. */
const SINKING_MIB = 1;
const SINKING_STEP_MS = 100;
/** From so many reserves on; up to there it is filled at once, of which nobody is to conclude anything. */
const SINKS_FROM = 4;
/** For everybody to have looked twice: they look every 5 s, and the more often the less there is. */
const SETTLING_MS = 8_000;
const STEP_MS = 50;

export class SpoolDisk implements AsyncDisposable {
  readonly #disk: SmallDisk;
  readonly #keptIn: string;
  readonly #unmount = (): void => void spawnSync('umount', ['--lazy', this.#disk.folder]);

  private constructor(disk: SmallDisk, keptIn: string) {
    this.#disk = disk;
    this.#keptIn = keptIn;
    // Who is interrupted disposes of nothing.
    process.once('exit', this.#unmount);
  }

  /** @throws CannotMount */
  static async mount(folder: string, recorders: number): Promise<SpoolDisk> {
    const sizeMiB = SINKS_FROM * RESERVE_MIB + recorders * ROOM_FOR_EACH_MIB;
    return new SpoolDisk(await SmallDisk.mount(join(folder, 'disk'), sizeMiB), join(folder, 'left'));
  }

  get env(): Record<string, string> {
    return {
      LIVESTOW_SPOOL: this.spool,
      LIVESTOW_DISK_RESERVE: `${RESERVE_MIB}MiB`,
    };
  }

  get spool(): string {
    return join(this.#disk.folder, 'spool');
  }

  /** Leaves no more room than that for so long. */
  async leave(how: DiskTrouble, forMs: number): Promise<Done> {
    const leftMiB = LEFT[how] * RESERVE_MIB;
    // Full, it is from one moment to the next: nobody gets to stop before.
    if (leftMiB > 0) {
      await this.#disk.fill(SINKS_FROM * RESERVE_MIB);
      await after(SETTLING_MS);
    }
    const fromMs = Date.now();
    if (leftMiB > 0) await this.#sink(leftMiB);
    for (const untilMs = Date.now() + forMs; Date.now() < untilMs; await after(STEP_MS)) {
      await this.#disk.fill(leftMiB);
    }
    await this.#disk.clear();
    return { fromMs, toMs: Date.now() };
  }

  async #sink(leftMiB: number): Promise<void> {
    for (let left = SINKS_FROM * RESERVE_MIB; left > leftMiB; left -= SINKING_MIB) {
      await this.#disk.fill(left);
      await after(SINKING_STEP_MS);
    }
  }

  /** What is left on it, is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    await cp(this.spool, this.#keptIn, { recursive: true });
    process.off('exit', this.#unmount);
    await this.#disk[Symbol.asyncDispose]();
  }
}
