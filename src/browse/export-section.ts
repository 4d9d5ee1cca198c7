/** Making an MP4 of a session on its page: what part of it, how far it is, where to fetch it. */
import { basename } from 'node:path';
import { html } from 'hono/html';
import type { Moment } from '../archive/export-range.ts';
import { foreign } from '../kernel/foreign-text.ts';
import type { OrderedExport } from './exports.ts';
import { length, many, size, type Html } from './page.ts';

export const exportSection = (orders: readonly OrderedExport[]): Html =>
  html`<section id="exports" aria-labelledby="exports-title">
    <h2 id="exports-title">Download</h2>
    <form method="post" action="exports" class="inline">
      <label>From <input name="from" placeholder="0:00" size="8" title="1:02:03, 2:03 or seconds" /></label>
      <label>to <input name="to" placeholder="the end" size="8" title="1:02:03, 2:03 or seconds" /></label>
      <button>Make an MP4</button>
    </form>
    <p class="faint">
      Nothing is encoded anew, so a part is made of whole segments. All files as they lie in the archive:
      <code>livestow download</code>.
    </p>
    <ul class="plain" data-part="exports" aria-live="polite">
      ${orders.map(item)}
    </ul>
  </section>`;

function item(order: OrderedExport): Html {
  const { id, state, done, files, leftOut, problem, from, to } = order;
  const part =
    from === null && to === null
      ? 'All of it'
      : `${from === null ? 'The beginning' : momentText(from)} to ${to === null ? 'the end' : momentText(to)}`;
  const cancel = (what: string): Html =>
    html`<form method="post" action="exports/${id}/cancel" class="inline">
      <button class="quiet">${what}</button>
    </form>`;
  if (state === 'waiting') return html`<li>${part}: waits for others ${cancel('Call off')}</li>`;
  if (state === 'working')
    return html`<li>
      <label
        >${part}
        <progress max="1" value="${done.toFixed(3)}">${Math.floor(done * 100)} %</progress>
        ${Math.floor(done * 100)} %</label
      >
      ${cancel('Call off')}
    </li>`;
  if (state === 'failed')
    return html`<li class="problem">${part}: ${foreign(problem ?? 'it failed')} ${cancel('Remove')}</li>`;
  return html`<li>
    ${part}:
    ${files.map(
      ({ path, bytes, durationMs }) =>
        html`<a href="exports/${id}/${encodeURIComponent(basename(path))}" download>${basename(path)}</a>
          ${length(durationMs)}, ${size(bytes)} `,
    )}${leftOut > 0 ? html`<span class="problem">${many(leftOut, 'damaged segment is', 'damaged segments are')} not in it</span>` : ''}
    ${cancel('Remove')}
  </li>`;
}

const momentText = ({ kind, ms }: Moment): string =>
  kind === 'place' ? length(ms) : new Date(ms).toISOString().slice(0, 19).replace('T', ' ');
