/** Of both engines: a disk that is full for a moment tears no segment that is handed over as whole. */
import { setImmediate as turn } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { makeMp4, type Units, unitsOfMp4 } from '../media/made.ts';
import { SmallDisk } from '../support/small-disk.ts';
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

test.for([
  ['ffmpeg', 'mpegts'],
  ['ffmpeg', 'fmp4'],
  ['builtin', 'mpegts'],
  ['builtin', 'fmp4'],
] as const)('%s, %s', { tags: 'disk-full' }, async ([by, container], context) => {
  const disk = await SmallDisk.mount(context, 8);
  const recording = await beginRecording(units, { by, container, folder: disk.folder });
  const between = (fromMs: number, toMs: number) =>
    units.packets.filter(({ dtsMs }) => dtsMs >= START_MS + fromMs && dtsMs < START_MS + toMs);
  const work = async (): Promise<void> => {
    await feed(recording.sink, between(0, 5_000));
    await recording.handedOver(1);
    await disk.fill(64 * KIB_IN_MIB);
    await feed(recording.sink, between(5_000, 7_000));
    // The engine has met the end of it.
    while ((await disk.freeMiB()) > 0) await turn();
    await disk.clear();
    await feed(recording.sink, between(7_000, 10_000));
    await recording.sink.end();
  };
  const working = work();
  await engineError(working);
  expect(recording.segments.length).toBeGreaterThan(0);
  for (const segment of recording.segments) {
    expect(decodedPictures(segment, recording.inits[0])).toBe(segment.pictures);
    expect(segment.pictures).toBe(segment.fedPictures);
  }
});
