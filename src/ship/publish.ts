/**
 * Writes what is derived from the journals: manifest, playlists, summary, index; in the order in which a reader may
 * trust them (each names only what was written before it).
 */
import type { FoldedSession } from '../layout/fold.ts';
import { contentTypeOf, indexKey, sessionKeys, sessionPrefix } from '../layout/keys.ts';
import { encodeManifest, encodeSummary, summaryOf } from '../layout/manifest.ts';
import { epochPlaylist, sessionPlaylist } from '../layout/playlist.ts';
import type { Manifest } from '../model/manifest.ts';
import type { Store } from '../store/store.ts';

async function putText(store: Store, key: string, text: string, signal?: AbortSignal): Promise<void> {
  const options = { contentType: contentTypeOf(key), ...(signal ? { signal } : {}) };
  await store.put(key, { bytes: Buffer.from(text) }, options);
}

/** @param handle where the session lies: a creator that was renamed since may bear another one in the manifest */
export async function publish(
  store: Store,
  handle: string,
  manifest: Manifest,
  signal?: AbortSignal,
): Promise<void> {
  const prefix = sessionPrefix(handle, manifest.session);
  const sealed = manifest.sealedAt !== null;
  const last = manifest.epochs.at(-1);
  for (const epoch of manifest.epochs) {
    const complete = sealed || epoch !== last;
    const key = `${prefix}${sessionKeys.epochPlaylist(epoch.term, epoch.epoch)}`;
    await putText(store, key, epochPlaylist(manifest, epoch, complete), signal);
  }
  await putText(store, `${prefix}${sessionKeys.playlist}`, sessionPlaylist(manifest, sealed), signal);
  await putText(store, `${prefix}${sessionKeys.manifest}`, encodeManifest(manifest), signal);
  const summary = encodeSummary(summaryOf(manifest));
  await putText(store, `${prefix}${sessionKeys.summary}`, summary, signal);
  await putText(store, indexKey(manifest.session, handle), summary, signal);
}

const ndjson = (lines: readonly unknown[]): string =>
  lines.map((line) => `${JSON.stringify(line)}\n`).join('');

/** The files that are folds of the journals, written at the seal. */
export const foldedFiles = (folded: FoldedSession): Map<string, string> =>
  new Map([
    [sessionKeys.samples, ndjson(folded.samples.map(({ type: _, ...sample }) => sample))],
    [sessionKeys.events, ndjson(folded.events.map(({ type: _, ...event }) => event))],
  ]);
