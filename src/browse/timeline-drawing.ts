/** The time line of a session as a drawing: what was recorded, what is missing, and how many watched. */
import { html } from 'hono/html';
import { formatClockTime } from '../kernel/duration.ts';
import type { Html } from './page.ts';
import type { SessionView, ShownViewers } from './session-view.ts';

/** In which it is drawn; the page stretches it. */
const WIDTH = 1_000;
const HEIGHT = 60;
const BAR_TOP = 40;
/** So that the shortest can be seen and pointed at. */
const LEAST_WIDTH = 1.5;

export function timelineDrawing(
  { fromMs, toMs, runs, gaps, epochs }: SessionView,
  viewers: ShownViewers | null,
): Html {
  const x = (atMs: number): number => round(((atMs - fromMs) / (toMs - fromMs)) * WIDTH);
  const bar = (atMs: number, ms: number, kind: string, title: string): Html => {
    const width = Math.max(LEAST_WIDTH, x(atMs + ms) - x(atMs));
    return html`<rect
      class="${kind}"
      x="${x(atMs)}"
      y="${BAR_TOP}"
      width="${round(width)}"
      height="${HEIGHT - BAR_TOP}"
      ><title>${title}</title></rect
    >`;
  };
  return html`<svg
    class="timeline"
    viewBox="0 0 ${WIDTH} ${HEIGHT}"
    preserveAspectRatio="none"
    aria-hidden="true"
    focusable="false"
  >
    ${viewers ? viewerLine(viewers, x) : ''}
    ${runs.map(({ atMs, ms }) => bar(atMs, ms, 'recorded', `recorded ${formatClockTime(ms)}`))}
    ${gaps.map(({ fromMs: atMs, ms, cause, why }) => bar(atMs, ms, `gap gap-${cause}`, `missing ${formatClockTime(ms)}: ${why}`))}
    ${epochs.slice(1).map(({ atMs }) => html`<line class="epoch" x1="${x(atMs)}" x2="${x(atMs)}" y1="${BAR_TOP - 4}" y2="${HEIGHT}" />`)}
  </svg>`;
}

function viewerLine({ points, max }: ShownViewers, x: (atMs: number) => number): Html {
  const y = (viewers: number): number => round(BAR_TOP - 5 - (viewers / Math.max(1, max)) * (BAR_TOP - 8));
  const line = points.map(({ atMs, viewers }) => `${x(atMs)},${y(viewers)}`).join(' ');
  return html`<polyline class="viewers" points="${line}" />`;
}

const round = (value: number): number => Math.round(value * 100) / 100;
