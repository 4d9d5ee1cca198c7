/**
 * Who may ask. With a token: whoever shows it, or has the cookie of who did. Without one, which only a loopback address
 * allows: whoever is on this machine, but not a web page that somebody on this machine has open, neither from another
 * site nor under a name that its owner points at 127.0.0.1 (DNS rebinding). Pages of other sites can order nothing in
 * anybody's name. No answer to the API ever has a CORS header.
 */
import type { Context, MiddlewareHandler } from 'hono';
import { getCookie } from 'hono/cookie';
import { isLoopback } from '../config/listen-address.ts';
import { LivestowError } from '../kernel/errors.ts';
import type { Access, Role } from './access.ts';

/** For whoever has no token: health says no more than yes or no, and one has to be able to sign in. */
const OPEN = /^\/(?:healthz|readyz|sign-in|assets\/[\w.-]+)$/;
/** What the link says is proof enough; what it is worth is looked at there. */
const SHARED = /^\/share\//;

const HEADERS = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};

/** What the guard found out, for whoever answers. */
export interface Guarded {
  Variables: { role: Role | null; hasCookie: boolean };
}

export function guard(access: Access): MiddlewareHandler<Guarded> {
  return async (c, next) => {
    // Also on what is refused.
    for (const [name, value] of Object.entries(HEADERS)) c.header(name, value);
    const isShared = SHARED.test(c.req.path) && isReading(c);
    if (!isShared && !isNavigation(c)) refuseOtherSites(c);
    if (access.isOpen) refuseOtherNames(c);
    const { role, hasCookie } = whoAsks(c, access);
    c.set('role', role);
    c.set('hasCookie', hasCookie);
    if (role === null && !OPEN.test(c.req.path) && !isShared) throw unauthorized(c);
    if (hasCookie && !isReading(c)) requireOwnPage(c);
    if (role === 'viewer' && c.req.path.startsWith('/api/') && !isReading(c)) throw onlyAdmins();
    await next();
  };
}

export const onlyAdmins = (): LivestowError =>
  new LivestowError('FORBIDDEN', 'this is for admins', { hint: 'sign in with LIVESTOW_TOKEN' });

const isReading = (c: Context): boolean => c.req.method === 'GET' || c.req.method === 'HEAD';

/** Somebody follows a link to a page: it shows itself to them, and to nobody else. */
const isNavigation = (c: Context): boolean =>
  isReading(c) &&
  c.req.header('sec-fetch-mode') === 'navigate' &&
  c.req.header('sec-fetch-dest') === 'document' &&
  !c.req.path.startsWith('/api/');

/**
 * Browsers say where a request comes from; other programs say nothing. What they say outright goes before what can be told
 * from the names: a proxy in front may call livestow by another one.
 */
function refuseOtherSites(c: Context): void {
  const site = c.req.header('sec-fetch-site');
  if (site === 'same-origin') return;
  const origin = c.req.header('origin');
  const isOther = site !== undefined && site !== 'none';
  if (isOther || (origin !== undefined && hostOf(origin) !== c.req.header('host'))) {
    throw new LivestowError('FORBIDDEN', 'a page of another site asks');
  }
}

/** A browser that does not say from which page it orders something might do so from any. */
function requireOwnPage(c: Context): void {
  if (c.req.header('sec-fetch-site') !== undefined || c.req.header('origin') !== undefined) return;
  throw new LivestowError('FORBIDDEN', 'the browser does not say which page asks');
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

function whoAsks(c: Context, access: Access): { role: Role | null; hasCookie: boolean } {
  if (access.isOpen) return { role: 'admin', hasCookie: false };
  const [, shown] = /^Bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '') ?? [];
  if (shown !== undefined) return { role: access.roleOfToken(shown) ?? null, hasCookie: false };
  // An old one of the one name may be there beside a good one of the other.
  const cookies = [true, false]
    .map((isEncrypted) => getCookie(c, access.cookieName(isEncrypted)))
    .filter((each) => each !== undefined);
  const role = cookies.map((each) => access.roleOfCookie(each)).find((each) => each !== undefined) ?? null;
  return { role, hasCookie: role !== null };
}

function unauthorized(c: Context): LivestowError {
  const isShown = c.req.header('authorization') !== undefined;
  return new LivestowError('UNAUTHORIZED', isShown ? 'it is another token' : 'a token is needed', {
    hint: 'send "Authorization: Bearer <token>" with what LIVESTOW_TOKEN is set to; livestow status takes it from there',
  });
}
