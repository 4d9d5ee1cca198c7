import { beforeAll, describe, expect, test } from 'vitest';
import { MatroskaWriter } from '../../src/media/matroska.ts';
import type { MediaPacket } from '../../src/media/packet.ts';
import { ffmpeg, makeMp4, msOf, type ProbedPacket, probe, type Units, unitsOfMp4 } from './made.ts';

const OUT = ['-c', 'copy', '-avoid_negative_ts', 'disabled', '-use_editlist', '0', '-f', 'mp4'];
const FLAGS = ['-movflags', '+frag_keyframe+empty_moov+default_base_moof+frag_discont', 'pipe:1'];

function written({ video, audio, packets }: Units): Buffer {
  const writer = new MatroskaWriter({ video, audio });
  return Buffer.concat([writer.header(), ...packets.flatMap((packet) => writer.buffersOf(packet))]);
}

/** Through ffmpeg's standard input into fragmented MP4. */
const throughFfmpeg = (matroska: Buffer): Buffer =>
  ffmpeg(['-copyts', '-f', 'matroska', '-i', 'pipe:0', ...OUT, ...FLAGS], matroska);

/** Of decode times, in milliseconds; endless when there are more of one than of the other. */
function largestDifference(probed: readonly ProbedPacket[], packets: readonly MediaPacket[]): number {
  const differences = packets.map(({ dtsMs }, i) => Math.abs(msOf(probed[i]?.dts_time) - dtsMs));
  return probed.length === packets.length ? Math.max(...differences) : Infinity;
}

const hour = 3_600_000;
const paths = { h264: '', h265: '' };
beforeAll(() => {
  paths.h264 = makeMp4('mkv-h264', { seconds: 4 });
  paths.h265 = makeMp4('mkv-h265', { codec: 'h265', seconds: 4 });
});

describe.each(['h264', 'h265'] as const)('%s', (codec) => {
  test.each([0, 50 * hour])('every packet comes out of ffmpeg, the base being %i ms', (baseMs) => {
    const units = unitsOfMp4(paths[codec], baseMs);
    const { video, audio } = probe(throughFfmpeg(written(units)));
    const pictures = units.packets.filter((packet) => packet.kind === 'video');
    const sounds = units.packets.filter((packet) => packet.kind === 'audio');
    expect(video.map((packet) => msOf(packet.pts_time))).toEqual(
      pictures.map(({ dtsMs, compositionMs }) => dtsMs + compositionMs),
    );
    // Matroska has no decode times; ffmpeg finds them again within a millisecond. Sound it puts behind the frame before.
    expect(largestDifference(video, pictures)).toBeLessThanOrEqual(1);
    expect(largestDifference(audio, sounds)).toBeLessThanOrEqual(1);
    expect(video.map(({ size }) => Number(size))).toEqual(pictures.map(({ data }) => data.length));
    expect(video.map(({ flags }) => flags.startsWith('K'))).toEqual(pictures.map(({ key }) => key));
  });
});

test('sound alone, for longer than a cluster can last', () => {
  const { audio, packets } = unitsOfMp4(makeMp4('mkv-sound', { seconds: 20, extra: ['-r', '1'] }), hour);
  const sounds = packets.filter((packet) => packet.kind === 'audio');
  const writer = new MatroskaWriter({ video: null, audio });
  const file = Buffer.concat([writer.header(), ...sounds.flatMap((packet) => writer.buffersOf(packet))]);
  const probed = probe(throughFfmpeg(file));
  expect(probed.video).toEqual([]);
  expect(largestDifference(probed.audio, sounds)).toBeLessThanOrEqual(1);
});
