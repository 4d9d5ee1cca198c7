/**
 * Durable local files: write beside, fsync, rename, fsync the folder (restic's local backend), so that a file under its
 * final name is always whole, whatever crashes when.
 */
import { mkdir, open, rename, statfs, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/** Makes the names in a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Makes a folder, and the names that lead to it durable: its own, and that of each folder up to and with `top`. Those
 * may be there already and not be durable yet: whoever made them may have been killed.
 */
export async function makeFolderDurably(folder: string, top: string): Promise<void> {
  const ours = resolve(top);
  const first = await mkdir(folder, { recursive: true });
  const highest = first !== undefined && first.length < ours.length ? first : ours;
  for (let at = resolve(folder); at.length >= highest.length && at !== dirname(at); at = dirname(at)) {
    await syncFolder(dirname(at)).catch((error: unknown) => {
      // What is above the top one is not ours, and may not be ours to read.
      if (at !== ours) throw error;
    });
  }
}

/** Makes a file that is already written durable. */
export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Writes a whole file so that it is either there, complete, or not there at all. */
export async function writeFileDurably(path: string, data: string | Uint8Array): Promise<void> {
  const temporary = `${path}.tmp-${process.pid}`;
  let handle: FileHandle | undefined;
  try {
    handle = await open(temporary, 'w');
    await handle.writeFile(data);
    await handle.sync();
    await handle.close();
    handle = undefined;
    await rename(temporary, path);
  } catch (error) {
    await handle?.close().catch(() => {});
    await removeFile(temporary).catch(() => {});
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Removes a file, if it is there. `rm` would look at it first, which costs as much again. */
export async function removeFile(path: string): Promise<void> {
  await unlink(path).catch((error: unknown) => {
    if (!isMissing(error)) throw error;
  });
}

const NO_ROOM = new Set(['ENOSPC', 'EDQUOT']);

/** Whether this error, or one that it came of, says that a disk has no room. */
export function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ('code' in error && NO_ROOM.has(String(error.code))) || isDiskFull(error.cause);
}

/** What this user may still write there, in bytes; a quota may leave less. */
export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

/** With less than this left, nothing of use can be written. */
const NO_ROOM_BYTES = 1024 * 1024;

/** Whether a disk is full, by its own word: what another process met there is in nobody's error. */
export const hasNoRoom = (folder: string): Promise<boolean> =>
  freeBytes(folder).then(
    (bytes) => bytes < NO_ROOM_BYTES,
    () => false,
  );

export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
