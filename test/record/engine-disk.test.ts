/** Of both engines: a disk that is full for a moment tears no segment that is handed over as whole. */
import { setImmediate as turn } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { makeMp4, type Units, unitsOfMp4 } from '../media/made.ts';
import { smallDisk } from '../support/disks.ts';
import { beginRecording, decodedPictures, engineError, feed } from './recording.ts';

const START_MS = 60_000;
const KIB_IN_MIB = 1 / 1024;
let units: Units;

beforeAll(() => {
  // 2 s between keyframes, 250 KB a second: more than any buffer on the way holds.
  units = unitsOfMp4(
    makeMp4('engine-disk', {
      seconds: 10,
      extra: ['-g', '60', '-b:v', '2M', '-minrate', '2M', '-maxrate', '2M', '-bufsize', '2M'],
    }),
    START_MS,
  );
});

const ENGINES = [
  ['ffmpeg', 'mpegts'],
  ['ffmpeg', 'fmp4'],
  ['builtin', 'mpegts'],
  ['builtin', 'fmp4'],
] as const;
const MOMENTS = [
  { moment: 'in the middle of a segment', fromMs: 5_000, toMs: 7_000 },
  { moment: 'at the end of one', fromMs: 7_000, toMs: 9_500 },
];

test.for(ENGINES.flatMap(([by, container]) => MOMENTS.map((when) => ({ by, container, ...when }))))(
  '$by, $container, $moment',
  { tags: 'disk-full' },
  async ({ by, container, fromMs, toMs }, context) => {
    const disk = await smallDisk(context, 8);
    const recording = await beginRecording(units, { by, container, folder: disk.folder });
    const between = (beginMs: number, endMs: number) =>
      units.packets.filter(({ dtsMs }) => dtsMs >= START_MS + beginMs && dtsMs < START_MS + endMs);
    const work = async (): Promise<void> => {
      await feed(recording.sink, between(0, fromMs));
      await recording.handedOver(1);
      await disk.fill(64 * KIB_IN_MIB);
      await feed(recording.sink, between(fromMs, toMs));
      // The engine has met the end of it.
      while ((await disk.freeMiB()) > 0) await turn();
      await disk.clear();
      await feed(recording.sink, between(toMs, 10_000));
      await recording.sink.end();
    };
    await engineError(work());
    expect(recording.segments.length).toBeGreaterThan(0);
    for (const segment of recording.segments) {
      expect(decodedPictures(segment, recording.inits[0])).toBe(segment.pictures);
      expect(segment.pictures).toBe(segment.fedPictures);
    }
  },
);
