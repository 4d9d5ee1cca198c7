/** Every signal in every phase of a recording, terminals that are closed, readers that go away, stores that hang. */
import { setTimeout as after } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { expectSurvived, momentAfterGop, recordToTheEnd } from './cut.ts';
import { DeafStore } from './deaf-store.ts';
import { expectFaithful, expectFaithfulSession, expectNothingLeft } from './faithful.ts';
import type { LivestowProcess } from './livestow-process.ts';
import { Terminal } from './terminal.ts';
import { World, WORLD_TIMEOUT_MS, type WorldPlan } from './world.ts';

vi.setConfig({ testTimeout: WORLD_TIMEOUT_MS });

const OK = { code: 0, signal: null };
const INTERRUPTED = { code: 130, signal: null };
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const endOf = (signal: (typeof SIGNALS)[number]) => (signal === 'SIGINT' ? INTERRUPTED : OK);
const tags = ['interrupted', 'drained'];

/** Nothing that it did not expect, and nothing left behind that runs. */
async function expectQuietEnd(world: World, run: LivestowProcess): Promise<void> {
  expect(run.stderr).not.toMatch(/should not happen|^ +at /m);
  expect(await world.leftRunning()).toEqual([]);
}

const drains = (run: LivestowProcess): Promise<boolean> =>
  run.until('it drains', ({ entries }) => entries.some(({ msg }) => msg?.startsWith('draining')));

describe('a signal', { tags }, () => {
  test.concurrent.for(SIGNALS)('%s while it waits for her', async (signal) => {
    await using world = await World.open();
    const run = world.livestow('record', 'alice');
    await world.lookups(2);
    run.kill(signal);
    expect(await run.exited).toEqual(endOf(signal));
    expect((await world.archive()).keys).toEqual([]);
    await expectQuietEnd(world, run);
  });

  test.concurrent.for(SIGNALS)('%s on a connection without media', async (signal) => {
    await using world = await World.open({
      alice: { faults: [{ type: 'no-media', atMs: 0, forMs: 60_000 }] },
    });
    const run = await world.record();
    await run.until('it tries', (process) => process.events('attempt').length > 0);
    await after(500);
    run.kill(signal);
    expect(await run.exited).toEqual(endOf(signal));
    expect(world.sandbox.fired('alice', 'no-media').length).toBeGreaterThan(0);
    expect(run.events('media')).toEqual([]);
    await expectQuietEnd(world, run);
  });

  test.concurrent.for(SIGNALS)(
    '%s in a hold: all that had come is there, the next start finishes',
    async (signal) => {
      await using world = await World.open({
        alice: { durationMs: 12_000, faults: [{ type: 'refuse', atMs: 5_100, forMs: 60_000 }] },
      });
      const run = await world.record();
      await run.until('it holds', (process) => process.events('hold').length > 0);
      await after(700);
      const atMs = Date.now();
      run.kill(signal);
      expect(await run.exited).toEqual(endOf(signal));
      await expectQuietEnd(world, run);
      expect((await world.session()).manifest.sealedAt === null).toBe(signal !== 'SIGINT');
      // With nothing to do after a SIGINT.
      expect(await world.livestow('recover').exited).toEqual(OK);
      const { pictures } = await expectSurvived(world, [{ atMs, closed: [] }], {
        endCause: signal === 'SIGINT' ? 'stopped' : 'interrupted',
        drains: signal === 'SIGINT' ? 0 : 1,
      });
      expect(pictures.last).toBeGreaterThan(2 * 64);
    },
  );

  test.concurrent('SIGHUP, twice, while media flows: drained, as by SIGTERM', async () => {
    await using world = await World.open();
    const first = await world.record();
    await momentAfterGop(world, 2, 900);
    const atMs = Date.now();
    first.kill('SIGHUP');
    await drains(first);
    first.kill('SIGHUP');
    expect(await first.exited).toEqual(OK);
    const { manifest } = await world.session();
    expect(manifest.sealedAt).toBeNull();
    await expectQuietEnd(world, first);
    await recordToTheEnd(world, world.livestow('record', 'alice', '--once'));
    await expectSurvived(world, [{ atMs, closed: manifest.segments.map(({ key }) => key) }], { drains: 1 });
  });

  test('within the first moments: it ends at once, and leaves nothing', async () => {
    await using world = await World.open();
    for (const delayMs of [0, 50, 150, 250, 350, 450, 600, 800, 1_100]) {
      for (const signal of SIGNALS) {
        const run = world.livestow('record', 'alice');
        await after(delayMs);
        const atMs = performance.now();
        run.kill(signal);
        expect([endOf(signal), { code: null, signal }]).toContainEqual(await run.exited);
        expect(performance.now() - atMs).toBeLessThan(5_000);
        await expectQuietEnd(world, run);
      }
    }
    expect(await world.leftInSpool()).toEqual([]);
  });
});

