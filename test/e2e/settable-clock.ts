/** A wall clock of its own for the processes of one test, which can be set while they run (libfaketime). */
import { execFile } from 'node:child_process';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export class SettableClock implements AsyncDisposable {
  /** For the process that shall have this clock; its monotonic clock is the system's. */
  readonly env: Record<string, string>;
  readonly #folder: string;

  private constructor(folder: string, library: string) {
    this.#folder = folder;
    this.env = {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    };
  }

  static async open(): Promise<SettableClock> {
    const { stdout } = await promisify(execFile)('faketime', ['-f', '+0', 'printenv', 'LD_PRELOAD']);
    const clock = new SettableClock(await mkdtemp(join(tmpdir(), 'livestow-clock-')), stdout.trim());
    await clock.set(0);
    return clock;
  }

  /** From now on it is ahead of the system's by so many seconds. */
  async set(aheadS: number): Promise<void> {
    await writeFile(`${this.#file}.new`, aheadS < 0 ? `${aheadS}` : `+${aheadS}`);
    await rename(`${this.#file}.new`, this.#file);
  }

  get #file(): string {
    return join(this.#folder, 'ahead');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}
