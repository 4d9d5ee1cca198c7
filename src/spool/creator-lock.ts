/** One recorder per creator and spool, on one machine. */
import { join } from 'node:path';
import { lockFolder, type FolderLock } from './folder-lock.ts';

export type CreatorLock = FolderLock;

/** @throws HELD when another live process (or another recorder in this one) has it */
export const lockCreator = (spoolRoot: string, handle: string): CreatorLock =>
  lockFolder(join(spoolRoot, handle), {
    message: `another recorder holds @${handle} in this spool`,
    hint: `stop the other livestow that records @${handle}, or give this one a spool of its own (--spool)`,
  });
