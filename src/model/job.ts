/** A scheduled job's runs and state, as its history, the command line and the API tell them. */
import { z } from 'zod';

const at = z.iso.datetime().describe('UTC.');

export const jobOutcomeSchema = z
  .enum(['done', 'partly', 'failed', 'stopped', 'skipped', 'interrupted'])
  .describe(
    'partly: something could not be done, see problems. stopped: by an operator, or because livestow ended. skipped: it was still running when it was due. interrupted: livestow was gone in the middle of it.',
  );
export type JobOutcome = z.infer<typeof jobOutcomeSchema>;

export const jobRunSchema = z.object({
  id: z.int(),
  job: z.string(),
  kind: z.string(),
  by: z.enum(['schedule', 'hand']),
  scheduledFor: at.nullable().describe('Null: started by hand.'),
  missedSince: at.nullable().describe('The first run that was missed, which this one makes up for.'),
  startedAt: at,
  endedAt: at.nullable().describe('Null: it is under way, or nobody saw its end.'),
  outcome: jobOutcomeSchema.nullable().describe('Null: it is under way.'),
  message: z.string(),
  problems: z.array(z.string()).describe('At most 20.'),
});
export type JobRun = z.infer<typeof jobRunSchema>;

export const jobStatusSchema = z.object({
  job: z.string(),
  kind: z.string(),
  cron: z.string(),
  timeZone: z.string(),
  paused: z.boolean(),
  nextAt: at.nullable().describe('Null: paused, or it never runs again.'),
  running: z
    .object({
      startedAt: at,
      waits: z.boolean().describe('For others to end.'),
      done: z.number().nullable().describe('From 0 to 1.'),
      note: z.string(),
    })
    .nullable(),
  last: jobRunSchema.nullable().describe('The last run that ended.'),
});
export type JobStatus = z.infer<typeof jobStatusSchema>;

export const jobOverviewSchema = jobStatusSchema.pick({ job: true, kind: true }).extend({
  isRunning: z.boolean().describe('In this process; not while it waits for others to end.'),
  lastDoneAt: at.nullable().describe('When it was last done in full. Null: never, as far as is remembered.'),
});
export type JobOverview = z.infer<typeof jobOverviewSchema>;
