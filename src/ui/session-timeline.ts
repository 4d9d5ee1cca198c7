/** What the session's time line is made of, as `timeline.json` beside the page has it. */
import type { Run } from './positions.ts';

/** Milliseconds, UTC where they are moments. */
export interface SessionTimeline {
  isLive: boolean;
  /** What the time line shows. */
  fromMs: number;
  toMs: number;
  runs: readonly Run[];
  gaps: readonly { fromMs: number; ms: number; cause: string; why: string; positionMs: number }[];
  /** A segment that a browser may fetch from the store itself, if the store lets it; null: it gives out no addresses. */
  probe: string | null;
}

export async function loadTimeline(): Promise<SessionTimeline> {
  const answer = await fetch('timeline.json');
  if (!answer.ok) throw new Error(`timeline.json: ${answer.status}`);
  return (await answer.json()) as SessionTimeline;
}
