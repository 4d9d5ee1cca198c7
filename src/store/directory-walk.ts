/** The keys of a directory store in order, read folder by folder, so that a long archive is never held in memory. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isNothing } from './directory-errors.ts';
import { byKey, isKey } from './key.ts';

interface Entry {
  /** Of a folder: with its slash, which is also what makes the order of the names that of the keys below them. */
  key: string;
  isFolder: boolean;
}

/** The folder's entries that are keys or lead to keys, in order; none when it does not exist. */
async function entriesOf(root: string, folderKey: string): Promise<Entry[]> {
  const folder = join(root, folderKey);
  const dirents = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (isNothing(error)) return [];
    throw error;
  });
  const entries: Entry[] = [];
  for (const dirent of dirents) {
    const key = folderKey + dirent.name;
    if (!isKey(key)) continue;
    const kind = dirent.isSymbolicLink()
      ? await stat(join(folder, dirent.name)).catch(() => undefined)
      : dirent;
    if (kind?.isDirectory() === true) entries.push({ key: `${key}/`, isFolder: true });
    else if (kind?.isFile() === true) entries.push({ key, isFolder: false });
  }
  return entries.sort((a, b) => byKey(a.key, b.key));
}

const folderOf = (prefix: string): string => prefix.slice(0, prefix.lastIndexOf('/') + 1);

/** Every key that begins with the prefix and comes after `startAfter`, ascending. */
export async function* walkKeys(
  root: string,
  prefix: string,
  startAfter = '',
  signal?: AbortSignal,
): AsyncGenerator<string> {
  signal?.throwIfAborted();
  for (const { key, isFolder } of await entriesOf(root, folderOf(prefix))) {
    if (!key.startsWith(prefix)) continue;
    if (!isFolder) {
      if (key > startAfter) yield key;
    } else if (key > startAfter || startAfter.startsWith(key)) {
      yield* walkKeys(root, key, startAfter, signal);
    }
  }
}

/** The folders directly below the prefix that hold a key at any depth and come after `startAfter`, ascending. */
export async function* walkFolders(
  root: string,
  prefix: string,
  startAfter = '',
  signal?: AbortSignal,
): AsyncGenerator<string> {
  signal?.throwIfAborted();
  for (const { key, isFolder } of await entriesOf(root, folderOf(prefix))) {
    if (!isFolder || !key.startsWith(prefix) || key <= startAfter) continue;
    const first = await walkKeys(root, key, '', signal).next();
    if (first.done !== true) yield key;
  }
}
