/**
 * The folders of a directory store. They stand for nothing (a store has keys only): each is made durably before the
 * first object in it, rid of what a crash left half-written there, and removed with its last object.
 */
import { createHash, randomUUID } from 'node:crypto';
import { readdir, rmdir, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { isMissing, makeFolderDurably, removeFile } from '../kernel/files.ts';

/** No put takes a day; whatever is older was left by a process that died, on whichever machine. */
const STALE_AFTER_MS = 24 * 3_600_000;
/** How often a folder may be removed under a writer, who makes it again, before something else must be wrong. */
const PREPARED_MOST = 20;
/** So that a daemon which runs for years does not remember every session's folder. */
const REMEMBERED_FOLDERS = 4_096;

/** Several machines may share the folder, and a container's process has the same number each time. */
const MACHINE = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);
const PROCESS = randomUUID().slice(0, 8);
const TEMPORARY = /^~(?:(?<machine>[0-9a-f]{8})-(?<pid>\d+)-(?<instance>[0-9a-f]{8})-)?.*\.part$/;

/** A name beside the final one that no key can have. It says who writes: what a dead process left is nobody's. */
export const temporaryName = (): string => `~${MACHINE}-${process.pid}-${PROCESS}-${randomUUID()}.part`;

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
  for (const name of await readdir(folder)) {
    const named = TEMPORARY.exec(name);
    if (!named) continue;
    const path = join(folder, name);
    const written = await stat(path).catch(() => undefined);
    if (written && isLeft(named.groups ?? {}, written.mtimeMs)) await removeFile(path);
  }
}

/** Wrong only where two machines of one name share the folder, and then the other one's put is made again. */
function isLeft(
  { machine, pid, instance }: Record<string, string | undefined>,
  writtenAtMs: number,
): boolean {
  if (Date.now() - writtenAtMs > STALE_AFTER_MS) return true;
  if (machine !== MACHINE || instance === PROCESS) return false;
  return Number(pid) === process.pid || !isRunning(Number(pid));
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}
