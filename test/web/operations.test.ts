/** Each operation of the API, through real HTTP. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import {
  configSchema,
  creatorListSchema,
  creatorSchema,
  eventListSchema,
  removedSchema,
  statusSchema,
} from '../../src/web/schemas.ts';
import { errorOf, SECRETS, Served } from './served.ts';

test('status tells how the daemon is', async () => {
  const served = await Served.open({
    env: {
      LIVESTOW_CREDITS_PER_DAY: '20000',
      LIVESTOW_RECORDINGS: '3',
      LIVESTOW_SAMPLE_INTERVAL: '300ms',
    },
  });
  await served.recordsAlice();
  // Looks of the recording cost as much as those of the watch.
  await vi.waitFor(() => expect(served.daemon.vitals.looks.live).toBeGreaterThan(3), { timeout: 10_000 });
  const { status, body } = await served.call('GET', '/status');
  expect(status).toBe(200);
  const told = statusSchema.strict().parse(body);
  expect(told).toMatchObject({
    version: '1.2.3',
    isEnding: false,
    creators: { recording: 1, watching: 1 },
    recordings: { running: 1, waiting: 0, most: 3 },
    credits: { perDay: 20_000 },
    uploads: { storeTakes: true },
  });
  expect(told.looks.live).toBeGreaterThan(0);
  expect(told.looks.offline).toBeGreaterThan(0);
  expect(told.credits.charged).toBe(told.looks.live + told.looks.offline);
  expect(told.credits.spentToday).toBe(told.credits.charged);
  expect(told.spool.freeBytes).toBeGreaterThan(0);
});

describe('creators', () => {
  test('are listed, each with what it is at and what the plan promises', async () => {
    const served = await Served.open({
      env: { LIVESTOW_POLL_INTERVAL: '', LIVESTOW_CREDITS_PER_DAY: '5000' },
    });
    const { status, body } = await served.call('GET', '/creators');
    expect(status).toBe(200);
    const { creators } = creatorListSchema.strict().parse(body);
    expect(creators).toMatchObject([
      { handle: 'alice', group: null, isConfigured: true, paused: false, state: 'watching' },
      { handle: 'bob', group: 'slow', priority: -5, note: 'of the file', isConfigured: true },
    ]);
    for (const { expectation } of creators) {
      expect(expectation?.creditsPerDay).toBeGreaterThan(0);
      expect(expectation?.delayMs).toBeGreaterThan(0);
    }
    const one = await served.call('GET', '/creators/@Alice');
    expect(creatorSchema.strict().parse(one.body)).toMatchObject({ handle: 'alice' });
  });

  test('without a plan promise nothing', async () => {
    const served = await Served.open();
    expect((await served.call('GET', '/creators/alice')).body).toMatchObject({ expectation: null });
  });

  test('are added, as they are in the config file, and kept over a restart', async () => {
    const served = await Served.open();
    const entry = {
      handle: '@Carol',
      priority: 5,
      pollInterval: '2s',
      windows: { never: ['Mon 03:00-04:00'] },
    };
    const { status, body } = await served.call('POST', '/creators', entry);
    expect(status).toBe(201);
    expect(creatorSchema.parse(body)).toMatchObject({ handle: 'carol', priority: 5, isConfigured: false });
    const roster = JSON.parse(
      await readFile(join(served.folder, 'spool/livestow-serve/roster.json'), 'utf8'),
    ) as { added: unknown[] };
    expect(roster.added).toEqual([entry]);
    const looked = await served.sandbox.waitFor(
      (event) => event.type === 'lookup' && event.handle === 'carol',
    );
    expect(looked).toBeDefined();
    const again = await served.call('POST', '/creators', { handle: 'carol' });
    expect(again.status).toBe(409);
    expect(errorOf(again.body).code).toBe('CONFLICT');
  });

  test.each([
    ['no handle', {}, 'handle'],
    ['what is no handle', { handle: '../up' }, 'handle'],
    ['a group that is not there', { handle: 'carol', group: 'fast' }, 'fast'],
    ['a setting that is none', { handle: 'carol', prioriti: 1 }, 'prioriti'],
    ['windows that are none', { handle: 'carol', windows: { never: ['sometimes'] } }, 'windows.never[0]'],
    ['a store: the operator alone says what is written to', { handle: 'carol', store: '/etc' }, 'store'],
  ])('are not added with %s', async (_what, entry, named) => {
    const served = await Served.open();
    const { status, body } = await served.call('POST', '/creators', entry);
    expect(status).toBe(400);
    expect(errorOf(body)).toMatchObject({ code: 'USAGE' });
    expect(errorOf(body).message).toContain(named);
    expect((await served.call('GET', '/creators')).body).toMatchObject({ creators: [{}, {}] });
  });

  test('are removed, but for those of the config file', async () => {
    const served = await Served.open();
    await served.call('POST', '/creators', { handle: 'carol' });
    const { status, body } = await served.call('DELETE', '/creators/carol');
    expect([status, removedSchema.strict().parse(body)]).toEqual([
      200,
      { handle: 'carol', isLeaving: false },
    ]);
    await expect.poll(async () => (await served.call('GET', '/creators/carol')).status).toBe(404);
    const configured = await served.call('DELETE', '/creators/bob');
    expect(configured.status).toBe(409);
    expect(errorOf(configured.body).hint).toContain('pause');
  });

  test('are paused and watched again', async () => {
    const served = await Served.open();
    const paused = await served.call('POST', '/creators/bob/pause');
    expect([paused.status, paused.body]).toMatchObject([200, { handle: 'bob', paused: true }]);
    await served.isAt('bob', 'paused');
    const resumed = await served.call('POST', '/creators/bob/resume');
    expect([resumed.status, resumed.body]).toMatchObject([200, { paused: false }]);
    await served.isAt('bob', 'watching');
  });

  test('are recorded on demand, though they are paused, and stopped: the room is left alone then', async () => {
    const served = await Served.open({ config: 'creators: [{ handle: alice, paused: true }]\n' });
    served.sandbox.goLive('alice');
    const nothing = await served.call('POST', '/creators/alice/stop');
    expect([nothing.status, errorOf(nothing.body).code]).toEqual([409, 'CONFLICT']);
    expect((await served.call('POST', '/creators/alice/record')).status).toBe(200);
    await served.isAt('alice', 'recording');
    expect((await served.call('GET', '/creators/alice')).body).toMatchObject({
      paused: true,
      recording: { session: expect.stringMatching(/Z-/) as string, gaps: expect.any(Number) as number },
    });
    expect((await served.call('POST', '/creators/alice/stop')).status).toBe(200);
    const sealed = await served.happens(({ type }) => type === 'sealed');
    expect(sealed).toMatchObject({ handle: 'alice' });
    await served.isAt('alice', 'paused');
    expect((await served.call('GET', '/creators/alice')).body).toMatchObject({ recording: null });
  });

  test('that record are removed when the broadcast is over', async () => {
    const served = await Served.open({ config: '{}\n' });
    await served.call('POST', '/creators', { handle: 'alice' });
    await served.recordsAlice();
    const { body } = await served.call('DELETE', '/creators/alice');
    expect(body).toEqual({ handle: 'alice', isLeaving: true });
    expect((await served.call('GET', '/creators/alice')).body).toMatchObject({ state: 'leaving' });
    const record = await served.call('POST', '/creators/alice/record');
    expect([record.status, errorOf(record.body).code]).toEqual([409, 'CONFLICT']);
  });

  test('have a note', async () => {
    const served = await Served.open();
    const noted = await served.call('PUT', '/creators/bob/note', { note: 'asked on Tuesday' });
    expect([noted.status, noted.body]).toMatchObject([200, { note: 'asked on Tuesday' }]);
    expect((await served.call('PUT', '/creators/bob/note', { note: null })).body).toMatchObject({
      note: null,
    });
    const wrong = await served.call('PUT', '/creators/bob/note', { text: 'x' });
    expect([wrong.status, errorOf(wrong.body).code]).toEqual([400, 'USAGE']);
    // As curl sends it.
    const untold = await served.fetch('/api/v1/creators/bob/note', { method: 'PUT', body: '{"note":"x"}' });
    expect([untold.status, errorOf(await untold.json()).hint]).toEqual([
      400,
      'say what is sent: Content-Type: application/json',
    ]);
  });

  test.each([
    'GET /creators/dave',
    'DELETE /creators/dave',
    ...['pause', 'resume', 'record', 'stop'].map((what) => `POST /creators/dave/${what}`),
    'PUT /creators/dave/note',
  ])('that nobody watches are not found: %s', async (operation) => {
    const served = await Served.open();
    const [method = '', path = ''] = operation.split(' ');
    const { status, body } = await served.call(method, path, method === 'PUT' ? { note: null } : undefined);
    expect([status, errorOf(body).code]).toEqual([404, 'NOT_FOUND']);
  });
});

test('config tells what is in force, where it comes from, and what waits for the next start', async () => {
  const served = await Served.open({ token: SECRETS.token });
  const spool = join(served.folder, 'spool');
  await served.reload('creators: [carol]\nspool: /elsewhere\ndiskReserve: 1GiB\nrecordings: 7\n');
  const { status, body } = await served.call('GET', '/config');
  expect(status).toBe(200);
  const { file, settings, waiting } = configSchema.strict().parse(body);
  const of = (key: string) => settings.find((setting) => setting.key === key);
  expect(file).toBe(join(served.folder, 'livestow.yaml'));
  expect(of('recordings')).toEqual({
    key: 'recordings',
    value: 7,
    from: expect.stringMatching(/livestow\.yaml:4$/) as string,
    hides: null,
  });
  expect(of('spool')).toMatchObject({ value: spool, from: 'default' });
  expect(waiting).toEqual(['spool', 'diskReserve']);
  expect(of('apiKey')).toMatchObject({ value: '[redacted]', from: 'LIVESTOW_API_KEY' });
  expect(of('token')).toMatchObject({ value: '[redacted]' });
});

test('events are listed, the newest last', async () => {
  const served = await Served.open();
  for (const code of ['A', 'B', 'C'])
    served.daemon.events.report({ type: 'failed', handle: null, code, message: 'm', hint: null });
  const { status, body } = await served.call('GET', '/events?after=1&limit=5');
  expect(status).toBe(200);
  const { events } = eventListSchema.strict().parse(body);
  expect(events.map((event) => event.type === 'failed' && event.code)).toEqual(['B', 'C']);
  const wrong = await served.call('GET', '/events?limit=0');
  expect([wrong.status, errorOf(wrong.body).message]).toEqual([400, expect.stringContaining('limit')]);
});

test('while it ends it answers, and takes no orders', async () => {
  const served = await Served.open();
  await served.daemon.end('drain');
  expect((await served.call('GET', '/status')).body).toMatchObject({ isEnding: true });
  const { status, body } = await served.call('POST', '/creators/alice/pause');
  expect([status, errorOf(body).code]).toEqual([503, 'UNAVAILABLE']);
});

test('what is not there, is no JSON or is too long is refused in the same shape', async () => {
  const served = await Served.open();
  const post = (body: string) =>
    served.fetch('/api/v1/creators', {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json' },
    });
  expect(errorOf((await served.call('GET', '/nothing')).body).code).toBe('NOT_FOUND');
  const noJson = await post('{"handle":');
  expect([noJson.status, errorOf(await noJson.json()).code]).toEqual([400, 'USAGE']);
  const long = await post(JSON.stringify({ handle: 'carol', note: 'x'.repeat(300_000) }));
  expect([long.status, errorOf(await long.json()).code]).toEqual([413, 'USAGE']);
});

/** How each operation is called so that it does what it is for, in this order. */
/** Nobody listens there: the job goes on trying until it is stopped. */
const WITH_JOB = `
creators: [alice]
jobs:
  copy: { kind: mirror, cron: '0 4 * * *', to: 's3://bucket/copy?endpoint=http://127.0.0.1:1&region=nowhere' }
`;

