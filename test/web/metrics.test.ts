/** `/metrics`: read as Prometheus reads it. */
import { readFile } from 'node:fs/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { z } from 'zod';
import { GAP_CAUSES } from '../../src/model/causes.ts';
import { serve } from '../net/servers.ts';
import { familiesOf, lintMetrics, type MetricFamily } from './metric-lint.ts';
import { Served } from './served.ts';

async function scrape(served: Served): Promise<Map<string, MetricFamily>> {
  const response = await served.fetch('/metrics');
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  return familiesOf(await response.text());
}

/** The value of the only sample with these labels. */
function valueOf(
  families: Map<string, MetricFamily>,
  name: string,
  labels: Record<string, string> = {},
): number {
  const samples = (families.get(name)?.samples ?? []).filter((sample) =>
    Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
  );
  expect([name, labels, samples.length]).toEqual([name, labels, 1]);
  return samples[0]!.value;
}

test('names and units are by convention, and every metric says what it is', async () => {
  const served = await Served.open();
  await served.recordsAlice();
  const families = await scrape(served);
  expect(families.size).toBeGreaterThan(50);
  expect(lintMetrics(families.values())).toEqual([]);
});

test.each([
  ['no help', '# HELP a_total \n# TYPE a_total counter\n'],
  ['a counter without _total', '# HELP a x\n# TYPE a counter\n'],
  ['_total, and no counter', '# HELP a_total x\n# TYPE a_total gauge\n'],
  ['no base unit', '# HELP a_milliseconds x\n# TYPE a_milliseconds gauge\n'],
  ['an abbreviated unit', '# HELP a_delay_ms x\n# TYPE a_delay_ms gauge\n'],
  ['its type in its name', '# HELP a_gauge x\n# TYPE a_gauge gauge\n'],
  ['camelCase', '# HELP a x\n# TYPE a gauge\na{firstName="x"} 1\n'],
  ['a label of histograms', '# HELP a x\n# TYPE a gauge\na{le="1"} 1\n'],
])('the check would notice %s', (what, text) => {
  expect(lintMetrics(familiesOf(text).values())).toEqual([expect.stringContaining(what)]);
});

test('labels are closed sets; a handle is on the gauges of creators alone, and goes with its creator', async () => {
  const served = await Served.open();
  await served.call('POST', '/creators', { handle: 'carol' });
  const before = await scrape(served);
  const withHandle = [...before.values()]
    .filter(({ samples }) => samples.some(({ labels }) => 'handle' in labels))
    .map(({ name }) => name);
  expect(withHandle.length).toBeGreaterThan(0);
  expect(withHandle.filter((name) => !name.startsWith('livestow_creator_'))).toEqual([]);
  expect(valueOf(before, 'livestow_creator_recording', { handle: 'carol' })).toBe(0);
  await served.call('DELETE', '/creators/carol');
  await expect
    .poll(async () =>
      (await scrape(served)).get('livestow_creator_recording')?.samples.map(({ labels }) => labels['handle']),
    )
    .toEqual(['alice', 'bob']);
});

test('tells what a recording costs and brings', async () => {
  const served = await Served.open({
    config: 'creators: [{ handle: alice, pollInterval: 500ms }, bob]\n',
    env: { LIVESTOW_POLL_INTERVAL: '', LIVESTOW_RECORDINGS: '4' },
  });
  const quiet = await scrape(served);
  expect(valueOf(quiet, 'livestow_creators', { state: 'recording' })).toBe(0);
  expect(valueOf(quiet, 'livestow_credits_per_day')).toBe(Infinity);
  expect(valueOf(quiet, 'livestow_recordings_limit')).toBe(4);
  for (const cause of Object.keys(GAP_CAUSES))
    expect(valueOf(quiet, 'livestow_gaps_total', { cause })).toBe(0);

  await served.recordsAlice();
  const live = await scrape(served);
  expect(valueOf(live, 'livestow_creators', { state: 'recording' })).toBe(1);
  expect(valueOf(live, 'livestow_creator_recording', { handle: 'alice' })).toBe(1);
  expect(valueOf(live, 'livestow_recordings')).toBe(1);
  expect(valueOf(live, 'livestow_recordings_total')).toBe(1);
  expect(valueOf(live, 'livestow_looks_total', { outcome: 'live' })).toBeGreaterThan(0);
  const nextLookSeconds = valueOf(live, 'livestow_creator_next_look_timestamp_seconds', { handle: 'bob' });
  expect(Math.abs(nextLookSeconds - Date.now() / 1_000)).toBeLessThan(3_600);

  await served.sandbox.inject('alice', { type: 'refuse', forMs: 5_000 });
  const gap = await served.happens(({ type }) => type === 'gap');
  await expect
    .poll(async () => valueOf(await scrape(served), 'livestow_shipped_bytes_total'), { timeout: 20_000 })
    .toBeGreaterThan(10_000);
  await served.call('POST', '/creators/alice/stop');
  await served.happens(({ type }) => type === 'sealed');
  const after = await scrape(served);
  expect(valueOf(after, 'livestow_sessions_sealed_total')).toBe(1);
  expect(valueOf(after, 'livestow_sealed_seconds_total')).toBeGreaterThan(1);
  if (gap.type !== 'gap') throw new Error('no gap');
  expect(valueOf(after, 'livestow_gaps_total', { cause: gap.cause })).toBeGreaterThan(0);
  expect(valueOf(after, 'livestow_gap_seconds_total', { cause: gap.cause })).toBeGreaterThanOrEqual(
    gap.ms / 1_000,
  );
  expect(valueOf(after, 'livestow_credits_charged_total')).toBe(
    valueOf(after, 'livestow_looks_total', { outcome: 'live' }) +
      valueOf(after, 'livestow_looks_total', { outcome: 'offline' }),
  );
});

