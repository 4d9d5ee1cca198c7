/**
 * Ships and seals what earlier runs left in the spool, creator by creator. A creator that a live recorder holds is left
 * to it. Nothing is looked up: whether a room is still live is the recorder's question.
 */
import { readdir } from 'node:fs/promises';
import { isLivestowError } from '../kernel/errors.ts';
import { isMissing } from '../kernel/files.ts';
import { parseHandle } from '../model/handle.ts';
import type { Manifest } from '../model/manifest.ts';
import { lockCreator } from '../spool/creator-lock.ts';
import { requireWritableSpool } from '../spool/writable-spool.ts';
import { spooledSessions } from '../spool/session-spool.ts';
import { finishLeftover } from './record-creator.ts';
import type { RoomDeps } from './record-room.ts';

export type Recovered =
  | { handle: string; session: string; outcome: 'sealed'; manifest: Manifest }
  | { handle: string; session: string; outcome: 'left'; error: unknown }
  | { handle: string; session: null; outcome: 'held' };

/** @throws SPOOL before anything is touched */
export async function* recoverSpool(deps: RoomDeps, signal: AbortSignal): AsyncGenerator<Recovered> {
  const handles = await spooledCreators(deps.spoolRoot);
  if (handles.length > 0) await requireWritableSpool(deps.spoolRoot);
  for (const handle of handles) {
    signal.throwIfAborted();
    let lock;
    try {
      lock = lockCreator(deps.spoolRoot, handle);
    } catch (error) {
      if (!isLivestowError(error, 'HELD')) throw error;
      yield { handle, session: null, outcome: 'held' };
      continue;
    }
    try {
      for (const session of await spooledSessions(deps.spoolRoot, handle)) {
        signal.throwIfAborted();
        try {
          const manifest = await finishLeftover(handle, session, deps);
          if (manifest) yield { handle, session, outcome: 'sealed', manifest };
        } catch (error) {
          yield { handle, session, outcome: 'left', error };
        }
      }
    } finally {
      lock.release();
    }
  }
}

async function spooledCreators(spoolRoot: string): Promise<string[]> {
  try {
    const entries = await readdir(spoolRoot, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory() && parseHandle(entry.name) === entry.name)
      .map((entry) => entry.name)
      .sort();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
