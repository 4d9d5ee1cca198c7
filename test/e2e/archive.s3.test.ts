/** The same over a real S3 server: fetched as plain objects, every picture counted. */
import { describe, expect, test, vi } from 'vitest';
import { s3Bucket } from '../support/s3-servers.ts';
import { expectSurvived, killNow, momentAfterGop, recordToTheEnd } from './cut.ts';
import { expectFaithfulSession } from './faithful.ts';
import { World, WORLD_TIMEOUT_MS } from './world.ts';

vi.setConfig({ testTimeout: WORLD_TIMEOUT_MS });

const OK = { code: 0, signal: null };

describe('an archive on S3', () => {
  test.concurrent('of a broadcast without faults', async () => {
    await using world = await World.open({ alice: { durationMs: 9_000 }, bucket: await s3Bucket() });
    const run = await world.record();
    expect(await run.exited).toEqual(OK);
    const { pictures } = await expectFaithfulSession(world);
    expect(pictures).toMatchObject({ first: 0, missing: [] });
  });

  test.concurrent('of a broadcast with a guest, a drop, a stall and a jump', async () => {
    await using world = await World.open({
      alice: {
        durationMs: 20_000,
        faults: [
          { type: 'media', media: 'small-landscape', atMs: 4_000 },
          { type: 'drop', atMs: 8_300 },
          { type: 'stall', forMs: 3_000, atMs: 10_700 },
          { type: 'jump', byMs: 3_600_000, atMs: 16_000 },
        ],
      },
      bucket: await s3Bucket(),
    });
    const run = await world.record();
    expect(await run.exited).toEqual(OK);
    for (const type of ['media', 'drop', 'stall', 'jump'] as const) {
      expect(world.sandbox.fired('alice', type).length, type).toBeGreaterThan(0);
    }
    await expectFaithfulSession(world, {
      epochs: ['h264 360x640', 'h264 640x360', 'h264 640x360'],
      gaps: ['stall'],
    });
  });

  test.concurrent('in h265 from HLS', async () => {
    await using world = await World.open({
      alice: { durationMs: 11_000, variants: [{ media: 'hevc', source: 'hevc', protocols: ['hls'] }] },
      bucket: await s3Bucket(),
    });
    const run = await world.record();
    expect(await run.exited).toEqual(OK);
    const { manifest } = await expectFaithfulSession(world, { epochs: ['h265 360x640'] });
    expect(manifest.container).toBe('fmp4');
  });

  test.concurrent('of a recorder that was killed, and one that was drained', async () => {
    await using world = await World.open({ bucket: await s3Bucket() });
    const first = await world.record();
    await momentAfterGop(world, 2, 700);
    const kill = await killNow(world, first, 'both');
    const second = world.livestow('record', 'alice', '--once');
    await second.until('media flows', (process) => process.events('media').length > 0);
    await momentAfterGop(world, world.gopsSent + 1, 500);
    const drainedAtMs = Date.now();
    second.kill('SIGTERM');
    expect(await second.exited).toEqual(OK);
    await recordToTheEnd(world, world.livestow('record', 'alice', '--once'));
    const { manifest } = await expectSurvived(world, [kill, { atMs: drainedAtMs, closed: [] }], {
      drains: 1,
    });
    expect([...new Set(manifest.segments.map(({ term }) => term))]).toEqual([1, 2, 3]);
  });
});
