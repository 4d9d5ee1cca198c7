import * as fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { encodeFlvTag, type FlvTag, FlvTagReader } from '../../src/media/flv.ts';
import { flvBuffersOf, flvTagOfUnit, type FlvUnit, unitOfFlvTag } from '../../src/media/flv-units.ts';
import type { MediaPacket, MediaUnit } from '../../src/media/packet.ts';
import { makeMp4, msOf, probe, remux, type Units, unitsOfMp4 } from './made.ts';

const tag = (type: FlvTag['type'], hex: string): FlvTag => ({
  type,
  timestampMs: 40,
  data: Buffer.from(hex.replaceAll(' ', ''), 'hex'),
});
const hvc1 = '68766331';

describe('a tag is', () => {
  const picture = (key: boolean, compositionMs: number) => ({
    kind: 'video',
    dtsMs: 40,
    compositionMs,
    key,
    data: Buffer.from('aabb', 'hex'),
  });
  const sound = { kind: 'audio', dtsMs: 40, data: Buffer.from('aabb', 'hex') };
  test.each<[string, FlvTag, unknown]>([
    ['an AVC keyframe', tag(9, '17 01 000021 aabb'), picture(true, 33)],
    ['an AVC picture', tag(9, '27 01 000000 aabb'), picture(false, 0)],
    ['a composition time below zero', tag(9, '27 01 ffffdf aabb'), picture(false, -33)],
    ['a legacy HEVC keyframe', tag(9, '1c 01 000021 aabb'), picture(true, 33)],
    ['a legacy HEVC picture', tag(9, '2c 01 000000 aabb'), picture(false, 0)],
    ['an enhanced one with composition time', tag(9, `91 ${hvc1} 000021 aabb`), picture(true, 33)],
    ['an enhanced one below zero', tag(9, `a1 ${hvc1} ffffdf aabb`), picture(false, -33)],
    ['an enhanced one without', tag(9, `a3 ${hvc1} aabb`), picture(false, 0)],
    ['an enhanced AVC one', tag(9, '93 61766331 aabb'), picture(true, 0)],
    ['an AVC end', tag(9, '17 02 000000'), { kind: 'end' }],
    ['an end without composition time', tag(9, '1c02'), { kind: 'end' }],
    ['an enhanced end', tag(9, `92 ${hvc1}`), { kind: 'end' }],
    ['raw AAC', tag(8, 'af 01 aabb'), sound],
    ['enhanced AAC', tag(8, '91 6d703461 aabb'), sound],
    ['a script', tag(18, '02000a'), { kind: 'script', data: Buffer.from('02000a', 'hex') }],
    ['nothing: empty video', tag(9, ''), undefined],
    ['nothing: empty audio', tag(8, 'af'), undefined],
    ['nothing: no picture in it', tag(9, '27 01 000000'), undefined],
    ['nothing: no sound in it', tag(8, 'af 01'), undefined],
    ['nothing: an empty sequence header', tag(9, '17 00 000000'), undefined],
    ['nothing: a seek command', tag(9, '57 00 000000 00'), undefined],
    ['nothing: enhanced metadata', tag(9, `94 ${hvc1} 0200`), undefined],
  ])('%s', (_, given, unit) => {
    expect(unitOfFlvTag(given)).toEqual(unit);
  });

  test.each([
    ['Sorenson', tag(9, '22 000000 0000'), 'codec id 2'],
    ['AV1', tag(9, '90 61763031 0000'), 'av01'],
    ['multitrack', tag(9, `96 ${hvc1} 00`), 'packet type 6'],
    ['MP3', tag(8, '2f 01 aabb'), 'format 2'],
    ['Opus', tag(8, '90 4f707573 aabb'), 'Opus'],
    ['an avcC that is none', tag(9, '17 00 000000 ffff'), 'avcC'],
    ['an avcC cut short', tag(9, '17 00 000000 01640028ffe1 0019 67'), 'cut short'],
    ['an avcC without SPS', tag(9, '17 00 000000 01640028ffe0 00'), 'no SPS'],
    ['an hvcC that is none', tag(9, '1c 00 000000 01'), 'hvcC'],
    ['an AudioSpecificConfig of a reserved rate', tag(8, 'af 00 1688'), 'sample rate'],
  ])('unsupported: %s', (_, given, what) => {
    expect(unitOfFlvTag(given)).toEqual({
      kind: 'unsupported',
      of: given.type === 9 ? 'video' : 'audio',
      what: expect.stringContaining(what),
    });
  });
});

