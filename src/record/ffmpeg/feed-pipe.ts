/**
 * Between the packets and ffmpeg's standard input: what comes within a tenth of a second goes out in one piece. Each
 * piece wakes ffmpeg up once; thirty recordings cost a third less that way than with a write for each packet (measured).
 */
import type { Clock } from '../../kernel/clock.ts';
import type { FfmpegProcess } from './ffmpeg-process.ts';

const HOLD_MS = 100;
const HOLD_BYTES = 128 * 1024;

export class FeedPipe {
  readonly #process: FfmpegProcess;
  readonly #clock: Clock;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #cancelTimer: (() => void) | undefined;
  /** Rejected for good once a write failed. */
  #written: Promise<void> = Promise.resolve();

  constructor(process: FfmpegProcess, clock: Clock) {
    this.#process = process;
    this.#clock = clock;
  }

  /** Resolves when more may come. Rejects as `FfmpegProcess.write` does, also for what was held back before. */
  push(buffers: readonly Buffer[], urgent: boolean): Promise<void> {
    for (const buffer of buffers) {
      this.#held.push(buffer);
      this.#heldBytes += buffer.length;
    }
    if (urgent || this.#heldBytes >= HOLD_BYTES) return this.flush();
    this.#cancelTimer ??= this.#clock.after(HOLD_MS, () => {
      // Whoever comes next meets the failure.
      this.flush().catch(() => {});
    });
    return this.#written;
  }

  /** Resolves when all of it is on its way. */
  flush(): Promise<void> {
    this.discardTimer();
    const buffers = this.#held;
    if (buffers.length === 0) return this.#written;
    this.#held = [];
    this.#heldBytes = 0;
    this.#written = this.#write(this.#written, buffers);
    this.#written.catch(() => {});
    return this.#written;
  }

  discardTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  async #write(before: Promise<void>, buffers: readonly Buffer[]): Promise<void> {
    await before;
    await this.#process.write(buffers);
  }
}
