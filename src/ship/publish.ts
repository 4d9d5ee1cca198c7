/**
 * Writes what is derived from the journals: playlists, manifest, summary, index; in the order in which a reader may
 * trust them (each names only what was written before it). What did not change is not written again: a session of many
 * epochs would else write all their playlists each time.
 */
import type { FoldedSession } from '../layout/fold.ts';
import { contentTypeOf, indexKey, sessionKeys, sessionPrefix } from '../layout/keys.ts';
import { encodeManifest, encodeSummary, summaryOf } from '../layout/manifest.ts';
import { epochPlaylist, sessionPlaylist } from '../layout/playlist.ts';
import type { Manifest } from '../model/manifest.ts';
import { sha256Of } from '../store/body.ts';
import type { Store } from '../store/store.ts';

export class Publisher {
  readonly #store: Pick<Store, 'put'>;
  readonly #handle: string;
  /** Of what stands in the store, by key. */
  readonly #written = new Map<string, string>();

  /** @param handle where the session lies: a creator that was renamed since may bear another one in the manifest */
  constructor(store: Pick<Store, 'put'>, handle: string) {
    this.#store = store;
    this.#handle = handle;
  }

  async publish(manifest: Manifest, signal?: AbortSignal): Promise<void> {
    const prefix = sessionPrefix(this.#handle, manifest.session);
    const sealed = manifest.sealedAt !== null;
    const last = manifest.epochs.at(-1);
    for (const epoch of manifest.epochs) {
      const complete = sealed || epoch !== last;
      const key = `${prefix}${sessionKeys.epochPlaylist(epoch.term, epoch.epoch)}`;
      await this.#put(key, epochPlaylist(manifest, epoch, complete), signal);
    }
    await this.#put(`${prefix}${sessionKeys.playlist}`, sessionPlaylist(manifest, sealed), signal);
    await this.#put(`${prefix}${sessionKeys.manifest}`, encodeManifest(manifest), signal);
    await this.summarise(manifest, signal);
  }

  /** What lists of sessions show. A crash may have come between the manifest and this. */
  async summarise(manifest: Manifest, signal?: AbortSignal): Promise<void> {
    const summary = encodeSummary(summaryOf(manifest));
    const prefix = sessionPrefix(this.#handle, manifest.session);
    await this.#put(`${prefix}${sessionKeys.summary}`, summary, signal);
    await this.#put(indexKey(manifest.session, this.#handle), summary, signal);
  }

  async #put(key: string, text: string, signal?: AbortSignal): Promise<void> {
    const bytes = Buffer.from(text);
    const digest = sha256Of(bytes);
    if (this.#written.get(key) === digest) return;
    this.#written.delete(key);
    const options = { contentType: contentTypeOf(key), ...(signal ? { signal } : {}) };
    await this.#store.put(key, { bytes }, options);
    this.#written.set(key, digest);
  }
}

const ndjson = (lines: readonly unknown[]): string =>
  lines.map((line) => `${JSON.stringify(line)}\n`).join('');

/** The files that are folds of the journals, written at the seal. */
export const foldedFiles = (folded: FoldedSession): Map<string, string> =>
  new Map([
    [sessionKeys.samples, ndjson(folded.samples.map(({ type: _, ...sample }) => sample))],
    [sessionKeys.events, ndjson(folded.events.map(({ type: _, ...event }) => event))],
  ]);
