import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, type TestContext } from 'vitest';
import { silentLogger } from '../../src/kernel/logger.ts';
import type { MediaPacket } from '../../src/media/packet.ts';
import type { ClosedSegment } from '../../src/record/engine.ts';
import { EpochRecorder } from '../../src/record/epoch-recorder.ts';
import { readTail } from '../../src/spool/tail.ts';
import { TailWriter } from '../../src/spool/tail-writer.ts';
import { ManualClock } from '../manual-clock.ts';
import { audio, media, state, variant, video } from '../spool/numbered-media.ts';
import { scratchFolder } from '../spool/scratch.ts';
import { smallDisk } from '../support/disks.ts';
import { diskAtRest } from './disk-at-rest.ts';
import { PlainEngine } from './plain-engine.ts';

const SEGMENT_MS = 2_000;

interface Bench {
  recorder: EpochRecorder;
  engine: PlainEngine;
  clock: ManualClock;
  tail: TailWriter;
  tailFolder: string;
  segments: ClosedSegment[];
  lost: [fromMs: number, toMs: number][];
  deaths: string[];
  /** Everything that came out, in order. */
  story: string[];
}

async function bench({ alone = false, on = null as string | null } = {}): Promise<Bench> {
  const folder = on ?? (await scratchFolder());
  const [tailFolder, engineFolder] = [join(folder, 'tail'), join(folder, 'engine')];
  await mkdir(tailFolder);
  await mkdir(engineFolder);
  const tail = new TailWriter(tailFolder, 1, () => {});
  onTestFinished(() => tail.close());
  const engine = new PlainEngine();
  const clock = new ManualClock();
  const segments: ClosedSegment[] = [];
  const lost: [number, number][] = [];
  const deaths: string[] = [];
  const story: string[] = [];
  const recorder = new EpochRecorder(
    {
      term: 1,
      epoch: 1,
      video: alone ? null : video,
      audio,
      container: 'mpegts',
      segmentDurationMs: SEGMENT_MS,
      folder: engineFolder,
      firstSegment: 1,
    },
    {
      engine,
      tail,
      clock,
      log: silentLogger(),
      variant,
      tailState: () => state(null),
      onInit: () => {},
      onSegment: (segment) => {
        segments.push(segment);
        story.push(`segment ${segment.n}: ${segment.firstDtsMs - 60_000}-${segment.lastDtsMs - 60_000}`);
      },
      onLost: (fromMs, toMs, cause) => {
        lost.push([fromMs, toMs]);
        story.push(`lost ${fromMs - 60_000}-${toMs - 60_000}: ${cause}`);
      },
      onEngineDied: (reason) => deaths.push(reason),
      signal: new AbortController().signal,
    },
  );
  return { recorder, engine, clock, tail, tailFolder, segments, lost, deaths, story };
}

/** Feeds in batches of 200 ms; the pauses between engines pass. */
async function feed({ recorder, clock }: Bench, packets: readonly MediaPacket[]): Promise<void> {
  const batches = Map.groupBy(packets, ({ dtsMs }) => Math.floor(dtsMs / 200));
  for (const batch of batches.values()) await passing(clock, recorder.write(batch));
}

/** Lets the clock run until the step is done. */
async function passing<T>(clock: ManualClock, step: Promise<T>): Promise<T> {
  const over = new AbortController();
  const settled = step.finally(() => over.abort());
  settled.catch(() => {});
  while (!over.signal.aborted) {
    await Promise.race([settled, clock.waiting()]).catch(() => {});
    if (!over.signal.aborted) await clock.advance(2_000);
  }
  return settled;
}

describe('an epoch', () => {
  test('becomes segments', async () => {
    const b = await bench();
    await feed(b, media(0, 5_000));
    await b.recorder.end();
    expect(b.story).toEqual(['segment 1: 0-1960', 'segment 2: 2000-3960', 'segment 3: 4000-4960']);
    expect(b.segments.reduce((sum, { pictures }) => sum + pictures, 0)).toBe(125);
    expect(b.engine).toMatchObject({ opened: 1, running: 0 });
  });

  test('of nothing is no segment', async () => {
    const b = await bench();
    await b.recorder.end();
    expect(b.engine.opened).toBe(0);
    expect(b.story).toEqual([]);
  });
});

