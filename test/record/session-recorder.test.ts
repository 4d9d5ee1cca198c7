import { getEventListeners } from 'node:events';
import { describe, expect, onTestFinished, test, type TestContext } from 'vitest';
import { LivestowError } from '../../src/kernel/errors.ts';
import { withheldIn } from '../../src/record/withheld.ts';
import { StopRequest } from '../../src/kernel/stop-request.ts';
import {
  burst,
  flows,
  live,
  offline,
  RecorderBench,
  type BenchOptions,
  refused,
  silent,
  followed,
  variant,
} from './recorder-bench.ts';
import { smallDisk } from '../support/disks.ts';

/** Nothing of the recorder goes on. */
function expectQuiet(bench: RecorderBench): void {
  expect(bench.clock.pendingMs).toEqual([]);
  expect(getEventListeners(bench.stop.signal, 'abort')).toEqual([]);
}

const secondsOf = (times: readonly number[]): number[] => times.map((ms) => Math.round(ms / 100) / 10);

describe('a broken connection', () => {
  test('is made again at once, beside one look', async () => {
    const bench = await RecorderBench.open({ scripts: [flows(9_300), flows(Infinity)] });
    await bench.run(30_000);
    expect(secondsOf(bench.attempts.map(({ atMs }) => atMs))).toEqual([0, 9.4]);
    expect(bench.looksAtMs).toHaveLength(1);
    expect(bench.recorder.phase).toBe('recording');
    bench.stop.abort(new StopRequest('interrupt'));
    await bench.pass(1_000);
    await bench.recording.end();
    expect(await bench.gaps()).toEqual([]);
    expectQuiet(bench);
  });

  test('that is silent is given up after the stall time', async () => {
    const bench = await RecorderBench.open({ scripts: [followed(flows(9_000), silent), flows(Infinity)] });
    await bench.run(30_000);
    const [, second] = bench.attempts;
    expect(second!.atMs).toBeGreaterThanOrEqual(12_800);
    expect(second!.atMs).toBeLessThanOrEqual(13_300);
    bench.stop.abort(new StopRequest('interrupt'));
    await bench.pass(1_000);
    await bench.recording.end();
    expect(await bench.gaps()).toMatchObject([{ cause: 'stall' }]);
  });

  test('again and again: no timer, listener or engine is left behind', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on('warning', onWarning);
    onTestFinished(() => void process.off('warning', onWarning));
    const bench = await RecorderBench.open({ scripts: [flows(2_300)], looks: [live] });
    await bench.run(4 * 60_000);
    expect(bench.attempts.length).toBeGreaterThan(60);
    // Two loops, the hold's end, a connection with its watchdog: whatever happened before, no more than these.
    expect(bench.clock.pendingMs.length).toBeLessThan(8);
    expect(getEventListeners(bench.stop.signal, 'abort')).toHaveLength(1);
    bench.stop.abort(new StopRequest('drain'));
    await bench.pass(1_000);
    await bench.recording.drain();
    expectQuiet(bench);
    expect(bench.engine.running).toBe(0);
    expect(warnings).toEqual([]);
  });
});

