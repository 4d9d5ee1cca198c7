/** The page *Archive*: whom there are recordings of, when they were, and the sessions themselves, found as one types. */
import { html } from 'hono/html';
import type { CatalogueEntry } from '../archive/catalogue.ts';
import type { CatalogueCreator, CatalogueTotals } from '../catalogue/overview.ts';
import type { SessionPage } from '../catalogue/session-query.ts';
import { formatShare } from '../kernel/amounts.ts';
import { foreign } from '../kernel/foreign-text.ts';
import { calendar, type CalendarDay } from './calendar.ts';
import { creatorPath, length, many, moreThan, sessionPath, size, time, type Html } from './page.ts';
import { queryString, type ArchiveQuery } from './archive-query.ts';

const MOST_CREATORS = 60;

export interface ArchivePageOptions {
  query: ArchiveQuery;
  found: SessionPage;
  totals: CatalogueTotals;
  creators: readonly CatalogueCreator[];
  days: readonly CalendarDay[];
  todayMs: number;
  /** The archive was read as a whole. */
  isComplete: boolean;
  problem: string | null;
}

export function archivePage(options: ArchivePageOptions): Html {
  const { query, found, totals, creators, days, todayMs, isComplete, problem } = options;
  const creator =
    query.creator === undefined
      ? undefined
      : creators.find(({ handles }) => handles.includes(query.creator ?? ''));
  return html`<h1>${creator ? html`<bdi>@${creator.handle}</bdi>` : 'Archive'}</h1>
    ${problem === null ? '' : html`<p class="problem" role="alert">${foreign(problem)}</p>`}
    ${creator ? aboutCreator(creator) : html`<p class="faint" data-part="totals">${many(totals.sessions, 'session')} of ${many(totals.creators, 'creator')}, ${length(totals.recordedMs)}, ${size(totals.bytes)}${!isComplete ? '; the archive is still being read' : ''}</p>`}
    ${searchForm(query, creators)}
    <section aria-label="Days" data-part="calendar">
      ${calendar(days, todayMs, (day) => `/archive?${queryString({ ...query, from: day, to: day, cursor: undefined })}`)}
    </section>
    ${creator || isFiltered(query) ? '' : creatorList(creators)}
    <section aria-labelledby="found-title">
      <h2 id="found-title" data-part="count" role="status">
        ${isFiltered(query) ? `${many(found.total, 'session')} found` : 'Sessions'}
      </h2>
      <div data-part="found">
        ${
          found.entries.length === 0
            ? nothing(query)
            : html`<ul class="cards">
                ${found.entries.map(card)}
              </ul>`
        }
        ${found.next === null ? '' : html`<p><a class="button" rel="next" href="/archive?${queryString({ ...query, cursor: found.next })}">Older sessions</a></p>`}
      </div>
    </section>`;
}

const isFiltered = ({ cursor: _cursor, sort: _sort, ...rest }: ArchiveQuery): boolean =>
  Object.values(rest).some((value) => value !== undefined && value !== '');

const nothing = (query: ArchiveQuery): Html =>
  isFiltered(query)
    ? html`<p>Nothing fits. <a href="/archive">Show everything</a></p>`
    : html`<p>
        The archive is empty. What is recorded appears here when its first segments are in the store.
      </p>`;

const aboutCreator = ({
  handle,
  displayName,
  handles,
  sessions,
  recordedMs,
  bytes,
}: CatalogueCreator): Html =>
  html`<div class="creator-head">
    <img class="avatar" src="/avatars/${handle}.jpg" alt="" width="72" height="72" />
    <p>
      ${displayName ? html`<bdi>${foreign(displayName)}</bdi><br />` : ''}${many(sessions, 'session')},
      ${length(recordedMs)}, ${size(bytes)}
      ${handles.length > 1 ? html`<br /><span class="faint">also as ${handles.filter((each) => each !== handle).map((each) => html`<bdi>@${each}</bdi> `)}</span>` : ''}
    </p>
  </div>`;

