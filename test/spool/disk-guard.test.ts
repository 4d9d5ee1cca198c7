import { expect, test, type TestContext } from 'vitest';
import { silentLogger } from '../../src/kernel/logger.ts';
import { DiskGuard, type DiskLevel, type DiskShare } from '../../src/spool/disk-guard.ts';
import { ManualClock } from '../manual-clock.ts';
import { diskAtRest } from '../record/disk-at-rest.ts';
import { smallDisk } from '../support/disks.ts';

const MIB = 1024 * 1024;

/** A guard of a disk of 40 MiB, 8 of which are its reserve. */
async function guarded(context: TestContext, reserveMiB = 8) {
  const disk = await smallDisk(context, 40);
  const clock = new ManualClock();
  const guard = new DiskGuard({
    folder: disk.folder,
    reserveBytes: reserveMiB * MIB,
    clock,
    log: silentLogger(),
  });
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 250) {
      await clock.advance(250);
      await diskAtRest();
    }
  };
  /** Somebody fills it up to so much, slowly enough that the rate of it does not count. */
  const sink = async (leftMiB: number): Promise<void> => {
    for (let free = await disk.freeMiB(); free > leftMiB; free -= 0.25) {
      await disk.fill(Math.max(leftMiB, free));
      await pass(1_000);
    }
    await disk.fill(leftMiB);
    await pass(6_000);
  };
  return { disk, clock, guard, pass, sink };
}

function told(share: DiskShare): DiskLevel[] {
  const levels: DiskLevel[] = [];
  share.on('level', (level) => levels.push(level));
  return levels;
}

test('the levels, down and up again', { tags: 'disk-reserve' }, async (context) => {
  const { guard, sink } = await guarded(context);
  const share = await guard.join();
  const levels = told(share);
  expect(share.level).toBe('ample');
  for (const [leftMiB, level] of [
    [17, 'ample'],
    [15, 'low'],
    // A quarter more than where it began.
    [19, 'low'],
    [21, 'ample'],
    [15, 'low'],
    [11, 'lower'],
    [14, 'lower'],
    [7.5, 'out'],
    [9.5, 'out'],
    [10.5, 'lower'],
    [15.5, 'low'],
    [39, 'ample'],
  ] as const) {
    await sink(leftMiB);
    expect([leftMiB, share.level]).toEqual([leftMiB, level]);
  }
  expect(levels).toEqual([
    'low',
    'ample',
    'low',
    'lower',
    'out',
    'lower',
    'low',
    'ample', // as above
  ]);
});

test('a recording that begins on a full disk knows at once', { tags: 'disk-reserve' }, async (context) => {
  const { disk, guard, pass } = await guarded(context);
  await disk.fill(2);
  const share = await guard.join();
  expect([share.level, share.full.aborted]).toEqual(['out', true]);
  let waits = true;
  const room = share.room(new AbortController().signal).then(() => {
    waits = false;
  });
  await pass(10_000);
  expect(waits).toBe(true);
  await disk.clear();
  await pass(10_000);
  await room;
  expect([share.level, share.full.aborted]).toEqual(['ample', false]);
});

test('who waits for room goes when the session is over', { tags: 'disk-reserve' }, async (context) => {
  const { disk, guard } = await guarded(context);
  await disk.fill(2);
  const share = await guard.join();
  const over = new AbortController();
  const waiting = share.room(over.signal);
  over.abort();
  await waiting;
  expect(share.listenerCount('level')).toBe(0);
});

test(
  'of several, the least important and the youngest stop first',
  { tags: 'disk-reserve' },
  async (context) => {
    const { guard, sink } = await guarded(context);
    const first = await guard.join();
    const second = await guard.join();
    const important = await guard.join(1);
    const levels = () => [important, first, second].map(({ level }) => level);
    await sink(9.5);
    expect(levels()).toEqual(['lower', 'lower', 'out']);
    await sink(8.5);
    expect(levels()).toEqual(['lower', 'out', 'out']);
    await sink(7.5);
    expect(levels()).toEqual(['out', 'out', 'out']);
    await sink(10.5);
    expect(levels()).toEqual(['lower', 'out', 'out']);
  },
);

test(
  'what is written until the next look counts: the reserve stays whole',
  { tags: 'disk-reserve' },
  async (context) => {
    const { disk, clock, guard } = await guarded(context);
    const share = await guard.join();
    // 8 MiB/s, in writes of a quarter second.
    for (let leftMiB = 38; !share.full.aborted; leftMiB -= 2) {
      expect(leftMiB).toBeGreaterThanOrEqual(8);
      await disk.fill(leftMiB);
      await clock.advance(250);
      await diskAtRest();
    }
    expect(await disk.freeMiB()).toBeGreaterThanOrEqual(8);
  },
);

test('nobody records: nothing is looked at', async (context) => {
  const { clock, guard } = await guarded(context);
  const share = await guard.join();
  expect(clock.pendingMs).toHaveLength(1);
  share.leave();
  expect(clock.pendingMs).toEqual([]);
});

test('no reserve: nothing is looked at', async (context) => {
  const { disk, clock, guard } = await guarded(context, 0);
  await disk.fill();
  const share = await guard.join();
  expect([share.level, clock.pendingMs]).toEqual(['ample', []]);
});

test('a disk that says nothing stops nobody', async () => {
  const clock = new ManualClock();
  const log = silentLogger();
  const guard = new DiskGuard({ folder: '/nowhere/at/all', reserveBytes: MIB, clock, log });
  expect((await guard.join()).level).toBe('ample');
  expect(clock.pendingMs).toHaveLength(1);
});
