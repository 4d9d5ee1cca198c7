/** Jobs in the daemon: begun when they are due, told as events, changed by a reload, stopped at the end. */
import { cp, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/schema.ts';
import { Daemon } from '../../src/daemon/daemon.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import { sessionKeys } from '../../src/layout/keys.ts';
import type { LivestowEvent } from '../../src/model/event.ts';
import { buildSession, LANDSCAPE, tempStore, type BuiltSession, type TempStore } from '../archive/fixture.ts';
import { ManualClock } from '../manual-clock.ts';
import { scratchFolder } from '../spool/scratch.ts';

let template: TempStore;
let built: BuiltSession;
beforeAll(async () => {
  template = await tempStore();
  built = await buildSession(template.store, { epochs: [LANDSCAPE], foundAtMs: Date.UTC(2026, 10, 21) });
});
afterAll(() => template[Symbol.asyncDispose]());

class Served {
  readonly folder: string;
  readonly clock = new ManualClock(Date.UTC(2026, 10, 22, 2, 58));
  daemon!: Daemon;

  constructor(folder: string) {
    this.folder = folder;
  }

  static async begin(jobs: string): Promise<Served> {
    const served = new Served(await scratchFolder());
    await cp(template.root, join(served.folder, 'archive'), { recursive: true });
    await served.open(jobs);
    onTestFinished(async () => {
      await served.daemon.end('drain');
      await served.daemon.close();
    });
    return served;
  }

  async open(jobs: string): Promise<void> {
    const { clock } = this;
    const config = await this.config(jobs);
    this.daemon = await Daemon.open({ config, clock, log: silentLogger(), version: '0.0.0' });
  }

  async config(jobs: string): Promise<Config> {
    const file = join(this.folder, 'livestow.yaml');
    await writeFile(file, `apiKey: sfk_none\nsegmentDuration: 2s\njobs:\n${jobs}\n`);
    return (await loadConfig({ flags: {}, env: {}, cwd: this.folder, file })).config;
  }

  async minutes(count: number): Promise<void> {
    await this.clock.advance(count * 60_000);
  }

  /** Resolves with the first event that is so, of those since the start. */
  async event<T extends LivestowEvent['type']>(
    type: T,
    so: (event: Extract<LivestowEvent, { type: T }>) => boolean = () => true,
  ): Promise<Extract<LivestowEvent, { type: T }>> {
    const isSo = (event: LivestowEvent): event is Extract<LivestowEvent, { type: T }> =>
      event.type === type && so(event as Extract<LivestowEvent, { type: T }>);
    for (;;) {
      const found = this.daemon.events.since(0).find(isSo);
      if (found) return found;
      await new Promise((resolve) => this.daemon.events.once('event', resolve));
    }
  }
}

test('a job runs when it is due, on the archive, and is told', async () => {
  const served = await Served.begin("  index: { kind: reindex, cron: '0 3 * * *' }");
  const summary = join(served.folder, 'archive', built.prefix, sessionKeys.summary);
  await rm(summary);
  await served.minutes(2);
  expect(await served.event('job', ({ outcome }) => outcome !== 'started')).toMatchObject({
    job: 'index',
    outcome: 'done',
    message: '1 of 1 session mended',
  });
  expect((await stat(summary)).size).toBeGreaterThan(0);
});

test('failures of the day are in its digest', async () => {
  const served = await Served.begin("  news: { kind: digest, cron: '0 4 * * *' }");
  const failed = { type: 'failed', handle: null, message: '', hint: null } as const;
  for (const code of ['STORE_UNAVAILABLE', 'STORE_UNAVAILABLE', 'LOOKUP_FAILED'])
    served.daemon.events.report({ ...failed, code });
  await served.minutes(62);
  expect(await served.event('digest')).toMatchObject({
    job: 'news',
    from: '2026-11-21T04:00:00.000Z',
    to: '2026-11-22T04:00:00.000Z',
    sessions: 0,
    failures: [
      { code: 'STORE_UNAVAILABLE', count: 2 },
      { code: 'LOOKUP_FAILED', count: 1 },
    ],
  });
});

test('a reload changes what runs, and when', async () => {
  const served = await Served.begin("  index: { kind: reindex, cron: '0 3 * * *' }");
  const other = await served.config("  later: { kind: reindex, cron: '5 3 * * *' }");
  expect(served.daemon.reload(other)).toMatchObject({ jobs: ['index', 'later'] });
  expect(served.daemon.reload(other)).toMatchObject({ jobs: [] });
  expect(served.daemon.jobs.statuses).toMatchObject([{ job: 'later', nextAt: '2026-11-22T03:05:00.000Z' }]);
  await served.minutes(7);
  expect(await served.event('job', ({ outcome }) => outcome === 'done')).toMatchObject({ job: 'later' });
});

test('the end stops what runs, and another start notes nothing as interrupted', async () => {
  const served = await Served.begin("  check: { kind: verify, cron: '0 3 * * *' }");
  served.daemon.events.on('event', (event) => {
    if (event.type === 'job' && event.outcome === 'started') ended = served.daemon.end('drain');
  });
  let ended: Promise<void> | undefined;
  await served.minutes(2);
  expect(await served.event('job', ({ outcome }) => outcome !== 'started')).toMatchObject({
    outcome: 'stopped',
    message: 'livestow ended',
  });
  await ended;
  await served.daemon.close();
  await served.open("  check: { kind: verify, cron: '0 3 * * *' }");
  expect(served.daemon.events.since(0)).toEqual([]);
  expect(served.daemon.jobs.statuses).toMatchObject([
    { nextAt: '2026-11-23T03:00:00.000Z', last: { outcome: 'stopped' } },
  ]);
});
