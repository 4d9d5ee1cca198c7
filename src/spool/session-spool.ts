/**
 * Local truth of one session between record and ship:
 *
 *     <spool>/<handle>/<session>/
 *       journal/    as in the archive; the highest of the running term is still open
 *       segments/   closed segments and init files that are not verified in the store yet
 *       files/      room.json, cover.jpg, ... until shipped
 *       engine/     what the engines are writing, a folder an epoch
 *       tail/       the raw media of the last GOPs (`tail.ts`)
 *
 * Order of writes for a segment: its file is synced, moved into segments/, the folder synced, then journaled. So a
 * journal never names a segment that was not whole on disk, and a file that no journal names is a leftover.
 */
import { EventEmitter } from 'node:events';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { isMissing, syncFile, syncFolder, writeFileDurably } from '../kernel/files.ts';
import type { JournalEntry } from '../model/manifest.ts';
import { JournalWriter, listJournals, mendJournal, readJournals, type JournalRef } from './journal-file.ts';

const FOLDERS = ['journal', 'segments', 'files', 'engine', 'tail'] as const;

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

  /** Opens (or makes) the session's folder. Nothing is journaled before `beginTerm`. */
  static async open(root: string, handle: string, session: string): Promise<SessionSpool> {
    const spool = new SessionSpool(root, handle, session);
    for (const name of FOLDERS) await mkdir(join(spool.folder, name), { recursive: true });
    await syncFolder(spool.folder);
    return spool;
  }

  /** What earlier terms wrote, and the journals it stands in; all closed from now on. */
  async earlier(): Promise<{ journals: JournalRef[]; entries: JournalEntry[] }> {
    const journals = await listJournals(this.folder);
    for (const ref of journals) await mendJournal(this.folder, ref);
    return { journals, entries: await readJournals(this.folder, journals) };
  }

  /** Everything journaled up to now, the open journal included. */
  async entries(): Promise<JournalEntry[]> {
    return readJournals(this.folder, await listJournals(this.folder));
  }

  beginTerm(term: number): void {
    this.#journal = new JournalWriter(this.folder, term);
  }

  async append(...entries: JournalEntry[]): Promise<void> {
    await this.#writer.append(entries);
  }

  async cutJournal(): Promise<void> {
    const ref = await this.#writer.cut();
    if (ref) this.emit('journal', ref);
  }

  /** Takes over a closed file of an engine and journals it. */
  async addObject(enginePath: string, object: SpooledObject, entry: JournalEntry): Promise<void> {
    const { key, bytes, sha256 } = object;
    // A try that failed half-way (a full disk) may have moved it already.
    if ((await this.sizeOf(key)) === undefined) {
      await syncFile(enginePath);
      await rename(enginePath, this.pathOf(key));
      await syncFolder(join(this.folder, 'segments'));
    }
    await this.append(entry);
    this.emit('object', { key, bytes, sha256 });
  }

  /** Keeps a small file of the session (`room.json`) until it is shipped. */
  async writeFile(key: string, data: string | Uint8Array): Promise<void> {
    await writeFileDurably(this.filePath(key), data);
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
    await rm(this.pathOf(key), { force: true });
  }

  /** Takes a file out of the way of everything that follows, without destroying it. */
  async setAside(key: string): Promise<void> {
    await mkdir(join(this.folder, 'set-aside'), { recursive: true });
    await rename(this.pathOf(key), join(this.folder, 'set-aside', basename(key)));
  }

  /** Whether recorded media lies here that was not verified in the store. */
  async holdsObjects(): Promise<boolean> {
    return (await readdir(join(this.folder, 'segments'))).length > 0;
  }

  /** The session is sealed: nothing of it is needed here any more. */
  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  get #writer(): JournalWriter {
    if (!this.#journal) throw new Error('no term was begun on this spool');
    return this.#journal;
  }
}
