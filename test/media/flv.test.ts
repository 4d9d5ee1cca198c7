import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  encodeFlvTag,
  FLV_HEADER,
  type FlvTag,
  flvTagPrefix,
  flvTagSuffix,
  FlvTagReader,
} from '../../src/media/flv.ts';
import { cut, endsWell } from './made.ts';

const tagArb: fc.Arbitrary<FlvTag> = fc.record({
  type: fc.constantFrom(8, 9, 18),
  timestampMs: fc.oneof(fc.nat(0xffff_ffff), fc.constantFrom(0, 0xff_ffff, 0x100_0000, 0xffff_ffff)),
  data: fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)),
});
const sizesArb = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 12 });

const fileOf = (tags: readonly FlvTag[]): Buffer => Buffer.concat([FLV_HEADER, ...tags.map(encodeFlvTag)]);

function readAll(reader: FlvTagReader, chunks: Iterable<Buffer>): FlvTag[] {
  const tags: FlvTag[] = [];
  for (const chunk of chunks) {
    tags.push(...reader.push(chunk));
  }
  return tags;
}

test.each([
  ['a tag of audio', { type: 8, timestampMs: 1, data: 'aabb' }, '08000002000001000000 00aabb0000000d'],
  [
    'the extended timestamp',
    { type: 9, timestampMs: 0x0102_0304, data: '' },
    '0900000002030401000000 0000000b',
  ],
  [
    'the largest timestamp',
    { type: 18, timestampMs: 0xffff_ffff, data: '' },
    '12000000ffffffff000000 0000000b',
  ],
] as const)('writes %s', (_, tag, hex) => {
  const data = Buffer.from(tag.data, 'hex');
  const written = encodeFlvTag({ type: tag.type, timestampMs: tag.timestampMs, data });
  expect(written.toString('hex')).toBe(hex.replaceAll(' ', ''));
  const pieces = [flvTagPrefix(tag.type, tag.timestampMs, data.length), data, flvTagSuffix(data.length)];
  expect(Buffer.concat(pieces)).toEqual(written);
});

describe('reading', () => {
  test('gives the same tags, wherever the body is split', () => {
    fc.assert(
      fc.property(fc.array(tagArb, { maxLength: 20 }), sizesArb, (tags, sizes) => {
        const reader = new FlvTagReader();
        expect(readAll(reader, cut(fileOf(tags), sizes))).toEqual(tags);
        expect(reader.end()).toEqual({ tornBytes: 0 });
        expect(reader.pendingBytes).toBe(0);
      }),
    );
  });

  test('gives views of the chunk for tags that lie within it', () => {
    const file = fileOf([{ type: 9, timestampMs: 5, data: Buffer.alloc(100, 7) }]);
    const [tag] = new FlvTagReader().push(file);
    expect(tag!.data.buffer).toBe(file.buffer);
  });

  test('says how much of a last tag was torn', () => {
    const file = fileOf([{ type: 9, timestampMs: 5, data: Buffer.alloc(100, 7) }]);
    for (const [kept, tornBytes] of [
      [FLV_HEADER.length + 5, 5],
      [FLV_HEADER.length + 60, 60],
      [file.length - 4, 0],
      [file.length, 0],
      [4, 4],
      [0, 0],
    ] as const) {
      const reader = new FlvTagReader();
      reader.push(file.subarray(0, kept));
      expect(reader.pendingBytes).toBe(tornBytes);
      expect(reader.end()).toEqual({ tornBytes });
    }
  });

  test('tolerates a wrong previousTagSize, reserved bits of the type, and a longer file header', () => {
    const tag: FlvTag = { type: 8, timestampMs: 9, data: Buffer.from('abc') };
    const encoded = encodeFlvTag(tag);
    encoded.writeUInt32BE(99, encoded.length - 4);
    encoded[0]! |= 0xc0;
    const header = Buffer.concat([FLV_HEADER.subarray(0, 9), Buffer.alloc(3), Buffer.alloc(4)]);
    header[8] = 12;
    expect(new FlvTagReader().push(Buffer.concat([header, encoded, encoded]))).toEqual([tag, tag]);
  });

  test.each([
    ['a page', '<html><body>403</body></html>'],
    ['JSON', '{"error":"gone"}'],
    ['one byte', 'x'],
    ['an MP4', '\0\0\0\x20ftypisom'],
    ['a header of impossible size', 'FLV\x01\x05\xff\xff\xff\xff'],
  ])('refuses %s', (_, body) => {
    expect(() => new FlvTagReader().push(Buffer.from(body, 'latin1'))).toThrow(
      expect.objectContaining({ code: 'MEDIA_NOT_MEDIA' }),
    );
  });

  test('gives the tags before nonsense first, then throws', () => {
    const tag: FlvTag = { type: 8, timestampMs: 9, data: Buffer.from('abc') };
    // What a server sends that begins its file anew in the same body.
    const file = Buffer.concat([fileOf([tag]), FLV_HEADER]);
    const reader = new FlvTagReader();
    expect(reader.push(file)).toEqual([tag]);
    expect(() => reader.push(Buffer.from([0]))).toThrow(expect.objectContaining({ code: 'MEDIA_NOT_MEDIA' }));
    expect(reader.end()).toEqual({ tornBytes: FLV_HEADER.length });
  });

  test('any bytes are tags or a LivestowError, and no more is held than a tag', () => {
    const bodyArb = fc.oneof(
      fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes)),
      fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.concat([FLV_HEADER, bytes])),
    );
    fc.assert(
      fc.property(bodyArb, sizesArb, (body, sizes) => {
        const reader = new FlvTagReader();
        let read = 13;
        const reading = () => {
          for (const tag of readAll(reader, cut(body, sizes))) {
            read += tag.data.length + 15;
          }
          expect(read + reader.end().tornBytes).toBeGreaterThanOrEqual(body.length - 4);
        };
        expect(endsWell(reading)).toBe(true);
        expect(reader.pendingBytes).toBeLessThan(11 + 2 ** 24);
      }),
    );
  });
});
