/** The ffmpeg runs that make raw material: pictures with their numbers as MP4, the sound as ADTS, and two still images. */
import { execa, ExecaError } from 'execa';
import { LivestowError } from '../../kernel/errors.ts';
import {
  FRAME_SAMPLES,
  GOP_PICTURES,
  LOOP_FRAMES,
  LOOP_PICTURES,
  PICTURES_PER_SECOND,
  SAMPLE_RATE,
} from './grid.ts';
import { CODE_BITS, CODE_ROWS, codeBlockPixels, encodePictureCode } from './picture-code.ts';
import { AUDIO_BITRATE_BPS, type ImageName, type RECIPES } from './recipes.ts';
import { tonePcm } from './tone-code.ts';

/** Sources of a run that read standard input get it from here. */
interface RunOptions {
  input?: Buffer;
  onOutput?: (text: string) => void;
}

export interface EncodeOptions {
  ffmpeg: string;
  signal?: AbortSignal;
}

type PictureRecipe = NonNullable<(typeof RECIPES)[keyof typeof RECIPES]>;

const QUIET = ['-hide_banner', '-nostdin', '-y', '-v', 'error'];

/** Frames of the sound before and after the loop, so that the encoder is in full swing at the seam. */
const RUN_UP_FRAMES = 3;
/** ffmpeg's AAC encoder puts out one frame of silence first. */
const PRIMING_FRAMES = 1;

/** What of the encoded sound is the loop: LOOP_FRAMES frames from this one on. */
export const FIRST_LOOP_FRAME = PRIMING_FRAMES + RUN_UP_FRAMES;

export async function encodeSound(path: string, options: EncodeOptions): Promise<void> {
  const input = tonePcm(-RUN_UP_FRAMES * FRAME_SAMPLES, (LOOP_FRAMES + 2 * RUN_UP_FRAMES) * FRAME_SAMPLES);
  const source = ['-f', 's16le', '-ar', String(SAMPLE_RATE), '-ac', '1', '-i', 'pipe:0'];
  const output = ['-ac', '2', '-c:a', 'aac', '-b:a', String(AUDIO_BITRATE_BPS), '-f', 'adts', path];
  await runFfmpeg([...source, ...output], options, { input });
}

/** `onPicture` hears how many pictures are done. */
export async function encodePictures(
  path: string,
  recipe: PictureRecipe,
  options: EncodeOptions & { onPicture?: (done: number) => void },
): Promise<void> {
  const { width, height } = recipe;
  const block = codeBlockPixels(width);
  const input = Buffer.concat(Array.from({ length: LOOP_PICTURES }, (_, n) => encodePictureCode(n)));
  const rate = String(PICTURES_PER_SECOND);
  const codes = [
    '-f',
    'rawvideo',
    '-pix_fmt',
    'gray',
    '-video_size',
    `${CODE_BITS}x${CODE_ROWS}`,
    '-framerate',
    rate,
  ];
  const scene = ['-f', 'lavfi', '-i', `testsrc2=size=${width}x${height}:rate=${rate}`];
  const enlarged = `scale=${CODE_BITS * block}:${CODE_ROWS * block}:flags=neighbor`;
  const filter = ['-filter_complex', `[0]${enlarged}[code];[1][code]overlay=0:0:shortest=1,format=yuv420p`];
  const sources = ['-progress', 'pipe:1', ...codes, '-i', 'pipe:0', ...scene];
  const onOutput = (text: string) => {
    const done = [...text.matchAll(/^frame=(\d+)/gm)].at(-1)?.[1];
    if (done !== undefined) {
      options.onPicture?.(Number(done));
    }
  };
  await runFfmpeg([...sources, ...filter, ...codecArguments(recipe), '-f', 'mp4', path], options, {
    input,
    onOutput,
  });
}

/** Closed GOPs of one length and two B pictures, in either codec. */
function codecArguments({ codec, bitrateBps }: PictureRecipe): string[] {
  const gop = String(GOP_PICTURES);
  const rate = String(bitrateBps);
  if (codec === 'h265') {
    const params = `log-level=error:bframes=2:keyint=${gop}:min-keyint=${gop}:scenecut=0:open-gop=0`;
    return [
      '-c:v',
      'libx265',
      '-preset',
      'ultrafast',
      '-tag:v',
      'hvc1',
      '-b:v',
      rate,
      '-x265-params',
      params,
    ];
  }
  const gopArguments = ['-g', gop, '-keyint_min', gop, '-sc_threshold', '0', '-bf', '2'];
  return [
    '-c:v',
    'libx264',
    '-preset',
    'ultrafast',
    '-b:v',
    rate,
    '-maxrate',
    rate,
    '-bufsize',
    rate,
    ...gopArguments,
  ];
}

const IMAGE_SOURCES: Record<ImageName, string> = {
  avatar: 'testsrc=size=192x192:rate=1',
  cover: 'testsrc2=size=360x640:rate=1',
};

export async function encodeImage(path: string, name: ImageName, options: EncodeOptions): Promise<void> {
  const output = ['-frames:v', '1', '-c:v', 'mjpeg', '-pix_fmt', 'yuvj420p', '-f', 'mjpeg', path];
  await runFfmpeg(['-f', 'lavfi', '-i', IMAGE_SOURCES[name], ...output], options);
}

/** Throws FFMPEG_MISSING, FFMPEG_FAILED, or the signal's reason. */
async function runFfmpeg(
  args: string[],
  { ffmpeg, signal }: EncodeOptions,
  { input, onOutput }: RunOptions = {},
): Promise<void> {
  const child = execa(ffmpeg, [...QUIET, ...args], {
    buffer: { stdout: false },
    ...(input ? { input } : { stdin: 'ignore' as const }),
    ...(signal ? { cancelSignal: signal } : {}),
  });
  child.stdout.on('data', (text: Buffer) => onOutput?.(text.toString()));
  try {
    await child;
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof ExecaError && error.code === 'ENOENT') {
      throw new LivestowError('FFMPEG_MISSING', `ffmpeg was not found (tried ${JSON.stringify(ffmpeg)}).`, {
        hint: 'The sandbox makes its media with ffmpeg: install it, or name one that is there.',
        cause: error,
      });
    }
    throw new LivestowError('FFMPEG_FAILED', "ffmpeg could not make the sandbox's media.", {
      hint: 'It needs libx264, libx265 and the AAC encoder: `ffmpeg -encoders` lists what yours has.',
      context: { stderr: error instanceof ExecaError ? String(error.stderr).slice(-500) : '' },
      cause: error,
    });
  }
}
