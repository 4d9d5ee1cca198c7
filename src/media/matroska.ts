/**
 * Writes Matroska (RFC 9559) to a pipe, for a reader that takes what comes: no index, no sizes that are known only
 * later, one SimpleBlock a packet. It carries hvcC and length-prefixed NAL units as they are, which every ffmpeg reads,
 * where H.265 in FLV is read by the newest ones only. Matroska has presentation times alone: the reader finds the decode
 * times by itself. Payloads are not copied.
 */
import { parseAudioSpecificConfig } from './aac.ts';
import type { AudioConfig, MediaPacket, VideoConfig } from './packet.ts';

const VIDEO_TRACK = 1;
const AUDIO_TRACK = 2;
/** "Size unknown", in eight bytes. */
const UNKNOWN_SIZE = Buffer.from('01ffffffffffffff', 'hex');
/** A block's time has 16 bits, with a sign, from its cluster's; half of that leaves room for pictures out of order. */
const CLUSTER_MS_MAX = 16_000;
/** Block: id, size, track, time, flags. */
const BLOCK_HEADER_BYTES = 9;

export class MatroskaWriter {
  readonly #video: VideoConfig | null;
  readonly #audio: AudioConfig | null;
  #clusterMs: number | undefined;

  constructor(tracks: { video: VideoConfig | null; audio: AudioConfig | null }) {
    this.#video = tracks.video;
    this.#audio = tracks.audio;
  }

  /** All that comes before the first packet. */
  header(): Buffer {
    const tracks: Buffer[] = [];
    if (this.#video) {
      tracks.push(videoTrack(this.#video));
    }
    if (this.#audio) {
      tracks.push(audioTrack(this.#audio));
    }
    return Buffer.concat([
      element('1a45dfa3', [
        element('4286', uint(1)),
        element('42f7', uint(1)),
        element('42f2', uint(4)),
        element('42f3', uint(8)),
        element('4282', text('matroska')),
        element('4287', uint(4)),
        element('4285', uint(2)),
      ]),
      Buffer.from('18538067', 'hex'),
      UNKNOWN_SIZE,
      // One tick is a millisecond.
      element('1549a966', [
        element('2ad7b1', uint(1_000_000)),
        element('4d80', text('livestow')),
        element('5741', text('livestow')),
      ]),
      element('1654ae6b', tracks),
    ]);
  }

  /** The bytes of a packet, to go out behind one another: headers, payload. Times before zero become zero. */
  buffersOf(packet: MediaPacket): [Buffer, Buffer] {
    const video = packet.kind === 'video';
    const timeMs = Math.max(0, Math.round(video ? packet.dtsMs + packet.compositionMs : packet.dtsMs));
    const cluster = this.#clusterBefore(timeMs, video && packet.key);
    const at = cluster.length;
    const head = Buffer.allocUnsafe(at + BLOCK_HEADER_BYTES);
    cluster.copy(head);
    head[at] = 0xa3;
    head.writeUInt32BE(sizeOf(4 + packet.data.length), at + 1);
    head[at + 5] = 0x80 | (video ? VIDEO_TRACK : AUDIO_TRACK);
    head.writeInt16BE(timeMs - this.#clusterMs!, at + 6);
    head[at + 8] = !video || packet.key ? 0x80 : 0;
    return [head, packet.data];
  }

  /** The start of a new cluster, where one is due: at a keyframe, and when a block's time would not fit. */
  #clusterBefore(timeMs: number, key: boolean): Buffer {
    if (!key && this.#clusterMs !== undefined && Math.abs(timeMs - this.#clusterMs) <= CLUSTER_MS_MAX) {
      return Buffer.alloc(0);
    }
    this.#clusterMs = timeMs;
    return Buffer.concat([Buffer.from('1f43b675', 'hex'), UNKNOWN_SIZE, element('e7', uint(timeMs))]);
  }
}

function videoTrack(config: VideoConfig): Buffer {
  return element('ae', [
    element('d7', uint(VIDEO_TRACK)),
    element('73c5', uint(VIDEO_TRACK)),
    element('83', uint(1)),
    element('9c', uint(0)),
    element('86', text(config.codec === 'h265' ? 'V_MPEGH/ISO/HEVC' : 'V_MPEG4/ISO/AVC')),
    element('63a2', config.record),
    element('e0', [element('b0', uint(config.width)), element('ba', uint(config.height))]),
  ]);
}

function audioTrack(config: AudioConfig): Buffer {
  const { sampleRate, coreSampleRate } = parseAudioSpecificConfig(config.record);
  return element('ae', [
    element('d7', uint(AUDIO_TRACK)),
    element('73c5', uint(AUDIO_TRACK)),
    element('83', uint(2)),
    element('9c', uint(0)),
    element('86', text('A_AAC')),
    element('63a2', config.record),
    element('e1', [
      element('b5', float(coreSampleRate)),
      ...(sampleRate === coreSampleRate ? [] : [element('78b5', float(sampleRate))]),
      element('9f', uint(config.channels)),
    ]),
  ]);
}

function element(id: string, content: Buffer | Buffer[]): Buffer {
  const body = Array.isArray(content) ? Buffer.concat(content) : content;
  const size = Buffer.allocUnsafe(4);
  size.writeUInt32BE(sizeOf(body.length));
  return Buffer.concat([Buffer.from(id, 'hex'), size, body]);
}

/** A size of up to 2^28 - 2, in four bytes: no counting of digits. */
const sizeOf = (bytes: number): number => (0x1000_0000 | bytes) >>> 0;

function uint(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(value > 0xffff_ffff ? 6 : value > 0xff ? 4 : 1);
  bytes.writeUIntBE(value, 0, bytes.length);
  return bytes;
}

function float(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeFloatBE(value);
  return bytes;
}

const text = (value: string): Buffer => Buffer.from(value, 'latin1');
