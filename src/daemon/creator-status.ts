/** What a creator is at, as tables, the API and metrics show it. */
import { z } from 'zod';
import type { CreatorInForce } from '../config/creator-in-force.ts';
import { isoUtc } from '../kernel/clock.ts';
import type { Look } from '../model/look.ts';
import type { RecordingWindows } from '../schedule/windows.ts';
import type { NextLook } from '../watch/planned-cadence.ts';
import type { LiveSession } from './record-room.ts';

const problemSchema = z.object({
  code: z.string(),
  message: z.string(),
  hint: z.string().nullable(),
  retryAt: z.iso.datetime(),
});
export type TaskProblem = z.infer<typeof problemSchema>;

export const creatorStatusSchema = z.object({
  handle: z.string(),
  group: z.string().nullable(),
  note: z.string().nullable(),
  priority: z.int(),
  state: z
    .enum([
      'watching',
      'closed',
      'queued',
      'recording',
      'holding',
      'finishing',
      'paused',
      'failing',
      'leaving',
    ])
    .describe(
      'watching: looked at by the plan. closed: outside its windows. queued: live, and as many are recorded as may be at once. holding: recorded, and no media comes. finishing: over, not yet sealed. failing: see problem. leaving: removed, its recording goes on to its end.',
    ),
  windows: z.string().nullable().describe('For people: when they open or close next.'),
  nextLookAt: z.iso.datetime().nullable(),
  nextLookWhy: z.enum(['planned', 'window-closed', 'budget-spent']).nullable(),
  lastLookAt: z.iso.datetime().nullable(),
  lastLook: z.enum(['live', 'offline', 'not-found']).nullable(),
  recording: z
    .object({
      session: z.string(),
      recordedMs: z.number(),
      bytes: z.number(),
      segments: z.int(),
      gaps: z.int(),
      width: z.int(),
      height: z.int(),
      shippedBytes: z.number(),
      waitingObjects: z.int().describe('Not yet in the store.'),
    })
    .nullable(),
  problem: problemSchema.nullable(),
});
export type CreatorStatus = z.infer<typeof creatorStatusSchema>;

export interface TaskFacts {
  creator: CreatorInForce;
  session: LiveSession | null;
  isQueued: boolean;
  isRunning: boolean;
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
  if (facts.isRetired || (creator.paused && facts.isRunning)) return 'finishing';
  if (creator.paused) return 'paused';
  return windows !== null && !windows.isOpen(nowMs) ? 'closed' : 'watching';
}
