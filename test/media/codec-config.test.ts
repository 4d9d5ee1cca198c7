import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseAdtsHeader, parseAudioSpecificConfig } from '../../src/media/aac.ts';
import { avcConfigOfRecord, buildAvcRecord, parseAvcRecord, parseAvcSps } from '../../src/media/avc.ts';
import { buildHevcRecord, hevcConfigOfRecord, parseHevcRecord, parseHevcSps } from '../../src/media/hevc.ts';
import { annexBNals, BitReader, lengthPrefixed, lengthPrefixedNals, unescaped } from '../../src/media/nal.ts';
import { boxOf, decoderInfoOf, endsWell, ffmpeg, makeMp4, remux } from './made.ts';

const anyBytes = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
const x264 = (params: string) => ['-x264-params', params];

describe('H.264', () => {
  test.each([
    ['sizes that need cropping', '162x286', ['-profile:v', 'baseline', '-bf', '0'], [66, 1, 8]],
    ['a landscape picture', '1280x720', ['-frames:v', '1'], [100, 1, 8]],
    ['scaling lists', '160x90', x264('cqm=jvt'), [100, 1, 8]],
    ['interlaced pictures', '176x144', ['-flags', '+ildct'], [100, 1, 8]],
    ['10 bits', '160x90', ['-pix_fmt', 'yuv420p10le'], [110, 1, 10]],
    ['4:2:2', '162x90', ['-pix_fmt', 'yuv422p'], [122, 2, 8]],
    ['4:4:4', '162x90', ['-pix_fmt', 'yuv444p'], [244, 3, 8]],
  ] as const)('%s', (name, size, extra, [profile, chromaFormat, lumaBits]) => {
    const path = makeMp4(`avc-${name.replaceAll(/\W/g, '-')}`, { size, seconds: 0.2, extra });
    const record = boxOf(readFileSync(path), 'avcC');
    const [width, height] = size.split('x').map(Number);
    expect(avcConfigOfRecord(record)).toEqual({ kind: 'video', codec: 'h264', record, width, height });
    const sets = parseAvcRecord(record);
    expect(parseAvcSps(sets.sps[0]!)).toMatchObject({
      profile,
      chromaFormat,
      lumaBits,
      chromaBits: lumaBits,
    });
    // ffmpeg made the same record of the same parameter sets.
    expect(buildAvcRecord(sets.sps, sets.pps).toString('hex')).toBe(record.toString('hex'));
  });

  test('a record holds several PPS', () => {
    const sps = Buffer.from('674d401feca05a050d8088000003000800000301e078c18cb0', 'hex');
    const pps = [Buffer.from('68e92c8b', 'hex'), Buffer.from('685e92c8b0', 'hex')];
    const record = buildAvcRecord([sps], pps);
    expect(parseAvcRecord(record)).toEqual({ sps: [sps], pps, lengthSize: 4 });
    expect(avcConfigOfRecord(record)).toMatchObject({ width: 720, height: 1280 });
    expect(() => buildAvcRecord([sps], [])).toThrow('parameter sets are missing');
  });

  test('any bytes are a configuration or a LivestowError', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const head = Buffer.from('01640028ffe100', 'hex');
        expect(endsWell(() => avcConfigOfRecord(bytes))).toBe(true);
        expect(endsWell(() => avcConfigOfRecord(Buffer.concat([head, bytes])))).toBe(true);
        expect(endsWell(() => buildAvcRecord([bytes], [bytes]))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

describe('H.265', () => {
  test.each([
    ['sizes that need cropping', '162x286', [], [8, 1]],
    ['10 bits', '160x90', ['-pix_fmt', 'yuv420p10le'], [10, 1]],
    ['4:2:2', '162x90', ['-pix_fmt', 'yuv422p'], [8, 2]],
    ['4:4:4', '162x90', ['-pix_fmt', 'yuv444p'], [8, 3]],
  ] as const)('%s', (name, size, extra, [bits, chromaFormat]) => {
    const codec = 'h265';
    const path = makeMp4(`hevc-${name.replaceAll(/\W/g, '-')}`, { codec, size, seconds: 0.2, extra });
    const record = boxOf(readFileSync(path), 'hvcC');
    const [width, height] = size.split('x').map(Number);
    expect(hevcConfigOfRecord(record)).toEqual({ kind: 'video', codec, record, width, height });
    const { vps, sps, pps } = parseHevcRecord(record);
    expect(parseHevcSps(sps[0]!)).toMatchObject({ lumaBits: bits, chromaBits: bits, chromaFormat });
    const built = buildHevcRecord(vps, sps, pps);
    // All but min_spatial_segmentation_idc and parallelismType, which lie in the VUI and may be "unknown".
    const known = (bytes: Buffer) => [bytes.subarray(0, 13), bytes.subarray(16, 22)];
    expect(known(built)).toEqual(known(record));
    // ffmpeg keeps the encoder's SEI in the record, too.
    expect(parseHevcRecord(built)).toEqual({ vps, sps, pps, lengthSize: 4 });
  });

  test('any bytes are a configuration or a LivestowError', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const head = Buffer.concat([Buffer.from([1]), Buffer.alloc(21), Buffer.from('01210001', 'hex')]);
        expect(endsWell(() => hevcConfigOfRecord(bytes))).toBe(true);
        expect(endsWell(() => hevcConfigOfRecord(Buffer.concat([head, bytes])))).toBe(true);
        expect(endsWell(() => buildHevcRecord([bytes], [bytes], [bytes]))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

describe('AAC', () => {
  test.each([
    ['AAC-LC, 44.1 kHz, stereo', '1210', 44_100, 44_100, 2, 2],
    ['AAC-LC, 48 kHz, mono', '1188', 48_000, 48_000, 1, 1],
    ['a rate of its own', '17805dc008', 48_000, 48_000, 1, 1],
    ['six channels', '11b0', 48_000, 48_000, 6, 6],
    ['seven point one', '11b8', 48_000, 48_000, 8, 7],
    ['HE-AAC told before', '2b118800', 48_000, 24_000, 2, 2],
    ['HE-AAC told behind', '131056e598', 48_000, 24_000, 2, 2],
    ['HE-AAC v2', 'eb098800', 48_000, 24_000, 2, 1],
    ['what ffmpeg writes for plain AAC-LC', '121056e500', 44_100, 44_100, 2, 2],
  ])('%s', (_, hex, sampleRate, coreSampleRate, channels, channelConfig) => {
    const facts = parseAudioSpecificConfig(Buffer.from(hex, 'hex'));
    expect(facts).toEqual({
      objectType: 2,
      sampleRate,
      coreSampleRate,
      channels,
      channelConfig,
      frameDurationMs: 1_024_000 / coreSampleRate,
    });
  });

  test('an ADTS header says what the MP4 of the same sound says', () => {
    const path = makeMp4('adts', { seconds: 0.3, extra: ['-ac', '2', '-ar', '48000'] });
    const adts = remux(path, '-vn', '-f', 'adts');
    const header = parseAdtsHeader(adts)!;
    expect(header).toMatchObject({ headerBytes: 7, sampleRate: 48_000 });
    expect(header.record).toEqual(decoderInfoOf(readFileSync(path)).subarray(0, 2));
    expect(parseAdtsHeader(adts, header.frameBytes)).toMatchObject({ record: header.record });
    expect(parseAdtsHeader(adts, 1)).toBeUndefined();
    expect(parseAdtsHeader(adts.subarray(0, 6))).toBeUndefined();
  });

  test('any bytes are a configuration or a LivestowError', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        expect(endsWell(() => parseAudioSpecificConfig(bytes))).toBe(true);
        expect(endsWell(() => parseAdtsHeader(bytes))).toBe(true);
      }),
    );
  });
});

describe('NAL units', () => {
  test('lose their emulation prevention bytes, and only those', () => {
    const plain = unescaped(Buffer.from('6700000300000301000003', 'hex'));
    expect(plain.toString('hex')).toBe('6700000000010000');
    expect(unescaped(Buffer.from('000301', 'hex')).toString('hex')).toBe('000301');
  });

  test('are told by start codes of three and four bytes', () => {
    const bytes = Buffer.from(
      '00000001 6742 0000 000001 68ce 000001 00000001 65aa0000'.replaceAll(' ', ''),
      'hex',
    );
    expect(annexBNals(bytes).map((nal) => nal.toString('hex'))).toEqual(['6742', '68ce', '65aa']);
    expect(annexBNals(Buffer.from('0102', 'hex'))).toEqual([]);
  });

  test('survive the way into lengths and back', () => {
    const nalArb = fc.uint8Array({ minLength: 1, maxLength: 30 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.array(nalArb), (nals) => {
        expect(lengthPrefixedNals(lengthPrefixed(nals))).toEqual(nals);
      }),
    );
    expect(lengthPrefixedNals(Buffer.from('00000002aabb000000ffcc', 'hex'))).toEqual([
      Buffer.from('aabb', 'hex'),
    ]);
  });

  test('are the same as ffmpeg makes of Annex B', () => {
    const path = makeMp4('annexb', { seconds: 0.3 });
    const annexB = annexBNals(ffmpeg(['-i', path, '-c', 'copy', '-an', '-f', 'h264', 'pipe:1']));
    const types = annexB.map((nal) => nal[0]! & 0x1f);
    expect(types.filter((type) => type === 5 || type === 1)).toHaveLength(9);
  });

  test.each([
    ['1', [0]],
    ['010', [1]],
    ['0011000111', [5, 6]],
  ])('Exp-Golomb %s', (code, values) => {
    const bits = new BitReader(
      Buffer.from([
        Number.parseInt(code.padEnd(8, '0').slice(0, 8), 2),
        Number.parseInt(code.slice(8).padEnd(8, '0'), 2),
      ]),
    );
    expect(values.map(() => bits.ue())).toEqual(values);
  });
});
