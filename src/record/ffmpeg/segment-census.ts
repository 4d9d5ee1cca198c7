/**
 * What a closed MPEG-TS segment holds, read from the file itself: one read gives its size, its hash and the count of
 * what is in it. All recordings of an engine share one reader, which has one file in memory at a time, always in the
 * same place: thirty segments that close together cost as much memory as one.
 */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { LivestowError } from '../../kernel/errors.ts';
import { censusOfTs } from '../../media/ts-census.ts';
import type { SegmentCensus } from '../verified-segment.ts';

/** A segment larger than this gets memory of its own, that is given back. */
const KEPT_BYTES = 16 * 1024 * 1024;

export class SegmentReader {
  #memory = Buffer.alloc(0);
  #busy: Promise<unknown> = Promise.resolve();

  /** Rejects with MEDIA_NOT_MEDIA when it is no MPEG-TS, with ENGINE when it is torn, and with what the file system says. */
  read(n: number, path: string): Promise<SegmentCensus> {
    const reading = this.#busy.then(async () => this.#count(n, path, await this.#load(path)));
    this.#busy = reading.catch(() => {});
    return reading;
  }

  async #load(path: string): Promise<Buffer> {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      const memory = this.#memoryOf(size);
      let length = 0;
      while (length < size) {
        const { bytesRead } = await file.read(memory, length, size - length, length);
        if (bytesRead === 0) break;
        length += bytesRead;
      }
      return memory.subarray(0, length);
    } finally {
      await file.close();
    }
  }

  #memoryOf(bytes: number): Buffer {
    if (bytes > KEPT_BYTES) return Buffer.allocUnsafeSlow(bytes);
    if (bytes > this.#memory.length) this.#memory = Buffer.allocUnsafeSlow(Math.ceil(bytes * 1.25));
    return this.#memory;
  }

  #count(n: number, path: string, bytes: Buffer): SegmentCensus {
    const { codec, width, height, pictures, audioFrames, firstDtsMs, lastDtsMs, ...wholeness } =
      censusOfTs(bytes);
    // A disk that was full for a moment: ffmpeg writes on, and says nothing.
    if (wholeness.continuityErrors > 0 || wholeness.strayBytes > 0) {
      throw new LivestowError('ENGINE', `${basename(path)} is torn.`, {
        retryable: true,
        context: {
          continuityErrors: wholeness.continuityErrors,
          strayBytes: wholeness.strayBytes,
          pictures,
        },
      });
    }
    return {
      n,
      path,
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      pictures,
      audioFrames,
      firstDtsMs: firstDtsMs ?? 0,
      lastDtsMs: lastDtsMs ?? 0,
      video: codec === null ? undefined : { codec, width, height },
    };
  }
}