const CALLS: Record<string, { body?: unknown; before?: (served: Served) => Promise<void> | void }> = {
  getStatus: {},
  getConfig: {},
  listCreators: {},
  addCreator: { body: { handle: 'carol', priority: 3, windows: { never: ['Mon 03:00-04:00'] } } },
  getCreator: {},
  pauseCreator: {},
  resumeCreator: {},
  setNote: { body: { note: 'asked on Tuesday' } },
  recordCreator: { before: ({ sandbox }) => sandbox.goLive('carol') },
  stopRecording: { before: (served) => served.isAt('carol', 'recording') },
  removeCreator: {},
  listJobs: {},
  runJob: { before: async (served) => void (await served.happens(({ type }) => type === 'sealed')) },
  stopJob: {},
  listJobRuns: {},
  listEvents: {},
  streamEvents: {},
};

interface Operation {
  operationId: string;
  requestBody?: unknown;
  responses: Record<string, { content: Record<string, { schema: object }> }>;
}

type OpenApiDocument = {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, unknown> };
};

const documentOf = async (served: Served): Promise<OpenApiDocument> =>
  (await (await served.fetch('/api/openapi.json')).json()) as OpenApiDocument;

/** `schema` with those that it refers to. */
function answerSchema(schema: object, { components }: OpenApiDocument): z.ZodType {
  const whole = JSON.stringify({ ...schema, $defs: components.schemas });
  return z.fromJSONSchema(JSON.parse(whole.replaceAll('#/components/schemas/', '#/$defs/')) as {});
}