describe('variants', () => {
  const both = (looks: number) => [
    variant('origin', `https://cdn.example/origin?${looks}`),
    variant('hd', `https://cdn.example/hd?${looks}`),
  ];

  test('one that is refused with fresh addresses gives way to the next', async () => {
    const bench = await RecorderBench.open({
      rank: both,
      scripts: ({ qualityKey }) => (qualityKey === 'origin' ? refused : flows(Infinity)),
    });
    await bench.run(15_000);
    expect(bench.attempts.map(({ id }) => id)).toEqual(['h264/origin/flv', 'h264/hd/flv']);
    expect(bench.recorder.phase).toBe('recording');
  });

  test('a better one that is back takes over, without a look and without a hold', async () => {
    const bench = await RecorderBench.open({
      rank: both,
      scripts: ({ qualityKey }, n) => (qualityKey === 'origin' && n < 3 ? refused : flows(Infinity)),
    });
    await bench.run(3 * 60_000);
    expect(bench.attempts.map(({ id }) => id)).toEqual([
      'h264/origin/flv',
      'h264/hd/flv',
      'h264/origin/flv',
      'h264/origin/flv',
    ]);
    const entries = await bench.entries();
    const events = entries.flatMap((entry) => (entry.type === 'event' ? [entry.event] : []));
    const told = new Set(['attempt', 'media', 'media-broke', 'hold', 'still-away', 'back']);
    const away = entries.find((entry) => entry.type === 'event' && entry.event === 'still-away');
    expect(away).toMatchObject({ detail: { variant: 'h264/origin/flv', code: 'MEDIA_HTTP' } });
    expect(events.filter((event) => told.has(event)).join(' ')).toBe(
      'attempt media-broke attempt media still-away back attempt media',
    );
    expect(bench.looksAtMs).toEqual([]);
    expect(bench.recorder.phase).toBe('recording');
  });

  test('an edge that sends its cache and no more is not back', async () => {
    const bench = await RecorderBench.open({
      rank: both,
      scripts: ({ qualityKey }, n) =>
        qualityKey === 'hd' ? flows(Infinity) : n === 0 ? refused : followed(burst, silent),
    });
    await bench.run(4 * 60_000);
    expect(bench.attempts.filter(({ id }) => id === 'h264/hd/flv')).toHaveLength(1);
    expect(bench.attempts.length).toBeGreaterThan(3);
    expect(await bench.gaps()).toEqual([]);
  });

  test('a better one that stays away is asked for ever less often', async () => {
    const bench = await RecorderBench.open({
      rank: both,
      scripts: ({ qualityKey }) => (qualityKey === 'origin' ? silent : flows(Infinity)),
    });
    await bench.run(30 * 60_000);
    const tries = bench.attempts.filter(({ id }) => id === 'h264/origin/flv');
    expect(tries.length).toBeGreaterThan(4);
    expect(tries.length).toBeLessThan(12);
    expect(bench.recorder.phase).toBe('recording');
  });

  test('an address that expired is no reason to leave the variant: the look brings another', async () => {
    // The old address is refused faster than the look is answered, or more slowly.
    for (const lookFirst of [false, true]) {
      const bench = await RecorderBench.open({
        rank: both,
        scripts: ({ url }, n) => {
          if (n === 0) return flows(20_000);
          if (!url.endsWith('?0')) return flows(Infinity);
          return lookFirst
            ? async function* slowly(b, signal) {
                await b.clock.delay(500, signal);
                return yield* refused(b, signal);
              }
            : refused;
        },
      });
      await bench.run(40_000);
      expect(bench.attempts.map(({ url }) => url)).toEqual([
        'https://cdn.example/origin?0',
        'https://cdn.example/origin?0',
        'https://cdn.example/origin?1',
      ]);
    }
  });

  test('that all fail are tried again and again, in no hurry', async () => {
    const bench = await RecorderBench.open({ rank: both, scripts: [refused] });
    await bench.run(4 * 60_000);
    expect(bench.attempts.length).toBeGreaterThan(50);
    expect(bench.attempts.length).toBeLessThan(400);
    expect(bench.looksAtMs.length).toBeLessThan(12);
  });

  test('none at all: it waits for a look that has some', async () => {
    const bench = await RecorderBench.open({
      rank: (looks) => (looks < 3 ? [] : both(looks)),
      scripts: [flows(Infinity)],
    });
    await bench.run(60_000);
    expect(bench.attempts).toHaveLength(1);
    expect(bench.recorder.phase).toBe('recording');
  });
});

