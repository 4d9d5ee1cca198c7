/** `livestow recover` as an operator meets it: with the store away, beside a recorder, beside itself. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { expectSurvived, killNow, momentAfterGop } from './cut.ts';
import { World, WORLD_TIMEOUT_MS } from './world.ts';

vi.setConfig({ testTimeout: WORLD_TIMEOUT_MS });

test.concurrent(
  'the store is away: it says so soon, and nothing is lost',
  { tags: 'store-error' },
  async () => {
    await using world = await World.open();
    const first = await world.record();
    await momentAfterGop(world, 2, 500);
    const kill = await killNow(world, first, 'livestow');
    const inTheWay = join(world.folder, 'no-folder');
    await writeFile(inTheWay, '');
    const vain = world.livestow('recover', '--timeout', '1s', '--store', join(inTheWay, 'archive'));
    expect(await vain.exited).toEqual({ code: 3, signal: null });
    expect(vain.stdout).toMatch(/^@alice \S+: left: the store did not /);
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