describe('an engine that dies', () => {
  test('is replaced by one that is fed from the tail', async () => {
    const b = await bench();
    b.engine.diesAt = ({ dtsMs }, opened) => opened === 1 && dtsMs >= 63_400;
    await feed(b, media(0, 5_000));
    await b.recorder.end();
    expect(b.story).toEqual(['segment 1: 0-1960', 'segment 2: 2000-3960', 'segment 3: 4000-4960']);
    expect(b.segments.map(({ pictures, audioFrames }) => [pictures, audioFrames])).toEqual(
      (await whole()).map(({ pictures, audioFrames }) => [pictures, audioFrames]),
    );
    expect(b.deaths).toHaveLength(1);
    expect(b.engine).toMatchObject({ opened: 2, running: 0 });
  });

  test('at its end too', async () => {
    const b = await bench();
    b.engine.diesAtEnd = (opened) => opened < 4;
    await feed(b, media(0, 3_000));
    await passing(b.clock, b.recorder.end());
    expect(b.story).toEqual(['segment 1: 0-1960', 'segment 2: 2000-2960']);
    expect(b.engine).toMatchObject({ opened: 4, running: 0 });
  });

  test('of a poisoned GOP, whoever gets it: that is given up, the rest is recorded', async () => {
    const b = await bench();
    b.engine.diesAt = ({ dtsMs }) => dtsMs === 62_400;
    await feed(b, media(0, 6_000));
    await b.recorder.end();
    expect(b.story).toEqual([
      'segment 1: 0-1960',
      'lost 2000-3000: engine-failed',
      'segment 2: 3000-4960',
      'segment 3: 5000-5960',
    ]);
    expect(b.engine.running).toBe(0);
  });

  test('always: all is lost, and told', async () => {
    const b = await bench();
    b.engine.diesAt = () => true;
    await feed(b, media(0, 3_000));
    await passing(b.clock, b.recorder.end());
    expect(b.story).toEqual(['lost 0-3000: engine-failed']);
    expect(b.engine.running).toBe(0);
  });

  test('for a while: recording goes on at the first keyframe after', async () => {
    const b = await bench();
    b.engine.diesAt = ({ dtsMs }) => dtsMs >= 61_000 && dtsMs < 64_200 && b.engine.opened < 12;
    await feed(b, media(0, 9_000));
    await b.recorder.end();
    const [first, last] = [b.segments[0]!, b.segments.at(-1)!];
    expect(last.lastDtsMs).toBe(68_960);
    // Whatever is not in a segment is told as lost: the two together are all.
    const recordedMs = b.segments.reduce((sum, each) => sum + each.lastDtsMs + 40 - each.firstDtsMs, 0);
    const lostMs = b.lost.reduce((sum, [fromMs, toMs]) => sum + toMs - fromMs, 0);
    expect(recordedMs + lostMs).toBe(9_000);
    expect(first.n).toBe(1);
    expect(b.lost).toHaveLength(1);
  });

  test('while the tail cannot be written: what it was fed since the last segment is told as lost', async () => {
    const b = await bench();
    b.engine.diesAt = ({ dtsMs }, opened) => opened === 1 && dtsMs >= 63_400;
    await rm(b.tailFolder, { recursive: true });
    await writeFile(b.tailFolder, 'no folder');
    await feed(b, media(0, 6_000));
    await b.recorder.end();
    expect(b.story).toEqual(['segment 1: 0-1960', 'lost 2000-4000: engine-failed', 'segment 2: 4000-5960']);
    expect(b.engine.running).toBe(0);
  });
});

