/**
 * Who may ask. With a token: whoever shows it. Without one, which only a loopback address allows: whoever is on this
 * machine, but not a web page that somebody on this machine has open, neither from another site nor under a name that its
 * owner points at 127.0.0.1 (DNS rebinding). No answer ever has a CORS header.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Context, MiddlewareHandler } from 'hono';
import { isLoopback } from '../config/listen-address.ts';
import type { Secret } from '../kernel/secret.ts';
import { LivestowError } from '../kernel/errors.ts';

/** For whoever has no token: they say no more than yes or no. */
const OPEN = new Set(['/healthz', '/readyz']);

const HEADERS = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};

export function guard(token: Secret | null): MiddlewareHandler {
  return async (c, next) => {
    // Also on what is refused.
    for (const [name, value] of Object.entries(HEADERS)) c.header(name, value);
    refuseOtherSites(c);
    if (token === null) refuseOtherNames(c);
    else if (!OPEN.has(c.req.path)) requireToken(c, token);
    await next();
  };
}

/** Browsers say where a request comes from; other programs say nothing. */
function refuseOtherSites(c: Context): void {
  const site = c.req.header('sec-fetch-site');
  const origin = c.req.header('origin');
  const isOther = site !== undefined && site !== 'same-origin' && site !== 'none';
  if (isOther || (origin !== undefined && hostOf(origin) !== c.req.header('host'))) {
    throw new LivestowError('FORBIDDEN', 'a page of another site asks');
  }
}

function refuseOtherNames(c: Context): void {
  const host = c.req.header('host') ?? '';
  if (URL.canParse(`http://${host}/`)) {
    const { hostname } = new URL(`http://${host}/`);
    if (isLoopback(hostname.replace(/^\[(.*)\]$/, '$1'))) return;
  }
  throw new LivestowError('FORBIDDEN', 'without a token only localhost is answered', {
    hint: 'set LIVESTOW_TOKEN to be reached under another name',
  });
}

const hostOf = (origin: string): string | undefined =>
  URL.canParse(origin) ? new URL(origin).host : undefined;

function requireToken(c: Context, token: Secret): void {
  const [, shown] = /^Bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '') ?? [];
  if (shown !== undefined && isSame(shown, token.reveal())) return;
  throw new LivestowError('UNAUTHORIZED', shown === undefined ? 'a token is needed' : 'it is another token', {
    hint: 'send "Authorization: Bearer <token>" with what LIVESTOW_TOKEN is set to; livestow status takes it from there',
  });
}

/** In the same time, wherever they differ. */
const isSame = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b));
const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
