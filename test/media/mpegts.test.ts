import * as fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseHevcRecord } from '../../src/media/hevc.ts';
import { MpegTsDemuxer } from '../../src/media/mpegts.ts';
import { isConfig, type MediaPacket, type MediaUnit } from '../../src/media/packet.ts';
import { censusOfTs, TsCensusTaker } from '../../src/media/ts-census.ts';
import { boxOf, cut, endsWell, makeMp4, msOf, type ProbedPacket, probe, remux, unitsOfMp4 } from './made.ts';

function demux(chunks: Iterable<Buffer>, demuxer = new MpegTsDemuxer()): MediaUnit[] {
  const units: MediaUnit[] = [];
  for (const chunk of chunks) {
    units.push(...demuxer.push(chunk));
  }
  units.push(...demuxer.flush());
  return units;
}

const packetsIn = (units: readonly MediaUnit[], kind: MediaPacket['kind']) =>
  units.filter((unit): unit is MediaPacket => unit.kind === kind && !isConfig(unit));
const configsIn = (units: readonly MediaUnit[]) => units.filter(isConfig);

/** Decode time, presentation time and key of pictures, ours and ffprobe's. */
const timesOf = (packets: readonly MediaPacket[]) =>
  packets.map((packet) =>
    packet.kind === 'video' ? [packet.dtsMs, packet.dtsMs + packet.compositionMs, packet.key] : [],
  );
const probedTimes = (packets: readonly ProbedPacket[]) =>
  packets.map((packet) => [msOf(packet.dts_time), msOf(packet.pts_time), packet.flags.startsWith('K')]);

let h264: Buffer;
let h265: Buffer;
let h264Mp4: string;
let h265Mp4: string;
beforeAll(() => {
  h264Mp4 = makeMp4('ts-h264');
  h265Mp4 = makeMp4('ts-h265', { codec: 'h265', seconds: 2 });
  h264 = remux(h264Mp4, '-f', 'mpegts');
  h265 = remux(h265Mp4, '-f', 'mpegts');
});

