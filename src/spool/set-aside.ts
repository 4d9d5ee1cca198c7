/**
 * What cannot be used and must not be destroyed: `<session>.set-aside/`, beside the session's folder, which it outlives.
 * Nothing in it is ever read, replaced or removed again; its names tell what became of the session.
 */
import { constants } from 'node:fs';
import { copyFile, mkdir, readdir, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isMissing, syncFile, syncFolder } from '../kernel/files.ts';

/** Ends the name of its folder. */
export const SET_ASIDE = '.set-aside';
/** Behind the name of what is not the first of that name there. */
const AGAIN = /\.\d+$/;
const asideOf = (sessionFolder: string): string => `${sessionFolder}${SET_ASIDE}`;

/** Where something of this session was set aside, if anything was. */
export async function findAside(sessionFolder: string): Promise<string | undefined> {
  const aside = asideOf(sessionFolder);
  return stat(aside).then(
    () => aside,
    () => undefined,
  );
}

/** What of one of its folders was, under the names that it had there. */
export async function namesAside(sessionFolder: string, folder: string): Promise<string[]> {
  const names = await readdir(join(asideOf(sessionFolder), folder)).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  return names.map((name) => name.replace(AGAIN, ''));
}

/** Moves it there; undefined when it is not here (any more). Durable when it resolves. */
export async function moveAside(sessionFolder: string, path: string): Promise<string | undefined> {
  const to = await freePlace(sessionFolder, path);
  try {
    await rename(join(sessionFolder, path), to);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  await syncFolder(dirname(to));
  return to;
}

/** Puts a copy there, of a file of which a part goes on being used. Durable when it resolves. */
export async function copyAside(sessionFolder: string, path: string): Promise<string> {
  const to = await freePlace(sessionFolder, path);
  await copyFile(join(sessionFolder, path), to, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
  await syncFile(to);
  await syncFolder(dirname(to));
  return to;
}

async function freePlace(sessionFolder: string, path: string): Promise<string> {
  const aside = asideOf(sessionFolder);
  const place = join(aside, path);
  await mkdir(dirname(place), { recursive: true });
  for (let at = dirname(place); at.length >= aside.length; at = dirname(at)) await syncFolder(dirname(at));
  for (let n = 1; ; n += 1) {
    const free = n === 1 ? place : `${place}.${n}`;
    const isTaken = await stat(free).then(
      () => true,
      () => false,
    );
    if (!isTaken) return free;
  }
}
