/** Making a link to a session for somebody who has no token. */
import { html } from 'hono/html';
import type { SessionRef } from '../archive/session-reader.ts';
import { many, time, type Html } from './page.ts';
import { SHARED_FOR_DAYS, type ShareLinks } from './share.ts';

/** @param days of the link to show; a page shows one only when asked to make it */
export function shareSection(
  days: string | undefined,
  ref: SessionRef,
  shares: ShareLinks,
  origin: string,
): Html {
  const wanted = SHARED_FOR_DAYS.find((each) => String(each) === days);
  const link = wanted === undefined ? undefined : shares.pathTo(ref, wanted);
  const url = link ? `${origin}${link.path}` : '';
  return html`<section id="share" aria-labelledby="share-title">
    <h2 id="share-title">Share</h2>
    <form method="get" action="#share" class="inline">
      <label
        >A link to this session, for
        <select name="shared">
          ${SHARED_FOR_DAYS.map((each) => html`<option value="${each}" ${each === (wanted ?? 7) ? html` selected` : ''}>${many(each, 'day')}</option>`)}
        </select></label
      >
      <button>Make a link</button>
    </form>
    ${
      link
        ? html`<p>
              <input class="link" readonly value="${url}" aria-label="The link" size="60" />
              <button type="button" class="quiet" data-copy="${url}">Copy</button>
            </p>
            <p class="faint">
              Whoever has it sees this session, and nothing else, until
              ${time(new Date(link.untilMs).toISOString())}. It cannot be taken back but by another token.
            </p>`
        : ''
    }
  </section>`;
}
