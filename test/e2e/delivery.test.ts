/** How the media comes: protocols, codecs, refusals, addresses that expire, proxies, hosts that must not be asked. */
import { describe, expect, test, vi } from 'vitest';
import type { FaultInput } from '../../src/sandbox/faults.ts';
import { interruptAfterTheEnd } from './cut.ts';
import { expectFaithful, expectFaithfulSession, expectNothingLeft } from './faithful.ts';
import { startProxy } from './connect-proxy.ts';
import { inTwoQualities, recordThrough } from './failover.ts';
import { World, WORLD_TIMEOUT_MS } from './world.ts';

vi.setConfig({ testTimeout: WORLD_TIMEOUT_MS });

const OK = { code: 0, signal: null };

describe.concurrent('a broadcast over HLS', () => {
  test('in h264', async () => {
    await using world = await World.open({
      alice: {
        durationMs: 15_000,
        variants: [{ media: 'small', protocols: ['hls'] }],
        faults: [{ type: 'media', media: 'small-landscape', atMs: 6_000 }],
      },
    });
    const run = await world.record();
    await interruptAfterTheEnd(world, run);
    const { manifest, pictures } = await expectFaithfulSession(world, {
      endCause: 'stopped',
      epochs: ['h264 360x640', 'h264 640x360'],
    });
    expect(manifest.epochs[0]?.variant.protocol).toBe('hls');
    expect(pictures).toMatchObject({ first: 0, missing: [] });
  });

  test('in h265: fragmented MP4', async () => {
    await using world = await World.open({
      alice: { durationMs: 15_000, variants: [{ media: 'hevc', source: 'hevc', protocols: ['hls'] }] },
    });
    const run = await world.record();
    expect(await run.exited).toEqual(OK);
    const { manifest, pictures } = await expectFaithfulSession(world, { epochs: ['h265 360x640'] });
    expect(manifest.container).toBe('fmp4');
    expect(pictures).toMatchObject({ first: 0, missing: [] });
  });

  test(
    'with a timestamp jump, a reset, and segments that answer 404',
    { tags: ['playlist-discontinuity', 'playlist-segment-missing', 'timestamps'] },
    async () => {
      await using world = await World.open({
        alice: {
          durationMs: 22_000,
          variants: [{ media: 'small', protocols: ['hls'] }],
          faults: [
            { type: 'jump', byMs: 3_600_000, atMs: 4_000 },
            { type: 'reset', atMs: 8_000 },
            { type: 'hls-missing', forMs: 2_000, atMs: 12_000 },
          ],
        },
      });
      const run = await world.record();
      await interruptAfterTheEnd(world, run);
      for (const type of ['jump', 'reset', 'hls-missing'] as const) {
        expect(world.sandbox.fired('alice', type).length, type).toBeGreaterThan(0);
      }
      const session = await world.session();
      expect(session.holes).toHaveLength(1);
      expectFaithful(world, session, {
        endCause: 'stopped',
        gaps: ['segment-missing'],
        epochs: session.manifest.epochs.map(() => 'h264 360x640'),
        // A segment is there only when all of it was made.
        gapToleranceMs: 2_500,
      });
      expect(Math.abs(session.manifest.gaps[0]!.ms - 2_133)).toBeLessThan(100);
      await expectNothingLeft(world);
    },
  );
});

