/** The last half year, a square a day, a column a week: when there were broadcasts, and how long. */
import { html } from 'hono/html';
import { length, many, type Html } from './page.ts';

export interface CalendarDay {
  /** `2026-11-23`, UTC. */
  day: string;
  sessions: number;
  recordedMs: number;
}

export const CALENDAR_WEEKS = 27;
const DAY_MS = 24 * 3_600_000;
const CELL = 14;
const GAP = 3;
const LEVELS_MS = [0, 30 * 60_000, 2 * 3_600_000, 6 * 3_600_000];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** Monday of the first week that is shown. UTC. */
export function calendarFromMs(todayMs: number): number {
  const today = Math.floor(todayMs / DAY_MS) * DAY_MS;
  const sinceMonday = (new Date(today).getUTCDay() + 6) % 7;
  return today - sinceMonday * DAY_MS - (CALENDAR_WEEKS - 1) * 7 * DAY_MS;
}

export function calendar(
  days: readonly CalendarDay[],
  todayMs: number,
  pathOf: (day: string) => string,
): Html {
  const fromMs = calendarFromMs(todayMs);
  const known = new Map(days.map((day) => [day.day, day]));
  const step = CELL + GAP;
  const cells: Html[] = [];
  const months: Html[] = [];
  for (let atMs = fromMs; atMs <= todayMs; atMs += DAY_MS) {
    const index = Math.round((atMs - fromMs) / DAY_MS);
    const at = new Date(atMs);
    const day = at.toISOString().slice(0, 10);
    const [x, y] = [Math.floor(index / 7) * step, 16 + (index % 7) * step];
    if (at.getUTCDate() === 1)
      months.push(html`<text x="${x}" y="11">${MONTHS[at.getUTCMonth()] ?? ''}</text>`);
    const found = known.get(day);
    const level = found ? LEVELS_MS.filter((ms) => found.recordedMs >= ms).length : 0;
    const cell = html`<rect
      class="day level-${level}"
      x="${x}"
      y="${y}"
      width="${CELL}"
      height="${CELL}"
      rx="3"
    />`;
    cells.push(
      found
        ? html`<a
            href="${pathOf(day)}"
            aria-label="${day}: ${many(found.sessions, 'session')}, ${length(found.recordedMs)}"
            ><title>${day}: ${many(found.sessions, 'session')}, ${length(found.recordedMs)}</title>${cell}</a
          >`
        : cell,
    );
  }
  const width = CALENDAR_WEEKS * step;
  return html`<svg
    class="calendar"
    viewBox="0 0 ${width} ${16 + 7 * step}"
    width="${width}"
    height="${16 + 7 * step}"
    role="group"
    aria-label="Days with recordings (UTC)"
  >
    ${months}${cells}
  </svg>`;
}
