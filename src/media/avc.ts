/** H.264: parameter sets (ITU-T H.264 7.3.2.1) and avcC (ISO/IEC 14496-15 5.3.3). */
import { BitReader, malformed, type NalKind, unescaped } from './nal.ts';
import type { VideoConfig } from './packet.ts';

/** What a NAL unit is, by its first byte. */
export function kindOfAvcNal(nal: Buffer): NalKind {
  const type = nal[0]! & 0x1f;
  switch (type) {
    case 5:
      return 'key';
    case 7:
      return 'sps';
    case 8:
      return 'pps';
    case 9:
      return 'aud';
    default:
      return type >= 1 && type < 5 ? 'picture' : 'other';
  }
}

export interface AvcSps {
  profile: number;
  compatibility: number;
  level: number;
  /** 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4. */
  chromaFormat: number;
  lumaBits: number;
  chromaBits: number;
  /** After cropping. */
  width: number;
  height: number;
}

/** Profiles whose SPS has chroma format, bit depths and scaling lists. */
const HIGH_PROFILES = new Set([100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135]);
/** Profiles whose avcC has the four fields at its end. */
const EXTENDED_RECORD_PROFILES = new Set([100, 110, 122, 144, 244]);

/** Throws MEDIA_UNSUPPORTED. */
export function parseAvcSps(sps: Buffer): AvcSps {
  const bits = new BitReader(unescaped(sps));
  bits.skip(8);
  const profile = bits.u(8);
  const compatibility = bits.u(8);
  const level = bits.u(8);
  bits.ue();
  const { chromaFormat, separatePlanes, lumaBits, chromaBits } = HIGH_PROFILES.has(profile)
    ? parseHighFields(bits)
    : { chromaFormat: 1, separatePlanes: false, lumaBits: 8, chromaBits: 8 };
  bits.ue();
  skipPictureOrder(bits);
  bits.ue();
  bits.skip(1);
  const widthInBlocks = bits.ue() + 1;
  const heightInUnits = bits.ue() + 1;
  const framesOnly = bits.flag();
  if (!framesOnly) {
    bits.skip(1);
  }
  bits.skip(1);
  const [left, right, top, bottom] = bits.flag()
    ? [bits.ue(), bits.ue(), bits.ue(), bits.ue()]
    : [0, 0, 0, 0];
  const fields = framesOnly ? 1 : 2;
  const planar = chromaFormat === 0 || separatePlanes;
  const cropX = !planar && chromaFormat < 3 ? 2 : 1;
  const cropY = (!planar && chromaFormat === 1 ? 2 : 1) * fields;
  return {
    profile,
    compatibility,
    level,
    chromaFormat,
    lumaBits,
    chromaBits,
    width: size(widthInBlocks * 16 - (left + right) * cropX),
    height: size(heightInUnits * 16 * fields - (top + bottom) * cropY),
  };
}

function parseHighFields(bits: BitReader) {
  const chromaFormat = bits.ue();
  const separatePlanes = chromaFormat === 3 && bits.flag();
  const lumaBits = bits.ue() + 8;
  const chromaBits = bits.ue() + 8;
  bits.skip(1);
  if (bits.flag()) {
    for (let i = 0; i < (chromaFormat === 3 ? 12 : 8); i++) {
      if (bits.flag()) {
        skipScalingList(bits, i < 6 ? 16 : 64);
      }
    }
  }
  return { chromaFormat, separatePlanes, lumaBits, chromaBits };
}

function skipScalingList(bits: BitReader, length: number): void {
  let last = 8;
  for (let i = 0; i < length; i++) {
    const next = (((last + bits.se()) % 256) + 256) % 256;
    if (next === 0) {
      return;
    }
    last = next;
  }
}

function skipPictureOrder(bits: BitReader): void {
  const type = bits.ue();
  if (type === 0) {
    bits.ue();
  } else if (type === 1) {
    bits.skip(1);
    bits.se();
    bits.se();
    for (let left = bits.ue(); left > 0; left--) {
      bits.se();
    }
  }
}

function size(pixels: number): number {
  if (pixels < 1 || pixels > 65_535) {
    throw malformed('the picture size is impossible');
  }
  return pixels;
}

/** The parameter sets in an avcC. Throws MEDIA_UNSUPPORTED. */
export function parseAvcRecord(record: Buffer): { sps: Buffer[]; pps: Buffer[]; lengthSize: number } {
  if (record.length < 7 || record[0] !== 1) {
    throw malformed('it is not an avcC');
  }
  let at = 5;
  const list = (count: number): Buffer[] => {
    const sets: Buffer[] = [];
    for (let i = 0; i < count; i++) {
      const end = at + 2 + (at + 2 <= record.length ? record.readUInt16BE(at) : Infinity);
      if (end > record.length) {
        throw malformed('the avcC is cut short');
      }
      sets.push(record.subarray(at + 2, end));
      at = end;
    }
    return sets;
  };
  const sps = list(record[at++]! & 0x1f);
  if (at >= record.length) {
    throw malformed('the avcC is cut short');
  }
  const pps = list(record[at++]!);
  return { sps, pps, lengthSize: (record[4]! & 3) + 1 };
}

/** Throws MEDIA_UNSUPPORTED, also for an avcC without an SPS. */
export function avcConfigOfRecord(record: Buffer): VideoConfig {
  const sps = parseAvcRecord(record).sps[0];
  if (!sps) {
    throw malformed('the avcC has no SPS');
  }
  const { width, height } = parseAvcSps(sps);
  return { kind: 'video', codec: 'h264', record, width, height };
}

/** An avcC (4-byte lengths) for these NAL units. Throws MEDIA_UNSUPPORTED. */
export function buildAvcRecord(sps: readonly Buffer[], pps: readonly Buffer[]): Buffer {
  const first = sps[0];
  if (!first || pps.length === 0 || sps.length > 31 || pps.length > 255) {
    throw malformed('parameter sets are missing');
  }
  const facts = parseAvcSps(first);
  const parts: Buffer[] = [
    Buffer.from([1, facts.profile, facts.compatibility, facts.level, 0xff, 0xe0 | sps.length]),
  ];
  const add = (sets: readonly Buffer[]): void => {
    for (const set of sets) {
      parts.push(Buffer.from([set.length >> 8, set.length & 0xff]), set);
    }
  };
  add(sps);
  parts.push(Buffer.from([pps.length]));
  add(pps);
  if (EXTENDED_RECORD_PROFILES.has(facts.profile)) {
    const { chromaFormat, lumaBits, chromaBits } = facts;
    parts.push(Buffer.from([0xfc | chromaFormat, 0xf8 | (lumaBits - 8), 0xf8 | (chromaBits - 8), 0]));
  }
  return Buffer.concat(parts);
}
