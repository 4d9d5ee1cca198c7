/**
 * What lies in a session's folder and is nothing that livestow writes there: another name, or another kind of thing
 * under a known name. Whoever removes the folder must not remove that.
 */
import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { isMissing } from '../kernel/files.ts';
import { parseJournalKey, parseSegmentKey, sessionKeys } from '../layout/keys.ts';
import { isTailFile } from './tail.ts';

/** `writeFileDurably` was killed on the way. */
const TEMPORARY = /\.tmp-\d+$/;
const INIT = /^\d{4,}-\d{4,}-init\.mp4$/;
const EPOCH_FOLDER = /^\d+-\d+$/;

const isMedia = (name: string): boolean => parseSegmentKey(name) !== undefined || INIT.test(name);

/** Of `files/`: everything that is in the archive under its own name, what a poster is made of, and a note. */
export const POSTER_SOURCE = 'poster-source';
export const POSTER_IN_WORK = 'poster-in-work.jpg';
/** Which store the session is shipped to. */
export const STORE_NOTE = 'store.txt';
const SMALL_FILES = new Set<string>([
  sessionKeys.room,
  sessionKeys.samples,
  sessionKeys.events,
  sessionKeys.cover,
  sessionKeys.poster,
  sessionKeys.storyboard,
  sessionKeys.storyboardTrack,
  POSTER_SOURCE,
  POSTER_IN_WORK,
  STORE_NOTE,
]);

/** The folders of a session's folder, and which files belong in each. */
const KNOWN: Record<string, (name: string) => boolean> = {
  journal: (name) => parseJournalKey(name.replace(TEMPORARY, '')) !== undefined,
  segments: isMedia,
  files: (name) => SMALL_FILES.has(name.replace(TEMPORARY, '')),
  engine: () => false,
  tail: isTailFile,
};
export const FOLDERS: readonly string[] = Object.keys(KNOWN);

/** Paths below the session's folder. */
export async function strangersIn(sessionFolder: string): Promise<string[]> {
  const strangers: string[] = [];
  for (const entry of await entriesOf(sessionFolder)) {
    const isKnown = KNOWN[entry.name];
    if (!isKnown || !entry.isDirectory()) strangers.push(entry.name);
    else strangers.push(...(await strangersOf(sessionFolder, entry.name, isKnown)));
  }
  return strangers;
}

async function strangersOf(
  sessionFolder: string,
  folder: string,
  isKnown: (name: string) => boolean,
): Promise<string[]> {
  const strangers: string[] = [];
  for (const entry of await entriesOf(join(sessionFolder, folder))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isFile() && isKnown(entry.name)) continue;
    const isEpoch = basename(folder) === 'engine' && entry.isDirectory() && EPOCH_FOLDER.test(entry.name);
    if (isEpoch) strangers.push(...(await strangersOf(sessionFolder, path, isMedia)));
    else strangers.push(path);
  }
  return strangers;
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  return readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
}
