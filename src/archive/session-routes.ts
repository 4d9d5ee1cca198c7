/**
 * One session over HTTP, read-only: its playlists (made from the manifest, so that they are there even where the bucket
 * lacks them) and the objects that the manifest names. Nothing else can be reached: a path is looked up among those
 * names and never becomes a key itself.
 */
import type { Context, Env, Hono } from 'hono';
import { contentTypeOf, sessionKeys } from '../layout/keys.ts';
import { epochPlaylist, sessionPlaylist, windowPlaylist } from '../layout/playlist.ts';
import { initOf } from '../layout/objects.ts';
import type { ArchivedFile, Manifest } from '../model/manifest.ts';
import type { Store } from '../store/store.ts';
import { sendBytes } from './send-bytes.ts';
import { keyIn, type SessionRef } from './session-reader.ts';
import type { WatchedSession } from './watched-session.ts';

const FOR_PLAYERS = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Expose-Headers': 'Content-Length, Content-Range',
  'Cross-Origin-Resource-Policy': 'cross-origin',
};

/** Which session a request is for. */
export interface RequestedSession {
  ref: SessionRef;
  watched: WatchedSession;
  /** Players on pages elsewhere may read it: whoever knows the address was given it. */
  isPublic: boolean;
}

/** @param base the path of a session's folder */
export function addSessionRoutes<E extends Env>(
  app: Hono<E>,
  base: string,
  store: Store,
  sessionOf: (c: Context<E>) => RequestedSession,
): void {
  app.options(`${base}/*`, (c) => {
    if (!sessionOf(c).isPublic) return c.notFound();
    const headers = { 'Access-Control-Allow-Methods': 'GET, HEAD', 'Access-Control-Allow-Headers': 'Range' };
    return c.body(null, 204, { ...FOR_PLAYERS, ...headers });
  });
  app.get(`${base}/:playlist{(?:index|epoch-[0-9]+-[0-9]+)\\.m3u8}`, async (c) => {
    const { watched, isPublic } = sessionOf(c);
    const text = playlistOf(await watched.manifest(), c.req.param('playlist') ?? '', c.req.query('last'));
    if (text === undefined) return c.notFound();
    const headers = { 'Content-Type': contentTypeOf(sessionKeys.playlist), 'Cache-Control': 'no-store' };
    return c.body(text, 200, { ...(isPublic ? FOR_PLAYERS : {}), ...headers });
  });
  app.get(`${base}/:key{.+}`, async (c) => {
    const { ref, watched, isPublic } = sessionOf(c);
    const object = objectNamed(await watched.manifest(), c.req.param('key') ?? '');
    return object === undefined
      ? c.notFound()
      : sendObject(c, store, ref, object, isPublic ? FOR_PLAYERS : {});
  });
}

/** @param last of the whole session's playlist, the end alone: so many seconds */
function playlistOf(manifest: Manifest, name: string, last: string | undefined): string | undefined {
  const isSealed = manifest.sealedAt !== null;
  if (name === sessionKeys.playlist) {
    const windowMs = 1_000 * Number(last);
    return windowMs > 0 ? windowPlaylist(manifest, isSealed, windowMs) : sessionPlaylist(manifest, isSealed);
  }
  const epoch = manifest.epochs.find(({ term, epoch }) => sessionKeys.epochPlaylist(term, epoch) === name);
  return epoch && epochPlaylist(manifest, epoch, isSealed || epoch !== manifest.epochs.at(-1));
}

function objectNamed({ epochs, segments, files }: Manifest, key: string): ArchivedFile | undefined {
  const ofEpoch = epochs.find(({ init }) => init === key);
  const init = ofEpoch && initOf(ofEpoch);
  return init ?? segments.find((segment) => segment.key === key) ?? files.find((file) => file.key === key);
}

function sendObject(
  c: Context,
  store: Store,
  ref: SessionRef,
  { key, bytes, sha256 }: ArchivedFile,
  always: Record<string, string>,
): Promise<Response> {
  return sendBytes(c, {
    size: bytes,
    always,
    headers: {
      'Content-Type': contentTypeOf(key),
      ETag: `"${sha256}"`,
      'Cache-Control': 'private, max-age=86400, immutable',
    },
    open: (range) => store.get(keyIn(ref, key), range ? { range } : {}),
  });
}
