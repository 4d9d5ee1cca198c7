/** Packets that bear their numbers, as the time line gives them: a picture every 40 ms, sound every 23 ms. */
import type { AudioConfig, MediaPacket, MediaUnit, VideoConfig } from '../../src/media/packet.ts';
import type { VariantLabel } from '../../src/model/variant.ts';
import type { TailState } from '../../src/spool/tail.ts';

export const GOP_PICTURES = 25;
export const GOP_MS = GOP_PICTURES * 40;
export const variant: VariantLabel = {
  codecFamily: 'h264',
  source: 'primary',
  qualityKey: 'origin',
  protocol: 'flv',
};

// From x264 and ffmpeg's AAC encoder; their content is of no matter here.
export const video: VideoConfig = {
  kind: 'video',
  codec: 'h264',
  record: Buffer.from(
    '0164001effe1001b6764001eacd940a02ff9701101000003000100000300320f162d9601000668ebe3cb22c0',
    'hex',
  ),
  width: 640,
  height: 360,
};
export const audio: AudioConfig = {
  kind: 'audio',
  codec: 'aac',
  record: Buffer.from('1210', 'hex'),
  sampleRate: 44_100,
  channels: 2,
};

export const state = (video: number | null, audio: number | null = null): TailState => ({
  offsetMs: 60_000,
  earlierMs: [],
  wallMs: 1_795_356_000_000,
  video: video === null ? null : { lastDtsMs: video, frameMs: 40 },
  audio: audio === null ? null : { lastDtsMs: audio, frameMs: 23 },
});

export const picture = (n: number, bytes = 200): MediaPacket => ({
  kind: 'video',
  dtsMs: 60_000 + n * 40,
  compositionMs: 80,
  key: n % GOP_PICTURES === 0,
  data: Buffer.alloc(bytes, `picture ${n} `),
});

export const frame = (n: number): MediaPacket => ({
  kind: 'audio',
  dtsMs: 60_000 + n * 23,
  data: Buffer.from(`frame ${n}`),
});

/** Everything of this time, in order. */
export function media(
  fromMs: number,
  toMs: number,
  kinds: { video?: boolean; audio?: boolean } = {},
): MediaPacket[] {
  const packets: MediaPacket[] = [];
  if (kinds.video ?? true)
    for (let n = Math.ceil(fromMs / 40); n * 40 < toMs; n += 1) packets.push(picture(n));
  if (kinds.audio ?? true) for (let n = Math.ceil(fromMs / 23); n * 23 < toMs; n += 1) packets.push(frame(n));
  return packets.sort((a, b) => a.dtsMs - b.dtsMs || (a.kind === 'video' ? -1 : 1));
}

/** A unit by its time, to compare what was read with what was written. */
export const nameOf = (unit: MediaUnit): string =>
  'record' in unit
    ? `${unit.kind} configuration`
    : `${unit.kind} ${unit.dtsMs} ${unit.data.toString('latin1', 0, 14)}`;
