/**
 * The cache folder. A file is written under a name of its own and renamed, so whoever finds `small.flv` finds all of it,
 * and two processes that make it at once only waste one's time. A change of recipe gets a new folder.
 */
import { randomUUID } from 'node:crypto';
import { access, mkdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { ImageName, MediaName } from './recipes.ts';

/** Raise when a file that is already in someone's cache would no longer do. */
const RECIPE_VERSION = 1;

/** In a checkout, which runs from `src`, its own `.cache`; for a built package the user's cache folder. */
export function defaultMediaFolder(): string {
  const base = join(import.meta.dirname, '..', '..');
  if (basename(base) === 'src') return join(base, '..', '.cache', 'sandbox-media');
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'livestow', 'sandbox-media');
}

export const mediaPath = (folder: string, name: MediaName): string =>
  join(folder, `v${RECIPE_VERSION}`, `${name}.flv`);
export const soundPath = (folder: string): string => join(folder, `v${RECIPE_VERSION}`, 'sound.aac');
export const imagePath = (folder: string, name: ImageName): string =>
  join(folder, `v${RECIPE_VERSION}`, `${name}.jpg`);

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Calls `make` with a temporary path unless the file is there; what it leaves there becomes the file. */
export async function makeOnce(path: string, make: (temporary: string) => Promise<void>): Promise<void> {
  if (await exists(path)) {
    return;
  }
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${randomUUID()}.part`;
  try {
    await make(temporary);
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}
