/** How ffmpeg is given recorded media: one file or playlist by its path, several files as one stream of bytes. */
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { execa } from 'execa';

/**
 * A path or URL; or paths whose bytes belong behind one another: an init segment and its fragments, MPEG-TS segments of
 * one epoch.
 */
export type MediaSource = string | readonly string[];

/** What ffmpeg said while it did its work, and what came out. */
export interface Decoded {
  output: Buffer;
  /** All lines, each with `[level]`. */
  log: string[];
  /** The lines that tell of damage. */
  errors: string[];
}

function inputOf(source: MediaSource): { args: string[]; stdin: Readable | undefined } {
  const paths = typeof source === 'string' ? [source] : source;
  if (paths.length === 1) {
    const path = paths[0]!;
    const args = /\.m3u8(\?|$)/.test(path) ? ['-live_start_index', '0', '-i', path] : ['-i', path];
    return { args, stdin: undefined };
  }
  return { args: ['-i', 'pipe:0'], stdin: Readable.from(bytesOf(paths)) };
}

async function* bytesOf(paths: readonly string[]): AsyncGenerator<Buffer> {
  for (const path of paths) {
    yield* createReadStream(path) as AsyncIterable<Buffer>;
  }
}

/** Runs ffmpeg over the source with the original timestamps; damage in the media is told, not thrown. */
export async function decode(source: MediaSource, output: readonly string[]): Promise<Decoded> {
  const { args, stdin } = inputOf(source);
  const common = ['-hide_banner', '-nostdin', '-nostats', '-v', 'level+info', '-copyts'];
  const { stdout, stderr } = await execa('ffmpeg', [...common, ...args, ...output, 'pipe:1'], {
    encoding: 'buffer',
    maxBuffer: 2 ** 30,
    reject: false,
    ...(stdin ? { input: stdin } : { stdin: 'ignore' as const }),
  });
  const log = Buffer.from(stderr).toString().split('\n');
  return {
    output: Buffer.from(stdout),
    log,
    errors: log.filter((line) => /\[(error|fatal|panic)\]/.test(line)),
  };
}

/** The packets of the first stream of this kind, without decoding. */
export async function packetTimesMs(source: MediaSource, kind: 'v' | 'a'): Promise<number[]> {
  const { args, stdin } = inputOf(source);
  const wanted = ['-select_streams', `${kind}:0`, '-show_entries', 'packet=pts_time', '-of', 'csv=p=0'];
  const { stdout } = await execa('ffprobe', ['-v', 'error', ...args, ...wanted], {
    maxBuffer: 2 ** 28,
    reject: false,
    ...(stdin ? { input: stdin } : { stdin: 'ignore' as const }),
  });
  return [...stdout.matchAll(/^(-?[\d.]+)/gm)].map(([, seconds]) => Number(seconds) * 1_000);
}
