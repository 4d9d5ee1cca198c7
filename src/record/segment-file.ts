/** A file that is written from its beginning to its end, hashed on the way: it is never read back. */
import { createHash, type Hash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';

export interface WrittenFile {
  path: string;
  bytes: number;
  sha256: string;
}

export class SegmentFile {
  readonly path: string;
  readonly #hash: Hash = createHash('sha256');
  #file: FileHandle | undefined;
  #bytes = 0;

  constructor(path: string) {
    this.path = path;
  }

  /** Resolves when they are with the operating system. The first call makes the file, or empties it. */
  async append(buffers: readonly Buffer[]): Promise<void> {
    this.#file ??= await open(this.path, 'w');
    const bytes = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
    for (let left = buffers; left.length > 0;) {
      const { bytesWritten } = await this.#file.writev(left);
      left = behind(left, bytesWritten);
    }
    for (const buffer of buffers) this.#hash.update(buffer);
    this.#bytes += bytes;
  }

  async close(): Promise<WrittenFile> {
    await this.release();
    return { path: this.path, bytes: this.#bytes, sha256: this.#hash.digest('hex') };
  }

  /** Leaves the file as it is. */
  async release(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }
}

/** What is left after the first `bytes`: a full disk, a signal, and the most a system call takes cut writes short. */
function behind(buffers: readonly Buffer[], bytes: number): readonly Buffer[] {
  let skip = bytes;
  const at = buffers.findIndex((buffer) => {
    if (skip < buffer.length) return true;
    skip -= buffer.length;
    return false;
  });
  if (at === -1) return [];
  return [buffers[at]!.subarray(skip), ...buffers.slice(at + 1)];
}