test('each operation of the OpenAPI document is called, and answers what the document says', async () => {
  const served = await Served.open({ token: SECRETS.token, config: WITH_JOB });
  const document = await documentOf(served);
  const operations = new Map(
    Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => [
        operation.operationId,
        { path, method, operation },
      ]),
    ),
  );
  // A new operation needs a call here, and tests of what it does above.
  expect(Object.keys(CALLS).sort()).toEqual([...operations.keys()].sort());
  for (const [operationId, { body, before }] of Object.entries(CALLS)) {
    await before?.(served);
    const { path, method, operation } = operations.get(operationId)!;
    expect([operationId, body !== undefined]).toEqual([operationId, operation.requestBody !== undefined]);
    const response = await served.fetch(path.replace('{handle}', 'carol').replace('{job}', 'copy'), {
      method: method.toUpperCase(),
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const success = Object.keys(operation.responses).find((status) => status.startsWith('2')) ?? '';
    expect([operationId, response.status]).toEqual([operationId, Number(success)]);
    const [type] = (response.headers.get('content-type') ?? '').split(';');
    const content = operation.responses[success]?.content ?? {};
    expect([operationId, type]).toEqual([operationId, Object.keys(content)[0]]);
    if (type !== 'application/json') {
      await response.body?.cancel();
      continue;
    }
    const schema = answerSchema(content[type]!.schema, document);
    expect([operationId, schema.safeParse({}).success]).toEqual([operationId, false]);
    expect([operationId, schema.safeParse(await response.json()).error]).toEqual([operationId, undefined]);
  }
});

test('the OpenAPI document is valid, and every operation names its errors', async () => {
  const served = await Served.open({ token: SECRETS.token });
  const document = await documentOf(served);
  const { valid, errors } = await new Validator().validate(document);
  expect(errors).toBeUndefined();
  expect(valid).toBe(true);
  expect(document.openapi).toBe('3.1.0');
  for (const { responses } of Object.values(document.paths).flatMap((path) => Object.values(path)))
    expect(Object.keys(responses)).toEqual(expect.arrayContaining(['400', '401', '403', '503']));
});
