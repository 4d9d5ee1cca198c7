/**
 * One session over HTTP: its page, playlists, objects, pictures and exports, all below one path, whoever came there and by
 * which way (signed in, by a share link, from `livestow play`). Nothing but this session can be reached.
 */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Context, Hono } from 'hono';
import { html } from 'hono/html';
import { sendBytes } from '../archive/send-bytes.ts';
import { keyIn, type SessionRef } from '../archive/session-reader.ts';
import { addSessionRoutes, type RequestedSession } from '../archive/session-routes.ts';
import { MOMENT_FORMS, parseMoment, type Moment } from '../archive/export-range.ts';
import { LivestowError } from '../kernel/errors.ts';
import { encodeManifest } from '../layout/manifest.ts';
import type { WatchedSession } from '../archive/watched-session.ts';
import type { SessionTimeline } from '../model/session-timeline.ts';
import type { Store } from '../store/store.ts';
import type { Guarded } from '../web/guard.ts';
import type { Assets } from './assets.ts';
import { exportSection } from './export-section.ts';
import type { Exports } from './exports.ts';
import { originOf, pageHeaders } from './headers.ts';
import { page, type Html, type Viewer } from './page.ts';
import type { Pictures } from './pictures.ts';
import { sessionPage } from './session-page.ts';
import { readRecords } from './session-records.ts';
import { viewOf } from './session-view.ts';
import type { ShareLinks } from './share.ts';
import { shareSection } from './share-section.ts';

export interface SessionSiteDeps {
  store: Store;
  assets: Assets;
  pictures: Pictures;
  exports: Exports;
  /** Null: nobody else could come by one. */
  shares: ShareLinks | null;
}

/** Longer than it takes to fetch a segment; a player asks for a new one with each. */
const DIRECT_FOR_S = 600;

/** Which session a request is for, and who asks: a guest (`isPublic`) sees it and can order nothing. */
export interface SessionHere extends RequestedSession {
  viewer: Viewer;
}

/** @param base the path of a session's folder, as the app routes it */
export function addSessionSite(
  app: Hono<Guarded>,
  base: string,
  deps: SessionSiteDeps,
  hereOf: (c: Context<Guarded>) => SessionHere,
): void {
  const { store, pictures } = deps;
  // Everything on the page is relative to the folder.
  app.get(base, (c) => c.redirect(`${c.req.path}/`, 301));
  app.get(`${base}/`, (c) => showPage(c, deps, hereOf(c)));
  app.get(`${base}/timeline.json`, async (c) => c.json(await timelineOf(store, hereOf(c))));
  // The manifest is read only for want of a picture: that of a day is large, and a list shows many posters.
  const isSealed = (watched: WatchedSession) => async (): Promise<boolean> =>
    (await watched.manifest()).sealedAt !== null;
  for (const name of ['storyboard.jpg', 'storyboard.vtt'] as const) {
    app.get(`${base}/${name}`, async (c) => {
      const { ref, watched } = hereOf(c);
      const picture = await pictures.storyboard(ref, name, isSealed(watched));
      return sendPicture(c, picture, name === 'storyboard.vtt' ? NO_CUES : NO_POSTER);
    });
  }
  app.get(`${base}/poster.jpg`, async (c) => {
    const { ref, watched } = hereOf(c);
    return sendPicture(c, await pictures.poster(ref, isSealed(watched)), NO_POSTER);
  });
  app.get(`${base}/segments/:name`, async (c, next) => {
    const { ref, watched } = hereOf(c);
    const key = `segments/${c.req.param('name')}`;
    if (c.req.query('direct') === undefined) return next();
    const { segments, epochs } = await watched.manifest();
    const isNamed =
      segments.some((segment) => segment.key === key) || epochs.some(({ init }) => init === key);
    const url = isNamed ? await presigned(store, ref, key) : undefined;
    return url === undefined ? next() : c.redirect(url, 302);
  });
  addExports(app, base, deps, hereOf);
  addSessionRoutes(app, base, store, hereOf);
}

