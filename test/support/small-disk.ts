/** A disk of its own, of a few MiB, that may be filled. Mounting needs root. */
import { appendFile, mkdir, rm, stat, statfs, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';

const MIB = 1024 * 1024;

/** Nothing can be mounted here; the message says why. */
export class CannotMount extends Error {}

/**
 * @param args of `mount`, before the folder
 * @throws CannotMount
 */
export async function mount(folder: string, args: readonly string[]): Promise<void> {
  const { failed, stderr, message = '' } = await execa('mount', [...args, folder], { reject: false });
  if (failed) throw new CannotMount(stderr === undefined || stderr === '' ? message : stderr);
}

/** What a killed process had open on it may still be closing. */
export async function unmount(folder: string): Promise<void> {
  await execa('umount', ['--lazy', folder]);
}

export class SmallDisk implements AsyncDisposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /**
   * @param folder made where it is not there
   * @throws CannotMount
   */
  static async mount(folder: string, sizeMiB: number): Promise<SmallDisk> {
    await mkdir(folder, { recursive: true });
    await mount(folder, ['-t', 'tmpfs', '-o', `size=${sizeMiB}m`, 'livestow-test']);
    return new SmallDisk(folder);
  }

  async freeMiB(): Promise<number> {
    const { bavail, bsize } = await statfs(this.folder);
    return (bavail * bsize) / MIB;
  }

  get #filler(): string {
    return join(this.folder, 'filler');
  }

  /** Somebody else takes all but so much; 0: whatever the disk gives. */
  async fill(leftMiB = 0): Promise<void> {
    const more = Math.floor(((await this.freeMiB()) - leftMiB) * MIB);
    await appendFile(this.#filler, Buffer.alloc(Math.max(0, more))).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
    });
    if (more < 0) await truncate(this.#filler, Math.max(0, (await stat(this.#filler)).size + more));
  }

  async clear(): Promise<void> {
    await rm(this.#filler, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await unmount(this.folder);
  }
}
