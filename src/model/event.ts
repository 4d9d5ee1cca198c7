/**
 * What happens in a daemon, as others are told of it: the stream of events of its API, webhooks, its log. One closed union;
 * readers ignore kinds and fields that they do not know.
 */
import { z } from 'zod';
import { endCauseSchema, gapCauseSchema } from './causes.ts';

const at = z.iso.datetime().describe('UTC.');
const handle = z.string();
const session = z.string();
const base = { id: z.int().describe('Counts up within one run of the daemon.'), at };

export const eventSchema = z.discriminatedUnion('type', [
  z.object({
    ...base,
    type: z.literal('live'),
    handle,
    roomId: z.string(),
    title: z.string().nullable(),
    viewers: z.int(),
  }),
  z.object({ ...base, type: z.literal('recording'), handle, session }),
  z.object({
    ...base,
    type: z.literal('gap'),
    handle,
    session,
    from: at,
    to: at,
    ms: z.int(),
    cause: gapCauseSchema,
  }),
  z.object({ ...base, type: z.literal('ended'), handle, session, cause: endCauseSchema }),
  z.object({
    ...base,
    type: z.literal('sealed'),
    handle,
    session,
    recordedMs: z.int(),
    gaps: z.int(),
    coverage: z.number().describe('From 0 to 1.'),
    bytes: z.int(),
  }),
  z.object({
    ...base,
    type: z.literal('failed'),
    handle: handle.nullable().describe('Null: it concerns all.'),
    code: z.string(),
    message: z.string(),
    hint: z.string().nullable(),
  }),
  z.object({
    ...base,
    type: z.literal('credits'),
    level: z
      .enum(['low', 'spent', 'renewed', 'refused'])
      .describe('refused: the API says that none are left.'),
    spentToday: z.number(),
    perDay: z.number().nullable(),
  }),
  z.object({
    ...base,
    type: z.literal('disk'),
    level: z.enum(['ample', 'low', 'lower', 'out']),
    freeBytes: z.number(),
  }),
  z.object({
    ...base,
    type: z.literal('config'),
    outcome: z.enum(['reloaded', 'refused']),
    message: z.string(),
  }),
  z.object({
    ...base,
    type: z.literal('job'),
    job: z.string(),
    kind: z.string(),
    outcome: z.enum(['started', 'done', 'partly', 'failed', 'skipped', 'stopped', 'interrupted']),
    message: z.string(),
  }),
  z.object({
    ...base,
    type: z.literal('digest'),
    job: z.string(),
    from: at,
    to: at,
    sessions: z.int().describe('Those that were sealed in this time; so is all that follows.'),
    creators: z.int(),
    recordedMs: z.int(),
    liveMs: z.int(),
    bytes: z.int(),
    gaps: z
      .array(z.object({ cause: gapCauseSchema, count: z.int(), ms: z.int() }))
      .describe('Longest first.'),
    credits: z.number().describe('That these sessions cost.'),
    failures: z.array(z.object({ code: z.string(), count: z.int() })).describe('What `failed` events told.'),
    jobs: z
      .array(z.object({ job: z.string(), outcome: z.string(), count: z.int() }))
      .describe('Runs that were not done.'),
  }),
]);
export type LivestowEvent = z.infer<typeof eventSchema>;

type WithoutBase<T> = T extends unknown ? Omit<T, 'id' | 'at'> : never;
/** As it is reported; when, and as which in the row, is added. */
export type EventReport = WithoutBase<LivestowEvent>;
