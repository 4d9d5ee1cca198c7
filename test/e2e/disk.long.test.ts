/** Disks that fill up, are full, or hang while the real command records on them. They are real ones, mounted for the test. */
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { HangingDisk, smallDisk } from '../support/disks.ts';
import { killNow, momentAfterGop, recordToTheEnd } from './cut.ts';
import { expectFaithfulSession } from './faithful.ts';
import type { LivestowProcess } from './livestow-process.ts';
import { World, WORLD_TIMEOUT_MS } from './world.ts';

vi.setConfig({ testTimeout: 2 * WORLD_TIMEOUT_MS });

const ENGINES = ['ffmpeg', 'builtin'] as const;
const INTERRUPTED = { code: 130, signal: null };

const says = (run: LivestowProcess, text: string) => run.entries.filter(({ msg }) => msg?.includes(text));
const levels = (run: LivestowProcess) => run.events('disk').map(({ level }) => level);
const reaches = (run: LivestowProcess, level: string) =>
  run.until(`the disk is ${level}`, () => levels(run).at(-1) === level);

/** The next media that comes. */
async function mediaIsBack(run: LivestowProcess): Promise<void> {
  const before = run.events('media').length;
  await run.until('media is back', () => run.events('media').length > before);
}

describe('a reserve', () => {
  test.for(ENGINES)(
    'that is reached stops %s cleanly, and recording goes on when there is room',
    { tags: ['disk-reserve', 'disk-full'] },
    async (engine, context) => {
      const disk = await smallDisk(context, 24);
      await using world = await World.open({
        spool: join(disk.folder, 'spool'),
        env: { LIVESTOW_DISK_RESERVE: '6MiB', LIVESTOW_ENGINE: engine },
      });
      const run = await world.record();
      await momentAfterGop(world, 2, 700);
      await disk.fill(5.5);
      await reaches(run, 'out');
      expect(says(run, 'no room but its reserve')).toMatchObject([
        { level: 40, hint: expect.stringContaining('--disk-reserve') },
      ]);
      await run.until('it holds', () => run.events('hold').length > 0);
      // Nobody listens to her: all that comes is time.
      await after(5_000);
      expect(await run.recordingProcesses()).toEqual([]);
      // What was closed is in the store, and nothing of the reserve was used up.
      expect(await disk.freeMiB()).toBeGreaterThan(5);
      const back = mediaIsBack(run);
      await disk.clear();
      await back;
      await recordToTheEnd(world, run);
      const { manifest } = await expectFaithfulSession(world, {
        endCause: 'stopped',
        gaps: ['disk-full'],
        // What was on the way as the connection was closed.
        lostTo: 'disk-full',
        epochs: 'h264 360x640',
      });
      expect(manifest.gaps[0]!.ms).toBeGreaterThan(3_000);
      expect(run.events('engine-died')).toEqual([]);
      expect(says(run, 'cannot be written')).toEqual([]);
    },
  );

  test(
    'that nears: a lower variant is recorded meanwhile, and not a picture is lost',
    { tags: 'disk-reserve' },
    async (context) => {
      const disk = await smallDisk(context, 32);
      await using world = await World.open({
        spool: join(disk.folder, 'spool'),
        env: { LIVESTOW_DISK_RESERVE: '8MiB' },
        alice: {
          variants: [
            { media: 'portrait', qualityKey: 'origin' },
            { media: 'small', qualityKey: 'sd' },
          ],
        },
      });
      await disk.fill(18);
      const run = await world.record();
      await momentAfterGop(world, 1, 0);
      for (let leftMiB = 15.8; levels(run).at(-1) !== 'lower'; leftMiB -= 0.2) {
        await disk.fill(leftMiB);
        await after(500);
      }
      await run.until('the lower one', () => run.events('back').length === 1);
      await momentAfterGop(world, world.gopsSent + 1, 0);
      await disk.clear();
      await run.until('the better one', () => run.events('back').length === 2);
      await recordToTheEnd(world, run);
      expect(levels(run)).toEqual(['low', 'lower', 'ample']);
      await expectFaithfulSession(world, {
        endCause: 'stopped',
        epochs: ['h264 720x1280', 'h264 360x640', 'h264 720x1280'],
      });
    },
  );

  test(
    'that is reached before she goes live: she is recorded as soon as there is room',
    { tags: 'disk-reserve' },
    async (context) => {
      const disk = await smallDisk(context, 24);
      await disk.fill(5);
      await using world = await World.open({
        spool: join(disk.folder, 'spool'),
        env: { LIVESTOW_DISK_RESERVE: '6MiB' },
      });
      const run = await world.record();
      await reaches(run, 'out');
      await after(5_000);
      expect(run.events('attempt')).toEqual([]);
      await disk.clear();
      await recordToTheEnd(world, run);
      const { manifest } = await world.session();
      expect(manifest.gaps.map(({ cause }) => cause)).toEqual(expect.arrayContaining(['disk-full']));
    },
  );

  test(
    'that is reached when the broadcast ends: sealed, and the end of it is told as missing',
    { tags: 'disk-reserve' },
    async (context) => {
      const disk = await smallDisk(context, 24);
      await using world = await World.open({
        spool: join(disk.folder, 'spool'),
        env: { LIVESTOW_DISK_RESERVE: '6MiB' },
      });
      const run = await world.record();
      await momentAfterGop(world, 2, 700);
      await disk.fill(5.5);
      await reaches(run, 'out');
      await after(12_000);
      world.sandbox.end('alice');
      expect(await run.exited).toEqual({ code: 0, signal: null });
      const { manifest, untrue, lacking, pictures } = await world.session();
      expect(manifest).toMatchObject({ endCause: 'room-ended', gaps: [{ cause: 'disk-full' }] });
      expect([untrue, lacking.pictures, pictures.garbled]).toEqual([[], [], 0]);
    },
  );

  test(
    'that is reached, and the recorder is killed before there is room: whoever seals it tells what was withheld',
    { tags: ['disk-reserve', 'killed'] },
    async (context) => {
      const disk = await smallDisk(context, 24);
      await using world = await World.open({
        spool: join(disk.folder, 'spool'),
        env: { LIVESTOW_DISK_RESERVE: '6MiB' },
      });
      const first = await world.record();
      await momentAfterGop(world, 2, 700);
      await disk.fill(5.5);
      await reaches(first, 'out');
      await first.until('it holds', () => first.events('hold').length > 0);
      await after(11_000);
      const { atMs } = await killNow(world, first, 'livestow');
      world.sandbox.end('alice');
      await disk.clear();
      const second = world.livestow('record', 'alice', '--once', '--no-wait');
      expect((await second.exited).code).toBe(4);
      const { manifest, untrue } = await world.session();
      expect(untrue).toEqual([]);
      expect(manifest.sealedAt).not.toBeNull();
      expect(manifest.gaps.map(({ cause }) => cause)).toEqual(['disk-full']);
      const [gap] = manifest.gaps;
      // It says what it knew: up to the last thing that it wrote down, every 5 s at least.
      expect(Date.parse(gap!.to)).toBeGreaterThan(atMs - 6_000);
      expect(Date.parse(gap!.to)).toBeLessThanOrEqual(atMs);
    },
  );
});