describe('an engine that dies of a disk without room', () => {
  const noRoom = (): Error =>
    Object.assign(new Error('no space left on device'), { code: 'ENOSPC', errno: -28 });

  test('is tried again at each keyframe: nothing is given up that the tail has', async () => {
    const b = await bench();
    b.engine.death = noRoom;
    b.engine.diesAt = ({ dtsMs }) => dtsMs === 62_400;
    await feed(b, media(0, 5_000));
    expect(b.story).toEqual(['segment 1: 0-1960']);
    expect(b.deaths).toHaveLength(1);
    b.engine.diesAt = () => false;
    await feed(b, media(5_000, 9_000));
    await b.recorder.end();
    expect(b.story).toEqual([
      'segment 1: 0-1960',
      'segment 2: 2000-3960',
      'segment 3: 4000-5960',
      'segment 4: 6000-7960',
      'segment 5: 8000-8960',
    ]);
  });

  test('for ever: what no engine got is told as that', async () => {
    const b = await bench();
    b.engine.death = noRoom;
    b.engine.diesAt = ({ dtsMs }) => dtsMs === 62_400;
    await feed(b, media(0, 4_000));
    // Not of the disk any more: what is poisoned is given up.
    b.engine.death = undefined;
    await feed(b, media(4_000, 8_000));
    await b.recorder.end();
    expect(b.story.filter((line) => line.startsWith('lost'))).toEqual(['lost 2000-5000: disk-full']);
  });

  test('while the tail is torn: that is why something is missing, however many segments are before it', async (context) => {
    const disk = await smallDisk(context, 2);
    const b = await bench({ on: disk.folder });
    b.engine.death = noRoom;
    b.engine.diesAt = ({ dtsMs }) => dtsMs === 62_400;
    await feed(b, media(0, 6_400));
    await disk.fill();
    await feed(b, media(6_400, 6_600));
    await disk.clear();
    b.engine.diesAt = () => false;
    await feed(b, media(6_600, 9_000));
    await b.recorder.end();
    expect(b.story.slice(0, 3)).toEqual([
      'segment 1: 0-1960',
      'segment 2: 2000-3960',
      'segment 3: 4000-5960',
    ]);
    expect(b.story.filter((line) => line.startsWith('lost'))).toEqual([
      expect.stringMatching(/^lost 6\d\d\d-7000: disk-full$/),
    ]);
  });

  test('in a pause: the last segment is closed when there is room', async () => {
    const b = await bench();
    b.engine.death = noRoom;
    b.engine.diesAtEnd = () => true;
    await feed(b, media(0, 3_400));
    await b.recorder.pause();
    expect(b.story).toEqual(['segment 1: 0-1960']);
    b.engine.diesAtEnd = () => false;
    await feed(b, media(5_000, 6_000));
    await b.recorder.end();
    expect(b.story).toEqual(['segment 1: 0-1960', 'segment 2: 2000-3360', 'segment 3: 5000-5960']);
    expect(b.engine.running).toBe(0);
  });

  test('at its end: that comes when there is room', async () => {
    const b = await bench();
    b.engine.death = noRoom;
    b.engine.diesAtEnd = (opened) => opened < 20;
    await feed(b, media(0, 3_400));
    await passing(b.clock, b.recorder.end());
    expect(b.story).toEqual(['segment 1: 0-1960', 'segment 2: 2000-3360']);
    expect(b.deaths).toHaveLength(1);
  });

  test('in a drain: whole GOPs are closed when there is room', async () => {
    const b = await bench();
    b.engine.death = noRoom;
    b.engine.diesAtEnd = (opened) => opened < 20;
    await feed(b, media(0, 3_400));
    await passing(b.clock, b.recorder.endAtKeyframe());
    expect(b.story).toEqual(['segment 1: 0-1960', 'segment 2: 2000-2960']);
    expect((await readTail(b.tailFolder))?.units.at(-1)).toMatchObject({ dtsMs: expect.closeTo(63_380, -2) });
  });

  test('in a drain while there is none: all of it is left to the next term, at once', async (context) => {
    const disk = await smallDisk(context, 2);
    const b = await bench({ on: disk.folder });
    await feed(b, media(0, 3_400));
    await diskAtRest();
    await disk.fill();
    await b.recorder.endAtKeyframe();
    expect(b.story).toEqual(['segment 1: 0-1960']);
    const tail = await readTail(b.tailFolder);
    const pictures = tail?.units.filter(({ kind }) => kind === 'video') ?? [];
    expect(pictures.at(-1)).toMatchObject({ dtsMs: 63_360 });
    expect(b.engine.running).toBe(0);
  });
});

describe('an engine that dies after the disk was full for a moment', () => {
  /** The tail lacks 2.4 s to 3.0 s. */
  async function torn(context: TestContext, ...diesAtMs: readonly number[]): Promise<Bench> {
    const disk = await smallDisk(context, 2);
    const b = await bench({ on: disk.folder });
    const at = [...diesAtMs];
    b.engine.diesAt = ({ dtsMs }) => {
      const dies = at[0] !== undefined && dtsMs >= 60_000 + at[0];
      if (dies) at.shift();
      return dies;
    };
    await feed(b, media(0, 2_400));
    await disk.fill();
    await feed(b, media(2_400, 2_600));
    await disk.clear();
    await feed(b, media(2_600, 6_000));
    await b.recorder.end();
    return b;
  }

  /** Of the GOP in which it was torn some is left, or nothing. */
  const restOf = ({ story }: Awaited<ReturnType<typeof torn>>): string[] =>
    story.filter((line) => !/^segment 2: 2000-2\d\d\d$/.test(line));
  const REST = [
    'segment 1: 0-1960',
    expect.stringMatching(/^lost 2\d\d\d-3000: engine-failed$/),
    expect.stringMatching(/^segment [23]: 3000-4960$/),
    expect.stringMatching(/^segment [34]: 5000-5960$/),
  ];

  test(
    'in that GOP: nothing follows what is left of it but a keyframe',
    { tags: ['disk-full', 'engine-died'] },
    async (context) => {
      const b = await torn(context, 2_800);
      expect(restOf(b)).toEqual(REST);
      expect(b.segments.filter(({ pictures, fedPictures }) => pictures !== fedPictures)).toEqual([]);
    },
  );

  test(
    'twice: what is left of it is recorded once',
    { tags: ['disk-full', 'engine-died'] },
    async (context) => {
      const b = await torn(context, 3_400, 3_800);
      expect(restOf(b)).toEqual(REST);
      expect(b.segments.map(({ n }) => n)).toEqual(b.segments.map((_, i) => i + 1));
      const firsts = b.segments.map(({ firstDtsMs }) => firstDtsMs);
      expect(firsts).toEqual([...new Set(firsts)]);
    },
  );

  test(
    'later: what is missing stands between two segments',
    { tags: ['disk-full', 'engine-died'] },
    async (context) => {
      const b = await torn(context, 3_400);
      expect(restOf(b)).toEqual(REST);
      expect(b.segments.filter(({ pictures, fedPictures }) => pictures !== fedPictures)).toEqual([]);
    },
  );
});