describe('the end', () => {
  test('two looks that say offline, 10 s apart', async () => {
    const bench = await RecorderBench.open({ scripts: [flows(9_000), refused], looks: [offline] });
    expect(await bench.run()).toEqual({
      kind: 'ended',
      cause: 'room-ended',
      nextLook: null,
      withheldUntilMs: null,
    });
    expect(bench.looksAtMs).toHaveLength(2);
    expect(bench.looksAtMs[1]! - bench.looksAtMs[0]!).toBeGreaterThanOrEqual(10_000);
    expect(bench.looksAtMs[1]! - bench.looksAtMs[0]!).toBeLessThan(10_500);
    expectQuiet(bench);
  });

  test('another room, which is given on', async () => {
    const bench = await RecorderBench.open({
      scripts: [flows(9_000), refused],
      looks: [() => live('another')],
    });
    expect(await bench.run()).toMatchObject({
      kind: 'ended',
      cause: 'new-room',
      nextLook: { status: 'live', room: { roomId: 'another' } },
    });
    expectQuiet(bench);
  });

  test('another room while media flows waits until it breaks off', async () => {
    const bench = await RecorderBench.open({
      scripts: [flows(60_000), refused],
      looks: [() => live('another'), live, offline],
      sampleIntervalMs: 20_000,
    });
    // The room was there again in between: its first look is not given on.
    expect(await bench.run()).toEqual({
      kind: 'ended',
      cause: 'room-ended',
      nextLook: null,
      withheldUntilMs: null,
    });
  });

  test('no media for as long as is waited for it', async () => {
    const bench = await RecorderBench.open({
      scripts: [flows(9_000), refused],
      looks: [live],
      maxHoldMs: 120_000,
    });
    expect(await bench.run()).toMatchObject({ kind: 'ended', cause: 'media-lost' });
    expect(bench.clock.monotonic()).toBeLessThan(131_000);
    expectQuiet(bench);
  });

  test('a hold that begins while the last one’s look is still out lasts as long as any', async () => {
    const bench = await RecorderBench.open({
      scripts: [flows(9_000), flows(3_000), refused],
      looks: [live],
      lookMs: (n) => (n === 0 ? 8_000 : 50),
      maxHoldMs: 60_000,
    });
    expect(await bench.run()).toMatchObject({ kind: 'ended', cause: 'media-lost' });
    const brokeAtMs = bench.attempts[2]!.atMs;
    expect(brokeAtMs).toBeLessThan(13_000);
    expect(bench.clock.monotonic() - brokeAtMs).toBeGreaterThan(59_000);
    expect(bench.clock.monotonic() - brokeAtMs).toBeLessThan(61_000);
  });

  test('no media ever', async () => {
    const bench = await RecorderBench.open({ scripts: [silent], maxHoldMs: 60_000 });
    expect(await bench.run()).toMatchObject({ kind: 'ended', cause: 'media-lost' });
    await bench.recording.end();
    expect(await bench.gaps()).toMatchObject([{ cause: 'no-media' }]);
  });

  test('the longest duration, when there never was media', async () => {
    const bench = await RecorderBench.open({ maxDurationMs: 30_000, scripts: [refused] });
    expect(await bench.run()).toMatchObject({ kind: 'ended', cause: 'max-duration' });
    expect(bench.clock.monotonic()).toBeLessThan(32_000);
  });

  test('the longest duration, from the first media on', async () => {
    const bench = await RecorderBench.open({ maxDurationMs: 30_000 });
    expect(await bench.run()).toMatchObject({ kind: 'ended', cause: 'max-duration' });
    expect(bench.clock.monotonic()).toBeGreaterThanOrEqual(30_000);
    expect(bench.clock.monotonic()).toBeLessThan(31_000);
    expectQuiet(bench);
  });

  test.each([
    ['interrupt', { kind: 'ended', cause: 'stopped', nextLook: null, withheldUntilMs: null }],
    ['drain', { kind: 'drained' }],
  ] as const)('the operator: %s', async (kind, outcome) => {
    for (const scripts of [[flows(Infinity)], [silent], [refused]]) {
      const bench = await RecorderBench.open({ scripts });
      const running = bench.run(60_000);
      bench.clock.after(7_000, () => bench.stop.abort(new StopRequest(kind)));
      expect(await running).toEqual(outcome);
      expect(bench.clock.monotonic()).toBeLessThan(7_500);
      expectQuiet(bench);
    }
  });

  test('the operator before it began', async () => {
    const bench = await RecorderBench.open();
    bench.stop.abort(new StopRequest('interrupt'));
    expect(await bench.run()).toMatchObject({ kind: 'ended', cause: 'stopped' });
    expect(bench.attempts).toEqual([]);
    expectQuiet(bench);
  });
});

describe('a look that fails', () => {
  test('says nothing', async () => {
    const bench = await RecorderBench.open({
      scripts: [flows(9_000), refused, refused, refused, flows(Infinity)],
      looks: [
        () => {
          throw new LivestowError('LOOKUP_FAILED', 'upstream', { retryable: true });
        },
      ],
    });
    await bench.run(60_000);
    expect(bench.recorder.phase).toBe('recording');
  });

  test('unexpectedly ends the run, not the process', async () => {
    for (const sampleIntervalMs of [5_000, 5 * 60_000]) {
      const bench = await RecorderBench.open({
        scripts: [flows(20_000), silent],
        looks: [
          () => {
            throw new TypeError('a bug');
          },
        ],
        sampleIntervalMs,
      });
      await expect(bench.run()).rejects.toThrow('a bug');
      expectQuiet(bench);
    }
  });
});

