/**
 * What FLV tags carry, as media units, and media units as FLV tags. Read: AVC, HEVC with the legacy codec id 12 and as
 * enhanced RTMP's `hvc1` (also `avc1`), AAC plain and as `mp4a`. Written: the legacy forms. Payloads are never copied.
 */
import { isLivestowError } from '../kernel/errors.ts';
import { aacConfigOfRecord } from './aac.ts';
import { avcConfigOfRecord } from './avc.ts';
import { type FlvTag, flvTagSuffix, writeFlvTagPrefix } from './flv.ts';
import { hevcConfigOfRecord } from './hevc.ts';
import { isConfig, type MediaUnit, type VideoConfig } from './packet.ts';

export type FlvUnit =
  | MediaUnit
  /** The encoder says that this stream of pictures is over. */
  | { kind: 'end' }
  | { kind: 'script'; data: Buffer }
  /** A codec or a configuration that livestow cannot record. */
  | { kind: 'unsupported'; of: 'video' | 'audio'; what: string };

const SCRIPT = 18;
const AUDIO = 8;
const VIDEO = 9;
const CODEC_AVC = 7;
const CODEC_HEVC = 12;
const SOUND_AAC = 10;
const SOUND_ENHANCED = 9;
const FRAME_KEY = 1;
const FRAME_INTER = 2;
const FRAME_COMMAND = 5;
/** What fits into 24 bits with a sign. */
const COMPOSITION_MAX_MS = 0x7f_ffff;

/** Undefined for a tag that says nothing (an empty one, a seek command, metadata). Never throws. */
export function unitOfFlvTag(tag: FlvTag): FlvUnit | undefined {
  try {
    if (tag.type === SCRIPT) {
      return { kind: 'script', data: tag.data };
    }
    return tag.type === VIDEO ? videoUnit(tag) : audioUnit(tag);
  } catch (error) {
    if (isLivestowError(error, 'MEDIA_UNSUPPORTED')) {
      return { kind: 'unsupported', of: tag.type === VIDEO ? 'video' : 'audio', what: error.message };
    }
    throw error;
  }
}

function videoUnit(tag: FlvTag): FlvUnit | undefined {
  const { data } = tag;
  const b0 = data[0] ?? 0;
  if (data.length < 5) {
    // The end tag of legacy streams has been seen without its composition time.
    return data.length >= 2 && (b0 & 0x80) === 0 && data[1] === 2 ? { kind: 'end' } : undefined;
  }
  const frameType = (b0 >> 4) & 7;
  if (frameType === FRAME_COMMAND) {
    return undefined;
  }
  if ((b0 & 0x80) !== 0) {
    return enhancedVideoUnit(tag, frameType === FRAME_KEY);
  }
  const codec = codecOfId(b0 & 0x0f);
  if (!codec) {
    return { kind: 'unsupported', of: 'video', what: `video of FLV codec id ${b0 & 0x0f}` };
  }
  switch (data[1]) {
    case 0:
      return videoConfig(codec, data.subarray(5));
    case 1:
      return picture(tag, frameType === FRAME_KEY, data.readIntBE(2, 3), 5);
    case 2:
      return { kind: 'end' };
    default:
      return undefined;
  }
}

function enhancedVideoUnit(tag: FlvTag, key: boolean): FlvUnit | undefined {
  const { data } = tag;
  const packetType = data[0]! & 0x0f;
  if (packetType > 5) {
    return { kind: 'unsupported', of: 'video', what: `enhanced RTMP video of packet type ${packetType}` };
  }
  const fourcc = data.toString('latin1', 1, 5);
  const codec = fourcc === 'hvc1' ? 'h265' : fourcc === 'avc1' ? 'h264' : undefined;
  if (!codec) {
    return { kind: 'unsupported', of: 'video', what: `video of FourCC ${JSON.stringify(fourcc)}` };
  }
  switch (packetType) {
    case 0:
      return videoConfig(codec, data.subarray(5));
    case 1:
      return data.length < 8 ? undefined : picture(tag, key, data.readIntBE(5, 3), 8);
    case 2:
      return { kind: 'end' };
    case 3:
      return picture(tag, key, 0, 5);
    default:
      return undefined;
  }
}

