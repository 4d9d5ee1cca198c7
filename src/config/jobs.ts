/**
 * Scheduled jobs, as the operator writes them: each has a name, a kind, a cron expression, and what its kind needs. When a
 * creator may be recorded is no job: that is said by the creators' windows.
 */
import { z } from 'zod';
import { cronSchema } from '../schedule/cron.ts';
import { timeZoneSchema } from '../schedule/time-zone.ts';
import { noGroup } from './creators.ts';
import { handleSchema } from '../model/handle.ts';
import { byteSize, duration, location, strictMap, wholeNumber } from './forms.ts';

/** A job's name is a file's name too. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

const scheduled = {
  cron: cronSchema.describe('When it runs.'),
  timeZone: timeZoneSchema.optional().describe('Of the cron expression, in place of the common time zone.'),
  paused: z.boolean().default(false).describe('Runs only when it is started by hand.'),
};

const ofCreators = {
  creators: z
    .array(handleSchema)
    .min(1, 'an empty list would choose nobody: leave it out to choose everybody')
    .optional()
    .describe('Only sessions of these creators, under all of their handles.'),
  groups: z
    .array(z.string())
    .min(1, 'an empty list would choose nobody: leave it out to choose everybody')
    .optional()
    .describe('Only sessions of the creators of these groups.'),
};

const moreThanNone = byteSize.refine((bytes) => bytes > 0, 'more than 0');
const count = wholeNumber(1, 999_999_999);

const prune = strictMap({
  kind: z.literal('prune'),
  ...scheduled,
  ...ofCreators,
  olderThan: duration(1).optional().describe('Sessions whose broadcast ended longer ago go.'),
  maxSize: moreThanNone.optional().describe('Of each creator, so much media at most.'),
  maxSessions: count.optional().describe('Of each creator, so many sessions at most.'),
  maxTotalSize: moreThanNone.optional().describe('Of all these creators together, so much media at most.'),
  keepAtLeast: wholeNumber(0, 999_999_999)
    .default(0)
    .describe('So many of each creator’s newest sessions stay.'),
}).refine(
  ({ olderThan, maxSize, maxSessions, maxTotalSize }) =>
    [olderThan, maxSize, maxSessions, maxTotalSize].some((limit) => limit !== undefined),
  'has no limit: give olderThan, maxSize, maxSessions or maxTotalSize',
);

const SAMPLE = 'not a sample: a number of sessions, or a share such as 5%';
const sample = z
  .union([z.int(SAMPLE).min(1, SAMPLE), z.string().regex(/^(?:100|[1-9]?\d(?:\.\d+)?)%$/)], { error: SAMPLE })
  .transform((given) =>
    typeof given === 'number' ? { sessions: given } : { share: Number(given.slice(0, -1)) / 100 },
  )
  .refine((given) => given.share !== 0, SAMPLE);

const verify = strictMap({
  kind: z.literal('verify'),
  ...scheduled,
  ...ofCreators,
  sample: sample
    .prefault('5%')
    .describe('How many sealed sessions a run reads back, those first that were never or longest ago.'),
  decode: z
    .boolean()
    .default(false)
    .describe('Decodes what it reads as well, which takes several times as long.'),
});

const exporting = strictMap({
  kind: z.literal('export'),
  ...scheduled,
  ...ofCreators,
  to: location.describe('The folder or store that gets <handle>/<session>.mp4.'),
  since: z
    .union([z.literal('ever'), z.iso.date(), z.iso.datetime({ offset: true })], {
      error: 'neither a date, such as 2026-11-22, nor ever',
    })
    .optional()
    .describe('Sessions that were sealed from then on; without it, since livestow first saw the job.'),
});

const mirror = strictMap({
  kind: z.literal('mirror'),
  ...scheduled,
  ...ofCreators,
  to: location.describe('The store that gets a copy of each sealed session.'),
});

const reindex = strictMap({ kind: z.literal('reindex'), ...scheduled });

const digest = strictMap({
  kind: z.literal('digest'),
  ...scheduled,
  ...ofCreators,
  period: duration(60_000).prefault('1d').describe('How far back it looks.'),
});

const KINDS = 'prune, verify, export, mirror, reindex or digest';

const jobSchema = z.discriminatedUnion('kind', [prune, verify, exporting, mirror, reindex, digest], {
  error: (issue) => (issue.code === 'invalid_union' ? `a job needs a kind: ${KINDS}` : 'not a job: a map'),
});

export const jobsSchema = z.record(z.string().regex(NAME), jobSchema, {
  error: (issue) =>
    issue.code === 'invalid_key'
      ? 'not a name for a job: 1 to 64 letters, digits, dashes or underscores'
      : undefined,
});

export type JobSettings = z.output<typeof jobSchema>;
export type JobKind = JobSettings['kind'];
export const JOB_KINDS = jobSchema.options.map(({ shape }) => shape.kind.value) satisfies JobKind[];
export type JobOf<Kind extends JobKind> = Extract<JobSettings, { kind: Kind }>;
export type Jobs = Readonly<Record<string, JobSettings>>;

/** Groups that are not there. */
export function strayGroups(
  jobs: Jobs,
  groups: Readonly<Record<string, unknown>>,
): { path: PropertyKey[]; message: string }[] {
  return Object.entries(jobs).flatMap(([name, job]) =>
    ('groups' in job ? (job.groups ?? []) : []).flatMap((group, at) => {
      if (Object.hasOwn(groups, group)) return [];
      const path = ['jobs', name, 'groups', at];
      return [{ path, message: noGroup(group, Object.keys(groups)) }];
    }),
  );
}
