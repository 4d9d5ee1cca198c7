/** Hours of media in one epoch, fed as fast as they are taken: what the engine holds does not grow. */
import { unlinkSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { silentLogger } from '../../src/kernel/logger.ts';
import type { MediaPacket } from '../../src/media/packet.ts';
import { createBuiltinEngine } from '../../src/record/builtin/builtin-engine.ts';
import { makeMp4, unitsOfMp4 } from '../media/made.ts';
import { newFolder } from './recording.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const HOURS = 6;
const SECONDS = 8;
const MOST_GROWTH_BYTES = 2 * 1024 * 1024;

test.each(['mpegts', 'fmp4'] as const)(`${HOURS} hours of %s`, async (container) => {
  const { video, audio, packets } = unitsOfMp4(makeMp4(`hours-${container}`, { seconds: SECONDS }));
  let segments = 0;
  const sink = await createBuiltinEngine({ logger: silentLogger() }).open(
    {
      term: 1,
      epoch: 1,
      video,
      audio,
      container,
      segmentDurationMs: 6_000,
      folder: newFolder(),
      firstSegment: 1,
    },
    {
      onInit: () => {},
      onSegment({ path, pictures, fedPictures, audioFrames, fedAudioFrames }) {
        expect([pictures, audioFrames]).toEqual([fedPictures, fedAudioFrames]);
        unlinkSync(path);
        segments += 1;
      },
    },
  );
  const feedUntil = async (fromSeconds: number, untilSeconds: number): Promise<void> => {
    for (let at = fromSeconds; at < untilSeconds; at += SECONDS) {
      const moved = packets.map((packet): MediaPacket => ({ ...packet, dtsMs: packet.dtsMs + at * 1_000 }));
      for (let n = 0; n < moved.length; n += 50) await sink.write(moved.slice(n, n + 50));
    }
  };
  const heldBytes = (): number => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const warmSeconds = 10 * 60;
  await feedUntil(0, warmSeconds);
  const before = heldBytes();
  await feedUntil(warmSeconds, HOURS * 3_600);
  const after = heldBytes();
  await sink.end();
  expect(segments).toBe((HOURS * 3_600) / 6);
  expect(after - before).toBeLessThan(MOST_GROWTH_BYTES);
});
