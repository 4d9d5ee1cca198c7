/**
 * Real disks for tests, which fill up, hang or are read-only, and are gone when the test is over. Mounting needs root:
 * elsewhere such a test is skipped, and says why.
 */
import { once } from 'node:events';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { onTestFinished, type TestContext } from 'vitest';
import { CannotMount, mount, SmallDisk, unmount } from './small-disk.ts';

const MIB = 1024 * 1024;

type Skip = Pick<TestContext, 'skip'>;

async function orSkip<T>({ skip }: Skip, mounting: Promise<T>): Promise<T> {
  try {
    return await mounting;
  } catch (error) {
    if (error instanceof CannotMount) skip(`nothing can be mounted here: ${error.message}`);
    throw error;
  }
}

/** An empty folder, gone with the test. */
async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'livestow-disk-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A folder on which something is mounted until the test is over. */
async function mounted(context: Skip, args: readonly string[]): Promise<string> {
  const folder = await newFolder();
  await orSkip(context, mount(folder, args));
  onTestFinished(() => unmount(folder));
  return folder;
}

/** A disk of its own, of a few MiB. */
export async function smallDisk(context: Skip, sizeMiB: number): Promise<SmallDisk> {
  const disk = await orSkip(context, SmallDisk.mount(await newFolder(), sizeMiB));
  onTestFinished(() => disk[Symbol.asyncDispose]());
  return disk;
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
