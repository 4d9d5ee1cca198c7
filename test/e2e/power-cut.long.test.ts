/**
 * Every moment of a recording is one at which the power may go. What it may leave then is tried in part, another part with
 * each LIVESTOW_SEED; with LIVESTOW_POWER_CUTS=all in full, which takes a quarter of an hour.
 */
import { describe, expect, test, vi } from 'vitest';
import { FATES, randomFate } from './disk-log.ts';
import { expectArchived, noted, powerCuts, recordNoted } from './power-cut.ts';
import { randomFrom } from '../support/random.ts';
import { World } from './world.ts';

vi.setConfig({ testTimeout: 60 * 60_000 });

const SEED = Number(process.env['LIVESTOW_SEED'] ?? 20_261_122);
const SHARE = process.env['LIVESTOW_POWER_CUTS'] === 'all' ? 1 : 1 / 3;

describe('the power goes', () => {
  test.for(['builtin', 'ffmpeg'])(
    'at every moment of a recording by %s: every segment of which a journal tells is archived',
    { tags: 'power-cut' },
    async (engine) => {
      const turned = { type: 'media', media: 'small-landscape', atMs: 4_000 } as const;
      await using world = await World.open({ alice: { faults: [turned] }, env: noted(engine) });
      const recording = await recordNoted(world, { gops: 3 });
      const random = randomFrom(SEED);
      const fates = [...FATES, randomFate(random), randomFate(random)];
      let states = 0;
      for (const cut of powerCuts(recording, () => fates.filter(() => random() < SHARE))) {
        // Decoding takes longer than all else: now and then will do, for nothing is archived that nobody sent.
        const ffmpeg = states % 50 === 0 ? 'ffmpeg' : null;
        states += 1;
        await expectArchived(cut, recording.media, ffmpeg);
      }
      expect(states).toBeGreaterThan(1_000 * SHARE);
    },
  );

  test(
    'at moments of the next term too, in which what a drain left goes on',
    { tags: 'power-cut' },
    async () => {
      await using world = await World.open({ env: noted('builtin') });
      const recording = await recordNoted(world, { gops: 2, drainAfterGop: 1 });
      const random = randomFrom(SEED);
      let states = 0;
      for (const cut of powerCuts(recording, () => FATES.filter(() => random() < SHARE / 3))) {
        states += 1;
        await expectArchived(cut, recording.media);
      }
      expect(states).toBeGreaterThan(300 * SHARE);
    },
  );
});
