/** Recorders that are stopped, drained and killed, and what their archive is worth afterwards. */
import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { expectSurvived, killNow, momentAfterGop, recordToTheEnd } from './cut.ts';
import { expectFaithfulSession, expectNothingLeft } from './faithful.ts';
import { World, WORLD_TIMEOUT_MS } from './world.ts';

vi.setConfig({ testTimeout: WORLD_TIMEOUT_MS });

const OK = { code: 0, signal: null };
const terms = (manifest: { epochs: { term: number }[] }): number[] => [
  ...new Set(manifest.epochs.map(({ term }) => term)),
];

describe.concurrent('a recorder that is asked to stop', () => {
  test('SIGINT ends the recording and seals it: exit 130', { tags: 'interrupted' }, async () => {
    await using world = await World.open();
    const run = await world.record();
    await momentAfterGop(world, 3, 700);
    const atMs = Date.now();
    run.kill('SIGINT');
    expect(await run.exited).toEqual({ code: 130, signal: null });
    const { pictures } = await expectFaithfulSession(world, { endCause: 'stopped', cutAtMs: [atMs] });
    expect(pictures.last).toBeGreaterThan(3 * 64);
  });

  test('SIGINT while it waits for her: exit 130, and nothing is there', { tags: 'interrupted' }, async () => {
    await using world = await World.open();
    const run = world.livestow('record', 'alice');
    await world.lookups(2);
    run.kill('SIGINT');
    expect(await run.exited).toEqual({ code: 130, signal: null });
    expect((await world.archive()).keys).toEqual([]);
    expect(await world.leftRunning()).toEqual([]);
  });

  test(
    'SIGTERM drains: exit 0, unsealed; the next start goes on as term 2 and seals',
    { tags: 'drained' },
    async () => {
      await using world = await World.open();
      const first = await world.record();
      await momentAfterGop(world, 2, 900);
      const atMs = Date.now();
      first.kill('SIGTERM');
      expect(await first.exited).toEqual(OK);
      const drained = await world.session();
      expect(drained.manifest.sealedAt).toBeNull();
      expect(drained.pictures).toMatchObject({ first: 0, missing: [], repeats: 0 });
      expect(drained.untrue).toEqual([]);
      await recordToTheEnd(world, world.livestow('record', 'alice', '--once'));
      const drain = { atMs, closed: drained.manifest.segments.map(({ key }) => key) };
      const { manifest } = await expectSurvived(world, [drain], { drains: 1 });
      expect(terms(manifest)).toEqual([1, 2]);
    },
  );

  test('SIGTERM, and then another store: it is ended where it began', { tags: 'store-changed' }, async () => {
    await using world = await World.open();
    const first = await world.record();
    await momentAfterGop(world, 3, 300);
    const atMs = Date.now();
    first.kill('SIGTERM');
    expect(await first.exited).toEqual(OK);
    const elsewhere = join(world.folder, 'elsewhere');
    const astray = world.livestow('recover', '--json', '--store', elsewhere);
    expect(await astray.exited).toEqual({ code: 3, signal: null });
    expect(JSON.parse(astray.stdout)).toMatchObject({
      outcome: 'left',
      why: expect.stringContaining(
        `it is in directory ${join(world.folder, 'archive')}: with no livestow running`,
      ),
    });
    expect(existsSync(join(elsewhere, 'creators'))).toBe(false);
    // As a disk that is not mounted.
    await rename(join(world.folder, 'archive'), elsewhere);
    const unmounted = world.livestow('recover');
    expect(await unmounted.exited).toEqual({ code: 3, signal: null });
    expect(unmounted.stdout).toContain('not mounted');
    await rm(join(world.folder, 'archive'), { recursive: true, force: true });
    await rename(elsewhere, join(world.folder, 'archive'));
    const recovered = world.livestow('recover');
    expect(await recovered.exited).toEqual(OK);
    const epochs = ['h264 360x640', 'h264 360x640'];
    await expectFaithfulSession(world, { endCause: 'interrupted', epochs, cutAtMs: [atMs] });
    await expectNothingLeft(world);
  });

  test('SIGTERM, and the room is over when it starts again: sealed', { tags: 'drained' }, async () => {
    await using world = await World.open({ alice: { durationMs: 8_000 } });
    const first = await world.record();
    await momentAfterGop(world, 2, 300);
    const atMs = Date.now();
    first.kill('SIGTERM');
    expect(await first.exited).toEqual(OK);
    await world.happens('the end', ({ type }) => type === 'ended');
    const second = world.livestow('record', 'alice', '--no-wait');
    expect(await second.exited).toEqual({ code: 4, signal: null });
    await expectSurvived(world, [{ atMs, closed: [] }], { endCause: 'interrupted' });
  });
});

