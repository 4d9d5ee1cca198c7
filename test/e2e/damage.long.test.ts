/** What comes in the place of media, or with it: bytes that are none, silence, playlists that stand still. */
import { describe, expect, test, vi } from 'vitest';
import type { FaultInput } from '../../src/sandbox/faults.ts';
import { GARBLES, type Garble } from '../../src/sandbox/cdn/garble.ts';
import { interruptAfterTheEnd } from './cut.ts';
import { expectFaithful, expectFaithfulSession, expectNothingLeft } from './faithful.ts';
import { inTwoQualities, recordThrough } from './failover.ts';
import { World, WORLD_TIMEOUT_MS } from './world.ts';

vi.setConfig({ testTimeout: WORLD_TIMEOUT_MS });

const SMALL = 'h264 360x640';

describe('bytes that are no media, in the midst of it', () => {
  test.concurrent.for(GARBLES)(
    '%s: the connection is given up, and the next one brings what was lost',
    { tags: ['torn-media', 'hostile-bytes'] },
    async (how) => {
      await using world = await World.open({
        alice: {
          durationMs: 14_000,
          faults: [
            { type: 'join', gops: 4, atMs: 5_000 },
            { type: 'garble', how, atMs: 6_300 },
          ],
        },
      });
      const run = await world.record();
      await interruptAfterTheEnd(world, run);
      expect(world.sandbox.fired('alice', 'garble').length).toBe(1);
      const { pictures } = await expectFaithfulSession(world, { endCause: 'stopped' });
      expect(pictures).toMatchObject({ first: 0, missing: [] });
      const [broke] = run.events('media-broke');
      expect(broke).toMatchObject(
        how === 'endless-tag'
          ? { cause: 'stall', code: null }
          : { cause: 'not-media', code: 'MEDIA_NOT_MEDIA' },
      );
    },
  );

  test('of any kind, at any time, for a minute', { tags: ['torn-media', 'hostile-bytes'] }, async () => {
    const seed = Number(process.env['LIVESTOW_SEED'] ?? Date.now() % 1_000_000);
    console.log(`LIVESTOW_SEED=${seed}`);
    let state = seed * 2 + 1;
    const random = (below: number): number => {
      state = (state * 48_271) % 0x7fff_ffff;
      return state % below;
    };
    const faults: FaultInput[] = [{ type: 'join', gops: 4, atMs: 5_000 }];
    for (let atMs = 6_000; atMs < 60_000; atMs += 700 + random(4_000)) {
      const how: Garble = GARBLES[random(GARBLES.length)]!;
      faults.push(
        random(5) === 0 ? { type: 'drop', reset: random(2) === 0, atMs } : { type: 'garble', how, atMs },
      );
    }
    await using world = await World.open({ alice: { durationMs: 66_000, faults } });
    const run = await world.record();
    await interruptAfterTheEnd(world, run);
    expect(world.sandbox.fired('alice', 'garble').length).toBeGreaterThan(5);
    const session = await world.session();
    expectFaithful(world, session, {
      endCause: 'stopped',
      epochs: session.manifest.epochs.map(() => SMALL),
      gaps: session.manifest.gaps.map(({ cause }) => cause),
      gapToleranceMs: 1_000,
    });
    await expectNothingLeft(world);
  });
});

describe('a room that is live and gives nothing', () => {
  test.concurrent.for(['empty', 'headers', 'no-streams'] as const)(
    'for 8 s (%s): the gap is told, and it goes on',
    { tags: 'no-media' },
    async (how) => {
      await using world = await World.open({
        alice: { durationMs: 20_000, faults: [{ type: 'no-media', how, forMs: 8_000, atMs: 5_400 }] },
      });
      const run = await world.record();
      await interruptAfterTheEnd(world, run);
      expect(world.sandbox.fired('alice', 'no-media').length).toBeGreaterThan(0);
      await expectFaithfulSession(world, {
        endCause: 'stopped',
        epochs: [SMALL, SMALL],
        gaps: ['connection-lost'],
      });
    },
  );
});

describe('an HLS playlist', () => {
  test.concurrent(
    'stands still: another quality takes over, whose window reaches back',
    { tags: ['playlist-frozen', 'variant-lost'] },
    async () => {
      const fault: FaultInput = { type: 'hls-frozen', forMs: 60_000, atMs: 9_000 };
      await using world = await World.open(
        inTwoQualities({ durationMs: 36_000, fault, origin: ['hls'], hd: ['hls'] }),
      );
      const run = await recordThrough(world, fault.type, 2);
      const session = await world.session();
      const qualities = session.manifest.epochs.map(({ variant }) => variant.qualityKey);
      expect(qualities).toEqual(['origin', 'hd']);
      expect(run.events('media-broke').map(({ cause }) => cause)).toContain('stall');
      expectFaithful(world, session, {
        endCause: 'stopped',
        epochs: session.manifest.epochs.map(({ width, height }) => `h264 ${width}x${height}`),
        gaps: session.manifest.gaps.map(({ cause }) => cause),
        gapToleranceMs: 2_500,
      });
      expect(session.manifest.gaps).toEqual([]);
    },
  );

  test.concurrent(
    'answers 404 while the other quality lives',
    { tags: ['variant-lost', 'refused'] },
    async () => {
      const fault: FaultInput = { type: 'refuse', forMs: 90_000, atMs: 10_000 };
      await using world = await World.open(
        inTwoQualities({ durationMs: 30_000, fault, origin: ['hls'], hd: ['hls'] }),
      );
      await recordThrough(world, fault.type, 1);
      const { manifest } = await expectFaithfulSession(world, {
        endCause: 'stopped',
        epochs: ['h264 640x360', 'h264 360x640'],
      });
      expect(manifest.epochs.map(({ variant }) => variant.qualityKey)).toEqual(['origin', 'hd']);
    },
  );
});
