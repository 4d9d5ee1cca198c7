/** The page of one session: player, time line, what is missing and why, what it was recorded from, what happened. */
import { html } from 'hono/html';
import { formatShare } from '../kernel/amounts.ts';
import { foreign } from '../kernel/foreign-text.ts';
import { END_CAUSES } from '../model/causes.ts';
import type { Manifest } from '../model/manifest.ts';
import { numbers, scrolledTable } from './scrolled-table.ts';
import type { SessionRecords } from './session-records.ts';
import { creatorPath, facts, length, many, moreThan, size, time, type Html } from './page.ts';
import { epochLabel, shownViewers, viewOf, type SessionView } from './session-view.ts';
import { timelineDrawing } from './timeline-drawing.ts';

const MOST_EVENTS = 500;
const MOST_GAPS = 500;
const MOST_SEGMENTS = 200;
const SPEEDS = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 4];
/** A link to a gap leads so far before it, so that one sees it come. */
const LEAD_MS = 3_000;

export interface SessionPageOptions {
  manifest: Manifest;
  records: SessionRecords;
  /** Downloads, links: what a guest has not. */
  aside: Html | '';
  isGuest: boolean;
}

export function sessionPage({ manifest, records, aside, isGuest }: SessionPageOptions): Html {
  const view = viewOf(manifest);
  const viewers = shownViewers(records.samples);
  const { creator, room, coverage, segments } = manifest;
  const isLive = manifest.sealedAt === null;
  const name = foreign(room.title ?? '').trim();
  const bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0);
  const handle = html`<bdi>@${creator.handle}</bdi>`;
  return html`<article class="session">
    <header>
      <h1><bdi>${name === '' ? `@${creator.handle}` : name}</bdi></h1>
      <p class="facts-line">
        ${isGuest ? handle : html`<a href="${creatorPath(creator.handle)}">${handle}</a>`}
        ${creator.displayName ? html`<bdi>${foreign(creator.displayName)}</bdi>` : ''}
        ${time(manifest.foundAt)}
        <span data-part="state">${isLive ? html`<span class="badge live">not sealed yet</span>` : ''}</span>
      </p>
    </header>
    <div class="player">
      <video
        id="video"
        controls
        playsinline
        preload="metadata"
        poster="poster.jpg"
        aria-label="The recording"
      >
        <track id="storyboard" kind="metadata" src="storyboard.vtt" />
      </video>
      <p id="problem" class="problem" role="alert" hidden></p>
      <div class="scrub">
        <div id="preview" hidden>
          <div id="preview-picture"></div>
          <span id="preview-words"></span>
        </div>
        <div
          id="scrubber"
          role="slider"
          tabindex="0"
          aria-label="Position in the broadcast"
          aria-valuenow="0"
        >
          <div data-part="timeline">${timelineDrawing(view, viewers)}</div>
          <div id="playhead"></div>
        </div>
        <div class="controls">
          <span id="clock" class="number">0:00</span>
          ${isLive ? html`<button type="button" id="go-live" class="quiet">To what is newest</button>` : ''}
          <label
            >Speed
            <select id="speed">
              ${SPEEDS.map((speed) => html`<option value="${speed}" ${speed === 1 ? html` selected` : ''}>${speed}×</option>`)}
            </select></label
          >
          <details class="keys">
            <summary>Keys</summary>
            ${keys()}
          </details>
        </div>
        <ul class="legend" aria-label="The time line shows">
          <li class="recorded">recorded</li>
          <li class="gap">missing</li>
          ${viewers ? html`<li class="viewers">viewers</li>` : ''}
        </ul>
      </div>
    </div>
    <section data-part="facts" aria-label="In short">
      ${facts([
        ['Recorded', length(coverage.recordedMs)],
        ['Of the broadcast', formatShare(coverage.ratio)],
        [
          'Missing',
          manifest.gaps.length === 0
            ? 'nothing'
            : `${length(coverage.liveMs - coverage.recordedMs)} in ${many(manifest.gaps.length, 'gap')}`,
        ],
        ['Size', size(bytes)],
        ...(viewers
          ? [
              [
                'Viewers',
                `${viewers.min.toLocaleString('en')} to ${viewers.max.toLocaleString('en')}, ${viewers.mean.toLocaleString('en')} in the mean`,
              ] as const,
            ]
          : []),
        ['Began', time(room.startedAt, 'exact')],
        ['Found', time(manifest.foundAt, 'exact')],
        [
          'Ended',
          manifest.endedAt === null
            ? 'not yet'
            : html`${time(manifest.endedAt, 'exact')},
              ${manifest.endCause === null ? '' : END_CAUSES[manifest.endCause].meaning}`,
        ],
        ['Credits', `${manifest.credits.charged} for ${many(manifest.credits.lookups, 'look')}`],
        ['Sealed', manifest.sealedAt === null ? 'not yet' : time(manifest.sealedAt, 'exact')],
      ])}
    </section>
    ${aside}
    <div data-part="gaps">${gapTable(view)}</div>
    <div data-part="epochs">${epochTable(view)}</div>
    ${eventTable(records)} ${objectTable(manifest, isGuest)}
  </article>`;
}