const packetArb: fc.Arbitrary<MediaPacket> = fc.oneof(
  fc.record({
    kind: fc.constant('video' as const),
    dtsMs: fc.nat(0xffff_ffff),
    compositionMs: fc.integer({ min: -0x80_0000 + 1, max: 0x7f_ffff }),
    key: fc.boolean(),
    data: fc.uint8Array({ minLength: 1, maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
  }),
  fc.record({
    kind: fc.constant('audio' as const),
    dtsMs: fc.nat(0xffff_ffff),
    data: fc.uint8Array({ minLength: 1, maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
  }),
);

test('packets survive the way into tags and back', () => {
  fc.assert(
    fc.property(packetArb, fc.constantFrom('h264', 'h265'), (packet, codec) => {
      const written = flvTagOfUnit(packet, codec);
      expect(unitOfFlvTag(written)).toEqual(packet);
      expect(Buffer.concat(flvBuffersOf(packet, codec))).toEqual(encodeFlvTag(written));
    }),
  );
});

test('any tag is a unit or nothing', () => {
  const anyTag = fc.record({
    type: fc.constantFrom<FlvTag['type']>(8, 9, 18),
    timestampMs: fc.nat(),
    data: fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
  });
  const likelyTag = fc
    .tuple(anyTag, fc.constantFrom('1700000000', '1c00000000', '9068766331', 'af00', '9168766331'))
    .map(([given, head]) => ({ ...given, data: Buffer.concat([Buffer.from(head, 'hex'), given.data]) }));
  fc.assert(
    fc.property(fc.oneof(anyTag, likelyTag), (given) => {
      const unit: FlvUnit | undefined = unitOfFlvTag(given);
      expect(unit === undefined || unit.kind.length > 0).toBe(true);
    }),
    { numRuns: 1000 },
  );
});

describe('real media', () => {
  let h264: Units;
  let h265: Units;
  beforeAll(() => {
    h264 = unitsOfMp4(makeMp4('units-h264'));
    h265 = unitsOfMp4(makeMp4('units-h265', { codec: 'h265', seconds: 1 }));
  });

  test('an FLV of ffmpeg has the units that ffprobe counts', () => {
    const flv = remux(makeMp4('units-flv', { seconds: 2 }), '-f', 'flv');
    const units: FlvUnit[] = new FlvTagReader().push(flv).flatMap((read) => unitOfFlvTag(read) ?? []);
    const probed = probe(flv);
    const pictures = units.filter((unit) => unit.kind === 'video' && 'data' in unit);
    expect(
      pictures.map((unit) => unit.kind === 'video' && 'key' in unit && unit.dtsMs + unit.compositionMs),
    ).toEqual(probed.video.map((packet) => msOf(packet.pts_time)));
    expect(units.filter((unit) => unit.kind === 'audio' && 'data' in unit)).toHaveLength(probed.audio.length);
    expect(units.filter((unit) => 'record' in unit)).toEqual([
      expect.objectContaining({ kind: 'video', codec: 'h264', width: 160, height: 284 }),
      expect.objectContaining({ kind: 'audio', sampleRate: 44_100, channels: 1 }),
    ]);
  });

  test('configurations survive, and are what ffmpeg reads', () => {
    const written: MediaUnit[] = [h264.video, h264.audio, ...h264.packets];
    const flv = Buffer.concat([
      Buffer.from('464c5601050000000900000000', 'hex'),
      ...written.flatMap((unit) => flvBuffersOf(unit)),
    ]);
    expect(new FlvTagReader().push(flv).map(unitOfFlvTag)).toEqual(written);
    const probed = probe(flv);
    expect([probed.video.length, probed.audio.length]).toEqual([
      h264.packets.filter(({ kind }) => kind === 'video').length,
      h264.packets.filter(({ kind }) => kind === 'audio').length,
    ]);
    expect(unitOfFlvTag(flvTagOfUnit(h265.video))).toEqual(h265.video);
    expect(flvTagOfUnit(h265.video).data[0]).toBe(0x1c);
  });
});
