/** The page *Now*: who is being recorded and what it looks like, who waits, whom is looked at next, what it costs. */
import { html } from 'hono/html';
import { foreign } from '../kernel/foreign-text.ts';
import type { CreatorStatus } from '../model/creator-status.ts';
import type { Status } from '../web/schemas.ts';
import { creatorPath, facts, length, many, moreThan, sessionPath, size, time, type Html } from './page.ts';
import { scrolledTable } from './scrolled-table.ts';

type State = CreatorStatus['state'];
const MOST_WATCHED = 200;
/** So much of a recording is listed at least for the picture that plays: the playlist of a day has thousands of lines. */
const LIVE_SECONDS = 60;

const IS_ON: ReadonlySet<State> = new Set(['recording', 'holding', 'finishing', 'leaving']);

const WORDS: Record<State, string> = {
  watching: 'watched',
  closed: 'outside its windows',
  queued: 'live, waits for a place',
  recording: 'recording',
  holding: 'no media comes',
  finishing: 'over, being sealed',
  paused: 'paused',
  failing: 'failing',
  leaving: 'leaves when it is over',
};
/** When, or why not yet. */
export const nextLook = ({ state, windows, nextLookAt, nextLookWhy }: CreatorStatus): Html =>
  html`${state === 'closed' && windows !== null ? foreign(windows) : time(nextLookAt, 'time', '')}${nextLookWhy === 'budget-spent' ? ', credits are spent' : ''}`;

export const stateWords = (state: State): string => WORDS[state];

/** @param isPlayable whether something of this session is in the archive */
export function nowPage(
  status: Status,
  creators: readonly CreatorStatus[],
  isPlayable: (handle: string, session: string) => boolean,
): Html {
  const on = creators.filter(({ state, recording }) => IS_ON.has(state) || recording !== null);
  const waiting = creators.filter(({ state }) => state === 'queued');
  const failing = creators.filter(({ problem }) => problem !== null);
  const watched = creators
    .filter((creator) => !on.includes(creator) && !waiting.includes(creator))
    .toSorted((a, b) => due(a) - due(b) || (a.handle < b.handle ? -1 : 1));
  return html`<h1 data-part="title">
      ${on.length === 0 ? 'Nobody is being recorded' : many(on.length, 'recording')}
    </h1>
    <section data-part="status" aria-label="In short">${statusFacts(status)}</section>
    <ul class="cards" data-list="recordings" aria-label="Being recorded">
      ${on.map((creator) => card(creator, isPlayable))}
    </ul>
    <section data-part="waiting">
      ${
        waiting.length === 0
          ? ''
          : html`<h2>Live, and waiting for ${waitingFor(status)}</h2>
              <ul class="plain">
                ${waiting.map(
                  ({ handle }) =>
                    html`<li>
                      <a href="${creatorPath(handle)}"><bdi>@${handle}</bdi></a>
                    </li>`,
                )}
              </ul>`
      }
    </section>
    <section data-part="failing">
      ${
        failing.length === 0
          ? ''
          : html`<h2>What fails</h2>
              <ul class="plain">
                ${failing.map(failure)}
              </ul>`
      }
    </section>
    <section aria-labelledby="watched-title">
      <h2 id="watched-title">Watched</h2>
      <div data-part="watched">${watchedTable(watched)}</div>
    </section>`;
}

const waitingFor = ({ recordings: { heldBy } }: Status): string =>
  heldBy === 'bandwidth' ? 'bandwidth' : heldBy === 'cpu' ? 'the processor' : 'a place';