describe('demuxing', () => {
  test.each(['h264', 'h265'] as const)('%s: every picture and frame, at its time, as in the MP4', (codec) => {
    const [ts, path] = codec === 'h264' ? [h264, h264Mp4] : [h265, h265Mp4];
    const units = demux(cut(ts, [4096]));
    const probed = probe(ts);
    expect(timesOf(packetsIn(units, 'video'))).toEqual(probedTimes(probed.video));
    // ffprobe's rounding of a frame's time within its PES packet is another.
    const sound = packetsIn(units, 'audio').map(({ dtsMs }, i) => dtsMs - msOf(probed.audio[i]?.dts_time));
    expect(sound).toHaveLength(probed.audio.length);
    expect(Math.max(...sound.map(Math.abs))).toBeLessThanOrEqual(1);
    const mp4 = unitsOfMp4(path);
    const sourceOf = (kind: string) => mp4.packets.filter((packet) => packet.kind === kind);
    expect(packetsIn(units, 'audio').map(({ data }) => data)).toEqual(
      sourceOf('audio').map(({ data }) => data),
    );
    // The muxer puts SEI of the record before keyframes; the others are the same.
    const others = (packets: readonly MediaPacket[]) =>
      packets.flatMap((packet) => (packet.kind === 'video' && !packet.key ? [packet.data] : []));
    expect(others(packetsIn(units, 'video'))).toEqual(others(mp4.packets));
    expect(configsIn(units)).toEqual([
      expect.objectContaining({ kind: 'video', codec, width: 160, height: 284 }),
      expect.objectContaining({ kind: 'audio', sampleRate: 44_100, channels: 1 }),
    ]);
  });

  test('the configuration is the one that the MP4 has', () => {
    const [avc] = configsIn(demux([h264]));
    expect(avc!.record).toEqual(boxOf(readFileSync(h264Mp4), 'avcC'));
    const [hevc] = configsIn(demux([h265]));
    expect(parseHevcRecord(hevc!.record)).toEqual(parseHevcRecord(boxOf(readFileSync(h265Mp4), 'hvcC')));
  });

  test('gives the same units, wherever the stream is split', () => {
    const short = h264.subarray(0, 188 * 150);
    const whole = demux([short]);
    const sizesArb = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(sizesArb, (sizes) => {
        const units = demux(cut(short, sizes));
        const of = (kind: MediaUnit['kind']) => (unit: MediaUnit) => unit.kind === kind;
        expect(units.filter(of('video'))).toEqual(whole.filter(of('video')));
        expect(units.filter(of('audio'))).toEqual(whole.filter(of('audio')));
      }),
      { numRuns: 30 },
    );
  });

  test('segments behind one another are one stream, and a changed picture size a new configuration', () => {
    const other = remux(makeMp4('ts-wide', { size: '284x160', seconds: 1 }), '-f', 'mpegts');
    const demuxer = new MpegTsDemuxer();
    const first = demux([h264], demuxer);
    const again = demux([h264], demuxer);
    const wide = demux([other], demuxer);
    expect(packetsIn(again, 'video')).toEqual(packetsIn(first, 'video'));
    expect(configsIn(again)).toEqual([]);
    expect(configsIn(wide)).toEqual([expect.objectContaining({ width: 284, height: 160 })]);
    expect(wide.indexOf(configsIn(wide)[0]!)).toBeLessThan(wide.indexOf(packetsIn(wide, 'video')[0]!));
    expect(demuxer.continuityErrors).toBe(0);
  });

  test('times go on when the clock of 33 bits runs over', () => {
    const wrapMs = 2 ** 33 / 90;
    const offset = String((wrapMs - 1500) / 1000);
    const args = ['-output_ts_offset', offset, '-muxdelay', '0', '-muxpreload', '0', '-f', 'mpegts'];
    const times = packetsIn(demux([remux(h264Mp4, ...args)]), 'video').map(({ dtsMs }) => dtsMs);
    expect(times).toHaveLength(90);
    expect(times.every((time, i) => i === 0 || (time > times[i - 1]! && time - times[i - 1]! < 40))).toBe(
      true,
    );
    expect(times.at(-1)).toBeGreaterThan(wrapMs);
  });

  test('several pictures in a PES packet are told apart by their delimiters, pictures in several go together', () => {
    const args = ['-f', 'mpegts', '-pes_payload_size', '0', '-omit_video_pes_length', '0'];
    const units = packetsIn(demux([h264]), 'video');
    const joined = rewrapped(h264, (index) => index % 3 !== 1);
    const counted = packetsIn(demux([joined]), 'video');
    expect(counted.map(({ data }) => data)).toEqual(units.map(({ data }) => data));
    expect(packetsIn(demux([remux(h264Mp4, ...args)]), 'video')).toHaveLength(90);
  });

  test('finds sync again, and counts what was lost', () => {
    const packets = [...cut(h264, [188])];
    const at = Math.floor(packets.length / 2);
    const holed = Buffer.concat([
      ...packets.slice(0, at),
      Buffer.from('noise G noise'),
      ...packets.slice(at + 3),
    ]);
    const demuxer = new MpegTsDemuxer();
    const pictures = packetsIn(demux(cut(holed, [1000]), demuxer), 'video');
    expect(demuxer.continuityErrors).toBeGreaterThan(0);
    expect(pictures.length).toBeGreaterThan(85);
    expect(censusOfTs(holed)).toMatchObject({ continuityErrors: demuxer.continuityErrors, strayBytes: 13 });
  });

  test('a packet that is sent twice is read once', () => {
    const packets = [...cut(h264, [188])];
    const doubled = Buffer.concat(
      packets.flatMap((packet, i) => (i % 7 === 0 ? [packet, packet] : [packet])),
    );
    const demuxer = new MpegTsDemuxer();
    expect(demux([doubled], demuxer)).toEqual(demux([h264]));
    expect(demuxer.continuityErrors).toBe(0);
  });

  test.each([
    ['a page', '<html>Gone</html>'],
    ['a long page', '<html>G</html>'.repeat(10_000)],
    ['zeros', '\0'.repeat(100_000)],
  ])('%s is not media', (_, body) => {
    expect(() => demux(cut(Buffer.from(body), [5000]))).toThrow(
      expect.objectContaining({ code: 'MEDIA_NOT_MEDIA' }),
    );
  });

  test('any damage is units or a LivestowError', () => {
    const short = h264.subarray(0, 188 * 60);
    const damageArb = fc.array(fc.tuple(fc.nat(short.length - 1), fc.nat(255)), { maxLength: 60 });
    fc.assert(
      fc.property(damageArb, (damage) => {
        const bytes = Buffer.from(short);
        for (const [at, value] of damage) {
          bytes[at] = value;
        }
        expect(endsWell(() => demux([bytes]))).toBe(true);
        expect(endsWell(() => censusOfTs(bytes))).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});

describe('the census', () => {
  test.each(['h264', 'h265'] as const)('of %s counts what ffprobe counts', (codec) => {
    const ts = codec === 'h264' ? h264 : h265;
    const { video, audio } = probe(ts);
    const taker = new TsCensusTaker();
    for (const chunk of cut(ts, [1, 187, 64, 4096])) {
      taker.push(chunk);
    }
    const census = taker.finish();
    expect(census).toEqual({
      codec,
      width: 160,
      height: 284,
      pictures: video.length,
      audioFrames: audio.length,
      firstDtsMs: msOf(video[0]!.dts_time),
      lastDtsMs: msOf(video.at(-1)!.dts_time),
      startsWithKeyframe: true,
      continuityErrors: 0,
      strayBytes: 0,
    });
    expect(censusOfTs(ts)).toEqual(census);
  });

  test('of sound alone has the times of the sound', () => {
    const ts = remux(h264Mp4, '-vn', '-f', 'mpegts');
    const { audio } = probe(ts);
    expect(censusOfTs(ts)).toMatchObject({
      codec: null,
      pictures: 0,
      audioFrames: audio.length,
      firstDtsMs: msOf(audio[0]!.dts_time),
      lastDtsMs: msOf(audio.at(-1)!.dts_time),
      startsWithKeyframe: false,
    });
  });

  test('of a segment that does not begin at a keyframe says so', () => {
    // Tables, then the stream from its second picture on.
    const packets = [...cut(h264, [188])];
    const starts = packets.flatMap((packet, i) => (isVideoStart(packet) ? [i] : []));
    const tables = packets
      .filter((packet) => [0, 0x1000].includes(packet.readUInt16BE(1) & 0x1fff))
      .slice(0, 2);
    const late = Buffer.concat([...tables, ...packets.slice(starts[1])]);
    expect(censusOfTs(late)).toMatchObject({
      pictures: starts.length - 1,
      startsWithKeyframe: false,
      width: 0,
    });
  });

  test('of a torn segment counts whole frames', () => {
    const torn = censusOfTs(h264.subarray(0, h264.length - 188 * 40 - 50));
    const whole = censusOfTs(h264);
    expect(torn.audioFrames).toBeLessThan(whole.audioFrames);
    expect(torn.strayBytes).toBe(138);
    expect(censusOfTs(Buffer.alloc(0))).toMatchObject({ pictures: 0, audioFrames: 0, firstDtsMs: null });
  });
});

const VIDEO_PID = 0x100;
const isVideoStart = (packet: Buffer): boolean =>
  (packet.readUInt16BE(1) & 0x1fff) === VIDEO_PID && (packet[1]! & 0x40) > 0;

/** The same video with fewer PES packets: where `keeps` says no, a PES packet goes on in the one before. */
function rewrapped(ts: Buffer, keeps: (index: number) => boolean): Buffer {
  let index = -1;
  const packets: Buffer[] = [];
  for (const packet of cut(ts, [188])) {
    if (!isVideoStart(packet)) {
      packets.push(packet);
      continue;
    }
    index++;
    if (keeps(index)) {
      packets.push(packet);
      continue;
    }
    // The PES header gives way to stuffing, the payload moves nowhere.
    const changed = Buffer.from(packet);
    changed[1]! &= ~0x40;
    const fieldBytes = (packet[3]! & 0x20) > 0 ? 1 + packet[4]! : 0;
    const pesAt = 4 + fieldBytes;
    const payloadAt = pesAt + 9 + packet[pesAt + 8]!;
    changed[3]! |= 0x20;
    changed[4] = payloadAt - 5;
    if (fieldBytes === 0) {
      changed[5] = 0;
    }
    changed.fill(0xff, fieldBytes === 0 ? 6 : pesAt, payloadAt);
    packets.push(changed);
  }
  return Buffer.concat(packets);
}