function addExports(
  app: Hono<Guarded>,
  base: string,
  { exports }: SessionSiteDeps,
  hereOf: (c: Context<Guarded>) => SessionHere,
): void {
  /** Not for guests. */
  const own = (c: Context<Guarded>): SessionHere => {
    const here = hereOf(c);
    if (!here.isPublic) return here;
    throw new LivestowError('NOT_FOUND', 'the session has nothing of this name');
  };
  app.get(`${base}/manifest.json`, async (c) =>
    c.body(encodeManifest(await own(c).watched.manifest()), 200, { 'Content-Type': 'application/json' }),
  );
  app.post(`${base}/exports`, async (c) => {
    const { ref, watched } = own(c);
    const { from, to } = await c.req.parseBody();
    // There has to be such a session.
    await watched.manifest();
    exports.order({ ...ref, from: momentOf(from, 'the beginning'), to: momentOf(to, 'the end') });
    return c.redirect(`${pathOf(c, '/exports')}#exports`, 303);
  });
  app.post(`${base}/exports/:id/cancel`, async (c) => {
    const id = c.req.param('id') ?? '';
    await exports.cancel(own(c).ref, id);
    return c.redirect(`${pathOf(c, `/exports/${id}/cancel`)}#exports`, 303);
  });
  app.get(`${base}/exports/:id/:name`, (c) =>
    sendFile(c, exports.pathOf(own(c).ref, c.req.param('id') ?? '', c.req.param('name') ?? '')),
  );
}

async function showPage(c: Context<Guarded>, deps: SessionSiteDeps, here: SessionHere): Promise<Response> {
  const { store, assets, exports, shares } = deps;
  const { ref, watched, viewer, isPublic } = here;
  const manifest = await watched.manifest();
  const records = await readRecords(store, ref, manifest, watched);
  pageHeaders(c, await originsOf(store, ref));
  const orders = exports.of(ref);
  const isLive =
    manifest.sealedAt === null || orders.some(({ state }) => state === 'waiting' || state === 'working');
  const sharing =
    viewer.role === 'admin' && shares ? shareSection(c.req.query('shared'), ref, shares, originOf(c)) : '';
  const aside: Html | '' = isPublic ? '' : html`${exportSection(orders)}${sharing}`;
  const title = manifest.room.title ?? `@${manifest.creator.handle}`;
  const live = isLive ? { live: { events: [] } } : {};
  const frame = {
    title,
    current: 'archive' as const,
    viewer,
    assets,
    script: 'session.ts' as const,
    ...live,
  };
  return c.html(page(frame, sessionPage({ manifest, records, aside, isGuest: isPublic })));
}

async function timelineOf(store: Store, { ref, watched }: SessionHere): Promise<SessionTimeline> {
  const manifest = await watched.manifest();
  const { fromMs, toMs, runs, gaps } = viewOf(manifest);
  const first = manifest.segments[0];
  return {
    isLive: manifest.sealedAt === null,
    fromMs,
    toMs,
    runs: runs.map(({ positionMs, atMs, ms }) => [positionMs, atMs, ms] as const),
    gaps,
    probe: first && (await presigned(store, ref, first.key)) ? first.key : null,
  };
}

/** The session's own path, whatever it is mounted at. */
const pathOf = (c: Context, own: string): string => `${c.req.path.slice(0, -own.length)}/`;

function momentOf(said: unknown, what: string): Moment | null {
  if (typeof said !== 'string' || said.trim() === '') return null;
  const moment = parseMoment(said.trim());
  if (moment) return moment;
  throw new LivestowError('USAGE', `${what} is no time: ${MOMENT_FORMS}`);
}

/** There is always something to show: a page is not wrong for want of a picture. One that is there stays as it is. */
function sendPicture(
  c: Context,
  bytes: Buffer | undefined,
  nothing: { text: string; type: string },
): Response | Promise<Response> {
  const isText = bytes?.subarray(0, 6).toString() === 'WEBVTT';
  const type = !bytes ? nothing.type : isText ? 'text/vtt; charset=utf-8' : 'image/jpeg';
  return c.body(bytes ? Uint8Array.from(bytes) : nothing.text, 200, {
    'Content-Type': type,
    'Cache-Control': bytes ? 'private, max-age=604800' : 'private, max-age=10',
  });
}

const NO_POSTER = {
  type: 'image/svg+xml',
  text: '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 5"><rect width="4" height="5" fill="#222a33"/></svg>',
};
const NO_CUES = { type: 'text/vtt; charset=utf-8', text: 'WEBVTT\n' };

async function presigned(store: Store, ref: SessionRef, key: string): Promise<string | undefined> {
  const { presignedUrls } = await store.capabilities();
  return presignedUrls ? store.presign(keyIn(ref, key), DIRECT_FOR_S) : undefined;
}

/** Where the page may fetch media from beside livestow itself. */
async function originsOf(store: Store, ref: SessionRef): Promise<string[]> {
  const url = await presigned(store, ref, 'manifest.json').catch(() => undefined);
  return url === undefined ? [] : [new URL(url).origin];
}

async function sendFile(c: Context, path: string | undefined): Promise<Response> {
  if (path === undefined) return c.notFound();
  return sendBytes(c, {
    size: (await stat(path)).size,
    headers: {
      'Content-Type': 'video/mp4',
      'Content-Disposition': `attachment; filename="${basename(path)}"`,
    },
    open: (range) => createReadStream(path, range),
  });
}
