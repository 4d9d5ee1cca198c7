/** What a creator is at, made from what its task knows. */
import type { CreatorInForce } from '../config/creator-in-force.ts';
import { isoUtc } from '../kernel/clock.ts';
import type { CreatorStatus, TaskProblem } from '../model/creator-status.ts';
import type { Look } from '../model/look.ts';
import type { RecordingWindows } from '../schedule/windows.ts';
import type { NextLook } from '../watch/planned-cadence.ts';
import type { LiveSession } from './record-room.ts';

export interface TaskFacts {
  creator: CreatorInForce;
  session: LiveSession | null;
  isQueued: boolean;
  /** What was recorded is shipped and sealed still. */
  isFinishing: boolean;
  isRetired: boolean;
  problem: TaskProblem | null;
  windows: RecordingWindows | null;
  next: NextLook | null;
  lastLook: { atMs: number; status: Look['status'] } | null;
  nowMs: number;
}

export function statusOf(facts: TaskFacts): CreatorStatus {
  const { creator, session, problem, windows, next, lastLook, nowMs } = facts;
  const state = stateOf(facts);
  const isWatched = state === 'watching' || state === 'closed';
  return {
    handle: creator.handle,
    group: creator.group,
    note: creator.note,
    priority: creator.priority,
    state,
    windows: windows?.describe(nowMs) ?? null,
    nextLookAt: isWatched && next?.atMs != null ? isoUtc(next.atMs) : null,
    nextLookWhy: isWatched ? (next?.why ?? null) : null,
    lastLookAt: lastLook ? isoUtc(lastLook.atMs) : null,
    lastLook: lastLook?.status ?? null,
    recording: session && {
      session: session.session,
      recordedMs: session.progress.recordedMs,
      bytes: session.progress.bytes,
      segments: session.progress.segments,
      gaps: session.progress.gaps,
      width: session.progress.width,
      height: session.progress.height,
      shippedBytes: session.shipping.shippedBytes,
      waitingObjects: session.shipping.waitingObjects,
    },
    problem,
  };
}

function stateOf({ creator, session, windows, nowMs, ...facts }: TaskFacts): CreatorStatus['state'] {
  if (session) {
    if (facts.isRetired) return 'leaving';
    return session.phase() === 'holding' ? 'holding' : 'recording';
  }
  if (facts.isQueued) return 'queued';
  if (facts.problem) return 'failing';
  if (facts.isRetired || (creator.paused && facts.isFinishing)) return 'finishing';
  if (creator.paused) return 'paused';
  return windows !== null && !windows.isOpen(nowMs) ? 'closed' : 'watching';
}
