/** The page *Settings*: what is in force, and where each of it comes from. */
import { html } from 'hono/html';
import { foreign } from '../kernel/foreign-text.ts';
import type { ConfigInForce } from '../web/schemas.ts';
import type { Html } from './page.ts';
import { scrolledTable } from './scrolled-table.ts';

export interface SettingsPageOptions extends ConfigInForce {
  version: string;
  archive: string;
}

export const settingsPage = ({ file, settings, waiting, version, archive }: SettingsPageOptions): Html =>
  html`<h1>Settings</h1>
    <p>
      livestow ${version},
      ${file === null ? 'without a config file' : html`config file <code>${file}</code>`}, archive in
      <code>${archive}</code>
    </p>
    ${waiting.length === 0 ? '' : html`<p class="problem">The next start takes up what was changed: ${waiting.join(', ')}.</p>`}
    ${scrolledTable({
      name: { label: 'Settings' },
      headings: ['Setting', 'In force', 'From'],
      rows: settings.map(
        ({ key, value, from }) =>
          html`<tr>
            <th scope="row"><code>${key}</code></th>
            <td><code class="small">${foreign(shown(value))}</code></td>
            <td class="${from === 'default' ? 'faint' : ''}">${from}</td>
          </tr>`,
      ),
    })}`;

const shown = (value: unknown): string =>
  value === null || value === undefined ? 'none' : typeof value === 'string' ? value : JSON.stringify(value);
