/**
 * Where a moment of the broadcast lies in the recording, and back. The recording has no holes: what is missing takes no
 * time in it.
 */

import type { Run } from '../model/session-timeline.ts';

/** UTC milliseconds at this position. */
export function momentAt(runs: readonly Run[], positionMs: number): number {
  const run = runs.findLast(([beginsMs]) => beginsMs <= positionMs) ?? runs[0];
  if (!run) return 0;
  const [beginsMs, atMs, ms] = run;
  return atMs + Math.min(Math.max(0, positionMs - beginsMs), ms);
}

/** The position of this moment; of one that is missing, that of the next that was recorded. */
export function positionAt(runs: readonly Run[], momentMs: number): number {
  const run = runs.find(([, atMs, ms]) => momentMs < atMs + ms) ?? runs.at(-1);
  if (!run) return 0;
  const [beginsMs, atMs, ms] = run;
  return beginsMs + Math.min(Math.max(0, momentMs - atMs), ms);
}

/** `1:02:03`, `2:03`: a second that is not over is not counted, as players do it. */
export function clockTime(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  const [h, m, s] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (value: number): string => String(value).padStart(2, '0');
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
