/**
 * The journals of one term as local files: entries are appended to the open one and synced; a cut makes it immutable and
 * begins the next. A journal that a crash left open is closed by whoever opens the spool next, its torn last line cut off.
 */
import { open, readdir, readFile, truncate, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from '../kernel/files.ts';
import { decodeJournal, encodeJournalEntry } from '../layout/journal.ts';
import { parseJournalKey, sessionKeys } from '../layout/keys.ts';
import type { JournalEntry } from '../model/manifest.ts';

export interface JournalRef {
  /** Within the session's folder, locally as in the store. */
  key: string;
  term: number;
  n: number;
}

export class JournalWriter {
  readonly #sessionFolder: string;
  readonly #term: number;
  #n = 1;
  #handle: FileHandle | null = null;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(sessionFolder: string, term: number) {
    this.#sessionFolder = sessionFolder;
    this.#term = term;
  }

  /** Durable when it resolves. Entries of one call stand together. */
  append(entries: readonly JournalEntry[]): Promise<void> {
    return this.#serially(async () => {
      const handle = (this.#handle ??= await this.#begin());
      await handle.appendFile(entries.map(encodeJournalEntry).join(''));
      await handle.datasync();
    });
  }

  /** Closes the open journal and names it; undefined when nothing was written since the last cut. */
  cut(): Promise<JournalRef | undefined> {
    return this.#serially(async () => {
      if (!this.#handle) return undefined;
      await this.#handle.close();
      this.#handle = null;
      const ref = { key: sessionKeys.journal(this.#term, this.#n), term: this.#term, n: this.#n };
      this.#n += 1;
      return ref;
    });
  }

  async #begin(): Promise<FileHandle> {
    const handle = await open(join(this.#sessionFolder, sessionKeys.journal(this.#term, this.#n)), 'ax');
    await syncFolder(join(this.#sessionFolder, 'journal'));
    return handle;
  }

  #serially<T>(step: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(step);
    this.#queue = result.catch(() => {});
    return result;
  }
}

/** All journals of a session's folder in order; what a crash tore is mended first. */
export async function listJournals(sessionFolder: string): Promise<JournalRef[]> {
  const names = await readdir(join(sessionFolder, 'journal'));
  return names
    .flatMap((name) => {
      const parsed = parseJournalKey(name);
      return parsed ? [{ key: `journal/${name}`, ...parsed }] : [];
    })
    .sort((a, b) => a.term - b.term || a.n - b.n);
}

export async function readJournals(
  sessionFolder: string,
  refs: readonly JournalRef[],
): Promise<JournalEntry[]> {
  const entries: JournalEntry[] = [];
  for (const { key } of refs) {
    const text = await readFile(join(sessionFolder, key), 'utf8');
    for (const entry of decodeJournal(text, key)) entries.push(entry);
  }
  return entries;
}

/** Cuts a torn last line off, so that the journal can be shipped as it is. */
export async function mendJournal(sessionFolder: string, ref: JournalRef): Promise<void> {
  const path = join(sessionFolder, ref.key);
  const bytes = await readFile(path);
  const whole = bytes.lastIndexOf(0x0a) + 1;
  if (whole < bytes.length) await truncate(path, whole);
}
