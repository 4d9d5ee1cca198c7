/**
 * Local truth of one session between record and ship:
 *
 *     <spool>/<handle>/<session>/
 *       journal/    as in the archive; the highest of the running term is still open
 *       segments/   closed segments and init files that are not verified in the store yet
 *       files/      room.json, cover.jpg, ... until shipped; a note of the store that the session is shipped to
 *       engine/     what the engines are writing, a folder an epoch
 *       tail/       the raw media of the last GOPs (`tail.ts`)
 *     <spool>/<handle>/<session>.set-aside/   what cannot be used and is not to be lost (`set-aside.ts`)
 *
 * Order of writes for a segment: its file is synced, moved into segments/, the folder synced, then journaled. So a
 * journal never names a segment that was not whole on disk, and a file that no journal names is a leftover.
 */
import { EventEmitter } from 'node:events';
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LivestowError, messageOf } from '../kernel/errors.ts';
import {
  isMissing,
  makeFolderDurably,
  removeFile,
  syncFile,
  syncFolder,
  writeFileDurably,
} from '../kernel/files.ts';
import type { Logger } from '../kernel/logger.ts';
import { isSessionId, parseJournalKey } from '../layout/keys.ts';
import { journaledObjects } from '../layout/objects.ts';
import type { JournalEntry } from '../model/manifest.ts';
import { JournalWriter, listJournals, readJournals, type JournalRef } from './journal-file.ts';
import { takeStock } from './leftover.ts';
import { moveAside, namesAside, SET_ASIDE } from './set-aside.ts';
import { FOLDERS, STORE_NOTE, strangersIn } from './strangers.ts';

/** Ends the name of a session's folder that is being removed. */
const DOOMED = '.sealed';

/** Beside the creators' folders, under a name that no handle has: what `livestow serve` keeps for itself. */
export const DAEMON_FOLDER = 'livestow-serve';

/** A closed file as its journal entry describes it. */
export interface SpooledObject {
  key: string;
  bytes: number;
  sha256: string;
}

interface SpoolEvents {
  /** A segment or init file was closed and stands in the spool. */
  object: [object: SpooledObject];
  /** A journal was cut and will not change any more. */
  journal: [ref: JournalRef];
  /** No object will come any more. */
  closing: [];
}

export class SessionSpool extends EventEmitter<SpoolEvents> {
  readonly handle: string;
  readonly session: string;
  readonly folder: string;
  #journal: JournalWriter | null = null;

  private constructor(root: string, handle: string, session: string) {
    super();
    this.handle = handle;
    this.session = session;
    this.folder = join(root, handle, session);
  }

  /**
   * Opens (or makes) the session's folder, puts right what a crash left half done there, and sets aside what it does not
   * understand. Nothing is journaled before `beginTerm`.
   * @throws MANIFEST, and nothing was touched: another session's folder, or one of another format
   */
  static async open(root: string, handle: string, session: string, log?: Logger): Promise<SessionSpool> {
    const spool = new SessionSpool(root, handle, session);
    await takeStock(spool.folder, session, (found) => {
      log?.warn({ session, ...found }, 'something in the spool cannot be used; it is set aside');
    });
    await makeFolderDurably(spool.folder, root);
    for (const name of FOLDERS) await mkdir(join(spool.folder, name), { recursive: true });
    await syncFolder(spool.folder);
    return spool;
  }

  /** What earlier terms wrote, and the journals it stands in; all closed from now on. */
  async earlier(): Promise<{ journals: JournalRef[]; entries: JournalEntry[] }> {
    const journals = await listJournals(this.folder);
    return { journals, entries: await readJournals(this.folder, journals) };
  }

  /** Everything journaled up to now, the open journal included. */
  async entries(): Promise<JournalEntry[]> {
    return readJournals(this.folder, await listJournals(this.folder));
  }

  beginTerm(term: number): void {
    this.#journal = new JournalWriter(this.folder, term);
  }

  /** @throws SPOOL; nothing was written then, and it may be tried again */
  async append(...entries: JournalEntry[]): Promise<void> {
    await this.#writing(() => this.#writer.append(entries));
  }

  /** @throws SPOOL; it may be tried again */
  async cutJournal(): Promise<void> {
    const ref = await this.#writing(() => this.#writer.cut());
    if (ref) this.emit('journal', ref);
  }

  /**
   * Takes over a closed file of an engine and journals it, with what is to be told beside it; false when the file is gone,
   * and nothing was journaled then. A try that failed (a full disk) may be made again.
   */
  async addObject(
    enginePath: string,
    object: SpooledObject,
    ...entries: readonly JournalEntry[]
  ): Promise<boolean> {
    const { key, bytes, sha256 } = object;
    // A try that failed half-way may have moved it already.
    if ((await this.sizeOf(key)) === undefined) {
      try {
        await syncFile(enginePath);
      } catch (error) {
        if (isMissing(error)) return false;
        throw error;
      }
      await rename(enginePath, this.pathOf(key));
    }
    await syncFolder(join(this.folder, 'segments'));
    await this.append(...entries);
    this.emit('object', { key, bytes, sha256 });
    return true;
  }

