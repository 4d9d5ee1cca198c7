/**
 * The engine that lets ffmpeg write the segments: one process per epoch, started with the first packet.
 *
 * What it promises beyond the seam:
 * - A segment is handed over only when its file was read back and is what the epoch says: same codec, same size, on the
 *   fed time line. Anything else is an ENGINE error, and the segment is not handed over.
 * - Pictures or audio frames that ffmpeg lost within a segment show as `fedPictures` and `fedAudioFrames` beside what
 *   the file holds. `end()` rejects with ENGINE when pictures that were fed are in no segment at all, whatever ffmpeg's
 *   exit code says.
 * - After a failure or `abort()` the process is gone (its exit was awaited) and no file is left in the folder that was
 *   not handed over.
 */
import type { Clock } from '../../kernel/clock.ts';
import type { Logger } from '../../kernel/logger.ts';
import type { Engine } from '../engine.ts';
import { FfmpegSink } from './ffmpeg-sink.ts';
import { SegmentReader } from './segment-census.ts';

export interface FfmpegEngineOptions {
  /** Path of the ffmpeg binary. */
  ffmpegPath: string;
  clock: Clock;
  logger: Logger;
  /** How long ffmpeg may leave its input unread, or a finished segment unannounced while media flows on. */
  stallMs?: number;
  /** How long it may take to finish when its input has ended. */
  endMs?: number;
}

const STALL_MS = 10_000;
const END_MS = 10_000;

export function createFfmpegEngine(options: FfmpegEngineOptions): Engine {
  const { stallMs = STALL_MS, endMs = END_MS } = options;
  const reader = new SegmentReader();
  return {
    name: 'ffmpeg',
    open: async (spec, output) => new FfmpegSink({ ...options, reader, stallMs, endMs }, spec, output),
  };
}