describe('a disk that is full to the last byte', () => {
  test.for(ENGINES)(
    'is survived by %s: what is missing stands in the manifest, the rest is whole',
    { tags: 'disk-full' },
    async (engine, context) => {
      const disk = await smallDisk(context, 14);
      await using world = await World.open({
        spool: join(disk.folder, 'spool'),
        env: { LIVESTOW_DISK_RESERVE: '0', LIVESTOW_ENGINE: engine },
      });
      const run = await world.record();
      await momentAfterGop(world, 2, 700);
      await disk.fill();
      await run.until('it notices', () => says(run, 'the raw tail cannot be written').length > 0);
      // Shipping frees what was closed before: somebody takes that too.
      for (let times = 0; times < 30; times += 1, await after(200)) await disk.fill();
      await disk.clear();
      await recordToTheEnd(world, run, 5);
      const { manifest } = await expectFaithfulSession(world, {
        endCause: 'stopped',
        gaps: 'disk-full',
        lostTo: 'disk-full',
        epochs: 'h264 360x640',
      });
      expect(manifest.gaps.length).toBeGreaterThan(0);
    },
  );

  test(
    'while the session is sealed: it waits for room, and seals',
    { tags: 'disk-full' },
    async (context) => {
      const disk = await smallDisk(context, 14);
      await using world = await World.open({
        spool: join(disk.folder, 'spool'),
        env: { LIVESTOW_DISK_RESERVE: '0' },
      });
      const run = await world.record();
      await momentAfterGop(world, 2, 700);
      world.sandbox.end('alice');
      await run.until('it holds', () => run.events('hold').length > 0);
      const enough = new AbortController();
      const filling = (async () => {
        while (!enough.signal.aborted) {
          await disk.fill();
          await after(50);
        }
      })();
      await after(500);
      run.kill('SIGINT');
      await run.until(
        'it cannot write',
        () => says(run, 'cannot be written').length + says(run, 'writing to the spool failed').length > 0,
      );
      enough.abort();
      await filling;
      await disk.clear();
      expect(await run.exited).toEqual(INTERRUPTED);
      const { manifest, untrue, miscounted, pictures } = await world.session();
      expect(manifest.sealedAt).not.toBeNull();
      expect([untrue, miscounted, pictures.garbled, pictures.missing]).toEqual([[], [], 0, []]);
      expect(manifest.gaps.filter(({ cause }) => cause !== 'disk-full')).toEqual([]);
      expect(await world.leftInSpool()).toEqual([]);
    },
  );

  test(
    'as a recorder is started again: it waits for room, and goes on with the session',
    { tags: ['disk-full', 'killed'] },
    async (context) => {
      const disk = await smallDisk(context, 14);
      await using world = await World.open({
        spool: join(disk.folder, 'spool'),
        env: { LIVESTOW_DISK_RESERVE: '0' },
      });
      const first = await world.record();
      await momentAfterGop(world, 2, 700);
      const { atMs } = await killNow(world, first, 'both');
      await disk.fill();
      const second = world.livestow('record', 'alice', '--once');
      await second.until('it cannot write', () => says(second, 'writing to the spool failed').length > 0);
      await disk.clear();
      await second.until('media flows', () => second.events('media').length > 0);
      await recordToTheEnd(world, second);
      const { manifest } = await expectFaithfulSession(world, {
        endCause: 'stopped',
        gaps: 'recorder-down',
        cutAtMs: [atMs],
        epochs: 'h264 360x640',
      });
      expect(new Set(manifest.segments.map(({ term }) => term))).toEqual(new Set([1, 2]));
    },
  );

  test(
    'of the store: recording goes on, and what waited is shipped later',
    { tags: 'disk-full' },
    async (context) => {
      const disk = await smallDisk(context, 14);
      await using world = await World.open({ store: join(disk.folder, 'archive') });
      const run = await world.record();
      await momentAfterGop(world, 1, 700);
      await disk.fill();
      const refused = await run.until('the store takes no more', () => says(run, 'failed; trying again')[0]);
      expect(refused).toMatchObject({ err: { code: expect.stringMatching(/^STORE_/) } });
      await momentAfterGop(world, world.gopsSent + 3, 0);
      await disk.clear();
      await recordToTheEnd(world, run);
      const { pictures } = await expectFaithfulSession(world, { endCause: 'stopped' });
      expect(pictures).toMatchObject({ first: 0, missing: [] });
    },
  );
});

describe('a disk that hangs for 6 s', () => {
  test.for(ENGINES)('costs %s no picture', { tags: 'disk-slow' }, async (engine, context) => {
    const disk = await HangingDisk.mount(context);
    await using world = await World.open({
      spool: join(disk.folder, 'spool'),
      env: { LIVESTOW_DISK_RESERVE: '8MiB', LIVESTOW_ENGINE: engine },
    });
    const run = await world.record();
    await momentAfterGop(world, 2, 700);
    const writtenBefore = world.gopsSent;
    const { writeTookMs } = await disk.hang(6);
    expect(writeTookMs).toBeGreaterThan(5_000);
    expect(world.gopsSent - writtenBefore).toBeGreaterThanOrEqual(2);
    await recordToTheEnd(world, run);
    const { pictures } = await expectFaithfulSession(world, { endCause: 'stopped' });
    expect(pictures).toMatchObject({ first: 0, missing: [] });
    expect(run.events('media')).toHaveLength(1);
  });
});
