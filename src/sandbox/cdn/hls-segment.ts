/** One HLS segment's media: a GOP of a track, or what the encoder made of it, as PES. */
import { parseAvcRecord } from '../../media/avc.ts';
import { parseHevcRecord } from '../../media/hevc.ts';
import { lengthPrefixedNals } from '../../media/nal.ts';
import { FlvTagReader, FLV_HEADER } from '../../media/flv.ts';
import { unitOfFlvTag } from '../../media/flv-units.ts';
import {
  isConfig,
  type AudioConfig,
  type AudioPacket,
  type VideoConfig,
  type VideoPacket,
} from '../../media/packet.ts';
import type { Track } from '../media/track.ts';
import { Cursor } from './cursor.ts';
import type { Pes } from './mpegts.ts';

/** Frames of sound that go into one PES, as muxers do. */
const FRAMES_PER_PES = 5;
const START_CODE = Buffer.from([0, 0, 0, 1]);
const DELIMITER = { h264: Buffer.from([0x09, 0xf0]), h265: Buffer.from([0x46, 0x01, 0x50]) } as const;
const SAMPLE_RATE_INDEX_44100 = 4;

export interface SegmentMedia {
  pieces: Pes[];
  pictures: number[];
  frames: number[];
}

/** Media from a GOP's begin up to a position; `shiftMs` is added to all times. */
export function segmentMedia(track: Track, gop: number, toMs: number, shiftMs: number): SegmentMedia {
  const media: SegmentMedia = { pieces: [], pictures: [], frames: [] };
  let sound: (AudioPacket & { number: number })[] = [];
  const flushSound = () => {
    if (sound[0]) {
      const dtsMs = sound[0].dtsMs + shiftMs;
      const data = Buffer.concat(sound.map((frame) => adtsFrame(frame.data, track.audioConfig)));
      media.pieces.push({ kind: 'audio', ptsMs: dtsMs, dtsMs, key: true, data });
      sound = [];
    }
  };
  for (const cursor = new Cursor(track, gop); cursor.dtsMs < toMs; cursor.advance()) {
    const { dtsMs, number } = cursor;
    const packet = packetAt(track, cursor);
    if (packet.kind === 'audio') {
      sound.push({ ...packet, dtsMs, number });
      media.frames.push(number);
      if (sound.length === FRAMES_PER_PES) {
        flushSound();
      }
    } else {
      const { compositionMs, key } = packet;
      const data = accessUnit(packet, track.videoConfig!);
      media.pieces.push({
        kind: 'video',
        ptsMs: dtsMs + shiftMs + compositionMs,
        dtsMs: dtsMs + shiftMs,
        key,
        data,
      });
      media.pictures.push(number);
    }
  }
  flushSound();
  return media;
}

function packetAt(track: Track, { tag }: Cursor): VideoPacket | AudioPacket {
  const [flvTag] = new FlvTagReader().push(
    Buffer.concat([FLV_HEADER, track.bytes.subarray(tag.from, tag.end)]),
  );
  const unit = flvTag && unitOfFlvTag(flvTag);
  if (!unit || (unit.kind !== 'video' && unit.kind !== 'audio') || isConfig(unit)) {
    throw new Error('The track is damaged.');
  }
  return unit;
}

/** Annex B, with an access unit delimiter, and the parameter sets before a key picture. */
function accessUnit({ key, data }: VideoPacket, { codec, record }: VideoConfig): Buffer {
  const nals = [DELIMITER[codec], ...(key ? parameterSets(codec, record) : []), ...lengthPrefixedNals(data)];
  return Buffer.concat(nals.flatMap((nal) => [START_CODE, nal]));
}

function parameterSets(codec: VideoConfig['codec'], record: Buffer): Buffer[] {
  if (codec === 'h264') {
    const { sps, pps } = parseAvcRecord(record);
    return [...sps, ...pps];
  }
  const { vps, sps, pps } = parseHevcRecord(record);
  return [...vps, ...sps, ...pps];
}

function adtsFrame(data: Buffer, { channels }: AudioConfig): Buffer {
  const length = 7 + data.length;
  const header = Buffer.from([
    0xff,
    0xf1,
    (1 << 6) | (SAMPLE_RATE_INDEX_44100 << 2) | (channels >> 2),
    ((channels & 3) << 6) | (length >> 11),
    (length >> 3) & 0xff,
    ((length & 7) << 5) | 0x1f,
    0xfc,
  ]);
  return Buffer.concat([header, data]);
}
