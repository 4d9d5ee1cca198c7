/**
 * One session over HTTP: its page, playlists, objects, pictures and exports, all below one path, whoever came there and by
 * which way (signed in, by a share link, from `livestow play`). Nothing but this session can be reached.
 */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { Readable } from 'node:stream';
import { Hono, type Context } from 'hono';
import { html } from 'hono/html';
import type { SessionRef } from '../archive/session-reader.ts';
import { sessionRoutes } from '../archive/session-routes.ts';
import type { WatchedSession } from '../archive/watched-session.ts';
import { parseRange } from '../archive/byte-range.ts';
import { LivestowError } from '../kernel/errors.ts';
import { encodeManifest } from '../layout/manifest.ts';
import { keyIn } from '../archive/session-reader.ts';
import type { Store } from '../store/store.ts';
import type { Guarded } from '../web/guard.ts';
import type { Assets } from './assets.ts';
import { exportSection } from './export-section.ts';
import type { Exports } from './exports.ts';
import { pageHeaders } from './headers.ts';
import { page, type Html, type Viewer } from './page.ts';
import type { Pictures } from './pictures.ts';
import { parsePosition } from './positions.ts';
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

export function sessionSite(
  deps: SessionSiteDeps,
  ref: SessionRef,
  watched: WatchedSession,
  viewer: Viewer,
): Hono<Guarded> {
  const { store, assets, pictures, exports, shares } = deps;
  const site = new Hono<Guarded>();
  const mayOrder = viewer.isGuest !== true;

  site.get('/', async (c) => {
    const manifest = await watched.manifest();
    const records = await readRecords(store, ref, manifest);
    pageHeaders(c, await originsOf(store, ref));
    const aside: Html | '' = mayOrder
      ? html`${exportSection(exports.of(ref))}${viewer.role === 'admin' && shares ? shareSection(c.req.query('shared'), ref, shares, originOf(c)) : ''}`
      : '';
    const title = manifest.room.title ?? `@${manifest.creator.handle}`;
    const isLive =
      manifest.sealedAt === null ||
      exports.of(ref).some(({ state }) => state === 'waiting' || state === 'working');
    return c.html(
      page(
        {
          title,
          current: 'archive',
          viewer,
          assets,
          script: 'session.ts',
          ...(isLive ? { live: { events: [] } } : {}),
        },
        sessionPage({ manifest, records, aside, isGuest: !mayOrder }),
      ),
    );
  });
  site.get('/timeline.json', async (c) => {
    const manifest = await watched.manifest();
    const { fromMs, toMs, runs, gaps } = viewOf(manifest);
    const first = manifest.segments[0];
    const probe = first && (await presigned(store, ref, first.key)) ? first.key : null;
    const timeline = {
      isLive: manifest.sealedAt === null,
      fromMs,
      toMs,
      runs: runs.map(({ positionMs, atMs, ms }) => [positionMs, atMs, ms]),
      gaps,
      probe,
    };
    return c.json(timeline);
  });
  for (const name of ['storyboard.jpg', 'storyboard.vtt'] as const) {
    site.get(`/${name}`, async (c) => {
      const { sealedAt } = await watched.manifest();
      return picture(c, await pictures.storyboard(ref, name, sealedAt !== null), sealedAt !== null);
    });
  }
  site.get('/poster.jpg', async (c) => {
    const { sealedAt } = await watched.manifest();
    return picture(c, await pictures.poster(ref, sealedAt !== null), sealedAt !== null);
  });
  site.get('/segments/:name', async (c, next) => {
    const key = `segments/${c.req.param('name')}`;
    if (c.req.query('direct') === undefined) return next();
    const { segments, epochs } = await watched.manifest();
    const isNamed =
      segments.some((segment) => segment.key === key) || epochs.some(({ init }) => init === key);
    const url = isNamed ? await presigned(store, ref, key) : undefined;
    return url === undefined ? next() : c.redirect(url, 302);
  });
  if (mayOrder) {
    site.get('/manifest.json', async (c) =>
      c.body(encodeManifest(await watched.manifest()), 200, { 'Content-Type': 'application/json' }),
    );
    site.post('/exports', async (c) => {
      const { from, to } = await c.req.parseBody();
      const { segments } = await watched.manifest();
      const order = {
        ...ref,
        fromMs: positionOf(from, 'the beginning'),
        toMs: positionOf(to, 'the end'),
        bytes: segments.reduce((sum, { bytes }) => sum + bytes, 0),
      };
      exports.order(order);
      return c.redirect(`${pathOf(c, '/exports')}#exports`, 303);
    });
    site.post('/exports/:id/cancel', async (c) => {
      await exports.cancel(ref, c.req.param('id'));
      return c.redirect(`${pathOf(c, `/exports/${c.req.param('id')}/cancel`)}#exports`, 303);
    });
    site.get('/exports/:id/:name', (c) =>
      sendFile(c, exports.pathOf(ref, c.req.param('id'), c.req.param('name'))),
    );
  }
  site.route('/', sessionRoutes(store, ref, watched, { isPublic: !mayOrder }));
  return site;
}

/** The session's own path, whatever it is mounted at. */
const pathOf = (c: Context, own: string): string => `${c.req.path.slice(0, -own.length)}/`;

const originOf = (c: Context): string => new URL(c.req.url).origin;

function positionOf(said: unknown, what: string): number | null {
  if (typeof said !== 'string' || said.trim() === '') return null;
  const ms = parsePosition(said);
  if (ms !== undefined) return ms;
  throw new LivestowError('USAGE', `${what} is no time: write 1:02:03, 2:03 or seconds`);
}

function picture(c: Context, bytes: Buffer | undefined, isForGood: boolean): Response | Promise<Response> {
  if (!bytes) return c.notFound();
  const isText = bytes.subarray(0, 6).toString() === 'WEBVTT';
  return c.body(Uint8Array.from(bytes), 200, {
    'Content-Type': isText ? 'text/vtt; charset=utf-8' : 'image/jpeg',
    'Cache-Control': isForGood ? 'private, max-age=604800' : 'private, max-age=10',
  });
}

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
  const { size } = await stat(path);
  const range = parseRange(c.req.header('Range'), size);
  if (range === 'unsatisfiable') return c.body(null, 416, { 'Content-Range': `bytes */${size}` });
  const isPart = range !== 'whole';
  const headers = {
    'Content-Type': 'video/mp4',
    'Content-Disposition': `attachment; filename="${basename(path)}"`,
    'Accept-Ranges': 'bytes',
    'Content-Length': String(isPart ? range.end - range.start + 1 : size),
    ...(isPart ? { 'Content-Range': `bytes ${range.start}-${range.end}/${size}` } : {}),
  };
  if (c.req.method === 'HEAD') return c.body(null, isPart ? 206 : 200, headers);
  const stream = createReadStream(path, isPart ? { start: range.start, end: range.end } : {});
  return c.body(Readable.toWeb(stream) as ReadableStream, isPart ? 206 : 200, headers);
}
