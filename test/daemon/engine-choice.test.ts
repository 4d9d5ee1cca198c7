/** Which engine writes what, and what goes without ffmpeg. */
import { expect, test } from 'vitest';
import { chooseEngines, type EngineChoiceOptions } from '../../src/daemon/engine-choice.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import type { VideoConfig } from '../../src/media/packet.ts';

const WITHOUT_FFMPEG = { PATH: '/nowhere' };
const choose = (engine: EngineChoiceOptions['engine'], env: EngineChoiceOptions['env'] = process.env) =>
  chooseEngines({ engine, clock: systemClock, logger: silentLogger(), env });
const pictures = (codec: VideoConfig['codec']): VideoConfig => ({
  kind: 'video',
  codec,
  record: Buffer.alloc(0),
  width: 720,
  height: 1280,
});

test.each([
  ['auto', 'h264', 'flv', 'ffmpeg'],
  ['auto', 'h264', 'hls', 'ffmpeg'],
  ['auto', 'h265', 'hls', 'ffmpeg'],
  ['auto', 'h265', 'flv', 'builtin'],
  ['auto', null, 'flv', 'ffmpeg'],
  ['ffmpeg', 'h264', 'flv', 'ffmpeg'],
  ['ffmpeg', 'h265', 'flv', 'ffmpeg'],
  ['builtin', 'h264', 'flv', 'builtin'],
  ['builtin', 'h265', 'flv', 'builtin'],
  ['builtin', null, 'flv', 'builtin'],
] as const)('%s: %s over %s is written by %s', async (engine, codec, protocol, writes) => {
  const { engineFor, canRecord } = await choose(engine);
  expect(engineFor({ video: codec && pictures(codec) }, { protocol }).name).toBe(writes);
  expect(canRecord({ protocol })).toBe(true);
});

test('HLS is not for the builtin engine alone', async () => {
  const { canRecord } = await choose('builtin');
  expect(canRecord({ protocol: 'hls' })).toBe('the builtin engine records FLV only');
});

test('without ffmpeg the builtin engine works, and only it', async () => {
  expect(await choose('builtin', WITHOUT_FFMPEG)).toMatchObject({ ffmpegPath: undefined });
  for (const engine of ['auto', 'ffmpeg'] as const) {
    await expect(choose(engine, WITHOUT_FFMPEG)).rejects.toMatchObject({
      code: 'FFMPEG_MISSING',
      hint: expect.stringContaining('--engine builtin'),
    });
  }
});
