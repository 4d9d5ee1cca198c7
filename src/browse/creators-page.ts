/** The page *Creators*: who is watched, what is expected of the looks at each, and everything that can be ordered. */
import { html } from 'hono/html';
import { formatDuration } from '../kernel/duration.ts';
import { foreign } from '../kernel/foreign-text.ts';
import type { Creator } from '../web/schemas.ts';
import { nextLook, stateWords } from './now-page.ts';
import { creatorPath, many, type Html } from './page.ts';
import { scrolledTable } from './scrolled-table.ts';

export interface CreatorsPageOptions {
  creators: readonly Creator[];
  groups: readonly string[];
  mayOrder: boolean;
}

export const creatorsPage = ({ creators, groups, mayOrder }: CreatorsPageOptions): Html =>
  html`<h1>Creators</h1>
    ${mayOrder ? addForm(groups) : ''}
    <p class="faint" data-part="count">${many(creators.length, 'creator')}</p>
    ${scrolledTable({
      name: { label: 'Creators' },
      headings: [
        'Creator',
        'State',
        'Next look',
        'Found after',
        'Credits a day',
        'Note',
        ...(mayOrder ? [{ text: html`<span class="unseen">Orders</span>` }] : []),
      ],
      rows: creators.map((creator) => row(creator, mayOrder)),
      list: 'creators',
    })}`;

const addForm = (groups: readonly string[]): Html =>
  html`<form method="post" action="/creators" class="inline">
    <label
      >Watch
      <input
        name="handle"
        required
        placeholder="@handle"
        pattern="@?[A-Za-z0-9._]{1,64}"
        title="a handle: letters, digits, . and _"
    /></label>
    ${
      groups.length === 0
        ? ''
        : html`<label
            >as one of
            <select name="group">
              <option value="">no group</option>
              ${groups.map((group) => html`<option>${group}</option>`)}
            </select></label
          >`
    }
    <button>Add</button>
  </form>`;

function row(creator: Creator, mayOrder: boolean): Html {
  const { handle, state, group, priority, expectation, note, problem } = creator;
  const part = (name: string, content: Html | string): Html =>
    html`<td data-part="${name}-${handle}">${content}</td>`;
  return html`<tr data-key="${handle}">
    <th scope="row">
      <a href="${creatorPath(handle)}"><bdi>@${handle}</bdi></a
      >${group === null ? '' : html` <span class="faint">${foreign(group)}</span>`}${priority === 0 ? '' : html` <span class="faint">priority ${priority}</span>`}
    </th>
    ${part('state', html`<span class="badge ${state}">${stateWords(state)}</span>${problem ? html` <span class="problem">${foreign(problem.message)}</span>` : ''}`)}
    ${part('next', nextLook(creator))}
    <td class="number">${expectation?.delayMs == null ? '' : roundly(expectation.delayMs)}</td>
    <td class="number">${expectation ? expectation.creditsPerDay.toFixed(0) : ''}</td>
    <td>${mayOrder ? noteForm(handle, note) : foreign(note ?? '')}</td>
    ${mayOrder ? html`<td data-part="orders-${handle}">${orders(creator)}</td>` : ''}
  </tr>`;
}

const roundly = (ms: number): string => formatDuration(Math.max(1_000, Math.round(ms / 1_000) * 1_000));

const noteForm = (handle: string, note: string | null): Html =>
  html`<form method="post" action="/creators/${handle}/note" class="inline">
    <input name="note" value="${note ?? ''}" size="16" aria-label="Note about ${handle}" /><button
      class="quiet"
    >
      Keep
    </button>
  </form>`;

function orders({ handle, paused, recording, isConfigured }: Creator): Html {
  const order = (name: string, text: string, ask = ''): Html =>
    html`<button
      class="quiet"
      formaction="/creators/${handle}/${name}"
      ${ask === '' ? '' : html` data-confirm="${ask}"`}
    >
      ${text}
    </button>`;
  return html`<form method="post" class="inline">
    ${recording === null ? order('record', 'Record now') : order('stop', 'Stop', `End the recording of @${handle}, and leave this broadcast alone?`)}${paused ? order('resume', 'Resume') : order('pause', 'Pause')}${isConfigured ? '' : order('remove', 'Remove', `Watch @${handle} no more? What is archived stays.`)}
  </form>`;
}
