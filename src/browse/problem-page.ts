/** What went wrong, for people. */
import { html } from 'hono/html';
import { isLivestowError } from '../kernel/errors.ts';
import { foreign } from '../kernel/foreign-text.ts';
import { scrub } from '../kernel/redact.ts';
import type { Html } from './page.ts';

export function problemPage(error: unknown, status: number): Html {
  const isOurs = isLivestowError(error);
  const title = status === 404 ? 'There is nothing here' : 'That did not work';
  const message = isOurs
    ? scrub(error.message)
    : 'Something unexpected happened; the log of livestow says what.';
  return html`<section class="narrow">
    <h1>${title}</h1>
    <p>${foreign(message)}</p>
    ${isOurs && error.hint ? html`<p class="faint">${foreign(scrub(error.hint))}</p>` : ''}
    <p><a href="/">To the first page</a></p>
  </section>`;
}
