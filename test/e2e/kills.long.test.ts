/**
 * Many kills, at moments that nobody chose: a generator gives them, from a seed that is printed with each failure
 * (`LIVESTOW_SEED` sets it).
 */
import { setTimeout as after } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { randomFrom } from '../support/random.ts';
import { expectSurvived, killNow, recordToTheEnd, type Kill, type Victim } from './cut.ts';
import { World, WORLD_TIMEOUT_MS } from './world.ts';

vi.setConfig({ testTimeout: 2 * WORLD_TIMEOUT_MS });

const SEED = Number(process.env['LIVESTOW_SEED'] ?? 20_261_122);
const BROADCAST_MS = 14_000;
const VICTIMS: readonly Victim[] = ['livestow', 'both', 'livestow', 'ffmpeg'];

const random = randomFrom(SEED);
const plans = Array.from({ length: 12 }, (_, i) => ({
  victim: VICTIMS[i % VICTIMS.length]!,
  // One in each twelfth of the broadcast and the wait behind it, so that ever other work is in hand.
  atMs: Math.round(((i + random()) / 12) * (BROADCAST_MS + 9_000)),
  seed: SEED,
}));

describe('kill -9 at a moment of its own', () => {
  test.concurrent.for(plans)(
    'of $victim, $atMs ms after she went live (seed $seed)',
    { tags: 'killed' },
    async ({ victim, atMs }) => {
      await using world = await World.open({ alice: { durationMs: BROADCAST_MS } });
      const first = await world.record();
      await world.happens('she is live', ({ type }) => type === 'live');
      await after(Math.max(0, world.wentLiveAtMs + atMs - Date.now()));
      const kill = await killNow(world, first, victim);
      // Who lost only ffmpeg goes on; else a second start finds her live, or not any more.
      const goesOn = victim === 'ffmpeg';
      const last = goesOn ? first : world.livestow('record', 'alice', '--once', '--no-wait');
      expect((await last.exited).code).toBeOneOf(goesOn ? [0] : [0, 4]);
      await expectSurvived(world, [kill], { endCause: 'any' });
    },
  );
});

describe('kill -9 again and again', () => {
  test.concurrent.for([1, 2, 3])('in one broadcast, run %i', { tags: 'killed' }, async (run) => {
    const moments = randomFrom(SEED + run);
    await using world = await World.open();
    const kills: Kill[] = [];
    let recorder = await world.record();
    for (let kill = 0; kill < 8; kill++) {
      await recorder.until('media flows', (process) => process.events('media').length > 0);
      await after(200 + moments() * 4_000);
      kills.push(await killNow(world, recorder, moments() < 0.5 ? 'livestow' : 'both'));
      recorder = world.livestow('record', 'alice', '--once');
    }
    await recordToTheEnd(world, recorder);
    const { manifest } = await expectSurvived(world, kills);
    expect(Math.max(...manifest.epochs.map(({ term }) => term))).toBe(1 + kills.length);
  });
});
