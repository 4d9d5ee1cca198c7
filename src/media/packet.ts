/**
 * What moves through a recording: coded pictures and audio frames, whatever protocol they came by. Payloads are as FLV
 * and MP4 have them: length-prefixed NAL units, raw AAC; MPEG-TS is brought into this form when it is read. All readers
 * give these; all engines take them.
 */

export interface VideoConfig {
  kind: 'video';
  codec: 'h264' | 'h265';
  /** avcC or hvcC, byte for byte: a different one is a different epoch. */
  record: Buffer;
  width: number;
  height: number;
}

export interface AudioConfig {
  kind: 'audio';
  codec: 'aac';
  /** AudioSpecificConfig. */
  record: Buffer;
  sampleRate: number;
  channels: number;
}

export interface VideoPacket {
  kind: 'video';
  dtsMs: number;
  /** Presentation minus decode time; negative only where the source has it so. */
  compositionMs: number;
  key: boolean;
  data: Buffer;
}

export interface AudioPacket {
  kind: 'audio';
  dtsMs: number;
  data: Buffer;
}

export type MediaPacket = VideoPacket | AudioPacket;
/** A configuration holds for all packets of its kind that follow it. */
export type MediaUnit = VideoConfig | AudioConfig | VideoPacket | AudioPacket;

export const isConfig = (unit: MediaUnit): unit is VideoConfig | AudioConfig => 'record' in unit;
