/** AAC: AudioSpecificConfig (ISO/IEC 14496-3 1.6.2.1) and ADTS headers (1.A.2.2). */
import { BitReader, malformed } from './nal.ts';
import type { AudioConfig } from './packet.ts';

const SAMPLE_RATES = [
  96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
];
const CHANNELS = [0, 1, 2, 3, 4, 5, 6, 8, 0, 0, 0, 7, 8, 24, 8, 0];
const AOT_SBR = 5;
const AOT_PS = 29;
/** Object types whose configuration is a GASpecificConfig. */
const GENERAL_AUDIO = new Set([1, 2, 3, 4, 6, 7, 17, 19, 20, 21, 22, 23]);

export interface AacFacts {
  /** Of the core: 2 for AAC-LC, also under SBR. */
  objectType: number;
  /** What a decoder puts out: twice the core's with SBR. */
  sampleRate: number;
  /** The rate that frames are counted in. */
  coreSampleRate: number;
  channels: number;
  /** The core's channel_configuration (table 1.19); 0 where the layout is told elsewhere. */
  channelConfig: number;
  /** How long one frame sounds. */
  frameDurationMs: number;
}

/** Throws MEDIA_UNSUPPORTED. */
export function parseAudioSpecificConfig(record: Buffer): AacFacts {
  const bits = new BitReader(record);
  let objectType = readObjectType(bits);
  const coreRate = readSampleRate(bits);
  const channelConfig = bits.u(4);
  let sampleRate = coreRate;
  let parametricStereo = objectType === AOT_PS;
  if (objectType === AOT_SBR || objectType === AOT_PS) {
    sampleRate = readSampleRate(bits);
    objectType = readObjectType(bits);
  }
  let frameSamples = 1024;
  if (GENERAL_AUDIO.has(objectType) && bits.bitsLeft >= 3) {
    frameSamples = bits.flag() ? 960 : 1024;
    if (bits.flag()) {
      bits.skip(14);
    }
    bits.skip(1);
    // SBR told behind the configuration, where a decoder that does not know it won't look.
    if (channelConfig !== 0 && sampleRate === coreRate && bits.bitsLeft >= 16 && bits.u(11) === 0x2b7) {
      if (readObjectType(bits) === AOT_SBR && bits.flag()) {
        sampleRate = readSampleRate(bits);
        parametricStereo ||= bits.bitsLeft >= 12 && bits.u(11) === 0x548 && bits.flag();
      }
    }
  }
  // 0 says that the layout is in the stream: two channels is what a live broadcast has.
  const channels = parametricStereo ? 2 : (CHANNELS[channelConfig] ?? 0) || 2;
  return {
    objectType,
    sampleRate,
    coreSampleRate: coreRate,
    channels,
    channelConfig,
    frameDurationMs: (frameSamples * 1000) / coreRate,
  };
}

function readObjectType(bits: BitReader): number {
  const type = bits.u(5);
  return type === 31 ? 32 + bits.u(6) : type;
}

function readSampleRate(bits: BitReader): number {
  const index = bits.u(4);
  const rate = index === 15 ? bits.u(24) : SAMPLE_RATES[index];
  if (!rate) {
    throw malformed('the sample rate of the AudioSpecificConfig is reserved');
  }
  return rate;
}

/** Throws MEDIA_UNSUPPORTED. */
export function aacConfigOfRecord(record: Buffer): AudioConfig {
  const { sampleRate, channels } = parseAudioSpecificConfig(record);
  return { kind: 'audio', codec: 'aac', record, sampleRate, channels };
}

export interface AdtsHeader {
  /** 7, or 9 with a checksum. */
  headerBytes: number;
  /** With the header. */
  frameBytes: number;
  sampleRate: number;
  /** The AudioSpecificConfig that says the same. */
  record: Buffer;
}

export const ADTS_HEADER_BYTES = 7;

/** The ADTS header at this place; undefined when there is none (or fewer than 7 bytes are left). */
export function parseAdtsHeader(bytes: Buffer, at = 0): AdtsHeader | undefined {
  const frameBytes = adtsFrameBytes(bytes, at);
  if (frameBytes === 0) {
    return undefined;
  }
  const b2 = bytes[at + 2]!;
  const objectType = (b2 >> 6) + 1;
  const rateIndex = (b2 >> 2) & 15;
  const channelConfig = ((b2 & 1) << 2) | (bytes[at + 3]! >> 6);
  return {
    headerBytes: (bytes[at + 1]! & 1) === 1 ? 7 : 9,
    frameBytes,
    sampleRate: SAMPLE_RATES[rateIndex]!,
    record: Buffer.from([
      (objectType << 3) | (rateIndex >> 1),
      ((rateIndex & 1) << 7) | (channelConfig << 3),
    ]),
  };
}

/** Puts ADTS headers before raw frames. */
export class AdtsFraming {
  readonly #template: Buffer;

  /** Throws MEDIA_UNSUPPORTED for what no ADTS header can say. */
  constructor(record: Buffer) {
    const { objectType, coreSampleRate, channelConfig } = parseAudioSpecificConfig(record);
    const rateIndex = SAMPLE_RATES.indexOf(coreSampleRate);
    if (rateIndex < 0 || objectType < 1 || objectType > 4 || channelConfig > 7) {
      throw malformed('no ADTS header can say what the AudioSpecificConfig does');
    }
    this.#template = Buffer.from([
      0xff,
      0xf1,
      ((objectType - 1) << 6) | (rateIndex << 2) | (channelConfig >> 2),
      (channelConfig & 3) << 6,
      0,
      0x1f,
      0xfc,
    ]);
  }

  /** The frame's header and the frame. */
  frame(raw: Buffer): [Buffer, Buffer] {
    const header = Buffer.from(this.#template);
    const bytes = ADTS_HEADER_BYTES + raw.length;
    header[3]! |= bytes >> 11;
    header[4] = (bytes >> 3) & 0xff;
    header[5]! |= (bytes & 7) << 5;
    return [header, raw];
  }
}

/** The size, header included, of the ADTS frame at this place; 0 when none begins there. Allocates nothing. */
export function adtsFrameBytes(bytes: Buffer, at: number): number {
  if (at + ADTS_HEADER_BYTES > bytes.length || bytes[at] !== 0xff || (bytes[at + 1]! & 0xf6) !== 0xf0) {
    return 0;
  }
  const frameBytes = ((bytes[at + 3]! & 3) << 11) | (bytes[at + 4]! << 3) | (bytes[at + 5]! >> 5);
  const headerBytes = (bytes[at + 1]! & 1) === 1 ? 7 : 9;
  return frameBytes > headerBytes && SAMPLE_RATES[(bytes[at + 2]! >> 2) & 15] ? frameBytes : 0;
}

/** How long the ADTS frame at this place sounds, in ticks of 90 kHz; 0 when none begins there. */
export function adtsFrameTicks(bytes: Buffer, at: number): number {
  const rate = adtsFrameBytes(bytes, at) > 0 ? SAMPLE_RATES[(bytes[at + 2]! >> 2) & 15] : undefined;
  return rate === undefined ? 0 : (1024 * 90_000) / rate;
}
