/**
 * The journals of one term as local files: entries are appended to the open one and synced; a cut makes it immutable and
 * begins the next. A journal that a crash left open is closed by whoever opens the spool next, its torn last line cut off.
 */
import { open, readdir, readFile, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isMissing, syncFolder, writeFileDurably } from '../kernel/files.ts';
import { decodeJournal, decodeJournalLine, encodeJournalEntry } from '../layout/journal.ts';
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
  #open: OpenJournal | null = null;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(sessionFolder: string, term: number) {
    this.#sessionFolder = sessionFolder;
    this.#term = term;
  }

  /** Durable when it resolves. Entries of one call stand together. An append that failed left nothing, and may be tried again. */
  append(entries: readonly JournalEntry[]): Promise<void> {
    return this.#serially(async () => {
      if (entries.length === 0) return;
      this.#open ??= new OpenJournal(await open(this.#pathOf(this.#n), 'ax'), dirname(this.#pathOf(this.#n)));
      await this.#open.append(Buffer.from(entries.map(encodeJournalEntry).join('')));
    });
  }

  /** Closes the open journal and names it; undefined when nothing was written since the last cut. */
  cut(): Promise<JournalRef | undefined> {
    return this.#serially(async () => {
      if (!this.#open || this.#open.isEmpty) return undefined;
      await this.#open.close();
      this.#open = null;
      const ref = { key: sessionKeys.journal(this.#term, this.#n), term: this.#term, n: this.#n };
      this.#n += 1;
      return ref;
    });
  }

  #pathOf(n: number): string {
    return join(this.#sessionFolder, sessionKeys.journal(this.#term, n));
  }

  #serially<T>(step: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(step);
    this.#queue = result.catch(() => {});
    return result;
  }
}

/** The journal that is being written. A full disk may tear an append: what is behind the last whole one is cut off. */
class OpenJournal {
  readonly #handle: FileHandle;
  readonly #folder: string;
  #bytes = 0;
  #isTorn = false;
  #isNamed = false;

  constructor(handle: FileHandle, folder: string) {
    this.#handle = handle;
    this.#folder = folder;
  }

  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  async append(bytes: Buffer): Promise<void> {
    await this.#mend();
    if (!this.#isNamed) await syncFolder(this.#folder);
    this.#isNamed = true;
    this.#isTorn = true;
    await this.#handle.appendFile(bytes);
    await this.#handle.datasync();
    this.#isTorn = false;
    this.#bytes += bytes.length;
  }

  async close(): Promise<void> {
    await this.#mend();
    await this.#handle.close();
  }

  async #mend(): Promise<void> {
    if (!this.#isTorn) return;
    await this.#handle.truncate(this.#bytes);
    await this.#handle.datasync();
    this.#isTorn = false;
  }
}

export const byTermAndNumber = (a: JournalRef, b: JournalRef): number => a.term - b.term || a.n - b.n;

/** All journals of a session's folder in order. */
export async function listJournals(sessionFolder: string): Promise<JournalRef[]> {
  const names = await readdir(join(sessionFolder, 'journal'), { withFileTypes: true }).catch(
    (error: unknown) => {
      if (isMissing(error) || (error instanceof Error && 'code' in error && error.code === 'ENOTDIR'))
        return [];
      throw error;
    },
  );
  return names
    .flatMap((entry) => {
      const parsed = entry.isFile() ? parseJournalKey(entry.name) : undefined;
      return parsed ? [{ key: `journal/${entry.name}`, ...parsed }] : [];
    })
    .sort(byTermAndNumber);
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

/** A journal as it was found. */
export interface FoundJournal {
  ref: JournalRef;
  entries: JournalEntry[];
  /** The lines that can be read, byte for byte: the journal as it is to be. */
  whole: Buffer;
  /** More than a crash tears off its last line is not whole. */
  isDamaged: boolean;
  bytes: Buffer;
}

const NEWLINE = 0x0a;
/** Whether an append that was cut short ends so: within its first line. */
const isTorn = (rest: Buffer): boolean => rest.length === 0 || rest.toString('latin1', 0, 1) === '{';

/** @throws MANIFEST for a journal of a format that this version cannot read */
export async function findJournal(sessionFolder: string, ref: JournalRef): Promise<FoundJournal> {
  const bytes = await readFile(join(sessionFolder, ref.key));
  const entries: JournalEntry[] = [];
  const lines: Buffer[] = [];
  let isDamaged = false;
  let at = 0;
  /** Where what can be read ends, as far as is known. */
  let wholeEnd = 0;
  for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, at)) {
    const line = bytes.subarray(at, end + 1);
    const text = line.toString('utf8').trimEnd();
    const decoded = text === '' ? { ok: true as const, entry: undefined } : decodeJournalLine(text, ref.key);
    if (decoded.ok) {
      isDamaged ||= wholeEnd < at;
      wholeEnd = end + 1;
      lines.push(line);
      if (decoded.entry) entries.push(decoded.entry);
    }
    at = end + 1;
  }
  // No line has a zero in it: a power cut leaves them where an append had reached and its content had not.
  const rest = bytes.subarray(wholeEnd);
  isDamaged ||= !rest.includes(0) && (at > wholeEnd || !isTorn(rest));
  return { ref, entries, whole: Buffer.concat(lines), isDamaged, bytes };
}

/** Leaves what can be read of it, so that it can be shipped as it is. */
export async function mendJournal(sessionFolder: string, { ref, whole, bytes }: FoundJournal): Promise<void> {
  if (whole.length < bytes.length) await writeFileDurably(join(sessionFolder, ref.key), whole);
}
