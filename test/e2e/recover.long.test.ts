/** `livestow recover` as an operator meets it: killed, with the store away, beside a recorder, beside itself. */
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
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
    // Starting takes a third of a second or more, all of the work less than another.
    for (let i = 0; i < 12; i += 1) {
      const recover = world.livestow('recover');
      await Promise.race([recover.exited, after(150 + (i + random()) * 70)]);
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

test.concurrent(
  'the disk of the store is not mounted: it says so soon, and nothing is lost',
  { tags: 'store-changed' },
  async () => {
    await using world = await World.open();
    const first = await world.record();
    await momentAfterGop(world, 2, 500);
    const kill = await killNow(world, first, 'livestow');
    const archive = join(world.folder, 'archive');
    await rename(archive, `${archive}-aside`);
    const vain = world.livestow('recover');
    expect(await vain.exited).toEqual({ code: 3, signal: null });
    expect(vain.stdout).toMatch(/^@alice \S+: left: nothing of what was shipped .* not mounted/);
    await rm(archive, { recursive: true, force: true });
    await rename(`${archive}-aside`, archive);
    const recover = world.livestow('recover');
    expect(await recover.exited).toEqual({ code: 0, signal: null });
    expect(recover.stdout).toMatch(/^@alice \S+: sealed\n$/);
    await expectSurvived(world, [kill], { endCause: 'interrupted' });
  },
);

test.concurrent(
  'beside a recorder, and beside others of its kind: each creator is one’s',
  { tags: ['second-recorder', 'killed'] },
  async () => {
    await using world = await World.open();
    const first = await world.record();
    await momentAfterGop(world, 1, 500);
    const beside = world.livestow('recover');
    expect(await beside.exited).toEqual({ code: 0, signal: null });
    expect(beside.stdout).toBe('@alice: another livestow records it; left alone\n');
    await momentAfterGop(world, 3, 200);
    const kill = await killNow(world, first, 'livestow');
    const several = [1, 2, 3].map(() => world.livestow('recover'));
    for (const each of several) expect(await each.exited).toEqual({ code: 0, signal: null });
    const sealed = several.filter(({ stdout }) => stdout.includes(': sealed'));
    expect(sealed).toHaveLength(1);
    await expectSurvived(world, [kill], { endCause: 'interrupted' });
  },
);
