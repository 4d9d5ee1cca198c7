/** The store that a setting (`LIVESTOW_STORE`) names, ready for use: the adapter under its decorators. */
import { isAbsolute, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LivestowError } from '../kernel/errors.ts';
import { DirectoryStore } from './directory-store.ts';
import type { Store } from './store.ts';

export interface StoreDeps {
  /** What a relative path is relative to; the working folder unless told. */
  cwd?: string;
}

/** Throws CONFIG when the location names no store. Touches neither disk nor network. */
export function openStore(location: string, deps: StoreDeps = {}): Store {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(location)?.[1]?.toLowerCase();
  switch (scheme) {
    case undefined:
      if (location.trim() === '') throw unusable('is empty');
      return new DirectoryStore(resolve(deps.cwd ?? process.cwd(), location));
    case 'file':
      return new DirectoryStore(pathOf(location));
    default:
      throw unusable(`begins with ${scheme}:, which livestow does not know`);
  }
}

function pathOf(location: string): string {
  try {
    const path = fileURLToPath(location);
    if (isAbsolute(path) && /^file:\/\/\//i.test(location)) return path;
  } catch (error) {
    throw unusable('is not a file URL', error);
  }
  throw unusable('is not an absolute file URL');
}

function unusable(what: string, cause?: unknown): LivestowError {
  return new LivestowError('CONFIG', `the store's location ${what}`, {
    hint: 'Use a path, file:///an/absolute/path, or s3://bucket/prefix?endpoint=https://host&region=us-east-1&pathStyle=true',
    cause,
  });
}
