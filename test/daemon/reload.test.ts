import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ConfigReload } from '../../src/cli/config-reload.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/schema.ts';
import { Daemon } from '../../src/daemon/daemon.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import { Secret } from '../../src/kernel/secret.ts';
import { webhookSchema } from '../../src/notify/webhook-config.ts';
import { ManualClock } from '../manual-clock.ts';
import { passInSteps } from '../record/disk-at-rest.ts';
import { scratchFolder } from '../spool/scratch.ts';
import { spoolOf, Town } from './town.ts';

const HOUR_MS = 3_600_000;
const HANDLES = ['alice', 'bob', 'carol', 'dave', 'erin'];

/** Five who are live. */
async function openTown(settings: Partial<Config>) {
  const clock = new ManualClock();
  const town = new Town(await scratchFolder(), clock);
  for (const [at, handle] of HANDLES.entries())
    town.broadcasts.set(handle, [{ roomId: `730000000000000000${at}`, fromMs: 0, toMs: 24 * HOUR_MS }]);
  const { config } = await loadConfig({ flags: {}, env: {}, cwd: town.root });
  const creators = HANDLES.map((handle) => ({ handle, paused: false }));
  const base: Config = { ...config, ...spoolOf(town), pollIntervalMs: 2_000, creators, ...settings };
  const daemon = await Daemon.open({
    config: base,
    clock,
    log: silentLogger(),
    version: '0.0.0',
    compose: town.compose,
  });
  onTestFinished(async () => {
    const over = new AbortController();
    const ending = daemon.end('drain').finally(() => over.abort());
    await town.pass(clock.monotonic() + HOUR_MS, over.signal);
    await ending;
    await daemon.close();
  });
  const pass = (ms: number): Promise<void> => passInSteps(clock, 200, ms);
  return { daemon, base, pass, root: town.root };
}

test.each<[what: string, before: Partial<Config>, after: Partial<Config>]>([
  ['a number gives way to a limit of CPU', { recordings: 2 }, { recordings: null, cpuShare: 0.000_001 }],
  [
    'a limit of bandwidth gives way to a number',
    { downloadBytesPerSecond: 1 },
    { downloadBytesPerSecond: null, recordings: 1 },
  ],
  ['a greater number comes with a limit of CPU', { recordings: 2 }, { recordings: 5, cpuShare: 0.000_001 }],
])('%s: nobody slips in between', async (_what, before, after) => {
  const { daemon, base, pass } = await openTown(before);
  await pass(3_000);
  const { taken } = daemon.slots;
  expect(taken).toBeLessThan(HANDLES.length);
  daemon.reload({ ...base, ...before, ...after });
  await pass(1_000);
  expect(daemon.slots.taken).toBe(taken);
  expect(daemon.slots.waiting).toBe(HANDLES.length - taken);
});

test('what changed is told by its name, and so is what waits for the next start', async () => {
  const webhook = (secret: string) =>
    webhookSchema.parse({ url: 'http://127.0.0.1:9/hook', headers: { 'x-key': secret } });
  const given = { apiKey: new Secret('sfk_one'), webhooks: [webhook('one')] };
  const { daemon, base } = await openTown(given);
  expect(daemon.reload({ ...base })).toMatchObject({ settings: [], waiting: [] });
  const { settings, waiting } = daemon.reload({
    ...base,
    apiKey: new Secret('sfk_two'),
    webhooks: [webhook('two')],
    recordings: 7,
    uploadBytesPerSecond: 5,
    logLevel: 'debug',
    diskReserveBytes: 1,
  });
  expect(settings).toEqual(['apiKey', 'recordings', 'uploadBandwidth', 'webhooks']);
  expect(waiting).toEqual(['diskReserve', 'logLevel']);
});

test('a file by which others could reach it without a token is refused: the next start would not come up', async () => {
  const { daemon, root } = await openTown({});
  const told: string[] = [];
  daemon.events.on('event', (event) => {
    if (event.type === 'config') told.push(`${event.outcome}: ${event.message}`);
  });
  const reloading = new ConfigReload({
    load: () => loadConfig({ flags: {}, env: { LIVESTOW_API_KEY: 'sfk_key' }, cwd: root }),
    file: null,
    daemon,
    log: silentLogger(),
    onReloaded: () => {},
  });
  await writeFile(join(root, 'livestow.yaml'), 'listen: 0.0.0.0:8470\n');
  await reloading.begin();
  await writeFile(
    join(root, 'livestow.yaml'),
    'creators: [alice]\nspool: ./spool\nstore: ./archive\nrecordings: 3\n',
  );
  // Read one after the other, whoever asks.
  await Promise.all([reloading.begin(), reloading.begin()]);
  expect(told).toEqual([
    'refused: other machines reach 0.0.0.0, and there is no token',
    'reloaded: removed: @bob, @carol, @dave, @erin; changed: @alice; settings: apiKey, recordings',
    'reloaded: nothing changed',
  ]);
});
