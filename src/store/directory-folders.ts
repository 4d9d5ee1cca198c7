/**
 * The folders of a directory store. They stand for nothing (a store has keys only): each is made durably before the
 * first object in it, rid of what a crash left half-written there, and removed with its last object.
 */
import { randomUUID } from 'node:crypto';
import { readdir, rmdir, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { isMissing, makeFolderDurably, removeFile } from '../kernel/files.ts';

/** No put takes a day; whatever is older was left by a process that died. */
const STALE_AFTER_MS = 24 * 3_600_000;
/** How often a folder may be removed under a writer, who makes it again, before something else must be wrong. */
const PREPARED_MOST = 20;
/** So that a daemon which runs for years does not remember every session's folder. */
const REMEMBERED_FOLDERS = 4_096;

/** A name beside the final one that no key can have. */
export const temporaryName = (): string => `~${randomUUID()}.part`;
const isTemporary = (name: string): boolean => name.startsWith('~') && name.endsWith('.part');

export class DirectoryFolders {
  readonly #root: string;
  /** Folders that are there durably, or are being made so: whoever comes second must not be done first. */
  readonly #ready = new Map<string, Promise<void>>();

  constructor(root: string) {
    this.#root = root;
  }

  /** Runs `write` with the folder there, and again when another writer removed it (it was empty) meanwhile. */
  async within<T>(folder: string, write: () => Promise<T>): Promise<T> {
    for (let prepared = 0; ; prepared += 1) {
      if (prepared > 0) this.#ready.delete(folder);
      await this.#prepare(folder);
      try {
        return await write();
      } catch (error) {
        if (!isMissing(error) || prepared >= PREPARED_MOST) throw error;
      }
    }
  }

  /** Removes the folder and those above it, below the root, as far as they are empty. */
  async removeEmpty(folder: string): Promise<void> {
    for (
      let at = folder;
      relative(this.#root, at) !== '' && !relative(this.#root, at).startsWith('..');
      at = dirname(at)
    ) {
      this.#ready.delete(at);
      const removed = await rmdir(at).then(
        () => true,
        () => false,
      );
      if (!removed) return;
    }
  }

  #prepare(folder: string): Promise<void> {
    const known = this.#ready.get(folder);
    if (known) return known;
    if (this.#ready.size >= REMEMBERED_FOLDERS) this.#ready.clear();
    const preparing = makeFolderDurably(folder, this.#root).then(() => sweep(folder));
    this.#ready.set(folder, preparing);
    preparing.catch(() => this.#ready.delete(folder));
    return preparing;
  }
}

async function sweep(folder: string): Promise<void> {
  const names = await readdir(folder);
  for (const path of names.filter(isTemporary).map((name) => join(folder, name))) {
    const written = await stat(path).catch(() => undefined);
    if (written !== undefined && Date.now() - written.mtimeMs > STALE_AFTER_MS) await removeFile(path);
  }
}
