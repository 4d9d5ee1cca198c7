/** The sign-in page: a token shown once, a cookie from then on. */
import { getConnInfo } from '@hono/node-server/conninfo';
import { Hono, type Context } from 'hono';
import { deleteCookie, setCookie } from 'hono/cookie';
import { html } from 'hono/html';
import type { Access } from '../web/access.ts';
import type { Guarded } from '../web/guard.ts';
import type { Assets } from './assets.ts';
import { isEncrypted, pageHeaders } from './headers.ts';
import { GUEST, page, type Html } from './page.ts';

export function signInRoutes(access: Access, assets: Assets): Hono<Guarded> {
  const routes = new Hono<Guarded>();
  const answer = (
    c: Context,
    status: 200 | 401 | 429,
    next: string,
    problem: string,
  ): Response | Promise<Response> => {
    pageHeaders(c);
    return c.html(
      page({ title: 'Sign in', current: null, viewer: GUEST, assets }, form(next, problem)),
      status,
    );
  };
  routes.get('/sign-in', (c) => {
    const next = ownPath(c.req.query('next'));
    return c.get('role') === null ? answer(c, 200, next, '') : c.redirect(next, 303);
  });
  routes.post('/sign-in', async (c) => {
    const { token, next: wanted } = await c.req.parseBody();
    const next = ownPath(typeof wanted === 'string' ? wanted : undefined);
    const done = access.signIn(typeof token === 'string' ? token.trim() : '', addressOf(c));
    if (done.outcome === 'wrong') return answer(c, 401, next, 'That is not a token of this livestow.');
    if (done.outcome === 'too-often') {
      const seconds = Math.ceil(done.retryAfterMs / 1_000);
      c.header('Retry-After', String(seconds));
      const minutes = Math.ceil(seconds / 60);
      return answer(c, 429, next, `Too many wrong tokens. Try again in ${minutes} min.`);
    }
    const secure = isEncrypted(c);
    setCookie(c, access.cookieName(secure), done.cookie, {
      httpOnly: true,
      sameSite: 'Lax',
      path: '/',
      maxAge: done.forSeconds,
      secure,
    });
    return c.redirect(next, 303);
  });
  routes.post('/sign-out', (c) => {
    deleteCookie(c, access.cookieName(false), { path: '/' });
    if (isEncrypted(c)) deleteCookie(c, access.cookieName(true), { path: '/', secure: true });
    c.header('Clear-Site-Data', '"cache", "storage"');
    return c.redirect('/sign-in', 303);
  });
  return routes;
}

const form = (next: string, problem: string): Html =>
  html`<section class="narrow">
    <h1>Sign in</h1>
    <form method="post" action="/sign-in" class="stacked">
      <input type="hidden" name="next" value="${next}" />
      <label for="token">Token</label>
      <input
        id="token"
        name="token"
        type="password"
        autocomplete="current-password"
        required
        autofocus
        aria-describedby="token-help"
        ${problem === '' ? '' : html` aria-invalid="true"`}
      />
      <p id="token-help" class="faint">
        What LIVESTOW_TOKEN is set to, or LIVESTOW_VIEWER_TOKEN to look only.
      </p>
      ${problem === '' ? '' : html`<p class="problem" role="alert">${problem}</p>`}
      <button>Sign in</button>
    </form>
  </section>`;

/** A path of this site, never an address that leads elsewhere (`//evil.example`, `/\evil.example`). */
export function ownPath(text: string | undefined): string {
  if (text === undefined || !/^\/(?![/\\])[\x21-\x7e]*$/.test(text) || text.includes('\\')) return '/';
  return text.startsWith('/sign-') ? '/' : text;
}

const addressOf = (c: Context): string => getConnInfo(c).remote.address ?? 'unknown';
