/**
 * The seam between a recording and what writes its segments. An engine turns the packets of one epoch (one codec
 * configuration, one contiguous time line) into closed segment files. It knows nothing of sessions, reconnects, stores
 * or journals; what it was given and has not yet handed over as a closed segment, its caller still has (the tail).
 */
import type { AudioConfig, MediaPacket, VideoConfig } from '../media/packet.ts';
import type { Container } from '../model/manifest.ts';

export interface EpochSpec {
  term: number;
  epoch: number;
  /** Null for audio alone. */
  video: VideoConfig | null;
  audio: AudioConfig | null;
  container: Container;
  /** A segment is closed at the first keyframe at or after this long. */
  segmentDurationMs: number;
  /** An existing folder that is the engine's alone; segments and init appear in it under their final base names. */
  folder: string;
  /** Number of the first segment, from 1; higher when an engine takes over from one that died. */
  firstSegment: number;
}

export interface ClosedSegment {
  n: number;
  path: string;
  bytes: number;
  sha256: string;
  /** Counted in the file itself, not in what was fed. */
  pictures: number;
  audioFrames: number;
  /** Of the first track with pictures (of the audio when there is none); as fed, to the millisecond. */
  firstDtsMs: number;
  lastDtsMs: number;
  /** To the first picture of the next segment; for the last one, to the end of its last picture. */
  durationMs: number;
  /** Pictures and audio frames that were fed for the same stretch: a difference is media that the engine lost. */
  fedPictures: number;
  fedAudioFrames: number;
  /**
   * Of the last sound in it, as fed, where an engine sorts sound in: it may have come after the keyframe at which the
   * next segment begins. Absent: it came before.
   */
  soundUpToMs?: number;
}

export interface ClosedInit {
  path: string;
  bytes: number;
  sha256: string;
}

export interface EngineOutput {
  /** Called once, before the first segment, for fMP4. */
  onInit(init: ClosedInit): void;
  /** Called in order, once per segment, after the file is complete. */
  onSegment(segment: ClosedSegment): void;
}

export interface EpochSink {
  /**
   * Takes packets in decode order; the first video packet is a keyframe. Resolves when more may be written
   * (back-pressure). Rejects with ENGINE once the engine is gone.
   */
  write(packets: readonly MediaPacket[]): Promise<void>;
  /** No more packets: closes the last segment. Resolves after every segment was handed over and nothing runs any more. */
  end(): Promise<void>;
  /** Gives up at once; resolves when nothing runs any more. Never rejects. */
  abort(): Promise<void>;
}

export interface Engine {
  readonly name: 'ffmpeg' | 'builtin';
  open(spec: EpochSpec, output: EngineOutput): Promise<EpochSink>;
}