  /**
   * Keeps a small file of the session (`room.json`) until it is shipped.
   * @throws SPOOL
   */
  async writeFile(key: string, data: string | Uint8Array): Promise<void> {
    await this.#writing(() => writeFileDurably(this.filePath(key), data));
  }

  /** How the store described itself that the session was shipped to; undefined where nobody noted it. */
  async notedStore(): Promise<string | undefined> {
    return readFile(this.filePath(STORE_NOTE), 'utf8').catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw error;
    });
  }

  /** @throws SPOOL */
  async noteStore(description: string): Promise<void> {
    if ((await this.notedStore()) !== description) await this.writeFile(STORE_NOTE, description);
  }

  pathOf(key: string): string {
    return join(this.folder, key);
  }

  filePath(key: string): string {
    return join(this.folder, 'files', key);
  }

  async engineFolder(term: number, epoch: number): Promise<string> {
    const folder = join(this.folder, 'engine', `${term}-${epoch}`);
    await mkdir(folder, { recursive: true });
    return folder;
  }

  get tailFolder(): string {
    return join(this.folder, 'tail');
  }

  /** Bytes of a local object; undefined when it is not here (any more). */
  async sizeOf(key: string): Promise<number | undefined> {
    try {
      return (await stat(this.pathOf(key))).size;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** Frees the local copy of an object that was verified in the store. */
  async dropObject(key: string): Promise<void> {
    await removeFile(this.pathOf(key));
  }

  /** Takes a file out of the way of everything that follows, without destroying it. */
  async setAside(key: string): Promise<void> {
    await moveAside(this.folder, key);
  }

  /** Whether lines of its journals were lost, or whole ones: what they told may be missing and not be told of. */
  async isJournalDamaged(): Promise<boolean> {
    const names = await namesAside(this.folder, 'journal');
    return names.some((name) => parseJournalKey(`journal/${name}`) !== undefined);
  }

  /** Whether nothing was ever recorded here: a crash came right after the folder was made. */
  async isBlank(): Promise<boolean> {
    const { entries } = await this.earlier();
    return entries.length === 0 && (await this.objectKeys()).size === 0;
  }

  /** What its journals name and is not here, nor told as lost: it was shipped. */
  async shippedKeys(entries: readonly JournalEntry[]): Promise<Set<string>> {
    const here = await this.objectKeys();
    const lost = new Set(entries.flatMap((entry) => (entry.type === 'lost' ? entry.key : [])));
    const keys = journaledObjects(entries).map(({ key }) => key);
    return new Set(keys.filter((key) => !here.has(key) && !lost.has(key)));
  }

  /** Of the recorded media that lies here and was not verified in the store. */
  async objectKeys(): Promise<Set<string>> {
    const names = await readdir(join(this.folder, 'segments'));
    return new Set(names.map((name) => `segments/${name}`));
  }

  /**
   * The session is sealed: nothing of it is needed here any more. What livestow did not write is set aside first. A crash
   * on the way leaves no session behind.
   */
  async remove(): Promise<void> {
    const doomed = `${this.folder}${DOOMED}`;
    await rm(doomed, { recursive: true, force: true });
    for (const path of await strangersIn(this.folder)) await moveAside(this.folder, path);
    await rename(this.folder, doomed).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
    await syncFolder(dirname(this.folder));
    await rm(doomed, { recursive: true, force: true });
  }

  async #writing<T>(step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (cause) {
      throw new LivestowError('SPOOL', `the spool cannot be written: ${messageOf(cause)}`, {
        cause,
        retryable: true,
        hint: 'make room on the disk that holds the spool, and let this user write there (--spool)',
      });
    }
  }

  get #writer(): JournalWriter {
    if (!this.#journal) throw new Error('no term was begun on this spool');
    return this.#journal;
  }
}

/** Sessions of a creator that have a folder in the spool, oldest first. What a removal left half done is removed. */
export async function spooledSessions(root: string, handle: string): Promise<string[]> {
  const folder = join(root, handle);
  const folders = await foldersIn(folder);
  for (const name of folders.filter(isDoomed)) await rm(join(folder, name), { recursive: true, force: true });
  return folders.filter(isSessionId).sort();
}

const isDoomed = (name: string): boolean =>
  name.endsWith(DOOMED) && isSessionId(name.slice(0, -DOOMED.length));

/** Whether livestow makes such things in the folder of a creator. */
export const isSpoolName = (name: string, isFolder: boolean): boolean =>
  isFolder
    ? isSessionId(name) ||
      isDoomed(name) ||
      (name.endsWith(SET_ASIDE) && isSessionId(name.slice(0, -SET_ASIDE.length)))
    : /^lock\.sqlite(?:-journal|-wal|-shm)?$/.test(name);

async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}