describe.concurrent('what a CDN answers instead of media', () => {
  test(
    'the best variant answers 404: the next one is recorded, and the choice is told',
    { tags: 'refused' },
    async () => {
      await using world = await World.open({
        alice: {
          durationMs: 10_000,
          variants: [
            { media: 'small-landscape', qualityKey: 'origin', status: 404 },
            { media: 'small', qualityKey: 'hd' },
          ],
        },
      });
      const run = await world.record();
      await interruptAfterTheEnd(world, run);
      expect(world.sandbox.events.filter(({ type }) => type === 'refused').length).toBeGreaterThan(0);
      const { manifest } = await expectFaithfulSession(world, { endCause: 'stopped' });
      expect(manifest.epochs[0]?.variant.qualityKey).toBe('hd');
      expect(
        run
          .events('attempt')
          .map(({ variant }) => variant)
          .slice(0, 2),
      ).toEqual(['h264/origin/flv', 'h264/hd/flv']);
    },
  );

  test(
    'the variant in use dies: the next one takes over in the same session',
    { tags: ['variant-lost', 'refused'] },
    async () => {
      const fault: FaultInput = { type: 'refuse', forMs: 60_000, atMs: 5_100 };
      await using world = await World.open(inTwoQualities({ durationMs: 14_000, fault }));
      const run = await recordThrough(world, fault.type, 1);
      const { manifest } = await expectFaithfulSession(world, {
        endCause: 'stopped',
        epochs: ['h264 640x360', 'h264 360x640'],
      });
      expect(manifest.epochs.map(({ variant }) => variant.qualityKey)).toEqual(['origin', 'hd']);
      expect(run.events('taken-back')).toHaveLength(1);
    },
  );

  test(
    'the variant in use dies, and the next one is HLS, whose window reaches back',
    { tags: 'variant-lost' },
    async () => {
      const fault: FaultInput = { type: 'refuse', forMs: 60_000, atMs: 11_100 };
      await using world = await World.open(inTwoQualities({ durationMs: 24_000, fault, hd: ['hls'] }));
      await recordThrough(world, fault.type, 1);
      const { manifest } = await expectFaithfulSession(world, {
        endCause: 'stopped',
        epochs: ['h264 640x360', 'h264 360x640'],
      });
      expect(manifest.epochs.map(({ variant }) => variant.protocol)).toEqual(['flv', 'hls']);
    },
  );

  test(
    'the better variant comes back: it takes over again, and no picture is lost or twice',
    { tags: ['variant-back', 'variant-lost'] },
    async () => {
      const fault: FaultInput = { type: 'refuse', forMs: 6_000, atMs: 5_100 };
      await using world = await World.open(inTwoQualities({ durationMs: 40_000, fault }));
      const run = await recordThrough(world, fault.type, 1);
      const { manifest } = await expectFaithfulSession(world, {
        endCause: 'stopped',
        epochs: ['h264 640x360', 'h264 360x640', 'h264 640x360'],
      });
      expect(manifest.epochs.map(({ variant }) => variant.qualityKey)).toEqual(['origin', 'hd', 'origin']);
      expect(run.events('back')).toHaveLength(1);
    },
  );

  test(
    'a web page, twice: the recording goes on when there is media again',
    { tags: 'not-media' },
    async () => {
      await using world = await World.open({
        alice: { durationMs: 14_000, faults: [{ type: 'html', forMs: 3_000, atMs: 4_400 }] },
      });
      const run = await world.record();
      await interruptAfterTheEnd(world, run);
      expect(world.sandbox.fired('alice', 'html').length).toBeGreaterThan(1);
      await expectFaithfulSession(world, {
        endCause: 'stopped',
        epochs: ['h264 360x640', 'h264 360x640'],
        gaps: ['connection-lost'],
      });
    },
  );

  test('addresses expire: a fresh look gives new ones', { tags: 'address-expired' }, async () => {
    await using world = await World.open({
      alice: { durationMs: 12_000, faults: [{ type: 'expire', cut: true, atMs: 4_500 }] },
    });
    const run = await world.record();
    await interruptAfterTheEnd(world, run);
    const refused = world.sandbox.events.filter((event) => event.type === 'refused' && event.status === 403);
    expect(refused.length).toBeGreaterThan(0);
    await expectFaithfulSession(world, { endCause: 'stopped' });
  });

  test('nothing for 8 s though the room is live', { tags: 'refused' }, async () => {
    await using world = await World.open({
      alice: { durationMs: 18_000, faults: [{ type: 'refuse', forMs: 8_000, atMs: 4_400 }] },
    });
    const run = await world.record();
    await interruptAfterTheEnd(world, run);
    expect(world.sandbox.fired('alice', 'refuse').length).toBeGreaterThan(2);
    await expectFaithfulSession(world, {
      endCause: 'stopped',
      epochs: ['h264 360x640', 'h264 360x640'],
      gaps: ['connection-lost'],
    });
  });
});

describe.concurrent('where media may come from', () => {
  const tags = 'hostile-address';
  test('a host that is not allowed is never asked, and the error says what to do', { tags }, async () => {
    await using world = await World.open({
      alice: { durationMs: 12_000 },
      env: { LIVESTOW_MEDIA_HOSTS: '', LIVESTOW_MAX_HOLD: '3s' },
    });
    const run = await world.record();
    await run.exited;
    expect(world.sandbox.truth('alice').transfers).toEqual([]);
    const told = run.entries.flatMap(
      ({ err }) => (err as { code?: string; hint?: string } | undefined) ?? [],
    );
    expect(told.map(({ code }) => code)).toEqual(['MEDIA_FORBIDDEN_HOST']);
    expect(told[0]?.hint).toContain('--media-hosts 127.0.0.1');
    expect(await world.leaks()).toEqual([]);
    expect(await world.leftRunning()).toEqual([]);
  });

  test('a proxy carries the lookup API and the media', async () => {
    await using proxy = await startProxy();
    await using world = await World.open({
      alice: { durationMs: 8_000 },
      env: { LIVESTOW_PROXY: proxy.url },
    });
    const run = await world.record();
    expect(await run.exited).toEqual(OK);
    await expectFaithfulSession(world);
    const host = new URL(world.sandbox.apiUrl).host;
    expect(new Set(proxy.asked)).toEqual(new Set([host]));
    const sentBytes = world.sandbox.truth('alice').transfers.reduce((sum, { bytes }) => sum + bytes, 0);
    expect(proxy.bytes).toBeGreaterThan(sentBytes);
  });
});
