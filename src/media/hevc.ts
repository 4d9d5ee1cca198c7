/** H.265: parameter sets (ITU-T H.265 7.3.2) and hvcC (ISO/IEC 14496-15 8.3.3). */
import { BitReader, malformed, type NalKind, unescaped } from './nal.ts';
import type { VideoConfig } from './packet.ts';

const HEVC_VPS = 32;
const HEVC_SPS = 33;
const HEVC_PPS = 34;
const HEVC_AUD = 35;

/** What a NAL unit is, by its first byte. IRAP pictures (16 to 23: BLA, IDR, CRA, reserved) are those to begin at. */
export function kindOfHevcNal(nal: Buffer): NalKind {
  const type = (nal[0]! >> 1) & 0x3f;
  switch (type) {
    case HEVC_VPS:
      return 'vps';
    case HEVC_SPS:
      return 'sps';
    case HEVC_PPS:
      return 'pps';
    case HEVC_AUD:
      return 'aud';
    default:
      return type >= 32 ? 'other' : type >= 16 && type <= 23 ? 'key' : 'picture';
  }
}

export interface HevcSps {
  /** The 12 bytes from general_profile_space to general_level_idc, as hvcC repeats them. */
  profileTierLevel: Buffer;
  temporalLayers: number;
  temporalIdNested: boolean;
  chromaFormat: number;
  lumaBits: number;
  chromaBits: number;
  /** After the conformance window. */
  width: number;
  height: number;
}

/** Throws MEDIA_UNSUPPORTED. */
export function parseHevcSps(sps: Buffer): HevcSps {
  const plain = unescaped(sps);
  const bits = new BitReader(plain);
  bits.skip(16 + 4);
  const subLayers = bits.u(3);
  const temporalIdNested = bits.flag();
  const profileTierLevel = plain.subarray(3, 15);
  bits.skip(96);
  skipSubLayers(bits, subLayers);
  bits.ue();
  const chromaFormat = bits.ue();
  const separatePlanes = chromaFormat === 3 && bits.flag();
  const codedWidth = bits.ue();
  const codedHeight = bits.ue();
  const [left, right, top, bottom] = bits.flag()
    ? [bits.ue(), bits.ue(), bits.ue(), bits.ue()]
    : [0, 0, 0, 0];
  const lumaBits = bits.ue() + 8;
  const chromaBits = bits.ue() + 8;
  const planar = chromaFormat === 0 || separatePlanes;
  const width = codedWidth - (left + right) * (!planar && chromaFormat < 3 ? 2 : 1);
  const height = codedHeight - (top + bottom) * (!planar && chromaFormat === 1 ? 2 : 1);
  if (width < 1 || height < 1 || width > 65_535 || height > 65_535) {
    throw malformed('the picture size is impossible');
  }
  return {
    profileTierLevel,
    temporalLayers: subLayers + 1,
    temporalIdNested,
    chromaFormat,
    lumaBits,
    chromaBits,
    width,
    height,
  };
}

function skipSubLayers(bits: BitReader, count: number): void {
  if (count === 0) {
    return;
  }
  let toSkip = 0;
  for (let i = 0; i < 8; i++) {
    const profile = bits.flag();
    const level = bits.flag();
    if (i < count) {
      toSkip += (profile ? 88 : 0) + (level ? 8 : 0);
    }
  }
  bits.skip(toSkip);
}

/** The parameter sets in an hvcC. Throws MEDIA_UNSUPPORTED. */
export function parseHevcRecord(record: Buffer): {
  vps: Buffer[];
  sps: Buffer[];
  pps: Buffer[];
  lengthSize: number;
} {
  // The version is 1; encoders of before 2013 wrote 0, and ffmpeg takes both.
  if (record.length < 23 || record[0]! > 1) {
    throw malformed('it is not an hvcC');
  }
  const sets = new Map<number, Buffer[]>();
  let at = 23;
  for (let arrays = record[22]!; arrays > 0; arrays--) {
    if (at + 3 > record.length) {
      throw malformed('the hvcC is cut short');
    }
    const type = record[at]! & 0x3f;
    const nals = sets.get(type) ?? [];
    sets.set(type, nals);
    const count = record.readUInt16BE(at + 1);
    at += 3;
    for (let i = 0; i < count; i++) {
      const end = at + 2 + (at + 2 <= record.length ? record.readUInt16BE(at) : Infinity);
      if (end > record.length) {
        throw malformed('the hvcC is cut short');
      }
      nals.push(record.subarray(at + 2, end));
      at = end;
    }
  }
  return {
    vps: sets.get(HEVC_VPS) ?? [],
    sps: sets.get(HEVC_SPS) ?? [],
    pps: sets.get(HEVC_PPS) ?? [],
    lengthSize: (record[21]! & 3) + 1,
  };
}

/** Throws MEDIA_UNSUPPORTED, also for an hvcC without an SPS. */
export function hevcConfigOfRecord(record: Buffer): VideoConfig {
  const sps = parseHevcRecord(record).sps[0];
  if (!sps) {
    throw malformed('the hvcC has no SPS');
  }
  const { width, height } = parseHevcSps(sps);
  return { kind: 'video', codec: 'h265', record, width, height };
}

/** An hvcC (4-byte lengths, complete arrays as `hvc1` asks) for these NAL units. Throws MEDIA_UNSUPPORTED. */
export function buildHevcRecord(
  vps: readonly Buffer[],
  sps: readonly Buffer[],
  pps: readonly Buffer[],
): Buffer {
  const first = sps[0];
  if (!first || vps.length === 0 || pps.length === 0) {
    throw malformed('parameter sets are missing');
  }
  const facts = parseHevcSps(first);
  const head = Buffer.alloc(23);
  head[0] = 1;
  facts.profileTierLevel.copy(head, 1);
  head.writeUInt16BE(0xf000, 13);
  head[15] = 0xfc;
  head[16] = 0xfc | facts.chromaFormat;
  head[17] = 0xf8 | (facts.lumaBits - 8);
  head[18] = 0xf8 | (facts.chromaBits - 8);
  head[21] = (facts.temporalLayers << 3) | (facts.temporalIdNested ? 4 : 0) | 3;
  head[22] = 3;
  const parts: Buffer[] = [head];
  for (const [type, nals] of [
    [HEVC_VPS, vps],
    [HEVC_SPS, sps],
    [HEVC_PPS, pps],
  ] as const) {
    parts.push(Buffer.from([0x80 | type, nals.length >> 8, nals.length & 0xff]));
    for (const nal of nals) {
      parts.push(Buffer.from([nal.length >> 8, nal.length & 0xff]), nal);
    }
  }
  return Buffer.concat(parts);
}
