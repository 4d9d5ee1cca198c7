/**
 * `livestow play`: one session on loopback, for a player (`index.m3u8`) and for a browser (a page with hls.js from the
 * installed package). The address has a secret in it, so that pages of others in the same browser can't read along.
 */
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import type { Clock } from '../kernel/clock.ts';
import { LivestowError } from '../kernel/errors.ts';
import type { Store } from '../store/store.ts';
import { PLAYER_CSS, PLAYER_HTML, PLAYER_ICON, PLAYER_JS } from './player-page.ts';
import type { SessionRef } from './session-reader.ts';
import { sessionRoutes } from './session-routes.ts';
import { WatchedSession } from './watched-session.ts';

const LOOPBACK = '127.0.0.1';

const GUARDED = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "worker-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self'",
    "media-src 'self' blob:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
};

export interface PlayerServer {
  pageUrl: string;
  playlistUrl: string;
  /** Ends every connection. */
  close(): Promise<void>;
}

export interface PlayerOptions {
  /** 0 for any free one. */
  port: number;
  clock: Clock;
}

/** Throws USAGE when the port cannot be had. */
export async function startPlayer(
  store: Store,
  ref: SessionRef,
  options: PlayerOptions,
): Promise<PlayerServer> {
  const secret = randomBytes(12).toString('base64url');
  const watched = new WatchedSession(store, ref, options.clock);
  const app = new Hono();
  app.use(async (c, next) => {
    await next();
    for (const [name, value] of Object.entries(GUARDED)) c.header(name, value);
  });
  app.route(`/${secret}/`, pageRoutes(ref));
  app.route(`/${secret}/`, sessionRoutes(store, ref, watched));
  const server = createAdaptorServer({ fetch: app.fetch, hostname: LOOPBACK }) as Server;
  const { port } = await listen(server, options.port);
  const pageUrl = `http://${LOOPBACK}:${port}/${secret}/`;
  return { pageUrl, playlistUrl: `${pageUrl}index.m3u8`, close: () => close(server) };
}

function pageRoutes(ref: SessionRef): Hono {
  const installed = createRequire(import.meta.url);
  const routes = new Hono();
  const text = (path: string, type: string, content: string): void => {
    routes.get(path, (c) => c.body(content, 200, { 'Content-Type': `${type}; charset=utf-8` }));
  };
  const script = (path: string, module: string): void => {
    const file = installed.resolve(module);
    const headers = { 'Content-Type': 'text/javascript; charset=utf-8' };
    routes.get(path, (c) => {
      if (c.req.method === 'HEAD') return c.body(null, 200, headers);
      return c.body(Readable.toWeb(createReadStream(file)) as ReadableStream, 200, headers);
    });
  };
  text('/', 'text/html', PLAYER_HTML.replaceAll('%TITLE%', ref.session));
  text('/icon.svg', 'image/svg+xml', PLAYER_ICON);
  text('/player.css', 'text/css', PLAYER_CSS);
  text('/player.js', 'text/javascript', PLAYER_JS);
  script('/hls.js', 'hls.js/dist/hls.min.js');
  script('/hls.worker.js', 'hls.js/dist/hls.worker.js');
  return routes;
}

async function listen(server: Server, port: number): Promise<AddressInfo> {
  server.listen(port, LOOPBACK);
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw new LivestowError('USAGE', `port ${port} of ${LOOPBACK} cannot be used`, {
      cause,
      hint: 'something else listens there as a rule; without --port a free one is taken',
    });
  }
  return server.address() as AddressInfo;
}

async function close(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