describe('another quality that takes over at a keyframe', () => {
  test('leaves what is before it, also in the tail', async () => {
    const b = await bench();
    await feed(b, media(0, 5_700));
    await b.recorder.endAtKeyframe(65_000);
    expect(b.story).toEqual(['segment 1: 0-1960', 'segment 2: 2000-3960', 'segment 3: 4000-4960']);
    const kept = await b.tail.packetsAfter(1, -Infinity);
    expect(kept.some(({ kind, dtsMs }) => kind === 'video' && dtsMs > 64_960)).toBe(false);
  });

  test('behind what no engine survived: what follows the keyframe is no loss', async () => {
    const b = await bench();
    b.engine.diesAt = ({ dtsMs }) => dtsMs >= 64_000;
    await feed(b, media(0, 5_720));
    await passing(b.clock, b.recorder.endAtKeyframe(65_000));
    expect(b.lost.every(([, toMs]) => toMs <= 65_000)).toBe(true);
  });

  test('at the beginning of the epoch leaves nothing', async () => {
    const b = await bench();
    await feed(b, media(0, 700));
    await b.recorder.endAtKeyframe(60_000);
    expect(b.story).toEqual([]);
    expect(b.engine.running).toBe(0);
  });

  test('in a segment that is closed comes too late: all is kept', async () => {
    const b = await bench();
    await feed(b, media(0, 5_700));
    await b.recorder.endAtKeyframe(61_000);
    expect(b.story).toEqual(['segment 1: 0-1960', 'segment 2: 2000-3960', 'segment 3: 4000-5680']);
  });
});

describe('a drain', () => {
  test('closes what ends at a keyframe; the open GOP stays in the tail', async () => {
    const b = await bench();
    await feed(b, media(0, 5_700));
    await b.recorder.endAtKeyframe();
    expect(b.story).toEqual(['segment 1: 0-1960', 'segment 2: 2000-3960', 'segment 3: 4000-4960']);
    const tail = await readTail(b.tailFolder);
    const open = tail?.units.filter(
      (unit) => unit.kind === 'video' && 'dtsMs' in unit && unit.dtsMs > 64_960,
    );
    expect(open).toHaveLength(18);
    expect(b.engine.running).toBe(0);
  });

  test('whose engine dies closes each GOP once', async () => {
    const b = await bench();
    await feed(b, media(0, 1_900));
    b.engine.diesAtEnd = (opened) => opened === 2 || opened === 3;
    b.engine.diesAt = ({ dtsMs }, opened) => opened === 4 && dtsMs > 60_500;
    await feed(b, media(1_900, 5_700));
    await passing(b.clock, b.recorder.endAtKeyframe());
    expect(b.story).toEqual(['segment 1: 0-1960', 'segment 2: 2000-3960', 'segment 3: 4000-4960']);
  });

  test('of less than a GOP closes nothing', async () => {
    const b = await bench();
    await feed(b, media(0, 700));
    await b.recorder.endAtKeyframe();
    expect(b.story).toEqual([]);
    expect((await readTail(b.tailFolder))?.units.filter((unit) => 'data' in unit)).toHaveLength(
      media(0, 700).length,
    );
  });

  test('without a tail closes all', async () => {
    const b = await bench();
    await rm(b.tailFolder, { recursive: true });
    await feed(b, media(0, 2_700));
    await b.recorder.endAtKeyframe();
    expect(b.story).toEqual(['segment 1: 0-1960', 'segment 2: 2000-2680']);
  });

  test('of sound alone closes all', async () => {
    const b = await bench({ alone: true });
    await feed(b, media(0, 2_990, { video: false }));
    await b.recorder.endAtKeyframe();
    expect(b.segments.reduce((sum, { audioFrames }) => sum + audioFrames, 0)).toBe(130);
  });
});

/** The segments of the same media when nothing dies. */
async function whole(): Promise<ClosedSegment[]> {
  const b = await bench();
  await feed(b, media(0, 5_000));
  await b.recorder.end();
  return b.segments;
}
