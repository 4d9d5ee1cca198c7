/**
 * The pages, put together: what anybody may open who is signed in, what only admins may order, and what a share link
 * opens. With a daemon there is all of it; without one the archive alone, read-only.
 */
import { Hono, type Context } from 'hono';
import { compress } from 'hono/compress';
import type { SessionRef } from '../archive/session-reader.ts';
import { WatchedSession } from '../archive/watched-session.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { Clock } from '../kernel/clock.ts';
import { LivestowError } from '../kernel/errors.ts';
import { isSessionId } from '../layout/keys.ts';
import { parseHandle, requireHandle } from '../model/handle.ts';
import type { Store } from '../store/store.ts';
import type { Access } from '../web/access.ts';
import type { DaemonView } from '../web/daemon-view.ts';
import { onlyAdmins, type Guarded } from '../web/guard.ts';
import type { ConfigInForce } from '../web/schemas.ts';
import { archivePage } from './archive-page.ts';
import { readQuery, sessionQuery } from './archive-query.ts';
import type { Assets } from './assets.ts';
import { calendarFromMs } from './calendar.ts';
import { daemonPages } from './daemon-pages.ts';
import type { Exports } from './exports.ts';
import { FreshCatalogue } from './fresh-catalogue.ts';
import { pageHeaders } from './headers.ts';
import { GUEST, page, type Viewer } from './page.ts';
import type { Pictures } from './pictures.ts';
import { problemPage } from './problem-page.ts';
import { addSessionSite } from './session-site.ts';
import { settingsPage } from './settings-page.ts';
import type { ShareLinks } from './share.ts';
import { signInRoutes } from './sign-in.ts';

/** Sessions whose manifests are remembered, at 3 MB for a day's: players come back for each segment. */
const MOST_OPEN = 30;
const DAY_MS = 24 * 3_600_000;

export interface SiteDeps {
  store: Store;
  catalogue: Catalogue;
  access: Access;
  assets: Assets;
  pictures: Pictures;
  exports: Exports;
  shares: ShareLinks | null;
  daemon: DaemonView | null;
  config: () => ConfigInForce;
  clock: Clock;
  version: string;
}

export class Site {
  readonly #deps: SiteDeps;
  readonly #fresh: FreshCatalogue;
  readonly #open = new Map<string, WatchedSession>();

  constructor(deps: SiteDeps) {
    this.#deps = deps;
    this.#fresh = new FreshCatalogue(deps.catalogue, deps.clock);
  }

