/** A cadence that keeps to windows: nothing is looked at while they are closed, and at once when they open. */
import type { Cadence } from './cadence.ts';
import type { OpenTimes } from './open-spans.ts';

/** Somebody may set the clock, or the machine sleep: asked again after so long at the latest. */
const LONGEST_WAIT_MS = 60_000;

/** @param times null: always open */
export function withinWindows(cadence: Cadence, times: OpenTimes | null): Cadence {
  if (times === null) return cadence;
  return {
    nextLookInMs(state) {
      const { nowMs } = state;
      const inMs = cadence.nextLookInMs(state);
      const dueMs = times.isOpen(nowMs) ? nowMs + inMs : nowMs;
      if (times.isOpen(dueMs)) return inMs;
      const opensMs = times.nextChange(dueMs)?.atMs ?? Infinity;
      return Math.min(opensMs - nowMs, LONGEST_WAIT_MS);
    },
  };
}
