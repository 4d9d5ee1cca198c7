/**
 * Copies a session into a local folder as it lies in the bucket, where it plays by itself: its playlists name everything
 * relatively. Each object is compared with the manifest's hash on its way, and appears under its name only when it is
 * whole. What is there already and right is not fetched again, so a download that was broken off goes on.
 */
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { forEachAtOnce } from '../kernel/at-once.ts';
import { isLivestowError, LivestowError, messageOf } from '../kernel/errors.ts';
import { isMissing } from '../kernel/files.ts';
import { parseJournalKey, sessionKeys } from '../layout/keys.ts';
import { encodeManifest, encodeSummary, summaryOf } from '../layout/manifest.ts';
import { epochPlaylist, sessionPlaylist } from '../layout/playlist.ts';
import { objectsOf } from '../layout/objects.ts';
import type { ArchivedFile, Manifest } from '../model/manifest.ts';
import { digestOfPath } from '../store/body.ts';
import type { Store } from '../store/store.ts';
import type { Finding } from './finding.ts';
import { readText } from './read-text.ts';
import { keyIn, openSession, type SessionRef } from './session-reader.ts';
import { compareObject } from './verify-object.ts';

const FETCHES_AT_ONCE = 4;

export interface DownloadOptions {
  /** The session gets a folder of its own in it. */
  into: string;
  /** From 0 to 1, by bytes; what need not be fetched counts too. */
  onProgress?: (done: number) => void;
  signal?: AbortSignal | undefined;
}

export interface Download extends SessionRef {
  sealed: boolean;
  folder: string;
  /** Of media and files, with what was there already. */
  objects: number;
  bytes: number;
  fetchedBytes: number;
  /** What is not in the folder, or not what the manifest says. */
  damaged: Finding[];
}

/** Throws NOT_FOUND, MANIFEST, USAGE when the folder cannot be written, what the store throws, and the signal's reason. */
export async function downloadSession(
  store: Store,
  ref: SessionRef,
  options: DownloadOptions,
): Promise<Download> {
  try {
    return await downloadAll(store, ref, options);
  } catch (error) {
    // A stream that is ended in the middle gives an error of its own.
    options.signal?.throwIfAborted();
    throw error;
  }
}

async function downloadAll(
  store: Store,
  ref: SessionRef,
  { into, onProgress, signal }: DownloadOptions,
): Promise<Download> {
  const { manifest } = await openSession(store, ref, { signal });
  const folder = join(into, ref.session);
  const local = new LocalFolder(folder);
  const objects = objectsOf(manifest);
  const bytes = objects.reduce((sum, object) => sum + object.bytes, 0);
  const damaged: Finding[] = [];
  let fetchedBytes = 0;
  let doneBytes = 0;
  const advance = (more: number): void => {
    doneBytes += more;
    if (bytes > 0) onProgress?.(Math.min(1, doneBytes / bytes));
  };
  await forEachAtOnce(objects, FETCHES_AT_ONCE, async (said) => {
    signal?.throwIfAborted();
    if (await local.holds(said)) return advance(said.bytes);
    const { finding, bytes: found } = await compareObject(store, keyIn(ref, ''), said, {
      onBytes: advance,
      keep: true,
      signal,
    });
    if (finding) return void damaged.push(finding);
    await local.write(said.key, found);
    fetchedBytes += said.bytes;
  });
  await copyJournals(store, ref, local, signal);
  const sealed = manifest.sealedAt !== null;
  for (const [key, made] of derivedOf(manifest)) {
    signal?.throwIfAborted();
    // Of a session that is still recorded, what stands in the bucket may name less than was fetched, or be missing yet.
    const stored = sealed ? await readText(store, keyIn(ref, key), signal) : undefined;
    await local.write(key, Buffer.from(stored ?? made));
  }
  onProgress?.(1);
  const { handle, session } = ref;
  return { handle, session, sealed, folder, objects: objects.length, bytes, fetchedBytes, damaged };
}

/** The playlists and records that are made of a manifest; that itself goes last. */
function derivedOf(manifest: Manifest): [string, string][] {
  const sealed = manifest.sealedAt !== null;
  const last = manifest.epochs.at(-1);
  return [
    ...manifest.epochs.map((epoch): [string, string] => [
      sessionKeys.epochPlaylist(epoch.term, epoch.epoch),
      epochPlaylist(manifest, epoch, sealed || epoch !== last),
    ]),
    [sessionKeys.playlist, sessionPlaylist(manifest, sealed)],
    [sessionKeys.summary, encodeSummary(summaryOf(manifest))],
    [sessionKeys.manifest, encodeManifest(manifest)],
  ];
}

/** They never change: one of the right size is the right one. */
async function copyJournals(
  store: Store,
  ref: SessionRef,
  local: LocalFolder,
  signal: AbortSignal | undefined,
): Promise<void> {
  const prefix = keyIn(ref, '');
  const journals: { key: string; bytes: number }[] = [];
  for await (const { key, bytes } of store.list(`${prefix}journal/`, signal ? { signal } : {})) {
    const own = key.slice(prefix.length);
    if (parseJournalKey(own)) journals.push({ key: own, bytes });
  }
  await forEachAtOnce(journals, FETCHES_AT_ONCE, async ({ key, bytes }) => {
    signal?.throwIfAborted();
    if ((await local.sizeOf(key)) === bytes) return;
    try {
      await local.write(key, await buffer(await store.get(prefix + key, signal ? { signal } : {})));
    } catch (error) {
      // The session is being removed; its media is what was asked for.
      if (!isLivestowError(error, 'STORE_NOT_FOUND')) throw error;
    }
  });
}

class LocalFolder {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async sizeOf(key: string): Promise<number | undefined> {
    return stat(join(this.#folder, key)).then(
      ({ size }) => size,
      (error: unknown) => {
        if (isMissing(error)) return undefined;
        throw this.#unusable(error);
      },
    );
  }

  async holds({ key, bytes, sha256 }: ArchivedFile): Promise<boolean> {
    if ((await this.sizeOf(key)) !== bytes) return false;
    return (await digestOfPath(join(this.#folder, key))).sha256 === sha256;
  }

  /** Under its name only when it is whole. */
  async write(key: string, bytes: Uint8Array): Promise<void> {
    const path = join(this.#folder, key);
    const partial = `${path}.partial-${process.pid}`;
    try {
      if (await this.#isSame(path, bytes)) return;
      await mkdir(dirname(path), { recursive: true });
      await writeFile(partial, bytes);
      await rename(partial, path);
    } catch (error) {
      await rm(partial, { force: true }).catch(() => {});
      throw this.#unusable(error);
    }
  }

  async #isSame(path: string, bytes: Uint8Array): Promise<boolean> {
    try {
      return (await readFile(path)).equals(bytes);
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  #unusable(cause: unknown): LivestowError {
    return new LivestowError('USAGE', `${this.#folder} cannot be written: ${messageOf(cause)}`, {
      cause,
      hint: 'name another folder with -o, or make room there',
    });
  }
}
