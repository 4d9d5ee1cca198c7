/** Processes that are stopped and go on (SIGSTOP, SIGCONT), as a frozen container or a sleeping machine makes them. */
import { describe, expect, test, vi } from 'vitest';
import { expectSurvived, momentAfterGop, recordToTheEnd, suspend } from './cut.ts';
import { expectFaithfulSession } from './faithful.ts';
import { World, WORLD_TIMEOUT_MS } from './world.ts';

vi.setConfig({ testTimeout: WORLD_TIMEOUT_MS });

const OK = { code: 0, signal: null };

describe('livestow and its ffmpeg are stopped', { tags: 'suspended' }, () => {
  test.concurrent.for([1_000, 6_000, 20_000])(
    'for %i ms, and the network keeps what comes: nothing is missing',
    async (ms) => {
      await using world = await World.open({ alice: { durationMs: 12_000 + ms } });
      const run = await world.record();
      await momentAfterGop(world, 2, 300);
      await suspend([run.pid, ...(await run.recordingProcesses())], ms);
      expect(await run.exited).toEqual(OK);
      const told = run.events('suspended').map((event) => Number(event['ms']));
      expect(told).toHaveLength(ms > 2_000 ? 1 : 0);
      for (const toldMs of told) expect(Math.abs(toldMs - ms)).toBeLessThan(1_700);
      expect(run.events('engine-died')).toEqual([]);
      // It is the one connection to its end.
      expect(run.events('media')).toHaveLength(1);
      await expectFaithfulSession(world);
    },
  );

  test.concurrent('and the CDN hangs up meanwhile: the gap is ours', async () => {
    const faults = [{ type: 'drop', atMs: 7_100 } as const];
    await using world = await World.open({ alice: { durationMs: 26_000, faults } });
    const run = await world.record();
    await momentAfterGop(world, 2, 300);
    await suspend([run.pid, ...(await run.recordingProcesses())], 12_000);
    expect(await run.exited).toEqual(OK);
    expect(world.sandbox.fired('alice', 'drop')).toHaveLength(1);
    expect(run.events('suspended')).toHaveLength(1);
    const { holes } = await expectFaithfulSession(world, {
      epochs: 'h264 360x640',
      gaps: ['recorder-down'],
    });
    expect(holes[0]!.toMs - holes[0]!.fromMs).toBeGreaterThan(5_000);
  });

  test.concurrent('for longer than the hold, in the hold: it is waited for all the same', async () => {
    const faults = [{ type: 'refuse', atMs: 4_100, forMs: 20_000 } as const];
    await using world = await World.open({
      alice: { durationMs: 34_000, faults },
      env: { LIVESTOW_MAX_HOLD: '12s' },
    });
    const run = await world.record();
    await run.until('it holds', (process) => process.events('hold').length > 0);
    await suspend([run.pid, ...(await run.recordingProcesses())], 14_000);
    expect(await run.exited).toEqual(OK);
    expect(world.sandbox.fired('alice', 'refuse').length).toBeGreaterThan(1);
    expect(run.events('suspended')).toHaveLength(1);
    await expectFaithfulSession(world, { epochs: 'h264 360x640', gaps: ['connection-lost'] });
  });

  test.concurrent(
    'and told to drain: it drains when it goes on, deadline or not',
    { tags: 'drained' },
    async () => {
      await using world = await World.open();
      const first = await world.record();
      await momentAfterGop(world, 2, 300);
      const stopped = suspend([first.pid, ...(await first.recordingProcesses())], 24_000);
      first.kill('SIGTERM');
      await stopped;
      expect(await first.exited).toEqual(OK);
      const drained = await world.session();
      expect(drained.manifest.sealedAt).toBeNull();
      const drain = { atMs: Date.now(), closed: drained.manifest.segments.map(({ key }) => key) };
      await recordToTheEnd(world, world.livestow('record', 'alice', '--once'));
      // What the network kept for it is missed, and said to be.
      await expectSurvived(world, [drain], { drains: 1, deafMs: 24_000 });
    },
  );
});

describe('ffmpeg alone is stopped', { tags: 'suspended' }, () => {
  test.concurrent.for([1_000, 6_000, 20_000])('for %i ms: nothing is missing', async (ms) => {
    await using world = await World.open({ alice: { durationMs: 12_000 + ms } });
    const run = await world.record();
    await momentAfterGop(world, 2, 300);
    const recording = await run.recordingProcesses();
    expect(recording).toHaveLength(1);
    await suspend(recording, ms);
    expect(await run.exited).toEqual(OK);
    expect(run.events('engine-died')).toHaveLength(ms > 10_000 ? 1 : 0);
    expect(run.events('suspended')).toEqual([]);
    await expectFaithfulSession(world);
  });
});
