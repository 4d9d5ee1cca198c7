/**
 * A folder that one process works in. The lock is an exclusive transaction on a small SQLite file in it, so the operating
 * system holds it for the live process and drops it with the process, however it dies: there is no stale lock and no
 * time-out after a `kill -9`.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { LivestowError } from '../kernel/errors.ts';

const SQLITE_BUSY = 5;

/** Keeps what is locked from the garbage collector, which would close it: a lock is released by nobody but its holder. */
const held = new Set<DatabaseSync>();

export interface FolderLock {
  release(): void;
}

/** @throws HELD, in these words, when another live process (or another holder in this one) has it */
export function lockFolder(folder: string, refusal: { message: string; hint: string }): FolderLock {
  const database = openDatabase(folder);
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (cause) {
    database.close();
    if (!isBusy(cause)) throw spoolUnusable(folder, cause);
    throw new LivestowError('HELD', refusal.message, { cause, hint: refusal.hint });
  }
  held.add(database);
  return {
    release: () => {
      if (held.delete(database)) database.close();
    },
  };
}

function openDatabase(folder: string): DatabaseSync {
  try {
    mkdirSync(folder, { recursive: true });
    return new DatabaseSync(join(folder, 'lock.sqlite'));
  } catch (cause) {
    throw spoolUnusable(folder, cause);
  }
}

export const spoolUnusable = (folder: string, cause: unknown): LivestowError =>
  new LivestowError('SPOOL', `the spool cannot be written: ${folder}`, {
    cause,
    hint: 'check that the folder exists on a disk with room and that this user may write to it (--spool)',
  });

const isBusy = (error: unknown): boolean =>
  error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === SQLITE_BUSY;
