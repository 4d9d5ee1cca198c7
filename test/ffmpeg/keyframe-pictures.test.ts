/** Keyframes that one process decodes are the same pictures, in the same order, as each decoded by itself. */
import { existsSync } from 'node:fs';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { drawKeyframes, encodeSheet, encodeStill } from '../../src/ffmpeg/keyframe-pictures.ts';
import type { Keyframe } from '../../src/media/first-keyframe.ts';
import { AnnexBFraming } from '../../src/media/annex-b.ts';
import { makeMp4, unitsOfMp4 } from '../media/made.ts';
import { isRunning, newFolder, pidIn, script } from '../record/recording.ts';

const SIZE = { width: 64, height: 114 };
const options = { ffmpegPath: 'ffmpeg' };

function keyframesOf(path: string): Keyframe[] {
  const { video, packets } = unitsOfMp4(path);
  if (!video) throw new Error('no pictures');
  return packets.flatMap((packet) =>
    packet.kind === 'video' && packet.key
      ? [{ codec: video.codec, data: new AnnexBFraming(video).frame(packet.data, true) }]
      : [],
  );
}

let h264: Keyframe[];
let wide: Keyframe[];
let h265: Keyframe[];
let open: Keyframe[];
beforeAll(() => {
  h264 = keyframesOf(makeMp4('stills-h264', { seconds: 4 }));
  wide = keyframesOf(makeMp4('stills-wide', { size: '320x180', seconds: 3 }));
  h265 = keyframesOf(makeMp4('stills-h265', { codec: 'h265', seconds: 4 }));
  // Keyframes that are no new beginning: pictures before them in time refer to what was before.
  const openGop = 'bframes=3:keyint=30:min-keyint=30:scenecut=0:open-gop=1:log-level=none';
  open = keyframesOf(
    makeMp4('stills-open', { codec: 'h265', seconds: 14, extra: ['-x265-params', openGop] }),
  );
});

const oneByOne = async (keyframes: readonly Keyframe[]): Promise<(Buffer | undefined)[]> =>
  (await Promise.all(keyframes.map((keyframe) => drawKeyframes([keyframe], SIZE, options)))).flat();

describe('pictures', () => {
  test.each<[string, () => Keyframe[]]>([
    ['H.264', () => h264],
    ['H.264 of two sizes, in turns', () => h264.flatMap((each, i) => (wide[i] ? [each, wide[i]] : [each]))],
    ['H.265', () => h265],
    ['H.265 with open groups of pictures', () => open],
    ['the same, far apart', () => open.filter((_, i) => i % 6 === 0)],
    ['the same, backwards', () => open.toReversed()],
    ['both codecs', () => [...h264, ...h265, ...wide, ...open]],
    ['the same one again and again', () => [h264[0]!, h264[0]!, h264[0]!]],
    ['none', () => []],
  ])('of %s', async (_, given) => {
    const keyframes = given();
    const drawn = await drawKeyframes(keyframes, SIZE, options);
    expect(drawn).toHaveLength(keyframes.length);
    expect(drawn.map((picture) => picture?.length)).toEqual(keyframes.map(() => 64 * 114 * 3));
    expect(drawn).toEqual(await oneByOne(keyframes));
  });

  test('of what is none are told, and are nobody else’s', async () => {
    const nothing: Keyframe = { codec: 'h264', data: Buffer.from('0000000109f0', 'hex') };
    const drawn = await drawKeyframes([h264[0]!, nothing, h264[1]!], SIZE, options);
    expect(drawn).toEqual([...(await oneByOne([h264[0]!])), undefined, ...(await oneByOne([h264[1]!]))]);
  });

  test('a sheet of them is a JPEG, and so is a still', async () => {
    const drawn = (await drawKeyframes(h264, SIZE, options)).map((picture) => picture!);
    const sheet = await encodeSheet(drawn, { ...SIZE, columns: 3 }, options);
    const still = await encodeStill(h265[0]!, 80, options);
    expect([sheet, still].map((jpg) => jpg.subarray(0, 2).toString('hex'))).toEqual(['ffd8', 'ffd8']);
  });
});

describe('a process', () => {
  test('that is aborted is gone, and the reason is given', async () => {
    const home = newFolder();
    const { path, pidFile } = script(`touch '${home}/started'; exec sleep 60`);
    const stop = new AbortController();
    const drawing = drawKeyframes(h264, SIZE, { ffmpegPath: path, niceness: 19, signal: stop.signal });
    const outcome = drawing.catch((error: unknown) => error);
    await expect.poll(() => existsSync(join(home, 'started')), { timeout: 10_000, interval: 20 }).toBe(true);
    const pid = pidIn(pidFile);
    expect(getPriority(pid)).toBe(19);
    const reason = new Error('enough');
    stop.abort(reason);
    expect(await outcome).toBe(reason);
    expect(isRunning(pid)).toBe(false);
  });

  test('that is not there is told', async () => {
    await expect(drawKeyframes(h264, SIZE, { ffmpegPath: '/nowhere' })).rejects.toMatchObject({
      code: 'FFMPEG_MISSING',
    });
  });
});
