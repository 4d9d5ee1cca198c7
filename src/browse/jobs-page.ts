/** The page *Jobs*: what is done at set times, with the archive and by whom is watched when, and doing it now. */
import { html } from 'hono/html';
import { foreign } from '../kernel/foreign-text.ts';
import type { CreatorStatus } from '../model/creator-status.ts';
import type { JobRun, JobStatus } from '../model/job.ts';
import { stateWords } from './now-page.ts';
import { numbers, scrolledTable } from './scrolled-table.ts';
import { creatorPath, length, many, time, type Html } from './page.ts';

export interface JobsPageOptions {
  jobs: readonly JobStatus[];
  /** Newest first. */
  history: readonly JobRun[];
  creators: readonly CreatorStatus[];
  mayOrder: boolean;
}

export const jobsPage = ({ jobs, history, creators, mayOrder }: JobsPageOptions): Html =>
  html`<h1>Jobs</h1>
    ${jobs.length === 0 ? html`<p>The config file has no jobs: <code>jobs</code> there says what to prune, verify, export or mirror, and when.</p>` : ''}
    <ul class="plain" data-list="jobs">
      ${jobs.map((job) => jobItem(job, mayOrder))}
    </ul>
    <section aria-labelledby="history-title">
      <h2 id="history-title">How they went</h2>
      <div data-part="history">
        ${history.length === 0 ? html`<p class="faint">None has run yet.</p>` : historyTable(history)}
      </div>
    </section>
    ${windowsSection(creators)}`;

function windowsSection(creators: readonly CreatorStatus[]): Html | '' {
  const timed = creators.filter(({ windows }) => windows !== null);
  if (timed.length === 0) return '';
  return html`<section aria-labelledby="windows-title">
    <h2 id="windows-title">Windows</h2>
    ${scrolledTable({
      name: { labelledBy: 'windows-title' },
      headings: ['Creator', 'Now', 'Next'],
      rows: timed.map(
        ({ handle, state, windows }) =>
          html`<tr>
            <th scope="row">
              <a href="${creatorPath(handle)}"><bdi>@${handle}</bdi></a>
            </th>
            <td>${stateWords(state)}</td>
            <td>${foreign(windows ?? '')}</td>
          </tr>`,
      ),
      part: 'windows',
    })}
  </section>`;
}

const jobItem = (
  { job, kind, cron, timeZone, paused, nextAt, running, last }: JobStatus,
  mayOrder: boolean,
): Html =>
  html`<li class="panel" data-key="${job}">
    <div data-part="job-${job}">
      <h2>${foreign(job)} <span class="badge">${kind}</span></h2>
      <p><code>${cron}</code> ${timeZone} · ${paused ? 'paused' : html`next ${time(nextAt)}`}</p>
      ${
        running
          ? html`<p>
              <label
                >${running.waits ? 'waits for others' : 'running'} since ${time(running.startedAt, 'time')}
                ${running.done === null ? '' : html` <progress max="1" value="${running.done.toFixed(3)}"></progress> ${Math.floor(running.done * 100)} %`}</label
              >
              ${foreign(running.note)}
            </p>`
          : last
            ? html`<p>${outcome(last)} ${time(last.startedAt)}: ${foreign(last.message)}</p>`
            : html`<p class="faint">It has not run yet.</p>`
      }
      ${mayOrder ? html`<form method="post" action="/jobs/${encodeURIComponent(job)}/${running ? 'stop' : 'run'}"><button${running ? html` class="quiet"` : ''}>${running ? 'Stop it' : 'Run now'}</button></form>` : ''}
    </div>
  </li>`;

const outcome = ({ outcome: ended }: JobRun): Html =>
  html`<span class="badge ${ended ?? 'running'}">${ended ?? 'running'}</span>`;

const historyTable = (runs: readonly JobRun[]): Html =>
  scrolledTable({
    name: { labelledBy: 'history-title' },
    headings: ['Job', 'Began', numbers('Took'), 'Outcome', ''],
    rows: runs.map(
      (run) =>
        html`<tr>
          <th scope="row">${foreign(run.job)}</th>
          <td>${time(run.startedAt)}</td>
          <td class="number">
            ${run.endedAt === null ? '' : length(Date.parse(run.endedAt) - Date.parse(run.startedAt))}
          </td>
          <td>${outcome(run)}</td>
          <td>${foreign(run.message)}${problems(run)}</td>
        </tr>`,
    ),
  });

const problems = ({ problems: all }: JobRun): Html | '' =>
  all.length === 0
    ? ''
    : html`<details>
        <summary>${many(all.length, 'problem')}</summary>
        <ul>
          ${all.map((problem) => html`<li>${foreign(problem)}</li>`)}
        </ul>
      </details>`;
