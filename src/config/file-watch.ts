/** Tells when a file's content may be another: editors write it, or put another one in its place. */
import { lstatSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';

/** An editor's write is several changes. */
const SETTLES_MS = 300;

/**
 * Until the signal aborts. Where a file system tells nothing (some network ones), nothing is told here, nor what is done to a
 * file elsewhere that this one is a link to.
 */
export function onFileChange(
  path: string,
  onChange: () => void,
  { clock, log, signal }: { clock: Clock; log: Logger; signal: AbortSignal },
): void {
  let cancel = (): void => {};
  const name = basename(path);
  try {
    // The folder is watched, for the file of today may be removed tomorrow. A link there may lead over another one, which is
    // what changes: Kubernetes puts its files in place like that.
    const watcher = watch(dirname(path), { signal, persistent: false }, (_event, changed) => {
      if (changed !== null && changed !== name && !isLink(path)) return;
      cancel();
      cancel = clock.after(SETTLES_MS, onChange);
    });
    watcher.on('error', (error) =>
      log.warn({ err: error, path }, 'changes of the config file go unnoticed: use SIGHUP'),
    );
  } catch (error) {
    log.warn({ err: error, path }, 'changes of the config file go unnoticed: use SIGHUP');
  }
  signal.addEventListener('abort', () => cancel(), { once: true });
}

const isLink = (path: string): boolean =>
  lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
