/** Of both engines: what goes wrong ends in ENGINE, and leaves nothing behind that was not handed over. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { makeMp4, type Units, unitsOfMp4 } from '../media/made.ts';
import { beginRecording, engineError, feed, newFolder } from './recording.ts';

const START_MS = 60_000;
let units: Units;

beforeAll(() => {
  // 2 s between keyframes: segments of 4 s.
  units = unitsOfMp4(makeMp4('engine-faults', { seconds: 8, extra: ['-g', '60'] }), START_MS);
});

const segmentsIn = (folder: string): string[] =>
  readdirSync(folder).filter((name) => !name.endsWith('init.mp4'));

describe.each([
  ['ffmpeg', 'mpegts'],
  ['ffmpeg', 'fmp4'],
  ['builtin', 'mpegts'],
  ['builtin', 'fmp4'],
] as const)('%s, %s', (by, container) => {
  test(
    'pictures of another size than the epoch says are not handed over',
    { tags: 'engine-wrong' },
    async () => {
      const video = { ...units.video, width: units.video.width * 2 };
      const recording = await beginRecording(units, { by, container, video });
      const error = await engineError(feed(recording.sink, units.packets).then(() => recording.sink.end()));
      expect(error.message).toContain('wrong pictures');
      expect(error.context).toEqual({ found: 'h264 160x284', expected: 'h264 320x284' });
      expect(recording.segments).toEqual([]);
      expect(segmentsIn(recording.folder)).toEqual([]);
    },
  );

  test('given up while it writes: only what was handed over is left, and nothing more is taken', async () => {
    const recording = await beginRecording(units, { by, container });
    await feed(
      recording.sink,
      units.packets.filter(({ dtsMs }) => dtsMs < START_MS + 5_000),
    );
    await recording.handedOver(1);
    const writing = recording.sink.write(units.packets.filter(({ dtsMs }) => dtsMs >= START_MS + 5_000));
    writing.catch(() => {});
    await Promise.all([recording.sink.abort(), recording.sink.abort()]);
    await Promise.allSettled([writing]);
    expect(segmentsIn(recording.folder)).toHaveLength(recording.segments.length);
    await engineError(recording.sink.write(units.packets.slice(-1)));
  });

  test('a folder that cannot be written', async () => {
    const folder = join(newFolder(), 'gone');
    const recording = await beginRecording(units, { by, container, folder });
    const error = await engineError(feed(recording.sink, units.packets).then(() => recording.sink.end()));
    expect(recording.segments).toEqual([]);
    expect(error.retryable).toBe(true);
  });

  test('a packet that the epoch has no track for is refused', async () => {
    const recording = await beginRecording(units, { by, container, audio: null });
    const error = await engineError(feed(recording.sink, units.packets));
    expect(error.message).toContain('no audio');
    await recording.sink.abort();
  });
});