const keys = (): Html =>
  facts(
    [
      ['Space, k', 'play, pause'],
      ['← →', '5 seconds'],
      ['j l', '10 seconds'],
      ['n p', 'next gap, last gap'],
      ['< >', 'speed'],
      ['0 to 9', 'tenths of it'],
      ['m', 'sound'],
      ['f', 'full screen'],
    ].map(([key = '', what = '']) => [html`<kbd>${key}</kbd>`, what] as const),
  );

function gapTable({ gaps, runs }: SessionView): Html | '' {
  if (gaps.length === 0) return '';
  const shown = gaps.slice(0, MOST_GAPS);
  const seek = (positionMs: number): Html | '' =>
    runs.length === 0
      ? ''
      : html`<a href="#video" data-seek-ms="${Math.max(0, positionMs - LEAD_MS)}">${length(positionMs)}</a>`;
  return html`<section aria-labelledby="gaps-title">
    <h2 id="gaps-title">What is missing</h2>
    ${scrolledTable({
      name: { labelledBy: 'gaps-title' },
      headings: [numbers('In the recording'), numbers('For'), 'Why', 'From'],
      rows: shown.map(
        ({ fromMs, ms, cause, why, positionMs }) =>
          html`<tr>
            <td class="number">${seek(positionMs)}</td>
            <td class="number">${length(ms)}</td>
            <td><code>${cause}</code> ${why}</td>
            <td>${time(new Date(fromMs).toISOString(), 'exact')}</td>
          </tr>`,
      ),
    })}
    ${gaps.length > shown.length ? html`<p class="faint">and ${moreThan(shown.length, gaps.length)}; manifest.json has all</p>` : ''}
  </section>`;
}

function epochTable({ epochs }: SessionView): Html | '' {
  if (epochs.length === 0) return '';
  return html`<section aria-labelledby="epochs-title">
    <h2 id="epochs-title">What it was recorded from</h2>
    ${scrolledTable({
      name: { labelledBy: 'epochs-title' },
      headings: [numbers('In the recording'), numbers('For'), 'Picture', 'From'],
      rows: epochs.map(
        ({ epoch, atMs, ms, positionMs }) =>
          html`<tr>
            <td class="number"><a href="#video" data-seek-ms="${positionMs}">${length(positionMs)}</a></td>
            <td class="number">${length(ms)}</td>
            <td>${foreign(epochLabel(epoch))}</td>
            <td>${time(new Date(atMs).toISOString(), 'exact')}</td>
          </tr>`,
      ),
    })}
  </section>`;
}

function eventTable({ events }: SessionRecords): Html | '' {
  if (events.length === 0) return '';
  const shown = events.slice(-MOST_EVENTS);
  return html`<details class="more">
    <summary>What happened (${many(events.length, 'event')})</summary>
    ${scrolledTable({
      name: { label: 'What happened' },
      headings: ['At', 'Event', 'Detail'],
      rows: shown.map(
        ({ at, event, detail }) =>
          html`<tr>
            <td>${time(at, 'exact')}</td>
            <td><code>${foreign(event)}</code></td>
            <td class="small">${foreign(detailText(detail))}</td>
          </tr>`,
      ),
    })}
    ${events.length > shown.length ? html`<p class="faint">the newest ${shown.length}; events.ndjson has all</p>` : ''}
  </details>`;
}

const detailText = (detail: Record<string, unknown>): string =>
  Object.entries(detail)
    .map(([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ');

function objectTable(manifest: Manifest, isGuest: boolean): Html {
  const { files, segments } = manifest;
  const last = segments.slice(-MOST_SEGMENTS);
  return html`<details class="more">
    <summary>Files and hashes (${many(files.length + segments.length, 'file')})</summary>
    <p>
      ${isGuest ? '' : html`<a href="manifest.json" download>manifest.json</a> has the SHA-256 of every file. `}For
      another player: <a href="index.m3u8">index.m3u8</a>
    </p>
    ${scrolledTable({
      name: { label: 'Files and hashes' },
      headings: ['File', numbers('Size'), 'SHA-256'],
      rows: [...files, ...last].map(
        ({ key, bytes, sha256 }) =>
          html`<tr>
            <td><a href="${key}">${key}</a></td>
            <td class="number">${size(bytes)}</td>
            <td><code class="small">${sha256}</code></td>
          </tr>`,
      ),
    })}
    ${segments.length > last.length ? html`<p class="faint">of the segments the last ${last.length}</p>` : ''}
  </details>`;
}
