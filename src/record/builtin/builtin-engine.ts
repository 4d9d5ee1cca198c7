/**
 * The engine that writes the segments in livestow's own process: no ffmpeg is needed, of whatever version, and a recording
 * costs neither a process nor a pipe.
 *
 * What it promises beyond the seam:
 * - A picture or a frame of sound is in the segment that is open when it comes. Nothing waits for the other track: sound
 *   that is late, or never comes, delays no segment.
 * - What was fed is in the file within about a second of media, which is also all that it holds in memory.
 * - A segment is handed over only when what its bytes hold was counted and is what the epoch says; files are hashed as they
 *   are written and never read back.
 * - After a failure or `abort()` no file is open and none is left in the folder that was not handed over.
 */
import type { Logger } from '../../kernel/logger.ts';
import type { Engine } from '../engine.ts';
import { BuiltinSink } from './builtin-sink.ts';

export interface BuiltinEngineOptions {
  logger: Logger;
}

export function createBuiltinEngine({ logger }: BuiltinEngineOptions): Engine {
  return { name: 'builtin', open: async (spec, output) => new BuiltinSink(logger, spec, output) };
}
