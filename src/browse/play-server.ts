/**
 * `livestow play`: the page of one session on loopback, and its playlist for a player. The address has a secret in it, so
 * that pages of others in the same browser can't read along.
 */
import { randomBytes } from 'node:crypto';
import type { Server } from 'node:http';
import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import type { SessionRef } from '../archive/session-reader.ts';
import { WatchedSession } from '../archive/watched-session.ts';
import type { Clock } from '../kernel/clock.ts';
import { isLivestowError, LivestowError } from '../kernel/errors.ts';
import type { Guarded } from '../web/guard.ts';
import { close, listen } from '../web/listening.ts';
import { GUEST } from './page.ts';
import { addSessionSite, type SessionSiteDeps } from './session-site.ts';

const LOOPBACK = '127.0.0.1';

const GUARDED = {
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
};

export interface PlayServer {
  pageUrl: string;
  playlistUrl: string;
  /** Ends every connection. */
  close(): Promise<void>;
}

export interface PlayOptions {
  /** 0 for any free one. */
  port: number;
  clock: Clock;
}

/** Throws USAGE when the port cannot be had. */
export async function startPlayer(
  deps: SessionSiteDeps,
  ref: SessionRef,
  options: PlayOptions,
): Promise<PlayServer> {
  const secret = randomBytes(12).toString('base64url');
  const app = new Hono<Guarded>();
  app.use(async (c, next) => {
    for (const [name, value] of Object.entries(GUARDED)) c.header(name, value);
    await next();
  });
  app.route('/', deps.assets.routes());
  const watched = new WatchedSession(deps.store, ref, options.clock);
  addSessionSite(app, `/${secret}`, deps, () => ({ ref, watched, viewer: GUEST, isPublic: true }));
  app.onError((error, c) => {
    const isMissing = isLivestowError(error, 'NOT_FOUND', 'STORE_NOT_FOUND');
    return c.text(
      `${isLivestowError(error) ? error.message : 'something unexpected happened'}\n`,
      isMissing ? 404 : 502,
    );
  });
  const server = createAdaptorServer({ fetch: app.fetch, hostname: LOOPBACK }) as Server;
  const { port } = await listen(server, LOOPBACK, options.port).catch((cause: unknown) => {
    throw new LivestowError('USAGE', `port ${options.port} of ${LOOPBACK} cannot be used`, {
      cause,
      hint: 'something else listens there as a rule; without --port a free one is taken',
    });
  });
  const pageUrl = `http://${LOOPBACK}:${port}/${secret}/`;
  return { pageUrl, playlistUrl: `${pageUrl}index.m3u8`, close: () => close(server) };
}
