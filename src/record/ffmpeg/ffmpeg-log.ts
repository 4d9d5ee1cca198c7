/**
 * The one place that interprets what ffmpeg writes to standard error (with `-loglevel repeat+level`). It only sorts
 * lines for people who read the log; no decision of the engine hangs on them.
 */
import { scrub } from '../../kernel/redact.ts';

export type FfmpegLogLevel = 'error' | 'warn' | 'info';

export type FfmpegLogClass =
  /** A time stamp was changed or is out of order. */
  | 'timestamps'
  /** The input cannot be read as what it should be. */
  | 'input'
  /** The output cannot be written: disk, permissions, a closed pipe. */
  | 'output'
  /** An option, a format or a codec that this ffmpeg does not know. */
  | 'capability'
  | 'other';

export interface FfmpegLogLine {
  level: FfmpegLogLevel;
  class: FfmpegLogClass;
  /** Which part of ffmpeg says so (`mpegts`, `flv`); undefined when the line names none. */
  source: string | undefined;
  /** Without prefixes and addresses. */
  text: string;
}

const LEVELS: Record<string, FfmpegLogLevel> = {
  panic: 'error',
  fatal: 'error',
  error: 'error',
  warning: 'warn',
};

const CLASSES: readonly [FfmpegLogClass, RegExp][] = [
  [
    'capability',
    /unrecognized option|unknown (?:input|output) format|option not found|muxer not found|not recognized/i,
  ],
  [
    'output',
    /no space left|permission denied|broken pipe|error writing|failed to open segment|av_interleaved_write_frame|could not write header|read-only file system/i,
  ],
  [
    'timestamps',
    /non[- ]?monoton|invalid dts|timestamps? (?:are|discontinuity)|pts .*dts|dts .*pts|unset timestamp/i,
  ],
  [
    'input',
    /invalid data|packet mismatch|could not find codec parameters|corrupt|end of file|invalid nal|missing picture|not implemented/i,
  ],
];

/** Undefined for an empty line. */
export function parseLogLine(line: string): FfmpegLogLine | undefined {
  const match = /^(?:\[([^\]@]+?)\s*(?:@ 0x[0-9a-f]+)?\]\s*)?(?:\[(\w+)\]\s*)?(.*)$/is.exec(line.trim());
  if (!match) return undefined;
  let [, source, level, text = ''] = match;
  // `[error] text` has a level and no source.
  if (source !== undefined && level === undefined && isLevel(source)) [source, level] = [undefined, source];
  text = scrub(text.trim());
  if (text === '') return undefined;
  return {
    level: LEVELS[level ?? ''] ?? 'info',
    class: CLASSES.find(([, pattern]) => pattern.test(text))?.[0] ?? 'other',
    source: source?.trim(),
    text,
  };
}

const isLevel = (word: string): boolean =>
  /^(?:panic|fatal|error|warning|info|verbose|debug|trace)$/.test(word);
