/** The operations of the API, each with what it takes and gives; the OpenAPI document is made from them. */
import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import { bodyLimit } from 'hono/body-limit';
import { LivestowError } from '../kernel/errors.ts';
import { requireHandle } from '../model/handle.ts';
import type { DaemonView } from './daemon-view.ts';
import type { EventStreams } from './event-stream.ts';
import {
  API,
  configSchema,
  creatorListSchema,
  creatorSchema,
  errorSchema,
  eventListSchema,
  jobListSchema,
  jobRunListSchema,
  jobSchema,
  newCreatorSchema,
  noteSchema,
  removedSchema,
  statusSchema,
} from './schemas.ts';

const DOCUMENT = '/api/openapi.json';

const MOST_BODY_BYTES = 256 * 1024;
const MOST_EVENTS = 1_000;
const MOST_RUNS = 1_000;

const json = <T extends z.ZodType>(schema: T) => ({ 'application/json': { schema } });
const failure = (description: string) => ({ description, content: json(errorSchema) });
const FAILURES = {
  400: failure('The request is wrong.'),
  401: failure('A token is needed, or it is another one.'),
  403: failure('A web page of another site asks, or one under a name that is not localhost.'),
  503: failure('It cannot be done now: livestow serve is ending, or starting.'),
};
const OF_A_CREATOR = {
  404: failure('The creator is not watched.'),
  409: failure('It cannot be done as things stand.'),
};
const gives = <T extends z.ZodType>(description: string, schema: T) => ({
  200: { description, content: json(schema) },
  ...FAILURES,
});
const takes = <T extends z.ZodType>(schema: T) => ({ body: { required: true, content: json(schema) } });

const params = z.object({
  handle: z
    .string()
    .regex(/^@?[A-Za-z0-9._]{1,64}$/)
    .openapi({ example: 'somebody' }),
});
const creatorPath = `${API}/creators/{handle}`;
/** Something that is done with one creator. */
const order = (operationId: string, path: `/${string}`, summary: string) =>
  createRoute({
    method: 'post',
    path: `${creatorPath}${path}`,
    operationId,
    summary,
    tags: ['creators'],
    request: { params },
    responses: { ...gives('What it is at now.', creatorSchema), ...OF_A_CREATOR },
  });

const jobParams = z.object({ job: z.string().min(1).max(200).openapi({ example: 'nightly-prune' }) });
const jobOrder = (operationId: string, path: `/${string}`, summary: string) =>
  createRoute({
    method: 'post',
    path: `${API}/jobs/{job}${path}`,
    operationId,
    summary,
    tags: ['jobs'],
    request: { params: jobParams },
    responses: {
      ...gives('What it is at now.', jobSchema),
      404: failure('The config file has no such job.'),
      409: OF_A_CREATOR[409],
    },
  });

