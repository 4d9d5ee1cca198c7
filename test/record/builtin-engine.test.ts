/** What the builtin engine promises beyond the seam. */
import { readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { encodeFlvTag, FLV_HEADER, FlvTagReader } from '../../src/media/flv.ts';
import { flvTagOfUnit, unitOfFlvTag } from '../../src/media/flv-units.ts';
import { isConfig, type MediaPacket, type MediaUnit } from '../../src/media/packet.ts';
import { censusOfTs } from '../../src/media/ts-census.ts';
import { initSegment } from '../../src/record/builtin/init-segment.ts';
import { boxOf, makeMp4, probe, type Units, unitsOfMp4 } from '../media/made.ts';
import { beginRecording, decodedPictures, feed, newFolder, record } from './recording.ts';

const START_MS = 60_000;
const by = 'builtin';
let h264: Units;
let h265: Units;

beforeAll(() => {
  h264 = unitsOfMp4(makeMp4('builtin-h264', { seconds: 8, extra: ['-g', '120'] }), START_MS);
  h265 = unitsOfMp4(makeMp4('builtin-h265', { codec: 'h265', seconds: 6 }), START_MS);
});

const isVideo = (packet: MediaPacket): boolean => packet.kind === 'video';
const fragmentsOf = ({ path }: { path: string }): number =>
  readFileSync(path).toString('latin1').split('moof').length - 1;

describe('h265 as the CDNs send it', () => {
  test.each(['legacy', 'enhanced'] as const)(
    '%s FLV to fragmented MP4, picture for picture',
    async (form) => {
      const { video, audio, packets } = unitsOfFlv(flvOf(h265, form));
      const { segments, inits } = await record({ video, audio, packets }, { by, container: 'fmp4' });
      const pictures = segments.map((segment) => decodedPictures(segment, inits[0]));
      expect(pictures).toEqual(segments.map((segment) => segment.pictures));
      expect(pictures.reduce((sum, count) => sum + count)).toBe(180);
      const init = readFileSync(inits[0]!.path);
      expect(init.includes('hvc1')).toBe(true);
      expect(boxOf(init, 'hvcC')).toEqual(video.record);
    },
  );
});

test('the init segment is the same whenever it is made', async () => {
  const first = await initSegment(h264);
  // Dates in MP4 are whole seconds.
  await expect.poll(() => Date.now() % 1_000, { interval: 10 }).toBeLessThan(100);
  expect(await initSegment(h264)).toEqual(first);
});

test.each(['mpegts', 'fmp4'] as const)('a %s segment grows second by second', async (container) => {
  const recording = await beginRecording(h264, { by, container });
  await feed(
    recording.sink,
    h264.packets.filter(({ dtsMs }) => dtsMs < START_MS + 3_400),
  );
  expect(recording.segments).toEqual([]);
  const file = readdirSync(recording.folder).find((name) => !name.endsWith('init.mp4'))!;
  const open = { path: join(recording.folder, file) };
  const pictures = decodedPictures(open, recording.inits[0]);
  expect(pictures).toBeGreaterThanOrEqual(88);
  expect(pictures).toBeLessThanOrEqual(102);
  await recording.sink.abort();
});

test('a fragment lasts about a second, keyframe or not', async () => {
  const { segments } = await record(h264, { by, container: 'fmp4' });
  expect(segments.map(({ durationMs }) => durationMs)).toEqual([4_000, 4_000]);
  expect(segments.map(fragmentsOf)).toEqual([4, 4]);
});

test('pictures that stop coming hold up nothing but the last of them', async () => {
  const packets = h264.packets.filter((packet) => !isVideo(packet) || packet.dtsMs < START_MS + 1_500);
  const { sink, folder, inits, segments } = await beginRecording(h264, { by, container: 'fmp4' });
  await feed(sink, packets);
  const open = readdirSync(folder).find((name) => !name.endsWith('init.mp4'))!;
  const { video, audio } = probe(
    Buffer.concat([inits[0]!.path, join(folder, open)].map((path) => readFileSync(path))),
  );
  expect(video).toHaveLength(packets.filter(isVideo).length - 1);
  expect(audio.length).toBeGreaterThan((5_000 * 44_100) / 1_024_000);
  await sink.end();
  expect(segments.map(({ pictures, fedPictures }) => pictures - fedPictures)).toEqual([0]);
});

test('MPEG-TS: counters go on from segment to segment, each of which begins with what a decoder needs', async () => {
  const { segments } = await record(h264, { by });
  const files = segments.map(({ path }) => readFileSync(path));
  expect(censusOfTs(Buffer.concat(files))).toMatchObject({
    continuityErrors: 0,
    strayBytes: 0,
    pictures: 240,
  });
  for (const file of files) expect(censusOfTs(file).startsWithKeyframe).toBe(true);
});

test.each(['mpegts', 'fmp4'] as const)(
  'sound in %s is continuous, whatever milliseconds round it to',
  async (container) => {
    const { segments, inits } = await record(h264, { by, container });
    const { audio } = probe(Buffer.concat([...inits, ...segments].map(({ path }) => readFileSync(path))));
    const stepsMs = audio
      .slice(1)
      .map(({ pts_time: time }, at) => 1_000 * (Number(time) - Number(audio[at]!.pts_time)));
    for (const stepMs of stepsMs) expect(Math.abs(stepMs - 1_024_000 / 44_100)).toBeLessThan(0.2);
  },
);

describe('a full disk', () => {
  test.each(['mpegts', 'fmp4'] as const)('in the middle of a %s segment', async (container) => {
    const folder = newFolder();
    // /dev/full says ENOSPC to every write.
    symlinkSync('/dev/full', join(folder, `0001-0001-000002.${container === 'mpegts' ? 'ts' : 'm4s'}`));
    const recording = await beginRecording(h264, { by, container, folder });
    const [end] = await Promise.allSettled([feed(recording.sink, h264.packets)]);
    expect(end).toMatchObject({ reason: { code: 'ENGINE', retryable: true, cause: { code: 'ENOSPC' } } });
    expect(recording.segments.map(({ n }) => n)).toEqual([1]);
    expect(readdirSync(folder).filter((name) => name.includes('000002'))).toEqual([]);
  });
});

/** A body as a CDN sends it. */
function flvOf({ video, audio, packets }: Units, form: 'legacy' | 'enhanced'): Buffer {
  const tags = [video, audio, ...packets].map((unit: MediaUnit) => {
    const tag = flvTagOfUnit(unit, video.codec);
    if (form === 'legacy' || unit.kind === 'audio') return tag;
    const { data } = tag;
    const key = data[0]! >> 4;
    const config = isConfig(unit);
    const head = Buffer.from([0x80 | (key << 4) | (config ? 0 : 1), ...Buffer.from('hvc1')]);
    return { ...tag, data: Buffer.concat([head, data.subarray(config ? 5 : 2)]) };
  });
  return Buffer.concat([FLV_HEADER, ...tags.map(encodeFlvTag)]);
}

function unitsOfFlv(body: Buffer): Units {
  const units = new FlvTagReader().push(body).flatMap((tag) => unitOfFlvTag(tag) ?? []);
  const [video, audio, ...rest] = units;
  if (video?.kind !== 'video' || !isConfig(video) || audio?.kind !== 'audio' || !isConfig(audio)) {
    throw new Error('It does not begin with its configurations.');
  }
  const packets = rest.filter((unit): unit is MediaPacket => 'dtsMs' in unit);
  return { video, audio, packets };
}