test('tells how jobs go, by kind, and when each was last done', async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'x');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'x');
  onTestFinished(() => void vi.unstubAllEnvs());
  await using silentStore = await serve(() => {});
  const config = "jobs: { nightly: { kind: reindex, cron: '@yearly' } }\n";
  const served = await Served.open({ config });
  const fresh = await scrape(served);
  expect(valueOf(fresh, 'livestow_job_runs_total', { kind: 'digest', outcome: 'failed' })).toBe(0);
  expect(fresh.get('livestow_job_last_success_timestamp_seconds')?.samples).toEqual([]);

  const { jobs } = served.daemon;
  await jobs.run('nightly');
  await served.reload(`${config}store: 's3://bucket?endpoint=${silentStore.url}&region=x&pathStyle=true'\n`);
  const stopped = jobs.run('nightly');
  const running = await scrape(served);
  expect(valueOf(running, 'livestow_jobs_running', { kind: 'reindex' })).toBe(1);
  expect(valueOf(running, 'livestow_jobs_running', { kind: 'mirror' })).toBe(0);

  const sinceMs = Date.now();
  jobs.stop('nightly');
  await stopped;
  const after = await scrape(served);
  expect(valueOf(after, 'livestow_jobs_running', { kind: 'reindex' })).toBe(0);
  for (const outcome of ['done', 'stopped'])
    expect(valueOf(after, 'livestow_job_runs_total', { kind: 'reindex', outcome })).toBe(1);
  const doneAtMs =
    1_000 *
    valueOf(after, 'livestow_job_last_success_timestamp_seconds', { name: 'nightly', kind: 'reindex' });
  expect(sinceMs - doneAtMs).toBeGreaterThanOrEqual(0);
  expect(sinceMs - doneAtMs).toBeLessThan(60_000);
});

test('tells what became of the messages to webhooks, and how many wait', async () => {
  let status: number | null = 204;
  await using receiver = await serve((_request, response) => {
    if (status !== null) response.writeHead(status).end();
  });
  const served = await Served.open({ config: `webhooks: [{ url: '${receiver.url}', events: [failed] }]\n` });
  const happen = () =>
    served.daemon.events.report({ type: 'failed', handle: null, code: 'X', message: 'm', hint: null });
  const counted = async (outcome: string) =>
    valueOf(await scrape(served), 'livestow_webhook_messages_total', { outcome });
  expect(await counted('dropped')).toBe(0);
  happen();
  await expect.poll(() => counted('delivered'), { timeout: 10_000 }).toBe(1);
  status = 400;
  happen();
  await expect.poll(() => counted('refused'), { timeout: 10_000 }).toBe(1);
  status = null;
  happen();
  happen();
  expect(valueOf(await scrape(served), 'livestow_webhook_messages_waiting')).toBe(2);
});

test('a key that is refused is counted, by code, and in the looks', async () => {
  const served = await Served.open({ env: { LIVESTOW_API_KEY: 'sfk_another' } });
  await served.happens(({ type }) => type === 'failed');
  const families = await scrape(served);
  expect(valueOf(families, 'livestow_errors_total', { code: 'LOOKUP_UNAUTHORIZED' })).toBeGreaterThan(0);
  expect(valueOf(families, 'livestow_looks_total', { outcome: 'failed' })).toBeGreaterThan(0);
});

describe('the Grafana dashboard', async () => {
  const dashboard = z
    .object({
      uid: z.string(),
      panels: z.array(
        z.object({
          id: z.int(),
          title: z.string(),
          gridPos: z.object({ x: z.int(), y: z.int(), w: z.int(), h: z.int() }),
          targets: z.array(z.object({ expr: z.string() })).default([]),
        }),
      ),
    })
    .parse(JSON.parse(await readFile(new URL('../../docs/grafana/livestow.json', import.meta.url), 'utf8')));
  const queries = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
  /** With the labels that each is asked by. */
  const asked = (expr: string) =>
    Array.from(
      expr.matchAll(/\b((?:livestow|nodejs|process)_\w+)(?:\{([^}]*)\})?/g),
      ([, name = '', labels = '']) => ({
        name,
        labels: Array.from(labels.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g), ([, label = '']) => label),
      }),
    );

  test('asks only for metrics and labels that there are', async () => {
    const served = await Served.open();
    await served.recordsAlice();
    served.daemon.events.report({ type: 'failed', handle: null, code: 'X', message: 'm', hint: null });
    const families = await scrape(served);
    expect(queries.length).toBeGreaterThan(15);
    const wrong = queries.flatMap((expr) =>
      asked(expr).flatMap(({ name, labels }) => {
        const family = families.get(name);
        if (!family) return [`${name} of ${expr}`];
        const known = new Set([
          'job',
          'instance',
          ...family.samples.flatMap((sample) => Object.keys(sample.labels)),
        ]);
        return labels.filter((label) => !known.has(label)).map((label) => `${label} of ${name}`);
      }),
    );
    expect(wrong).toEqual([]);
    expect(queries.filter((expr) => asked(expr).length === 0)).toEqual([]);
    const shown = new Set(queries.flatMap((expr) => asked(expr).map(({ name }) => name)));
    const own = [...families.keys()].filter((name) => name.startsWith('livestow_'));
    expect(own.filter((name) => !shown.has(name))).toEqual([]);
  });

  test('sums counters as rates, and has no two panels in one place', () => {
    const bare = queries.filter((expr) => /_total\b/.test(expr) && !/\b(?:rate|increase)\(/.test(expr));
    expect(bare).toEqual([]);
    const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, at) => `${x + (at % w)},${y + Math.floor(at / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  });
});
