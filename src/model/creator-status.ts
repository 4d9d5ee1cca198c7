/** What a creator is at, as tables, the API and metrics show it. */
import { z } from 'zod';

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
      'watching: looked at by the plan. closed: outside its windows. queued: live, and waits for a place (recordings.heldBy of the status says why). holding: recorded, and no media comes. finishing: over, not yet sealed. failing: see problem. leaving: removed, its recording goes on to its end.',
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
