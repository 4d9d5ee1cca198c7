/** What the player's page draws a session's time line from, and finds its way on: as the server says it, and the browser reads it. */

/** Recorded without a break. Milliseconds: where it begins in the recording, when that was (UTC), how long it is. */
export type Run = readonly [positionMs: number, atMs: number, ms: number];

/** Milliseconds, UTC where they are moments. */
export interface SessionTimeline {
  isLive: boolean;
  /** What the time line shows. */
  fromMs: number;
  toMs: number;
  runs: readonly Run[];
  /** `positionMs`: of the first picture behind it. */
  gaps: readonly { fromMs: number; ms: number; cause: string; why: string; positionMs: number }[];
  /** A segment that a browser may fetch from the store itself, if the store lets it; null: it gives out no addresses. */
  probe: string | null;
}