const codecOfId = (id: number): VideoConfig['codec'] | undefined =>
  id === CODEC_AVC ? 'h264' : id === CODEC_HEVC ? 'h265' : undefined;

function videoConfig(codec: VideoConfig['codec'], record: Buffer): VideoConfig | undefined {
  if (record.length === 0) {
    return undefined;
  }
  return codec === 'h264' ? avcConfigOfRecord(record) : hevcConfigOfRecord(record);
}

function picture(tag: FlvTag, key: boolean, compositionMs: number, from: number): FlvUnit | undefined {
  if (tag.data.length <= from) {
    return undefined;
  }
  return { kind: 'video', dtsMs: tag.timestampMs, compositionMs, key, data: tag.data.subarray(from) };
}

function audioUnit(tag: FlvTag): FlvUnit | undefined {
  const { data } = tag;
  if (data.length < 2) {
    return undefined;
  }
  const format = data[0]! >> 4;
  let packetType = data[1]!;
  let from = 2;
  if (format === SOUND_ENHANCED) {
    const fourcc = data.toString('latin1', 1, 5);
    if (fourcc !== 'mp4a') {
      return { kind: 'unsupported', of: 'audio', what: `audio of FourCC ${JSON.stringify(fourcc)}` };
    }
    packetType = data[0]! & 0x0f;
    from = 5;
  } else if (format !== SOUND_AAC) {
    return { kind: 'unsupported', of: 'audio', what: `audio of FLV format ${format}` };
  }
  if (data.length <= from) {
    return undefined;
  }
  const payload = data.subarray(from);
  if (packetType === 0) {
    return aacConfigOfRecord(payload);
  }
  return packetType === 1 ? { kind: 'audio', dtsMs: tag.timestampMs, data: payload } : undefined;
}

/**
 * The tag for a unit, in three pieces that go out behind one another: headers, payload (not copied), trailer. A
 * configuration has no time of its own: `configTimestampMs` is used. `codec` is that of the pictures.
 */
export function flvBuffersOf(
  unit: MediaUnit,
  codec: VideoConfig['codec'] = 'h264',
  configTimestampMs = 0,
): [Buffer, Buffer, Buffer] {
  const config = isConfig(unit);
  const payload = config ? unit.record : unit.data;
  const timestampMs = config ? configTimestampMs : unit.dtsMs;
  const bodyHeaderBytes = unit.kind === 'video' ? 5 : 2;
  const length = bodyHeaderBytes + payload.length;
  const head = Buffer.allocUnsafe(11 + bodyHeaderBytes);
  writeFlvTagPrefix(head, unit.kind === 'video' ? VIDEO : AUDIO, timestampMs, length);
  writeBodyHeader(head, unit, codec);
  return [head, payload, flvTagSuffix(length)];
}

function writeBodyHeader(head: Buffer, unit: MediaUnit, codec: VideoConfig['codec']): void {
  const config = isConfig(unit);
  if (unit.kind === 'audio') {
    // AAC; rate, size and channels have fixed values there, the AudioSpecificConfig has the real ones.
    head[11] = 0xaf;
    head[12] = config ? 0 : 1;
    return;
  }
  const frameType = config || unit.key ? FRAME_KEY : FRAME_INTER;
  const id = (config ? unit.codec : codec) === 'h265' ? CODEC_HEVC : CODEC_AVC;
  head[11] = (frameType << 4) | id;
  head[12] = config ? 0 : 1;
  const compositionMs = config ? 0 : Math.round(unit.compositionMs);
  head.writeIntBE(Math.max(-COMPOSITION_MAX_MS, Math.min(compositionMs, COMPOSITION_MAX_MS)), 13, 3);
}

/** The tag for a unit, its body in one piece; see `flvBuffersOf`. */
export function flvTagOfUnit(
  unit: MediaUnit,
  codec: VideoConfig['codec'] = 'h264',
  configTimestampMs = 0,
): FlvTag {
  const [head, payload] = flvBuffersOf(unit, codec, configTimestampMs);
  return {
    type: unit.kind === 'video' ? VIDEO : AUDIO,
    timestampMs: Math.round(isConfig(unit) ? configTimestampMs : unit.dtsMs) >>> 0,
    data: Buffer.concat([head.subarray(11), payload]),
  };
}
