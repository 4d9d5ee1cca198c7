/** Of both engines: what is fed to one is in its segments: every picture, every audio frame, on the same time line. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { MediaPacket } from '../../src/media/packet.ts';
import { makeMp4, probe, type Units, unitsOfMp4 } from '../media/made.ts';
import { beginRecording, decodedPictures, feed, record, type RecordOptions } from './recording.ts';

const SECONDS = 10;
const START_MS = 61_234;
const isVideo = (packet: MediaPacket): boolean => packet.kind === 'video';
const isAudio = (packet: MediaPacket): boolean => packet.kind === 'audio';

let h264: Units;
let h265: Units;

beforeAll(() => {
  // 2 s between keyframes.
  h264 = unitsOfMp4(makeMp4('engine-h264', { seconds: SECONDS, extra: ['-g', '60'] }), START_MS);
  const params = 'bframes=3:keyint=60:min-keyint=60:scenecut=0:open-gop=0:log-level=none';
  h265 = unitsOfMp4(
    makeMp4('engine-h265', { codec: 'h265', seconds: SECONDS, extra: ['-x265-params', params] }),
    START_MS,
  );
});

const sourceOf = (codec: 'h264' | 'h265'): Units => (codec === 'h264' ? h264 : h265);
const moved = (units: Units, byMs: number): Units => ({
  ...units,
  packets: units.packets.map((packet) => ({ ...packet, dtsMs: packet.dtsMs + byMs })),
});
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const dtsOf = (packets: readonly MediaPacket[]): number[] => packets.map(({ dtsMs }) => dtsMs);

describe.each(['ffmpeg', 'builtin'] as const)('%s', (by) => {
  describe.each([
    ['h264', 'mpegts'],
    ['h265', 'fmp4'],
    ['h265', 'mpegts'],
    ['h264', 'fmp4'],
  ] as const)('%s in %s', (codec, container) => {
    test.each([true, false])('with sound: %s', async (sound) => {
      const source = sourceOf(codec);
      const packets = source.packets.filter((packet) => sound || isVideo(packet));
      const spec: RecordOptions = { by, container, ...(sound ? {} : { audio: null }) };
      const { segments, inits, folder } = await record({ ...source, packets }, spec);

      // A keyframe every 2 s and 3 s at least: 4 + 4 + 2.
      expect(segments.map(({ n, durationMs }) => [n, durationMs])).toEqual([
        [1, 4_000],
        [2, 4_000],
        [3, 2_000],
      ]);
      expect(inits).toHaveLength(container === 'fmp4' ? 1 : 0);
      const video = packets.filter(isVideo);
      const audio = packets.filter(isAudio);
      expect(sum(segments.map(({ pictures }) => pictures))).toBe(video.length);
      expect(sum(segments.map(({ audioFrames }) => audioFrames))).toBe(audio.length);
      for (const segment of segments) {
        expect(segment.pictures).toBe(segment.fedPictures);
        expect(segment.audioFrames).toBe(segment.fedAudioFrames);
        const fed = dtsOf(video).filter(
          (dtsMs) => dtsMs >= segment.firstDtsMs && dtsMs < segment.firstDtsMs + segment.durationMs,
        );
        expect([segment.firstDtsMs, segment.lastDtsMs]).toEqual([fed[0], fed.at(-1)]);
        const bytes = readFileSync(segment.path);
        expect(segment.bytes).toBe(bytes.length);
        expect(segment.sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
        expect(decodedPictures(segment, inits[0])).toBe(segment.pictures);
      }
      const extension = container === 'mpegts' ? 'ts' : 'm4s';
      expect(readdirSync(folder).toSorted()).toEqual([
        ...[1, 2, 3].map((n) => `0001-0001-00000${n}.${extension}`),
        ...(container === 'fmp4' ? ['0001-0001-init.mp4'] : []),
      ]);
    });

    test('presentation and decode times come out as they went in', async () => {
      const source = sourceOf(codec);
      const { segments, inits } = await record(source, { by, container });
      const written = segments.flatMap((segment) => {
        const bytes = [...inits, segment].map(({ path }) => readFileSync(path));
        return probe(Buffer.concat(bytes)).video;
      });
      const ms = (time: string | undefined): number => Math.round(Number(time) * 1_000);
      const fed = source.packets.filter(isVideo);
      // Matroska has no decode times: ffmpeg works them out.
      const dtsToleranceMs = by === 'ffmpeg' && codec === 'h265' ? 2 : 0;
      expect(written).toHaveLength(fed.length);
      for (const [at, packet] of fed.entries()) {
        const found = written[at]!;
        expect(ms(found.pts_time)).toBe(packet.dtsMs + (packet.kind === 'video' ? packet.compositionMs : 0));
        expect(Math.abs(ms(found.dts_time) - packet.dtsMs)).toBeLessThanOrEqual(dtsToleranceMs);
      }
    });
  });

  test.each(['mpegts', 'fmp4'] as const)('sound alone in %s', async (container) => {
    const packets = h264.packets.filter(isAudio);
    const { segments, inits } = await record({ ...h264, packets }, { by, container, video: null });
    expect(segments.length).toBeGreaterThanOrEqual(3);
    for (const segment of segments) {
      expect(segment.pictures).toBe(0);
      expect(segment.audioFrames).toBe(segment.fedAudioFrames);
    }
    for (const { durationMs } of segments.slice(0, -1)) expect(Math.abs(durationMs - 3_000)).toBeLessThan(50);
    expect(sum(segments.map(({ audioFrames }) => audioFrames))).toBe(packets.length);
    expect(Math.abs(segments[0]!.firstDtsMs - packets[0]!.dtsMs)).toBeLessThanOrEqual(1);
    expect(
      probe(Buffer.concat([...inits, ...segments].map(({ path }) => readFileSync(path)))).audio,
    ).toHaveLength(packets.length);
  });

  test.each(['mpegts', 'fmp4'] as const)('sound that comes late, in %s', async (container) => {
    const packets = h264.packets.filter((packet) => isVideo(packet) || packet.dtsMs > START_MS + 5_000);
    const { segments } = await record({ ...h264, packets }, { by, container });
    expect(segments.map(({ pictures }) => pictures)).toEqual([120, 120, 60]);
    expect(segments[0]!.audioFrames).toBe(0);
    expect(sum(segments.map(({ audioFrames }) => audioFrames))).toBe(packets.filter(isAudio).length);
  });

  test.each([
    ['h264', 'mpegts'],
    ['h264', 'fmp4'],
    ['h265', 'fmp4'],
  ] as const)('sound that is announced and never comes, %s in %s', async (codec, container) => {
    const source = sourceOf(codec);
    const recording = await beginRecording(source, { by, container });
    await feed(recording.sink, source.packets.filter(isVideo));
    await recording.handedOver(1);
    await recording.sink.end();
    expect(recording.segments.map(({ pictures }) => pictures)).toEqual([120, 120, 60]);
  });

  test('a keyframe every ten seconds: segments as long as that', async () => {
    const units = unitsOfMp4(makeMp4(`long-gop-${by}`, { seconds: 22, extra: ['-g', '300'] }), START_MS);
    const { segments } = await record(units, { by });
    expect(segments.map(({ durationMs }) => durationMs)).toEqual([10_000, 10_000, 2_000]);
  });

  test.each(['mpegts', 'fmp4'] as const)(
    '%s segments are there as soon as they can be',
    async (container) => {
      const recording = await beginRecording(h264, { by, container });
      // Up to a little after the keyframe at 4 s: the epoch is not over.
      await feed(
        recording.sink,
        h264.packets.filter(({ dtsMs }) => dtsMs <= START_MS + 4_100),
      );
      await recording.handedOver(1);
      expect(recording.segments[0]!.pictures).toBe(120);
      await recording.sink.abort();
    },
  );

  describe('any place on the time line', () => {
    test.each([
      ['just before the clock of MPEG-TS runs over', 2 ** 33 / 90 - START_MS - 5_000],
      ['25 days in, beyond what 31 bits of milliseconds hold', 25 * 86_400_000],
      ['60 days in, beyond what 32 hold', 60 * 86_400_000],
    ])('%s', async (_, byMs) => {
      for (const container of ['mpegts', 'fmp4'] as const) {
        const units = moved(h264, Math.round(byMs));
        const { segments } = await record(units, { by, container });
        const video = units.packets.filter(isVideo);
        expect(segments.map(({ pictures }) => pictures)).toEqual([120, 120, 60]);
        expect([segments[0]!.firstDtsMs, segments.at(-1)!.lastDtsMs]).toEqual([
          video[0]!.dtsMs,
          video.at(-1)!.dtsMs,
        ]);
      }
    });
  });

  test.each(['mpegts', 'fmp4'] as const)(
    'keyframes that are recovery points, not IDR, in %s',
    async (container) => {
      const extra = ['-x264-params', 'open-gop=1:keyint=60:min-keyint=30'];
      const units = unitsOfMp4(makeMp4(`open-gop-${by}-${container}`, { seconds: 8, extra }), START_MS);
      const { segments, inits } = await record(units, { by, container });
      expect(segments.map(({ pictures }) => pictures).length).toBeGreaterThan(1);
      expect(sum(segments.map(({ pictures }) => pictures))).toBe(240);
      // The second begins with what a decoder needs; pictures that refer to the segment before can't be shown.
      expect(decodedPictures(segments[1]!, inits[0])).toBeGreaterThan(segments[1]!.pictures - 5);
    },
  );

  test('the number of the first segment, and the term and epoch in the names', async () => {
    const { segments } = await record(h264, { by, term: 12, epoch: 34, firstSegment: 567 });
    expect(segments.map(({ path }) => basename(path))).toEqual([
      '0012-0034-000567.ts',
      '0012-0034-000568.ts',
      '0012-0034-000569.ts',
    ]);
  });

  test('an epoch without a packet ends without a segment', async () => {
    const { sink, segments } = await beginRecording(h264, { by });
    await sink.end();
    expect(segments).toEqual([]);
  });
});
