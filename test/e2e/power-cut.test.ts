/**
 * A real recorder's disk operations are recorded, and recovered from: at some of the moments at which the power may go.
 * `power-cut.long.test.ts` has every moment.
 */
import { expect, test, vi } from 'vitest';
import { FATES } from './disk-log.ts';
import { expectArchived, noted, powerCuts, recordNoted } from './power-cut.ts';
import { World, WORLD_TIMEOUT_MS } from './world.ts';

vi.setConfig({ testTimeout: WORLD_TIMEOUT_MS });

/** A prime, so that each kind of operation has its turn. */
const EACH = 53;

test(
  'the power goes: what was promised is archived, and nothing that nobody sent',
  { tags: 'power-cut' },
  async () => {
    await using world = await World.open({ env: noted('builtin') });
    const recording = await recordNoted(world, { gops: 2 });
    let states = 0;
    let owed = 0;
    for (const cut of powerCuts(recording, (moment) => (moment % EACH === 0 ? FATES : []))) {
      states += 1;
      owed = Math.max(owed, cut.owed.size);
      await expectArchived(cut, recording.media);
    }
    expect(states).toBeGreaterThan(20);
    expect(owed).toBeGreaterThan(1);
  },
);
