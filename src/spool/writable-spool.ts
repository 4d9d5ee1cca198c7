/** Whether a spool takes files at all, found out by writing one. A disk that is merely full will have room again. */
import { randomUUID } from 'node:crypto';
import { mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LivestowError, messageOf } from '../kernel/errors.ts';
import { isDiskFull, isMissing, removeFile } from '../kernel/files.ts';

/**
 * Makes the folder where it is not there.
 * @throws SPOOL
 */
export async function requireWritableSpool(root: string): Promise<void> {
  const probe = join(root, `.writable-${randomUUID()}`);
  try {
    await makeFolder(root);
    const file = await open(probe, 'wx');
    try {
      // Its name goes first, so that a kill leaves none.
      await removeFile(probe);
      await file.writeFile('livestow\n');
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (isDiskFull(cause)) return;
    throw new LivestowError('SPOOL', `the spool cannot be written: ${root} (${messageOf(cause)})`, {
      cause,
      hint: 'mount its disk for writing, let this user write there, or name another folder with --spool',
    });
  }
}

/** As `mkdir` with `recursive` does it, which says ENOENT whatever the reason is. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return;
    if (!isMissing(error)) throw error;
    await makeFolder(dirname(folder));
    await mkdir(folder);
  }
}