describe('a store that hangs', { tags: [...tags, 'store-hangs'] }, () => {
  const plan = (store: DeafStore): WorldPlan => ({ alice: { durationMs: 60_000 }, env: store.env });

  /** Records into a store that never answers, up to the second GOP. */
  async function recordInto(world: World, store: DeafStore): Promise<LivestowProcess> {
    const run = await world.record('--store', store.url);
    // It is asked for an unsealed session first, for 10 s.
    await run.until('media flows', (process) => process.events('media').length > 0);
    await momentAfterGop(world, world.gopsSent + 2, 500);
    expect(store.connections).toBeGreaterThan(0);
    return run;
  }

  /** Another start, with a store that works, ships what is in the spool. */
  async function recovered(
    world: World,
    atMs: number,
    endCause: 'stopped' | 'interrupted' | 'any',
  ): Promise<void> {
    expect(await world.livestow('recover').exited).toEqual(OK);
    expectFaithful(world, await world.session(), {
      endCause,
      epochs: 'h264 360x640',
      gaps: ['found-late'],
      cutAtMs: [atMs],
      drains: 1,
    });
    await expectNothingLeft(world);
  }

  test.concurrent.for([
    { signal: 'SIGTERM', withinMs: 20_000, code: 0, endCause: 'interrupted' },
    { signal: 'SIGINT', withinMs: 60_000, code: 3, endCause: 'stopped' },
  ] as const)(
    '$signal: it gives up after $withinMs ms, exit $code',
    async ({ signal, withinMs, code, endCause }) => {
      await using store = await DeafStore.open();
      await using world = await World.open(plan(store));
      const run = await recordInto(world, store);
      const atMs = Date.now();
      run.kill(signal);
      expect(await run.exited).toEqual({ code, signal: null });
      expect(Date.now() - atMs).toBeGreaterThan(withinMs - 1_000);
      expect(Date.now() - atMs).toBeLessThan(withinMs + 6_000);
      await recovered(world, atMs, endCause);
    },
  );

  test.concurrent.for([
    { first: 'SIGTERM', second: 'SIGTERM', code: 143 },
    { first: 'SIGINT', second: 'SIGINT', code: 130 },
    { first: 'SIGTERM', second: 'SIGINT', code: 130 },
  ] as const)('$first and then $second stops at once, exit $code', async ({ first, second, code }) => {
    await using store = await DeafStore.open();
    await using world = await World.open(plan(store));
    const run = await recordInto(world, store);
    const atMs = Date.now();
    run.kill(first);
    if (first === 'SIGTERM') await drains(run);
    else await run.until('it says so', ({ stderr }) => stderr.includes('Ctrl-C again stops at once'));
    await after(1_500);
    const againAtMs = performance.now();
    run.kill(second);
    expect(await run.exited).toEqual({ code, signal: null });
    expect(performance.now() - againAtMs).toBeLessThan(1_000);
    expect(await world.leftRunning()).toEqual([]);
    // Whether it had written down its end by then is open.
    await recovered(world, atMs, first === 'SIGINT' ? 'any' : 'interrupted');
  });
});

describe('a terminal', { tags }, () => {
  async function recording(world: World): Promise<Terminal> {
    const terminal = new Terminal(['record', 'alice', '--once'], world.surroundings);
    await world.lookups(1);
    world.sandbox.goLive('alice');
    await world.happens('GOP 3', (event) => event.type === 'gop' && event.picture >= 3 * 64);
    await after(700);
    return terminal;
  }

  test.concurrent('Ctrl-C, which reaches every process on it: all is there, and sealed', async () => {
    await using world = await World.open();
    await using terminal = await recording(world);
    const atMs = Date.now();
    terminal.interrupt();
    expect(await terminal.exitCode()).toBe(130);
    expect(terminal.said).toContain('Ctrl-C again stops at once');
    expect(terminal.said).not.toContain('engine died');
    await expectFaithfulSession(world, { endCause: 'stopped', cutAtMs: [atMs] });
  });

  test.concurrent('that is closed: drained, and the next start goes on', async () => {
    await using world = await World.open();
    await using terminal = await recording(world);
    const atMs = Date.now();
    await terminal.close();
    expect((await world.session()).manifest.sealedAt).toBeNull();
    await recordToTheEnd(world, world.livestow('record', 'alice', '--once'));
    await expectSurvived(world, [{ atMs, closed: [] }], { drains: 1 });
  });
});

test.concurrent('whoever read what it says goes away: the recording goes on to its end', async () => {
  await using world = await World.open({ alice: { durationMs: 9_000 } });
  const run = await world.record();
  await momentAfterGop(world, 1, 300);
  run.hangUp();
  expect(await run.exited).toEqual(OK);
  const { pictures } = await expectFaithfulSession(world);
  expect(pictures).toMatchObject({ first: 0, missing: [] });
});