  routes(): Hono<Guarded> {
    const { access, assets, store, catalogue, daemon, config, clock, version } = this.#deps;
    const site = new Hono<Guarded>();
    site.route('/', assets.routes());
    // Media is compressed already, and what streams must not wait.
    site.use(compress({ contentTypeFilter: /^text\/html/ }));
    site.route('/', signInRoutes(access, assets));
    site.get('/', (c) => c.redirect(daemon ? '/now' : '/archive', 303));
    site.get('/archive', async (c) => {
      const query = readQuery(c.req.query());
      const problem = await this.#fresh.bringUpToDate();
      const todayMs = clock.now();
      const body = archivePage({
        query,
        found: catalogue.search(sessionQuery(query)),
        totals: catalogue.totals(),
        creators: catalogue.creators(),
        days: catalogue.days(query.creator, calendarFromMs(todayMs), todayMs + DAY_MS),
        todayMs,
        isComplete: this.#fresh.isComplete,
        problem,
      });
      pageHeaders(c);
      const title = query.creator === undefined ? 'Archive' : `@${query.creator}`;
      return c.html(
        page(
          {
            title,
            current: 'archive',
            viewer: this.#viewer(c),
            assets,
            ...(this.#fresh.isComplete ? {} : { live: { events: [] } }),
          },
          body,
        ),
      );
    });
    site.get('/settings', (c) => {
      pageHeaders(c);
      const body = settingsPage({ ...config(), version, archive: store.description });
      return c.html(page({ title: 'Settings', current: 'settings', viewer: this.#viewer(c), assets }, body));
    });
    site.get('/avatars/:name{[A-Za-z0-9._]{1,64}\\.jpg}', async (c) => {
      const handle = requireHandle(c.req.param('name').slice(0, -'.jpg'.length));
      const avatar = await this.#deps.pictures.avatar(handle);
      const headers = { 'Content-Type': 'image/jpeg', 'Cache-Control': 'private, max-age=3600' };
      return avatar
        ? c.body(Uint8Array.from(avatar), 200, headers)
        : c.body(NO_AVATAR, 200, { ...headers, 'Content-Type': 'image/svg+xml' });
    });
    addSessionSite(site, '/sessions/:handle/:session', this.#deps, (c) => {
      const ref = refOf(c.req.param('handle'), c.req.param('session'));
      return { ref, watched: this.#watched(ref), viewer: this.#viewer(c), isPublic: false };
    });
    addSessionSite(site, '/share/:code', this.#deps, (c) => {
      const ref = this.#deps.shares?.read(c.req.param('code') ?? '');
      if (!ref)
        throw new LivestowError('NOT_FOUND', 'this link is not good any more', { hint: 'ask for a new one' });
      return { ref, watched: this.#watched(ref), viewer: GUEST, isPublic: true };
    });
    if (daemon) {
      const archived = async () => {
        await this.#fresh.bringUpToDate();
        return (handle: string, session: string): boolean => catalogue.get(session, handle)?.summary != null;
      };
      site.route('/', daemonPages({ daemon, assets, viewerOf: (c) => this.#viewer(c), archived }));
    }
    return site;
  }

  /** For a browser: a page, or the way to sign in. Undefined: a program asked. */
  problem(c: Context<Guarded>, error: unknown, status: number): Response | Promise<Response> | undefined {
    const takesHtml = /\btext\/html\b/.test(c.req.header('accept') ?? '');
    if (!takesHtml || c.req.path.startsWith('/api/')) return undefined;
    const isReading = c.req.method === 'GET';
    if (status === 401 && isReading) {
      const { pathname, search } = new URL(c.req.url);
      return c.redirect(`/sign-in?${new URLSearchParams({ next: `${pathname}${search}` }).toString()}`, 303);
    }
    pageHeaders(c);
    const isKnown = c.get('role') != null;
    const viewer = isKnown ? this.#viewer(c) : GUEST;
    const body = problemPage(error, status);
    return c.html(
      page({ title: 'That did not work', current: null, viewer, assets: this.#deps.assets }, body),
      status as 400,
    );
  }

  #viewer(c: Context<Guarded>): Viewer {
    const role = c.get('role');
    if (role === null) throw onlyAdmins();
    return { role, hasCookie: c.get('hasCookie'), hasDaemon: this.#deps.daemon !== null };
  }

  #watched(ref: SessionRef): WatchedSession {
    const name = `${ref.session}~${ref.handle}`;
    const known = this.#open.get(name) ?? new WatchedSession(this.#deps.store, ref, this.#deps.clock);
    // The one asked for longest ago goes first.
    this.#open.delete(name);
    this.#open.set(name, known);
    const [oldest] = this.#open.keys();
    if (this.#open.size > MOST_OPEN && oldest !== undefined) this.#open.delete(oldest);
    return known;
  }
}

const NO_AVATAR =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48"><rect width="48" height="48" fill="#8a94a0"/><circle cx="24" cy="19" r="9" fill="#d5dbe1"/><path d="M6 48a18 18 0 0 1 36 0z" fill="#d5dbe1"/></svg>';

function refOf(handle = '', session = ''): SessionRef {
  if (parseHandle(handle) === handle && isSessionId(session)) return { handle, session };
  throw new LivestowError('NOT_FOUND', 'there is no session of this name');
}
