/** What the API takes and gives: the schemas from which its answers are checked, its document is made and its client reads. */
import { z } from '@hono/zod-openapi';
import { creatorEntrySchema } from '../config/creators.ts';
import { creatorStatusSchema } from '../model/creator-status.ts';
import { eventSchema } from '../model/event.ts';
import { jobOverviewSchema, jobRunSchema, jobStatusSchema } from '../model/job.ts';

/** Where the operations are. */
export const API = '/api/v1';

export const errorSchema = z
  .object({
    error: z.object({
      code: z.string().describe('Stable: programs decide on it, never on the message.'),
      message: z.string(),
      hint: z.string().nullable().describe('What to do about it.'),
    }),
  })
  .openapi('Error');

export const creatorSchema = creatorStatusSchema
  .extend({
    isConfigured: z
      .boolean()
      .describe('The config file lists it. Only there can it be taken off; here it can be paused.'),
    paused: z.boolean(),
    expectation: z
      .object({
        delayMs: z
          .number()
          .nullable()
          .describe('Mean time from the start of a broadcast, in open hours, to the look that finds it.'),
        creditsPerDay: z.number(),
      })
      .nullable()
      .describe('What the plan of looks promises. Null: it is not looked at by the plan.'),
  })
  .openapi('Creator');
export type Creator = z.infer<typeof creatorSchema>;

export const creatorListSchema = z.object({ creators: z.array(creatorSchema) }).openapi('Creators');

/** Where an archive may lie is for whoever writes the config file to say: a group of it may name a store. */
export const newCreatorSchema = creatorEntrySchema.omit({ store: true }).openapi('NewCreator');
export type NewCreator = z.input<typeof newCreatorSchema>;

export const removedSchema = z
  .object({
    handle: z.string(),
    isLeaving: z.boolean().describe('Its recording goes on to the end of the broadcast.'),
  })
  .openapi('Removed');
export type Removed = z.infer<typeof removedSchema>;

export const noteSchema = z
  .strictObject({ note: creatorEntrySchema.shape.note.unwrap().nullable().describe('Null: none.') })
  .openapi('Note');

const count = z.int().min(0);
const limited = z.object({
  used: z.number().nullable().describe('Null: not measured, because nothing has a limit, or not yet.'),
  most: z.number().nullable().describe('Null: no limit.'),
});

export const statusSchema = z
  .object({
    version: z.string(),
    startedAt: z.iso.datetime(),
    uptimeMs: z.number(),
    isEnding: z.boolean().describe('It ships what is left, and takes no orders any more.'),
    creators: z.partialRecord(creatorStatusSchema.shape.state, count).describe('How many are in each state.'),
    credits: z.object({
      spentToday: z.number().describe('Since midnight UTC, by this process.'),
      perDay: z.number().nullable().describe('Null: no limit.'),
      charged: z.number().describe('Since the start.'),
    }),
    looks: z
      .object({ live: count, offline: count, notFound: count, failed: count })
      .describe('Since the start.'),
    recordings: z.object({
      running: count,
      waiting: count.describe('Live, and not recorded for want of a place.'),
      most: count.nullable(),
      heldBy: z
        .enum(['places', 'bandwidth', 'cpu'])
        .nullable()
        .describe('Which limit those who wait are waiting for: recordings, downloadBandwidth or cpu.'),
      receivedBytes: z.number().describe('Media since the start.'),
    }),
    load: z
      .object({ cpuShare: limited, downloadBytesPerSecond: limited, uploadBytesPerSecond: limited })
      .describe('Of all cores, 0 to 1, in the last 5 s; bytes in the mean of the last half minute.'),
    uploads: z.object({
      running: count,
      waiting: count,
      storeTakes: z.boolean().describe('False: the store takes nothing; it is tried again and again.'),
      shippedObjects: count.describe('Media files since the start.'),
      shippedBytes: z.number(),
    }),
    spool: z.object({
      bytes: z.number().describe('What lies there; at most 10 s old.'),
      freeBytes: z.number().nullable(),
      reserveBytes: z.number(),
    }),
    jobs: z.array(jobOverviewSchema),
    webhooks: z
      .object({
        waiting: count,
        delivered: count,
        refused: count.describe('The receiver did not want it.'),
        givenUp: count.describe('It was tried for too long.'),
        dropped: count.describe('Too many waited, or the webhook was taken away.'),
      })
      .describe('Messages to all of them since the start.'),
  })
  .openapi('Status');
export type Status = z.infer<typeof statusSchema>;

// Made anew: what was made before the OpenAPI library came has no `openapi`.
export const jobSchema = z.object(jobStatusSchema.shape).openapi('Job');
export const jobListSchema = z.object({ jobs: z.array(jobSchema) }).openapi('Jobs');
export const jobRunListSchema = z
  .object({ runs: z.array(z.object(jobRunSchema.shape).openapi('JobRun')).describe('Newest first.') })
  .openapi('JobRuns');

export const configSchema = z
  .object({
    file: z.string().nullable().describe('The config file that was read.'),
    settings: z.array(
      z.object({
        key: z.string(),
        value: z.unknown().describe('As it would be written in the file; secrets as [redacted].'),
        from: z.string().describe('livestow.yaml:3, LIVESTOW_STORE, --store, default'),
        hides: z
          .string()
          .nullable()
          .describe('Where else it is set, to something that counts for nothing; null: nowhere.'),
      }),
    ),
    waiting: z.array(z.string()).describe('Settings whose new value the next start takes up.'),
  })
  .openapi('Config');
export type ConfigInForce = z.infer<typeof configSchema>;

// Made anew: what was made before the OpenAPI library came has no `openapi`.
const eventOfApi = z.discriminatedUnion('type', eventSchema.options).openapi('Event');

export const eventListSchema = z
  .object({
    run: z.string().describe('Names this run of the daemon: ids of events begin again with each.'),
    events: z.array(eventOfApi).describe('Oldest first.'),
  })
  .openapi('Events');

export const checksSchema = z
  .object({ ok: z.boolean(), checks: z.record(z.string(), z.boolean()) })
  .openapi('Health');
export type Checks = z.infer<typeof checksSchema>;
