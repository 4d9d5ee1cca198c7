/**
 * The bytes that ffmpeg reads: H.264 and audio alone as FLV, H.265 as Matroska. Times are moved so that the fed time
 * line begins near zero; payloads are not copied.
 */
import { FLV_HEADER } from '../../media/flv.ts';
import { flvBuffersOf } from '../../media/flv-units.ts';
import { MatroskaWriter } from '../../media/matroska.ts';
import type { AudioConfig, MediaPacket, VideoConfig } from '../../media/packet.ts';
import { feedFormatOf } from './ffmpeg-arguments.ts';

export interface Feed {
  /** All that comes before the first packet. */
  header(): readonly Buffer[];
  /** `key` as the reader shall believe it. */
  buffersOf(packet: MediaPacket, key: boolean): readonly Buffer[];
}

interface Tracks {
  video: VideoConfig | null;
  audio: AudioConfig | null;
}

export function createFeed(tracks: Tracks, originMs: number): Feed {
  return feedFormatOf(tracks.video) === 'flv' ? flvFeed(tracks, originMs) : matroskaFeed(tracks, originMs);
}

const moved = (packet: MediaPacket, key: boolean, originMs: number): MediaPacket =>
  packet.kind === 'video'
    ? { ...packet, key, dtsMs: packet.dtsMs - originMs }
    : { ...packet, dtsMs: packet.dtsMs - originMs };

const FLV_FLAGS_AT = 4;
const FLV_HAS_AUDIO = 4;
const FLV_HAS_VIDEO = 1;

function flvFeed({ video, audio }: Tracks, originMs: number): Feed {
  return {
    header() {
      // ffmpeg waits for every stream that the header names, and looks for no other.
      const header = Buffer.from(FLV_HEADER);
      header[FLV_FLAGS_AT] = (audio ? FLV_HAS_AUDIO : 0) | (video ? FLV_HAS_VIDEO : 0);
      return [header, ...(video ? flvBuffersOf(video) : []), ...(audio ? flvBuffersOf(audio) : [])];
    },
    buffersOf: (packet, key) => flvBuffersOf(moved(packet, key, originMs)),
  };
}

function matroskaFeed(tracks: Tracks, originMs: number): Feed {
  const writer = new MatroskaWriter(tracks);
  return {
    header: () => [writer.header()],
    buffersOf: (packet, key) => writer.buffersOf(moved(packet, key, originMs)),
  };
}
