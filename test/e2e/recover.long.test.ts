/** `livestow recover`, killed again and again. */
import { setTimeout as after } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { expectSurvived, killNow, momentAfterGop } from './cut.ts';
import { randomFrom } from '../support/random.ts';
import { World, WORLD_TIMEOUT_MS } from './world.ts';

vi.setConfig({ testTimeout: 2 * WORLD_TIMEOUT_MS });

const SEED = Number(process.env['LIVESTOW_SEED'] ?? 20_261_122);

test.for([1, 2, 3, 4, 5, 6])(
  `killed at moments of its own, until one comes through, run %i (seed ${SEED})`,
  { tags: 'killed' },
  async (run) => {
    const random = randomFrom(SEED + run);
    await using world = await World.open();
    const first = await world.record();
    await momentAfterGop(world, 3, 700);
    const kills = [await killNow(world, first, 'both')];
    let killed = 0;
    // Starting takes about half a second, all of the work less than another.
    for (let i = 0; i < 12; i += 1) {
      const recover = world.livestow('recover');
      await Promise.race([recover.exited, after(300 + random() * 900)]);
      recover.kill('SIGKILL');
      if ((await recover.exited).signal === 'SIGKILL') killed += 1;
    }
    expect(killed).toBeGreaterThan(3);
    const last = world.livestow('recover');
    expect(await last.exited).toEqual({ code: 0, signal: null });
    await expectSurvived(world, kills, { endCause: 'interrupted' });
    const again = world.livestow('recover');
    expect(await again.exited).toEqual({ code: 0, signal: null });
    expect(again.stdout).toBe('');
  },
);
