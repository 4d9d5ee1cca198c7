/** Real disks that a test may fill, freeze or have read-only. Mounting needs root: elsewhere such a test is skipped, and says why. */
import { once } from 'node:events';
import { appendFile, mkdtemp, rm, stat, statfs, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { onTestFinished, type TestContext } from 'vitest';

const MIB = 1024 * 1024;

type Skip = Pick<TestContext, 'skip'>;

/** An empty folder, on which something is mounted until the test is over. */
async function mounted({ skip }: Skip, args: readonly string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'livestow-disk-'));
  const { failed, stderr } = await execa('mount', [...args, folder], { reject: false });
  onTestFinished(async () => {
    // What a killed process had open may still be closing.
    if (!failed) await execa('umount', ['--lazy', folder]);
    await rm(folder, { recursive: true, force: true });
  });
  if (failed) skip(`nothing can be mounted here: ${stderr}`);
  return folder;
}

/** A disk of its own, of a few MiB. */
export class SmallDisk {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async mount(context: Skip, sizeMiB: number): Promise<SmallDisk> {
    return new SmallDisk(await mounted(context, ['-t', 'tmpfs', '-o', `size=${sizeMiB}m`, 'livestow-test']));
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
    if (more < 0) {
      await truncate(this.#filler, Math.max(0, (await stat(this.#filler)).size + more));
      return;
    }
    await appendFile(this.#filler, Buffer.alloc(more)).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
    });
  }

  async clear(): Promise<void> {
    await rm(this.#filler, { force: true });
  }
}

/**
 * A disk that can hang: every write to it waits until it is thawed.
 */
export class HangingDisk {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async mount(context: Skip): Promise<HangingDisk> {
    const image = join(await mkdtemp(join(tmpdir(), 'livestow-image-')), 'ext4');
    onTestFinished(() => rm(dirname(image), { recursive: true, force: true }));
    await writeFile(image, '');
    await truncate(image, 64 * MIB);
    const made = await execa('mkfs.ext4', ['-q', image], { reject: false });
    if (made.failed) context.skip(`no file system can be made here: ${made.stderr}`);
    return new HangingDisk(await mounted(context, ['-o', 'loop', image]));
  }

  /**
   * Freezes it for so long. A process of its own thaws it, whatever becomes of the test: who writes meanwhile cannot even
   * be killed.
   * @returns how long a write of somebody else took
   */
  async hang(forSeconds: number): Promise<{ writeTookMs: number }> {
    const { folder } = this;
    const script = 'fsfreeze --freeze "$1" && { echo frozen; sleep "$2"; fsfreeze --unfreeze "$1"; }';
    const freezing = execa('sh', ['-c', script, 'sh', folder, String(forSeconds)], { detached: true });
    await Promise.race([once(freezing.stdout, 'data'), freezing]);
    const atMs = performance.now();
    await execa('touch', [join(folder, 'written')]);
    const writeTookMs = performance.now() - atMs;
    await freezing;
    return { writeTookMs };
  }
}

/** A folder that nobody can write to, root neither. */
export const readOnlyFolder = (context: Skip): Promise<string> =>
  mounted(context, ['-t', 'tmpfs', '-o', 'ro,size=1m', 'livestow-test']);