test('pictures that no keyframe precedes are no stall: a GOP of ten seconds is waited for', async () => {
  const bench = await RecorderBench.open({
    scripts: [
      async function* fromTheMiddle(b, signal) {
        for await (const item of flows(30_000)(b, signal)) {
          if (item.kind !== 'media') continue;
          const units = item.units.map((unit) =>
            unit.kind === 'video' && 'key' in unit && unit.dtsMs < 70_000 ? { ...unit, key: false } : unit,
          );
          yield { ...item, units };
        }
        return { reason: 'closed' };
      },
    ],
  });
  await bench.run(20_000);
  expect(bench.attempts).toHaveLength(1);
  expect(bench.recorder.phase).toBe('recording');
});

describe('a disk that nears its reserve', () => {
  const MIB = 1024 * 1024;
  const rated = (qualityKey: string, bitrateBps: number) => ({
    ...variant(qualityKey, `https://cdn.example/${qualityKey}`),
    bitrateBps,
  });

  async function onSmallDisk(context: TestContext, options: BenchOptions = {}, leftMiB = 32) {
    const disk = await smallDisk(context, 32);
    await disk.fill(leftMiB);
    const bench = await RecorderBench.open({
      scripts: [flows(Infinity)],
      ...options,
      disk: { folder: disk.folder, reserveBytes: 8 * MIB },
    });
    return { disk, bench };
  }

  const levels = async (bench: RecorderBench) =>
    (await bench.entries()).flatMap((entry) =>
      entry.type === 'event' && entry.event === 'disk' ? [entry.detail['level']] : [],
    );

  test('goes to a lower variant without a gap, and back', { tags: 'disk-reserve' }, async (context) => {
    const rank = () => [rated('origin', 4e6), rated('sd', 5e5)];
    const { disk, bench } = await onSmallDisk(context, { rank }, 13);
    await bench.run(10_000);
    await disk.fill(11);
    await bench.pass(20_000);
    await disk.clear();
    await bench.pass(20_000);
    const taken = bench.attempts.map(({ id }) => id).filter((id, i, ids) => id !== ids[i - 1]);
    expect(taken).toEqual(['h264/origin/flv', 'h264/sd/flv', 'h264/origin/flv']);
    bench.stop.abort(new StopRequest('interrupt'));
    await bench.pass(1_000);
    await bench.recording.end();
    expect(await levels(bench)).toEqual(['low', 'lower', 'ample']);
    expect(await bench.gaps()).toEqual([]);
  });

  test(
    'stops at it with all segments closed, and goes on by itself',
    { tags: 'disk-reserve' },
    async (context) => {
      const { disk, bench } = await onSmallDisk(context, { maxHoldMs: 60_000 });
      await bench.run(10_300);
      await disk.fill(7);
      await bench.pass(2_000);
      expect(bench.recorder.phase).toBe('holding');
      expect(bench.engine.running).toBe(0);
      const closedMs = bench.recording.progress.recordedMs;
      expect(closedMs).toBeGreaterThan(10_000);
      // Longer than any hold: the disk is no reason to end.
      await bench.pass(10 * 60_000);
      expect(bench.attempts).toHaveLength(1);
      expect(bench.recorder.phase).toBe('holding');
      expect(await disk.freeMiB()).toBeGreaterThan(6);
      // Whoever came after a kill would know until when.
      const [withheld] = withheldIn(await bench.entries());
      expect(withheld).toMatchObject({ cutMedia: true });
      expect(withheld!.toMs - withheld!.fromMs).toBeGreaterThan(9.8 * 60_000);
      await disk.clear();
      await bench.pass(20_000);
      expect(bench.recorder.phase).toBe('recording');
      bench.stop.abort(new StopRequest('interrupt'));
      await bench.pass(1_000);
      await bench.recording.end();
      expect(await levels(bench)).toEqual(['out', 'ample']);
      const gaps = await bench.gaps();
      expect(gaps).toMatchObject([{ cause: 'disk-full' }]);
      expect(gaps[0]!.ms).toBeGreaterThan(9.9 * 60_000);
      expect(gaps[0]!.ms).toBeLessThan(10.2 * 60_000);
      bench.disk.leave();
      expectQuiet(bench);
    },
  );

  test(
    'stops and has room again while an engine still struggles: what is missing is missing for the disk',
    { tags: 'disk-reserve' },
    async (context) => {
      const { disk, bench } = await onSmallDisk(context, { maxHoldMs: 60_000 });
      await bench.run(10_300);
      bench.engine.diesAt = () => true;
      await bench.pass(1_500);
      await disk.fill(7);
      await bench.pass(1_000);
      await disk.clear();
      await bench.pass(700);
      bench.engine.diesAt = () => false;
      expect(await levels(bench)).toEqual(['out', 'ample']);
      await bench.pass(20_000);
      expect(bench.recorder.phase).toBe('recording');
      bench.stop.abort(new StopRequest('interrupt'));
      await bench.pass(1_000);
      await bench.recording.end();
      expect((await bench.gaps()).map(({ cause }) => cause)).toEqual(['disk-full']);
      bench.disk.leave();
      expectQuiet(bench);
    },
  );

  test(
    'an end that comes meanwhile is seen, and what was missed stands there',
    { tags: 'disk-reserve' },
    async (context) => {
      let isOver = false;
      const { disk, bench } = await onSmallDisk(context, { looks: [() => (isOver ? offline() : live())] });
      await bench.run(10_300);
      await disk.fill(7);
      await bench.pass(5 * 60_000);
      isOver = true;
      await bench.pass(2 * 60_000);
      const { outcome } = bench;
      expect(outcome).toMatchObject({ kind: 'ended', cause: 'room-ended' });
      if (outcome?.kind !== 'ended') return;
      await bench.recording.end(outcome.withheldUntilMs);
      const [gap, ...more] = await bench.gaps();
      expect([gap?.cause, more]).toEqual(['disk-full', []]);
      // Up to the last look that saw her.
      expect(gap!.ms).toBeGreaterThan(3.9 * 60_000);
      expect(gap!.ms).toBeLessThan(5.1 * 60_000);
    },
  );

  test(
    'room that comes too late for more media: what was missed stands there all the same',
    { tags: 'disk-reserve' },
    async (context) => {
      let isOver = false;
      const { disk, bench } = await onSmallDisk(context, {
        scripts: [flows(Infinity), refused],
        looks: [() => (isOver ? offline() : live())],
      });
      await bench.run(10_300);
      await disk.fill(7);
      await bench.pass(60_000);
      isOver = true;
      await disk.clear();
      await bench.pass(60_000);
      const { outcome } = bench;
      if (outcome?.kind !== 'ended') throw new Error('it goes on');
      await bench.recording.end(outcome.withheldUntilMs);
      const [gap, ...more] = await bench.gaps();
      expect([gap?.cause, more]).toEqual(['disk-full', []]);
      expect(gap!.ms).toBeGreaterThan(20_000);
      expect(gap!.ms).toBeLessThan(65_000);
    },
  );

  test('a session that begins at it waits, and says so', { tags: 'disk-reserve' }, async (context) => {
    const { disk, bench } = await onSmallDisk(context, {}, 7);
    await bench.run(60_000);
    expect(bench.attempts).toEqual([]);
    await disk.clear();
    await bench.pass(20_000);
    bench.stop.abort(new StopRequest('interrupt'));
    await bench.pass(1_000);
    await bench.recording.end();
    const gaps = await bench.gaps();
    expect(gaps).toMatchObject([{ cause: 'disk-full' }]);
    expect(gaps[0]!.ms).toBeGreaterThan(59_000);
  });

  test(
    'and ends without a picture: all of it is missing for the disk',
    { tags: 'disk-reserve' },
    async (context) => {
      const disk = await smallDisk(context, 32);
      await disk.fill(7);
      const bench = await RecorderBench.open({ disk: { folder: disk.folder, reserveBytes: 8 * MIB } });
      await bench.run(60_000);
      bench.stop.abort(new StopRequest('interrupt'));
      await bench.pass(1_000);
      const { outcome } = bench;
      if (outcome?.kind !== 'ended') throw new Error('it goes on');
      await bench.recording.end(outcome.withheldUntilMs);
      expect(await bench.gaps()).toMatchObject([{ cause: 'disk-full' }]);
    },
  );
});
