/** A table that moves within its frame, where it is longer or wider than the page: with a pointer, a finger or the keys. */
import { html } from 'hono/html';
import type { Html } from './page.ts';

export interface Heading {
  text: string | Html;
  isNumber?: boolean;
}

export interface ScrolledTable {
  /** What it is called, or the id of the heading that says so. */
  name: { label: string } | { labelledBy: string };
  headings: readonly (string | Heading)[];
  rows: readonly Html[];
  /** As `live-parts.ts` knows them: what is replaced when it reads otherwise, and a list of rows with keys. */
  part?: string;
  list?: string;
}

export const scrolledTable = ({ name, headings, rows, part, list }: ScrolledTable): Html =>
  html`<div
    class="scroll"
    tabindex="0"
    role="region"
    ${'label' in name ? html` aria-label="${name.label}"` : html` aria-labelledby="${name.labelledBy}"`}
    ${part === undefined ? '' : html` data-part="${part}"`}
  >
    <table>
      <thead>
        <tr>
          ${headings.map(heading)}
        </tr>
      </thead>
      <tbody ${list === undefined ? '' : html` data-list="${list}"`}>
        ${rows}
      </tbody>
    </table>
  </div>`;

function heading(said: string | Heading): Html {
  const { text, isNumber = false } = typeof said === 'string' ? { text: said } : said;
  return html`<th scope="col" ${isNumber ? html` class="number"` : ''}>${text}</th>`;
}

/** Of numbers, which stand at the end of their column. */
export const numbers = (text: string): Heading => ({ text, isNumber: true });