function searchForm(query: ArchiveQuery, creators: readonly CatalogueCreator[]): Html {
  const option = (name: 'sealed' | 'gaps' | 'codec' | 'sort', value: string, text: string): Html =>
    html`<option value="${value}" ${(query[name] ?? '') === value ? html` selected` : ''}>${text}</option>`;
  return html`<form action="/archive" method="get" role="search" data-search class="search">
<label class="wide"><span class="unseen">Search titles, names and handles</span><input type="search" name="text" value="${query.text ?? ''}" placeholder="Search titles, names, handles  ( / )" autocomplete="off"></label>
${query.creator === undefined ? '' : html`<input type="hidden" name="creator" value="${query.creator}" />`}
<details${(query.from ?? query.to ?? query.sealed ?? query.gaps ?? query.codec ?? query.min ?? query.sort) ? html` open` : ''}><summary>Filters</summary><div class="filters">
<label>From <input type="date" name="from" value="${query.from ?? ''}"></label>
<label>To <input type="date" name="to" value="${query.to ?? ''}"></label>
<label>At least <input name="min" inputmode="numeric" size="6" value="${query.min ?? ''}" placeholder="minutes"></label>
<label>Gaps <select name="gaps">${option('gaps', '', 'any')}${option('gaps', 'yes', 'with')}${option('gaps', 'no', 'without')}</select></label>
<label>Codec <select name="codec">${option('codec', '', 'any')}${option('codec', 'h264', 'h264')}${option('codec', 'h265', 'h265')}</select></label>
<label>Sealed <select name="sealed">${option('sealed', '', 'any')}${option('sealed', 'yes', 'yes')}${option('sealed', 'no', 'not yet')}</select></label>
<label>Order <select name="sort">${option('sort', '', 'newest first')}${option('sort', 'found-asc', 'oldest first')}${option('sort', 'length', 'longest first')}${option('sort', 'size', 'largest first')}${option('sort', 'gaps', 'most gaps first')}${option('sort', 'coverage', 'least covered first')}</select></label>
</div></details>
<button>Search</button>
${query.creator === undefined && creators.length > 0 ? '' : html`<a href="/archive">All creators</a>`}
</form>`;
}

function creatorList(creators: readonly CatalogueCreator[]): Html {
  if (creators.length === 0) return html``;
  const shown = creators.slice(0, MOST_CREATORS);
  return html`<section aria-labelledby="creators-title">
    <h2 id="creators-title">Creators</h2>
    <ul class="people">
      ${shown.map(
        ({ handle, displayName, sessions }) =>
          html`<li>
            <a href="${creatorPath(handle)}"
              ><img
                class="avatar"
                src="/avatars/${handle}.jpg"
                alt=""
                width="48"
                height="48"
                loading="lazy"
              /><span
                ><bdi>@${handle}</bdi
                >${displayName ? html`<bdi class="faint">${foreign(displayName)}</bdi>` : ''}<span
                  class="faint"
                  >${many(sessions, 'session')}</span
                ></span
              ></a
            >
          </li>`,
      )}
    </ul>
    ${creators.length > shown.length ? html`<p class="faint">and ${moreThan(shown.length, creators.length)}: search finds them</p>` : ''}
  </section>`;
}

function card({ handle, session, summary, problem }: CatalogueEntry): Html {
  const path = sessionPath(handle, session);
  const title = foreign(summary?.title ?? '').trim();
  return html`<li class="card">
    <a class="picture" href="${path}" tabindex="-1" aria-hidden="true"
      ><img src="${path}poster.jpg" alt="" loading="lazy"
    /></a>
    <div class="about">
      <h3>
        <a href="${path}"><bdi>${title === '' ? session : title}</bdi></a>
      </h3>
      <p>
        <a href="${creatorPath(handle)}"><bdi>@${handle}</bdi></a>
      </p>
      ${
        summary === null
          ? html`<p class="faint">${problem === null ? 'just begun' : foreign(problem)}</p>`
          : html`<p>${time(summary.foundAt)}</p>
              <p class="number">
                ${length(summary.recordedMs)} · ${formatShare(summary.coverageRatio)} · ${size(summary.bytes)}
              </p>
              <p>
                ${summary.sealedAt === null ? html`<span class="badge live">not sealed yet</span> ` : ''}${summary.gaps === 0 ? '' : html`<span class="badge gaps">${many(summary.gaps, 'gap')}</span>`}
              </p>`
      }
    </div>
  </li>`;
}