describe.concurrent('kill -9', () => {
  test.for([
    { moment: 'as soon as media flows', gop: 0, delayMs: 150 },
    { moment: 'just before a segment closes', gop: 2, delayMs: 2_000 },
    { moment: 'in the middle of a segment', gop: 3, delayMs: 900 },
  ])('of livestow, $moment: the next start goes on', { tags: 'killed' }, async ({ gop, delayMs }) => {
    await using world = await World.open();
    const first = await world.record();
    await momentAfterGop(world, gop, delayMs);
    const kill = await killNow(world, first, 'livestow');
    await recordToTheEnd(world, world.livestow('record', 'alice', '--once'));
    const { manifest } = await expectSurvived(world, [kill]);
    expect(terms(manifest).at(-1)).toBe(2);
  });

  test('of its ffmpeg alone: not a picture is lost', { tags: 'engine-died' }, async () => {
    await using world = await World.open({ alice: { durationMs: 11_000 } });
    const run = await world.record();
    await momentAfterGop(world, 2, 1_200);
    await killNow(world, run, 'ffmpeg');
    expect(await run.exited).toEqual(OK);
    expect(run.events('engine-died')).toHaveLength(1);
    const { pictures } = await expectFaithfulSession(world);
    expect(pictures).toMatchObject({ first: 0, missing: [] });
  });

  test('of both at once', { tags: ['killed', 'engine-died'] }, async () => {
    await using world = await World.open();
    const first = await world.record();
    await momentAfterGop(world, 2, 1_200);
    const kill = await killNow(world, first, 'both');
    await recordToTheEnd(world, world.livestow('record', 'alice', '--once'));
    const { manifest } = await expectSurvived(world, [kill]);
    expect(terms(manifest).at(-1)).toBe(2);
  });

  test(
    'when the room is over before it is started again: sealed with all that had come',
    { tags: 'killed' },
    async () => {
      await using world = await World.open({ alice: { durationMs: 8_000 } });
      const first = await world.record();
      await momentAfterGop(world, 3, 500);
      const kill = await killNow(world, first, 'livestow');
      await world.happens('the end', ({ type }) => type === 'ended');
      const second = world.livestow('record', 'alice', '--no-wait');
      expect(await second.exited).toEqual({ code: 4, signal: null });
      await expectSurvived(world, [kill], { endCause: 'interrupted' });
    },
  );

  test('while it waits for the end to be confirmed', { tags: 'killed' }, async () => {
    await using world = await World.open({ alice: { durationMs: 7_000 } });
    const first = await world.record();
    await first.until('it holds', (process) => process.events('hold').length > 0);
    const kill = await killNow(world, first, 'livestow');
    const recover = world.livestow('recover');
    expect(await recover.exited).toEqual(OK);
    const { pictures } = await expectSurvived(world, [kill], { endCause: 'interrupted' });
    // All of it had arrived.
    expect(pictures).toMatchObject({ first: 0, missing: [] });
    expect(pictures.last).toBeGreaterThan(200);
  });
});
