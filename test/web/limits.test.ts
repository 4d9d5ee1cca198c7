/** What is over a limit waits, and whoever asks is told for what. */
import { expect, test } from 'vitest';
import { statusSchema, type Status } from '../../src/web/schemas.ts';
import { familiesOf } from './metric-lint.ts';
import { Served } from './served.ts';

const CREATORS = 'creators: [alice, { handle: bob, priority: 5 }]\n';

async function statusOf(served: Served): Promise<Status> {
  return statusSchema.strict().parse((await served.call('GET', '/status')).body);
}

/** Of the metrics about limits. */
async function metricsOf(served: Served): Promise<Record<string, number>> {
  const families = familiesOf(await (await served.fetch('/metrics')).text());
  return Object.fromEntries(
    [...families.values()]
      .flatMap(({ samples }) => samples)
      .filter(({ name }) => /^livestow_(?:.*_limit_|received|recordings_held)/.test(name))
      .map(({ name, labels, value }) => [[name, ...Object.values(labels)].join(' '), value]),
  );
}

test('one is recorded, the other waits, and a reload lets it in', async () => {
  const served = await Served.open({
    config: `${CREATORS}downloadBandwidth: 1B/s\nuploadBandwidth: 50MB/s\ncpu: 100%\n`,
  });
  await served.recordsAlice();
  served.sandbox.goLive('bob');
  await served.isAt('bob', 'queued');
  await expect
    .poll(async () => (await statusOf(served)).load.downloadBytesPerSecond.used, { timeout: 20_000 })
    .toBeGreaterThan(1);
  const status = await statusOf(served);
  expect(status.recordings).toMatchObject({ running: 1, waiting: 1, most: null, heldBy: 'bandwidth' });
  expect(status.load).toMatchObject({
    downloadBytesPerSecond: { most: 1 },
    uploadBytesPerSecond: { most: 50e6 },
    cpuShare: { most: 1 },
  });
  expect(status.load.cpuShare.used).toBeGreaterThan(0);
  expect(status.load.cpuShare.used).toBeLessThanOrEqual(1);
  const metrics = await metricsOf(served);
  expect(metrics).toMatchObject({
    livestow_download_limit_bytes: 1,
    livestow_upload_limit_bytes: 50e6,
    livestow_cpu_limit_ratio: 1,
    'livestow_recordings_held bandwidth': 1,
    'livestow_recordings_held cpu': 0,
    'livestow_recordings_held places': 0,
  });
  expect(metrics['livestow_received_bytes_total']).toBeGreaterThan(0);

  await served.reload(CREATORS);
  expect(served.inForce.waiting).toEqual([]);
  await served.isAt('bob', 'recording');
  expect(await statusOf(served)).toMatchObject({
    recordings: { running: 2, waiting: 0, heldBy: null },
    load: {
      downloadBytesPerSecond: { used: null, most: null },
      uploadBytesPerSecond: { used: null, most: null },
      cpuShare: { used: null, most: null },
    },
  });
  expect(await metricsOf(served)).toMatchObject({
    livestow_download_limit_bytes: Infinity,
    livestow_upload_limit_bytes: Infinity,
    livestow_cpu_limit_ratio: Infinity,
    'livestow_recordings_held bandwidth': 0,
  });
});

test('media goes up at the bandwidth, which a reload changes at once', async () => {
  const served = await Served.open({ config: `${CREATORS}uploadBandwidth: 1B/s\n` });
  await served.recordsAlice();
  // The first is let go; the next would have to wait for days.
  await expect
    .poll(async () => (await statusOf(served)).uploads.waiting, { timeout: 20_000 })
    .toBeGreaterThan(1);
  const { shippedObjects } = (await statusOf(served)).uploads;
  expect(shippedObjects).toBeLessThanOrEqual(1);
  await served.reload(`${CREATORS}uploadBandwidth: 100MB/s\n`);
  await expect
    .poll(async () => (await statusOf(served)).uploads, { timeout: 20_000 })
    .toMatchObject({ waiting: 0, running: 0 });
  expect((await statusOf(served)).uploads.shippedObjects).toBeGreaterThan(2);
});
