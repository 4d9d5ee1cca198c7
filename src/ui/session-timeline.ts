/** Fetches what the session's time line is made of: `timeline.json` beside the page. */
import type { SessionTimeline } from '../model/session-timeline.ts';

export async function loadTimeline(): Promise<SessionTimeline> {
  const answer = await fetch('timeline.json');
  if (!answer.ok) throw new Error(`timeline.json: ${answer.status}`);
  return (await answer.json()) as SessionTimeline;
}