const routes = {
  status: createRoute({
    method: 'get',
    path: `${API}/status`,
    operationId: 'getStatus',
    summary: 'How the daemon is: version, uptime, credits, disk, places, uploads',
    tags: ['daemon'],
    responses: gives('How it is.', statusSchema),
  }),
  config: createRoute({
    method: 'get',
    path: `${API}/config`,
    operationId: 'getConfig',
    summary: 'The settings in force and where each comes from, without secrets',
    tags: ['daemon'],
    responses: gives('The settings.', configSchema),
  }),
  list: createRoute({
    method: 'get',
    path: `${API}/creators`,
    operationId: 'listCreators',
    summary: 'Every creator: what it is at, and what the plan of looks promises',
    tags: ['creators'],
    responses: gives('All of them.', creatorListSchema),
  }),
  add: createRoute({
    method: 'post',
    path: `${API}/creators`,
    operationId: 'addCreator',
    summary: 'Watches another creator; kept over restarts',
    description:
      'Settings are as in the config file, but for the store: a group of the config file may name one.',
    tags: ['creators'],
    request: takes(newCreatorSchema),
    responses: {
      201: { description: 'It is watched.', content: json(creatorSchema) },
      409: failure('It is listed already.'),
      ...FAILURES,
    },
  }),
  get: createRoute({
    method: 'get',
    path: creatorPath,
    operationId: 'getCreator',
    summary: 'One creator',
    tags: ['creators'],
    request: { params },
    responses: { ...gives('The creator.', creatorSchema), 404: OF_A_CREATOR[404] },
  }),
  remove: createRoute({
    method: 'delete',
    path: creatorPath,
    operationId: 'removeCreator',
    summary: 'Watches it no more; a recording goes on to its end. Not for those of the config file',
    tags: ['creators'],
    request: { params },
    responses: { ...gives('It is gone, or leaves.', removedSchema), ...OF_A_CREATOR },
  }),
  pause: order(
    'pauseCreator',
    '/pause',
    'Neither looks at it nor records it; a recording goes on to its end',
  ),
  resume: order('resumeCreator', '/resume', 'Looks at it again'),
  record: order(
    'recordCreator',
    '/record',
    'Looks at once, and records what is live whatever the windows say, also of one that is paused',
  ),
  stop: order('stopRecording', '/stop', 'Ends the recording there is, seals it, and leaves that room alone'),
  note: createRoute({
    method: 'put',
    path: `${creatorPath}/note`,
    operationId: 'setNote',
    summary: 'Notes something about it, for people',
    tags: ['creators'],
    request: { params, ...takes(noteSchema) },
    responses: { ...gives('The creator.', creatorSchema), ...OF_A_CREATOR },
  }),
  jobs: createRoute({
    method: 'get',
    path: `${API}/jobs`,
    operationId: 'listJobs',
    summary: 'The scheduled jobs: when each is due, how far it is, how it went last',
    tags: ['jobs'],
    responses: gives('All of them.', jobListSchema),
  }),
  jobHistory: createRoute({
    method: 'get',
    path: `${API}/jobs/history`,
    operationId: 'listJobRuns',
    summary: 'How runs of jobs ended',
    tags: ['jobs'],
    request: {
      query: z.object({
        job: z.string().optional().describe('Of this one only.'),
        limit: z.coerce.number().int().min(1).max(MOST_RUNS).default(50).describe('The newest of them.'),
      }),
    },
    responses: gives('The runs.', jobRunListSchema),
  }),
  runJob: jobOrder('runJob', '/run', 'Runs a job now, whenever it is due'),
  stopJob: jobOrder('stopJob', '/stop', 'Asks the run of a job to stop'),
  events: createRoute({
    method: 'get',
    path: `${API}/events`,
    operationId: 'listEvents',
    summary: 'What happened lately: the newest 1,000 events are kept',
    tags: ['events'],
    request: {
      query: z.object({
        after: z.coerce.number().int().min(0).default(0).describe('Only those with a greater id.'),
        limit: z.coerce.number().int().min(1).max(MOST_EVENTS).default(100).describe('The newest of them.'),
      }),
    },
    responses: gives('The events.', eventListSchema),
  }),
  stream: createRoute({
    method: 'get',
    path: `${API}/events/stream`,
    operationId: 'streamEvents',
    summary: 'What happens, as server-sent events: from now on, or behind Last-Event-ID',
    description:
      "The event's name is its type, its data one event as JSON. `missed` says that some can no longer be told. A reader that takes nothing for a minute is let go.",
    tags: ['events'],
    request: {
      headers: z.object({ 'last-event-id': z.string().optional().describe('As the stream gave it.') }),
    },
    responses: {
      200: {
        description: 'A stream without end; a comment every 15 s when nothing happens.',
        content: { 'text/event-stream': { schema: z.string() } },
      },
      ...FAILURES,
    },
  }),
} as const;

export interface OperationsOptions {
  daemon: DaemonView;
  streams: EventStreams;
  /** Names this run of the daemon. */
  run: string;
  version: string;
  hasToken: boolean;
}

