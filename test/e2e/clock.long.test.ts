/** The machine's clock is set while a broadcast is recorded: by an hour, by seconds, to and fro. */
import { setTimeout as after } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { killNow, momentAfterGop } from './cut.ts';
import { expectFaithful, expectFaithfulSession } from './faithful.ts';
import type { LivestowProcess } from './livestow-process.ts';
import { SettableClock } from './settable-clock.ts';
import { World, WORLD_TIMEOUT_MS } from './world.ts';

vi.setConfig({ testTimeout: WORLD_TIMEOUT_MS });

const HOUR_S = 3_600;
const OK = { code: 0, signal: null };
/** Longer than what the CDN's cache reaches back. */
const HOLE = { type: 'refuse', atMs: 8_100, forMs: 6_000 } as const;

/** Of the steps that the recorder noted: in seconds, to the nearest. */
const stepsOf = (run: LivestowProcess): number[] =>
  run.events('clock-step').map(({ ms }) => Math.round(Number(ms) / 1_000));

describe('the clock is set', { tags: 'clock-jump' }, () => {
  test.concurrent.for([
    { steps: [HOUR_S], aheadS: HOUR_S },
    // Set back, the times go on as they were.
    { steps: [-HOUR_S], aheadS: 0 },
    { steps: [5], aheadS: 5 },
    { steps: [-5], aheadS: 0 },
    { steps: [-HOUR_S, 2 * HOUR_S, -5], aheadS: HOUR_S },
  ])(
    'by $steps s, and then the connection is lost: the gap is as long as it was',
    async ({ steps, aheadS }) => {
      await using clock = await SettableClock.open();
      await using world = await World.open({
        alice: { durationMs: 22_000, faults: [HOLE] },
        env: clock.env,
      });
      const run = await world.record();
      let nowS = 0;
      for (const [i, stepS] of steps.entries()) {
        await momentAfterGop(world, i + 1, 300);
        nowS += stepS;
        await clock.set(nowS);
        await run.until('it notices', () => stepsOf(run).length > i);
      }
      expect(world.sandbox.fired('alice', 'refuse')).toHaveLength(0);
      expect(await run.exited).toEqual(OK);
      expect(stepsOf(run)).toEqual(steps);
      expect(world.sandbox.fired('alice', 'refuse').length).toBeGreaterThan(1);
      const { manifest } = await expectFaithfulSession(world, {
        epochs: 'h264 360x640',
        gaps: ['connection-lost'],
        clockAheadMs: aheadS * 1_000,
      });
      const starts = manifest.segments.map(({ startsAt }) => Date.parse(startsAt));
      expect(starts.toSorted((a, b) => a - b)).toEqual(starts);
      const rightMs = world.wentLiveAtMs + aheadS * 1_000 + 22_000;
      expect(Math.abs(Date.parse(manifest.endedAt!) - rightMs)).toBeLessThan(1_500);
    },
  );

  test.concurrent('back while HLS is recorded, and forward in the wait for its end', async () => {
    await using clock = await SettableClock.open();
    await using world = await World.open({
      alice: { durationMs: 16_000, variants: [{ media: 'small', protocols: ['hls'] }] },
      env: clock.env,
    });
    const run = await world.record();
    await run.until('media flows', (process) => process.events('media').length > 0);
    await after(4_000);
    await clock.set(-HOUR_S);
    await run.until('it holds', (process) => process.events('hold').length > 0);
    await clock.set(HOUR_S);
    expect(await run.exited).toEqual(OK);
    expect(stepsOf(run)).toEqual([-HOUR_S, 2 * HOUR_S]);
    // Two looks, 10 s apart: not by a clock that is set.
    const offline = world.sandbox.events.filter(
      (event) =>
        event.type === 'lookup' &&
        event.atMs >= world.sandbox.events.find(({ type }) => type === 'ended')!.atMs,
    );
    expect(offline.at(-1)!.atMs - offline[0]!.atMs).toBeGreaterThanOrEqual(10_000);
    await expectFaithfulSession(world);
  });

  test.concurrent('back by an hour while livestow is down: what was missed is a gap', async () => {
    await using clock = await SettableClock.open();
    await using world = await World.open({ env: clock.env });
    const first = await world.record();
    await momentAfterGop(world, 2, 900);
    const kill = await killNow(world, first, 'livestow');
    await clock.set(-HOUR_S);
    await after(6_000);
    const second = world.livestow('record', 'alice', '--once');
    await second.until('media flows', (process) => process.events('media').length > 0);
    await after(5_000);
    world.sandbox.end('alice');
    expect(await second.exited).toEqual(OK);
    const session = await world.session();
    expectFaithful(world, session, {
      epochs: 'h264 360x640',
      gaps: ['recorder-down'],
      cutAtMs: [kill.atMs],
      gapToleranceMs: 2 * HOUR_S * 1_000,
    });
    const [hole] = session.holes;
    const [gap] = session.manifest.gaps;
    expect(Math.abs(gap!.ms - (hole!.toMs - hole!.fromMs))).toBeLessThan(300);
  });
});
