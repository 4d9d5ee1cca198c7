/**
 * Still pictures of keyframes, and one picture of many. Keyframes that are behind one another are decoded by one process:
 * starting one for each costs many times what decoding does (measured in `docs/performance.md`).
 */
import { setPriority } from 'node:os';
import { execa } from 'execa';
import { LivestowError } from '../kernel/errors.ts';
import type { Keyframe } from '../media/first-keyframe.ts';
import { annexBNals } from '../media/nal.ts';

export interface DrawOptions {
  /** The ffmpeg executable. */
  ffmpegPath: string;
  /** From 0 to 19: how far it stands back behind others that want the processor. */
  niceness?: number | undefined;
  signal?: AbortSignal | undefined;
}

export interface PictureSize {
  width: number;
  height: number;
}

/** Of raw pictures: no choice of a colour matrix is left to whoever encodes them. */
const PIXELS = 'rgb24';
const PIXEL_BYTES = 3;
/** More than 8K is not a broadcast, and would be a lot of memory. */
const MOST_PIXELS = 8192 * 4320;
const DEMUXERS = { h264: 'h264', h265: 'hevc' } as const;
const QUIET = ['-hide_banner', '-nostdin', '-loglevel', 'quiet'];

/**
 * The pictures as raw bytes, each fitted into this size with black beside or above it; undefined for what no decoder
 * takes. Throws FFMPEG_MISSING, or the signal's reason.
 */
export async function drawKeyframes(
  keyframes: readonly Keyframe[],
  size: PictureSize,
  options: DrawOptions,
): Promise<(Buffer | undefined)[]> {
  const pictures: (Buffer | undefined)[] = [];
  for (const run of runsOfOneCodec(keyframes)) {
    const drawn = await drawRun(run, size, options);
    if (drawn.length === run.length) pictures.push(...drawn);
    // Which one is missing nobody can say.
    else for (const keyframe of run) pictures.push((await drawRun([keyframe], size, options))[0]);
  }
  return pictures;
}

function runsOfOneCodec(keyframes: readonly Keyframe[]): Keyframe[][] {
  const runs: Keyframe[][] = [];
  for (const keyframe of keyframes) {
    const run = runs.at(-1);
    if (run?.[0]?.codec === keyframe.codec) run.push(keyframe);
    else runs.push([keyframe]);
  }
  return runs;
}

async function drawRun(
  run: readonly Keyframe[],
  { width, height }: PictureSize,
  options: DrawOptions,
): Promise<Buffer[]> {
  const codec = run[0]?.codec ?? 'h264';
  const fitted = [
    `scale=${width}:${height}:force_original_aspect_ratio=decrease:flags=area`,
    `pad=${width}:${height}:-1:-1`,
    'setsar=1',
    `format=${PIXELS}`,
  ];
  const raw = await ffmpeg(
    `${annexB(codec)} -vf ${fitted.join(',')} -fps_mode passthrough -f rawvideo pipe:1`.split(' '),
    streamOf(run),
    options,
  );
  const bytes = width * height * PIXEL_BYTES;
  return Array.from({ length: Math.floor(raw.length / bytes) }, (_, i) =>
    raw.subarray(i * bytes, (i + 1) * bytes),
  );
}

/** ITU-T H.265 table 7-1: a picture to begin at that goes on with what was before, and one that does not. */
const CRA = 21;
const BLA = 18;

/**
 * Behind one another. An IDR picture begins anew wherever it stands; a CRA picture only where it is called a BLA picture, as
 * whoever joins streams is told to: else its place would be counted from the one before, and pictures come out of order.
 */
function streamOf(run: readonly Keyframe[]): Buffer {
  const stream = Buffer.concat(run.map(({ data }) => data));
  if (run[0]?.codec !== 'h265') return stream;
  for (const nal of annexBNals(stream)) {
    const [head = 0] = nal;
    if (((head >> 1) & 0x3f) === CRA) nal[0] = (head & 0x81) | (BLA << 1);
  }
  return stream;
}

/**
 * One JPEG of raw pictures of one size, row by row. Throws FFMPEG_MISSING, FFMPEG_FAILED, or the signal's reason.
 */
export async function encodeSheet(
  pictures: readonly Buffer[],
  { width, height, columns }: PictureSize & { columns: number },
  options: DrawOptions,
): Promise<Buffer> {
  const raw = `-protocol_whitelist pipe -f rawvideo -pixel_format ${PIXELS} -video_size ${width}x${height} -i pipe:0`;
  const tiled = `-vf tile=${columns}x${Math.ceil(pictures.length / columns)} -frames:v 1`;
  const jpg = await ffmpeg(
    `${raw} ${tiled} -q:v 5 -f mjpeg pipe:1`.split(' '),
    Buffer.concat(pictures),
    options,
  );
  return requireJpeg(jpg);
}

/** A keyframe as a JPEG at most so wide. Throws FFMPEG_MISSING, FFMPEG_FAILED, or the signal's reason. */
export async function encodeStill(
  { codec, data }: Keyframe,
  mostWidth: number,
  options: DrawOptions,
): Promise<Buffer> {
  const smaller = `-vf scale=min(${mostWidth}\\,iw):-2 -frames:v 1`;
  return requireJpeg(
    await ffmpeg(`${annexB(codec)} ${smaller} -q:v 3 -f mjpeg pipe:1`.split(' '), data, options),
  );
}

const annexB = (codec: Keyframe['codec']): string =>
  `-threads 1 -max_pixels ${MOST_PIXELS} -protocol_whitelist pipe -f ${DEMUXERS[codec]} -i pipe:0 -map 0:v:0`;

function requireJpeg(bytes: Buffer): Buffer {
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return bytes;
  throw new LivestowError('FFMPEG_FAILED', 'ffmpeg made no picture');
}

/** What it wrote, whatever it thought of what it was given: pictures are counted by whoever asked. */
async function ffmpeg(
  args: readonly string[],
  input: Buffer,
  { ffmpegPath, niceness = 0, signal }: DrawOptions,
): Promise<Buffer> {
  signal?.throwIfAborted();
  const child = execa(ffmpegPath, [...QUIET, ...args], {
    input,
    encoding: 'buffer',
    stderr: 'ignore',
    reject: false,
    killSignal: 'SIGKILL',
    ...(signal ? { cancelSignal: signal } : {}),
  });
  if (niceness > 0 && child.pid !== undefined) standBack(child.pid, niceness);
  const result = await child;
  signal?.throwIfAborted();
  if (result.exitCode === undefined && !result.isTerminated) {
    throw new LivestowError('FFMPEG_MISSING', 'ffmpeg could not be started', {
      cause: result.cause,
      hint: '`livestow doctor` says how to install it',
    });
  }
  return Buffer.from(result.stdout);
}

function standBack(pid: number, niceness: number): void {
  try {
    setPriority(pid, niceness);
  } catch {
    // It has ended already.
  }
}
