/**
 * The frame of every page, and what pages have in common. Everything that comes from outside (titles, names, errors) goes
 * through `html`, which escapes it; nothing here is put in raw.
 */
import { html } from 'hono/html';
import { formatBytes } from '../kernel/byte-size.ts';
import { formatClockTime } from '../kernel/duration.ts';
import { foreign } from '../kernel/foreign-text.ts';
import type { Role } from '../web/access.ts';
import type { Assets } from './assets.ts';

export type Html = ReturnType<typeof html>;

export type PageName = 'now' | 'archive' | 'jobs' | 'creators' | 'settings';

const NAMES: Record<PageName, { title: string; path: string; ofDaemon: boolean }> = {
  now: { title: 'Now', path: '/now', ofDaemon: true },
  archive: { title: 'Archive', path: '/archive', ofDaemon: false },
  jobs: { title: 'Jobs', path: '/jobs', ofDaemon: true },
  creators: { title: 'Creators', path: '/creators', ofDaemon: true },
  settings: { title: 'Settings', path: '/settings', ofDaemon: false },
};

/** Who looks at a page, and what there is for them. */
export interface Viewer {
  role: Role;
  /** Signed in on the sign-in page, so they can sign out. */
  hasCookie: boolean;
  hasDaemon: boolean;
  /** They came by a share link: there is nothing for them but the one session. */
  isGuest?: boolean;
}

export interface Frame {
  title: string;
  current: PageName | null;
  viewer: Viewer;
  assets: Assets;
  /** Beside what every page loads. */
  script?: 'session.ts';
  /** The page brings itself up to date; `events` says of which kinds of events at once. */
  live?: { events: readonly string[] };
}

/** Whoever is not signed in. */
export const GUEST: Viewer = { role: 'viewer', hasCookie: false, hasDaemon: false, isGuest: true };

export function page(frame: Frame, body: Html): Html {
  const { title, current, viewer, assets, script, live } = frame;
  const shown = (Object.keys(NAMES) as PageName[]).filter(
    (name) => viewer.isGuest !== true && (viewer.hasDaemon || !NAMES[name].ofDaemon),
  );
  const events = live && viewer.hasDaemon ? `/api/v1/events/stream#${live.events.join(',')}` : '';
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="dark light">
<title>${foreign(title)} · livestow</title>
<link rel="icon" href="${assets.url('icon.svg')}">
<link rel="stylesheet" href="${assets.url('style.css')}">
<script type="module" src="${assets.url('app.ts')}"></script>
${script ? html`<script type="module" src="${assets.url(script)}"></script>` : ''}
</head>
<body${live ? html` data-live` : ''}${events === '' ? '' : html` data-events="${events}"`}>
<a class="skip" href="#main">Skip to the content</a>
<header class="site">
<a class="brand" href="/"><img src="${assets.url('icon.svg')}" alt="" width="24" height="24">livestow</a>
<nav aria-label="Pages"><ul>${shown.map((name) => navLink(name, current))}</ul></nav>
${viewer.hasCookie ? signOut() : ''}
</header>
<main id="main" tabindex="-1">
<p class="stale" role="status">Nothing new comes from livestow: what you see is how it was.</p>
${body}
</main>
</body>
</html>`;
}

const navLink = (name: PageName, current: PageName | null): Html =>
  html`<li>
    <a href="${NAMES[name].path}" ${name === current ? html` aria-current="page"` : ''}
      >${NAMES[name].title}</a
    >
  </li>`;

const signOut = (): Html =>
  html`<form method="post" action="/sign-out"><button class="quiet">Sign out</button></form>`;

/** Of a moment: as UTC, which the page's script makes the reader's own time. `nothing`: what stands for none. */
export function time(at: string | null, as: 'moment' | 'exact' | 'time' = 'moment', nothing = 'never'): Html {
  if (at === null) return html`<span class="faint">${nothing}</span>`;
  const iso = new Date(at).toISOString();
  const text = as === 'time' ? iso.slice(11, 19) : iso.slice(0, as === 'exact' ? 19 : 16).replace('T', ' ');
  return html`<time datetime="${iso}" data-as="${as}">${text} UTC</time>`;
}

export const length = (ms: number): string => formatClockTime(ms);
export const size = (bytes: number): string => formatBytes(bytes);
/** What is shown of a list is not all: so many more there are. */
export const moreThan = (shown: number, all: number): string => `${(all - shown).toLocaleString('en')} more`;
export const many = (count: number, one: string, more = `${one}s`): string =>
  `${count.toLocaleString('en')} ${count === 1 ? one : more}`;

export const sessionPath = (handle: string, session: string): string => `/sessions/${handle}/${session}/`;
export const creatorPath = (handle: string): string => `/archive?creator=${encodeURIComponent(handle)}`;

/** A few facts in a row, each with a name. */
export const facts = (pairs: readonly (readonly [name: string | Html, value: string | Html])[]): Html =>
  html`<dl class="facts">
    ${pairs.map(
      ([name, value]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>`;