export function operations({ daemon, streams, run, version, hasToken }: OperationsOptions): OpenAPIHono {
  const app = new OpenAPIHono({
    defaultHook: (result) => {
      if (!result.success) throw wrongInput(result.error.issues);
    },
  });
  const mayOrder = (): void => {
    if (daemon.isEnding) throw new LivestowError('UNAVAILABLE', 'livestow serve is ending');
  };
  app.use(`${API}/*`, bodyLimit({ maxSize: MOST_BODY_BYTES }));
  for (const path of ['creators', 'jobs']) {
    app.use(`${API}/${path}/*`, async (c, next) => {
      if (c.req.method !== 'GET') mayOrder();
      await next();
    });
  }
  const handleOf = ({ handle }: z.infer<typeof params>): string => requireHandle(handle);

  app.openapi(routes.status, async (c) => c.json(await daemon.status(), 200));
  app.openapi(routes.config, (c) => c.json(daemon.config(), 200));
  app.openapi(routes.list, async (c) => c.json({ creators: await daemon.creators() }, 200));
  app.openapi(routes.get, async (c) => c.json(await daemon.creator(handleOf(c.req.valid('param'))), 200));
  app.openapi(routes.add, async (c) => {
    c.req.valid('json');
    // As it was given: that is what is kept.
    return c.json(await daemon.add(await c.req.json()), 201);
  });
  app.openapi(routes.remove, async (c) => c.json(await daemon.remove(handleOf(c.req.valid('param'))), 200));
  app.openapi(routes.pause, async (c) =>
    c.json(await daemon.setPaused(handleOf(c.req.valid('param')), true), 200),
  );
  app.openapi(routes.resume, async (c) =>
    c.json(await daemon.setPaused(handleOf(c.req.valid('param')), false), 200),
  );
  app.openapi(routes.record, async (c) =>
    c.json(await daemon.recordNow(handleOf(c.req.valid('param'))), 200),
  );
  app.openapi(routes.stop, async (c) =>
    c.json(await daemon.stopRecording(handleOf(c.req.valid('param'))), 200),
  );
  app.openapi(routes.note, async (c) =>
    c.json(await daemon.setNote(handleOf(c.req.valid('param')), c.req.valid('json').note), 200),
  );
  app.openapi(routes.jobs, (c) => c.json({ jobs: daemon.jobs() }, 200));
  app.openapi(routes.jobHistory, (c) => {
    const { job, limit } = c.req.valid('query');
    return c.json({ runs: daemon.jobHistory({ job, most: limit }) }, 200);
  });
  app.openapi(routes.runJob, (c) => c.json(daemon.runJob(c.req.valid('param').job), 200));
  app.openapi(routes.stopJob, (c) => c.json(daemon.stopJob(c.req.valid('param').job), 200));
  app.openapi(routes.events, (c) => {
    const { after, limit } = c.req.valid('query');
    return c.json({ run, events: daemon.events.since(after).slice(-limit) }, 200);
  });
  app.openapi(routes.stream, (c) => {
    const stream = streams.open(c.req.valid('header')['last-event-id']);
    // A proxy that gathers would keep what happens to itself.
    const headers = { 'Content-Type': 'text/event-stream; charset=utf-8', 'X-Accel-Buffering': 'no' };
    return c.body(stream, 200, headers);
  });

  if (hasToken)
    app.openAPIRegistry.registerComponent('securitySchemes', 'token', { type: 'http', scheme: 'bearer' });
  app.doc31(DOCUMENT, {
    openapi: '3.1.0',
    info: {
      title: 'livestow serve',
      version,
      description:
        'Errors have one shape, with a stable code. Unknown fields and kinds of events are to be ignored.',
    },
    ...(hasToken ? { security: [{ token: [] }] } : {}),
  });
  return app;
}

/** `settings.windows.recordOnly[0]: not a window` */
function wrongInput(issues: readonly z.core.$ZodIssue[]): LivestowError {
  const texts = issues.map(({ path, message }) => {
    const where = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('');
    return where === '' ? message : `${where.replace(/^\./, '')}: ${message}`;
  });
  return new LivestowError('USAGE', texts.join('; '), { hint: `${DOCUMENT} says what is taken` });
}
