/**
 * Ships and seals what earlier runs left in the spool, creator by creator. A creator that a live recorder holds is left
 * to it. Nothing is looked up: whether a room is still live is the recorder's question.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isLivestowError } from '../kernel/errors.ts';
import { isMissing } from '../kernel/files.ts';
import { parseHandle } from '../model/handle.ts';
import type { Manifest } from '../model/manifest.ts';
import { lockCreator } from '../spool/creator-lock.ts';
import { findAside } from '../spool/set-aside.ts';
import { DAEMON_FOLDER, isSpoolName, spooledSessions } from '../spool/session-spool.ts';
import { requireWritableSpool } from '../spool/writable-spool.ts';
import { finishLeftover } from './record-creator.ts';
import type { RoomDeps } from './record-room.ts';

export type Recovered =
  /** `aside`: where something of it was set aside, if anything was. */
  | { handle: string; session: string; outcome: 'sealed'; manifest: Manifest; aside: string | undefined }
  /** Without a session: nothing of this creator could be looked at. */
  | { handle: string; session: string | null; outcome: 'left'; error: unknown }
  | { handle: string; session: null; outcome: 'held' };

/**
 * @param depsOf of a creator, who may have a store of its own; null: whoever else records it does this too
 * @throws SPOOL before anything is touched
 */
export async function* recoverSpool(
  deps: RoomDeps,
  signal: AbortSignal,
  depsOf: (handle: string) => RoomDeps | null = () => deps,
): AsyncGenerator<Recovered> {
  const handles = await spooledCreators(deps);
  if (handles.length > 0) await requireWritableSpool(deps.spoolRoot);
  for (const handle of handles) {
    signal.throwIfAborted();
    const own = depsOf(handle);
    if (own === null) continue;
    let lock;
    try {
      lock = lockCreator(deps.spoolRoot, handle);
    } catch (error) {
      if (isLivestowError(error, 'HELD')) yield { handle, session: null, outcome: 'held' };
      else yield { handle, session: null, outcome: 'left', error };
      continue;
    }
    try {
      for (const session of await spooledSessions(deps.spoolRoot, handle)) {
        signal.throwIfAborted();
        try {
          const manifest = await finishLeftover(handle, session, own, signal);
          const aside = await findAside(join(deps.spoolRoot, handle, session));
          if (manifest) yield { handle, session, outcome: 'sealed', manifest, aside };
        } catch (error) {
          yield { handle, session, outcome: 'left', error };
        }
      }
    } finally {
      lock.release();
    }
  }
}

/** Creators of whom something lies here. A folder with nothing of ours in it is not ours to put a lock into. */
async function spooledCreators({ spoolRoot, log }: RoomDeps): Promise<string[]> {
  const creators: string[] = [];
  const tellStranger = (path: string): void =>
    log.warn({ path }, 'livestow does not know what this is in its spool; it is left alone');
  for (const entry of await entriesOf(spoolRoot)) {
    const path = join(spoolRoot, entry.name);
    if (entry.name === DAEMON_FOLDER) continue;
    if (!entry.isDirectory() || parseHandle(entry.name) !== entry.name) {
      tellStranger(path);
      continue;
    }
    const inside = await entriesOf(path);
    const strangers = inside.filter((each) => !isSpoolName(each.name, each.isDirectory()));
    for (const { name } of strangers) tellStranger(join(path, name));
    if (inside.some((each) => each.isDirectory() && !strangers.includes(each))) creators.push(entry.name);
  }
  return creators.sort();
}

async function entriesOf(folder: string) {
  return readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
}
