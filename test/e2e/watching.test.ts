/** When a recording begins, goes on and ends: what the lookup API says, and what it does not. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { listRefs } from '../../src/archive/catalogue.ts';
import { openSession } from '../../src/archive/session-reader.ts';
import { verifySession } from '../../src/archive/verify.ts';
import type { ApiRuleInput } from '../../src/sandbox/api-rules.ts';
import { openStore } from '../../src/store/open-store.ts';
import { interruptAfterTheEnd } from './cut.ts';
import { expectFaithful, expectFaithfulSession, expectLaidOut, expectNothingLeft } from './faithful.ts';
import { World, WORLD_TIMEOUT_MS } from './world.ts';

vi.setConfig({ testTimeout: WORLD_TIMEOUT_MS });

const OK = { code: 0, signal: null };
const SMALL = 'h264 360x640';

test.concurrent('a broadcast that is found late has a head gap, back to its beginning', async () => {
  await using world = await World.open({ alice: { durationMs: 12_000 } });
  world.sandbox.goLive('alice');
  await after(5_000);
  const run = world.livestow('record', 'alice', '--once');
  await interruptAfterTheEnd(world, run);
  const { manifest, holes } = await expectFaithfulSession(world, {
    endCause: 'stopped',
    gaps: ['found-late'],
  });
  expect(holes[0]!.places[0]).toBe(0);
  expect(manifest.gaps[0]!.from).toBe(manifest.room.startedAt);
  expect(manifest.gaps[0]!.ms).toBeGreaterThan(4_000);
});

describe.concurrent('a recording goes on', () => {
  test('through an API storm', { tags: 'api-trouble' }, async () => {
    const storm: NonNullable<ApiRuleInput['answer']>[] = [
      { type: 'error', code: 'internal_error' },
      { type: 'error', code: 'lookup_failed' },
      { type: 'error', code: 'temporarily_unavailable', retryAfter: 1 },
      { type: 'error', code: 'temporarily_unavailable', status: 429 },
      { type: 'html' },
      { type: 'malformed' },
      { type: 'truncated' },
      { type: 'reset' },
      { type: 'body', body: '{"data":' },
      { type: 'error', code: 'teapot', status: 418 },
    ];
    await using world = await World.open({
      alice: { durationMs: 14_000, faults: [{ type: 'drop', atMs: 9_700 }] },
    });
    const run = await world.record('--sample-interval', '500ms');
    await world.gopSent(0);
    for (const answer of storm) world.sandbox.answer({ next: 1, answer });
    await interruptAfterTheEnd(world, run);
    const answers = world.sandbox.events.flatMap((event) => (event.type === 'lookup' ? event.answer : []));
    // The storm came down while it was recorded, not after it.
    expect(answers).toEqual(
      expect.arrayContaining(['error', 'html', 'malformed', 'truncated', 'reset', 'body']),
    );
    const { pictures } = await expectFaithfulSession(world, { endCause: 'stopped' });
    expect(pictures).toMatchObject({ first: 0, missing: [] });
  });

  test('while a look hangs until it times out', { tags: 'api-trouble' }, async () => {
    await using world = await World.open({ alice: { durationMs: 17_500 } });
    const run = await world.record('--sample-interval', '500ms');
    await world.gopSent(0);
    world.sandbox.answer({ next: 1, answer: { type: 'hang' } });
    await run.until('the look has timed out', ({ stderr }) => stderr.includes('did not answer within'));
    await interruptAfterTheEnd(world, run);
    const { pictures } = await expectFaithfulSession(world, { endCause: 'stopped' });
    expect(pictures).toMatchObject({ first: 0, missing: [] });
  });

  test(
    'without credits, to its end; then nobody can say that the room is over',
    { tags: 'credits-used-up' },
    async () => {
      await using world = await World.open({ alice: { durationMs: 9_000 } });
      const run = await world.record('--sample-interval', '500ms', '--max-hold', '4s');
      await world.gopSent(1);
      world.sandbox.answer({ answer: { type: 'error', code: 'insufficient_credits' } });
      expect(await run.exited).toEqual(OK);
      const refused = world.sandbox.events.filter((event) => event.type === 'lookup' && event.status === 402);
      // One look learns it; the key is not tried again and again.
      expect(refused).toHaveLength(1);
      const { pictures } = await expectFaithfulSession(world, { endCause: 'media-lost' });
      expect(pictures).toMatchObject({ first: 0, missing: [] });
    },
  );

  test('when looks say offline and media flows', { tags: 'offline-blip' }, async () => {
    await using world = await World.open({
      alice: { durationMs: 15_000, faults: [{ type: 'offline', forMs: 11_500, atMs: 2_500 }] },
    });
    const run = await world.record('--sample-interval', '500ms');
    await interruptAfterTheEnd(world, run);
    const offline = world.sandbox.events.filter(
      (event) => event.type === 'lookup' && event.status === 200 && !event.live,
    );
    expect(offline.length).toBeGreaterThan(10);
    expect(offline.at(-1)!.atMs - offline[0]!.atMs).toBeGreaterThan(10_000);
    await expectFaithfulSession(world, { endCause: 'stopped' });
  });

  test('when cached looks say offline for longer than it takes to confirm an end', async () => {
    await using world = await World.open({
      alice: { durationMs: 20_000, faults: [{ type: 'refuse', forMs: 12_500, atMs: 4_400 }] },
    });
    const run = await world.record();
    await world.happens('the refusal', (event) => event.type === 'fault' && event.fault === 'refuse');
    // From before she went live, as the shared cache has it.
    world.sandbox.answer({ next: 2, answer: { type: 'cached', ageMs: 3_600_000 } });
    await interruptAfterTheEnd(world, run);
    const cached = world.sandbox.events.filter(
      (event) => event.type === 'lookup' && event.answer === 'cached',
    );
    expect(cached.map((event) => event.type === 'lookup' && event.live)).toEqual([false, false]);
    expect(cached[1]!.atMs - cached[0]!.atMs).toBeGreaterThanOrEqual(10_000);
    await expectFaithfulSession(world, {
      endCause: 'stopped',
      epochs: [SMALL, SMALL],
      gaps: ['connection-lost'],
    });
  });

  test('when she is offline for 6 s, and her media with her', { tags: 'offline-blip' }, async () => {
    await using world = await World.open({
      alice: {
        durationMs: 15_000,
        faults: [{ type: 'offline', media: 'stops', forMs: 6_000, atMs: 4_400 }],
      },
    });
    const run = await world.record();
    await interruptAfterTheEnd(world, run);
    expect(world.sandbox.fired('alice', 'offline').length).toBeGreaterThan(0);
    await expectFaithfulSession(world, {
      endCause: 'stopped',
      epochs: [SMALL, SMALL],
      gaps: ['connection-lost'],
    });
  });
});

describe.concurrent('a recording ends', () => {
  test('with its room: the first session ends, the next begins', { tags: 'new-room' }, async () => {
    await using world = await World.open({
      alice: { durationMs: 16_000, faults: [{ type: 'room', title: 'The next one', atMs: 8_000 }] },
    });
    const run = world.livestow('record', 'alice');
    await world.lookups(1);
    world.sandbox.goLive('alice');
    await run.until('two sessions are sealed', ({ stdout }) => stdout.split(' sealed: ').length === 3);
    run.kill('SIGINT');
    expect(await run.exited).toEqual({ code: 130, signal: null });
    const [first, second] = await world.sessions();
    expectFaithful(world, first!, { endCause: 'new-room' });
    expectFaithful(world, second!, {
      // A keyframe later, and only what the CDN has: that is the head gap.
      gaps: second!.holes.length > 0 ? ['found-late'] : [],
    });
    expect(first!.manifest.room.roomId).not.toBe(second!.manifest.room.roomId);
    expect(second!.manifest.room.title).toBe('The next one');
    await expectLaidOut(first!);
    await expectLaidOut(second!);
    await expectNothingLeft(world);
  });

  test('as media-lost when nothing comes back within the hold', { tags: 'refused' }, async () => {
    await using world = await World.open({
      alice: { durationMs: null, faults: [{ type: 'refuse', forMs: 600_000, atMs: 5_000 }] },
    });
    const run = await world.record('--max-hold', '4s');
    expect(await run.exited).toEqual(OK);
    expect(world.sandbox.fired('alice', 'refuse').length).toBeGreaterThan(1);
    await expectFaithfulSession(world, { endCause: 'media-lost' });
  });

  test('at --max-duration', async () => {
    await using world = await World.open({ alice: {} });
    const run = await world.record('--max-duration', '7s');
    expect(await run.exited).toEqual(OK);
    const { manifest } = await expectFaithfulSession(world, {
      endCause: 'max-duration',
      cutAtMs: [cutOf(world)],
    });
    expect(Math.abs(manifest.coverage.recordedMs - 7_000)).toBeLessThan(1_500);
  });
});

test.concurrent('what the config file says of a creator holds for record too', async () => {
  await using world = await World.open({ alice: {} });
  const listed = 'creators: [{ handle: alice, store: ./own, maxDuration: 1h }]\n';
  await writeFile(join(world.folder, 'livestow.yaml'), listed);
  const run = await world.record('--max-duration', '6s');
  expect(await run.exited).toEqual(OK);
  expect((await world.archive()).keys).toEqual([]);
  const store = openStore(join(world.folder, 'own'));
  const [ref] = await listRefs(store);
  const { manifest } = await openSession(store, ref!);
  expect(manifest).toMatchObject({ endCause: 'max-duration', sealedAt: expect.any(String) });
  expect((await verifySession(store, ref!, { depth: 'hashes', ffmpeg: '' })).findings).toEqual([]);
  await expectNothingLeft(world);
});

describe.concurrent('nothing is recorded', () => {
  test('--no-wait exits 4 when she is not live', async () => {
    await using world = await World.open();
    const run = world.livestow('record', 'alice', '--no-wait');
    expect(await run.exited).toEqual({ code: 4, signal: null });
    expect((await world.archive()).keys).toEqual([]);
    await expectNothingLeft(world);
  });

  test('--no-wait for a handle that nobody has exits 10', { tags: 'unknown-handle' }, async () => {
    await using world = await World.open();
    const run = world.livestow('record', 'nobody', '--no-wait');
    expect(await run.exited).toEqual({ code: 10, signal: null });
    await expectNothingLeft(world);
  });

  test('a bad handle exits 2, before anything is done', async () => {
    await using world = await World.open();
    const handles = ['a/b', '..', 'alice bob', '', 'x'.repeat(65)];
    const exits = handles.map(async (handle) => (await world.livestow('record', handle).exited).code);
    expect(await Promise.all(exits)).toEqual([2, 2, 2, 2, 2]);
    expect(world.sandbox.events).toEqual([]);
    expect(await world.leftInSpool()).toEqual([]);
  });

  test('an unknown key exits 1 with one clear message', async () => {
    await using world = await World.open({ env: { LIVESTOW_API_KEY: 'sfk_not_the_one' } });
    const run = world.livestow('record', 'alice', '--once');
    expect(await run.exited).toEqual({ code: 1, signal: null });
    expect(world.sandbox.events.filter(({ type }) => type === 'lookup')).toHaveLength(1);
    expect(run.stderr).toMatch(/key/i);
    expect(run.stderr).not.toContain('sfk_not_the_one');
  });

  test('by a second recorder of the same creator: exit 11, and the first one is not disturbed', async () => {
    await using world = await World.open({ alice: { durationMs: 9_000 } });
    const first = await world.record();
    await world.gopSent(1);
    const second = world.livestow('record', 'alice', '--once');
    expect(await second.exited).toEqual({ code: 11, signal: null });
    expect(second.stderr).toContain('@alice');
    expect(await first.exited).toEqual(OK);
    await expectFaithfulSession(world);
  });
});

/** When livestow hung up. */
function cutOf(world: World): number {
  const closed = world.sandbox.truth('alice').transfers.findLast(({ closedBy }) => closedBy === 'client');
  if (closed?.closedAtMs == null) throw new Error('livestow did not hang up');
  return world.wallMs(closed.closedAtMs);
}