function statusFacts({ credits, recordings, uploads, spool, creators, isEnding }: Status): Html {
  const all = Object.values(creators).reduce((sum, count) => sum + count, 0);
  const left = credits.perDay === null ? null : Math.max(0, credits.perDay - credits.spentToday);
  return html`${isEnding ? html`<p class="problem">livestow is ending: it ships what is left.</p>` : ''}
  ${uploads.storeTakes ? '' : html`<p class="problem">The store takes nothing just now. Recording goes on; what is recorded waits in the spool.</p>`}
  ${facts([
    ['Creators', String(all)],
    ['Recording', `${recordings.running}${recordings.most === null ? '' : ` of ${recordings.most}`}`],
    [
      'Credits today',
      left === null
        ? `${credits.spentToday.toLocaleString('en')} spent`
        : `${left.toLocaleString('en')} left of ${(credits.perDay ?? 0).toLocaleString('en')}`,
    ],
    ['Shipped', size(uploads.shippedBytes)],
    ['Uploads', `${uploads.running} running, ${uploads.waiting} waiting`],
    ['Spool', `${size(spool.bytes)}${spool.freeBytes === null ? '' : `, ${size(spool.freeBytes)} free`}`],
  ])}`;
}

function card(
  { handle, state, recording }: CreatorStatus,
  isPlayable: (handle: string, session: string) => boolean,
): Html {
  const plays = recording !== null && isPlayable(handle, recording.session);
  const path = plays ? sessionPath(handle, recording.session) : creatorPath(handle);
  const key = `${handle}/${recording?.session ?? ''}${plays ? '' : '/soon'}`;
  return html`<li class="card" data-key="${key}">
    <a class="picture" href="${path}" tabindex="-1" aria-hidden="true"
      >${
        !plays
          ? ''
          : html`<video
              muted
              playsinline
              disablepictureinpicture
              tabindex="-1"
              poster="${path}poster.jpg"
              data-live-src="${path}index.m3u8?last=${LIVE_SECONDS}"
            ></video>`
      }</a
    >
    <div class="about" data-part="card-${key}">
      <h2>
        <a href="${path}"><bdi>@${handle}</bdi></a>
      </h2>
      <p><span class="badge ${state}">${stateWords(state)}</span></p>
      ${
        recording === null
          ? ''
          : html`<p class="number">
                ${length(recording.recordedMs)} ·
                ${size(recording.bytes)}${recording.width === 0 ? '' : ` · ${recording.width}×${recording.height}`}
              </p>
              <p class="faint">
                ${size(recording.shippedBytes)} in the
                archive${recording.gaps === 0 ? '' : html`, <strong>${many(recording.gaps, 'gap')}</strong>`}
              </p>`
      }
    </div>
  </li>`;
}

const failure = ({ handle, problem }: CreatorStatus): Html =>
  html`<li>
    <a href="${creatorPath(handle)}"><bdi>@${handle}</bdi></a
    >:
    ${foreign(problem?.message ?? '')}${problem?.hint ? html` <span class="faint">${foreign(problem.hint)}</span>` : ''}
  </li>`;

function watchedTable(creators: readonly CreatorStatus[]): Html {
  if (creators.length === 0) return html`<p class="faint">Nobody else.</p>`;
  const shown = creators.slice(0, MOST_WATCHED);
  return html`${scrolledTable({
    name: { labelledBy: 'watched-title' },
    headings: ['Creator', 'State', 'Next look', 'Last look'],
    rows: shown.map(
      (creator) =>
        html`<tr>
          <th scope="row">
            <a href="${creatorPath(creator.handle)}"><bdi>@${creator.handle}</bdi></a>
          </th>
          <td>${stateWords(creator.state)}</td>
          <td>${nextLook(creator)}</td>
          <td>
            ${time(creator.lastLookAt, 'time')}${creator.lastLook === null ? '' : `, ${creator.lastLook}`}
          </td>
        </tr>`,
    ),
  })}
  ${creators.length > shown.length ? html`<p class="faint">and ${moreThan(shown.length, creators.length)}, looked at later</p>` : ''}`;
}

const due = ({ nextLookAt }: CreatorStatus): number =>
  nextLookAt === null ? Infinity : Date.parse(nextLookAt);
