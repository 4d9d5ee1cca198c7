/**
 * The finite media jobs: probing a file, a poster, one MP4 of many segments. The only user of fluent-ffmpeg, which is
 * archived upstream: nothing that runs for long hangs on it, and no type of it leaves this file. A job that is aborted
 * or fails has ended its process and leaves no file behind.
 */
import ffmpeg, { type FfmpegCommand } from 'fluent-ffmpeg';
import type { ChildProcess } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { once } from 'node:events';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { z } from 'zod';
import { LivestowError } from '../kernel/errors.ts';
import { syncFile, syncFolder } from '../kernel/files.ts';
import { scrub } from '../kernel/redact.ts';
import { describeInit } from '../media/fmp4.ts';
import { censusOfTs } from '../media/ts-census.ts';
import { TsJoiner } from './ts-joiner.ts';

export interface JobOptions {
  /** `ffmpeg` unless told. */
  ffmpegPath?: string;
  /** From 0 to 19: how far it stands back behind others that want the processor. */
  niceness?: number;
  signal?: AbortSignal;
}

const probeSchema = z.object({
  format: z.object({ format_name: z.string(), duration: z.coerce.number().optional().catch(undefined) }),
  streams: z.array(
    z.object({
      codec_type: z.string().optional(),
      codec_name: z.string().optional(),
      width: z.number().optional(),
      height: z.number().optional(),
      duration: z.coerce.number().optional().catch(undefined),
      nb_frames: z.coerce.number().optional().catch(undefined),
    }),
  ),
});

export interface ProbedStream {
  kind: 'video' | 'audio' | 'other';
  codec: string;
  /** 0 for audio. */
  width: number;
  height: number;
  /** Undefined where the container does not say. */
  durationMs: number | undefined;
  packets: number | undefined;
}

export interface ProbedMedia {
  /** ffmpeg's names of the container, such as `mov,mp4,m4a,3gp,3g2,mj2`. */
  container: string;
  durationMs: number | undefined;
  streams: ProbedStream[];
}

/** What ffprobe says of a local file. Throws FFMPEG_FAILED. */
export async function probeMedia(path: string, options: { ffprobePath?: string } = {}): Promise<ProbedMedia> {
  const command = ffmpeg(path);
  command.setFfprobePath(options.ffprobePath ?? 'ffprobe');
  const data = await new Promise<unknown>((resolve, reject) => {
    command.ffprobe((error: unknown, found) => (error ? reject(failed('ffprobe', error)) : resolve(found)));
  });
  const { format, streams } = probeSchema.parse(data);
  return {
    container: format.format_name,
    durationMs: toMs(format.duration),
    streams: streams.map((stream) => ({
      kind: stream.codec_type === 'video' || stream.codec_type === 'audio' ? stream.codec_type : 'other',
      codec: stream.codec_name ?? 'unknown',
      width: stream.width ?? 0,
      height: stream.height ?? 0,
      durationMs: toMs(stream.duration),
      packets: stream.nb_frames,
    })),
  };
}

const toMs = (seconds: number | undefined): number | undefined =>
  seconds === undefined || Number.isNaN(seconds) ? undefined : Math.round(seconds * 1000);

const POSTER_WIDTH = 720;

/**
 * The first picture of a local file (a TS segment; an init and a segment in one file) as a JPEG at most 720 pixels wide.
 * Throws FFMPEG_FAILED, or the signal's reason.
 */
export async function makePoster(source: string, out: string, options: JobOptions = {}): Promise<void> {
  await intoFile(out, options, (partial) =>
    ffmpeg(source)
      .inputOptions(['-protocol_whitelist', 'file'])
      .outputOptions(['-map', '0:v:0', '-frames:v', '1', '-q:v', '3', '-update', '1'])
      .videoFilters(`scale='min(${POSTER_WIDTH},iw)':-2`)
      .format('image2')
      .output(partial),
  );
}

export interface ExportedEpoch {
  /** For fMP4; without it, the segments are MPEG-TS. */
  init?: string;
  /** Paths of local files, in order. */
  segments: readonly string[];
  durationMs: number;
}

export interface ExportOptions extends JobOptions {
  /** All of one codec. */
  epochs: readonly ExportedEpoch[];
  /** Path of a file in ffmpeg's metadata format: its chapters become those of the file. */
  metadata?: string;
  out: string;
  /** From 0 to 1. */
  onProgress?: (done: number) => void;
}

/**
 * One MP4 of all epochs, without re-encoding, each beginning where the one before ended. Parameter sets stay in the
 * stream, so pictures of several sizes may follow one another. Throws FFMPEG_FAILED, or the signal's reason.
 */
export async function exportMp4(options: ExportOptions): Promise<void> {
  const { epochs, metadata, out, onProgress } = options;
  const totalMs = Math.max(
    1,
    epochs.reduce((sum, epoch) => sum + epoch.durationMs, 0),
  );
  const tag = await videoTagOf(epochs);
  await intoFile(out, options, (partial) => {
    const command = ffmpeg(Readable.from(joined(options), { objectMode: false }))
      .inputFormat('mpegts')
      .inputOptions(['-protocol_whitelist', 'pipe'])
      .outputOptions(['-map', '0:v:0?', '-map', '0:a:0?', '-c', 'copy', '-movflags', '+faststart'])
      .format('mp4')
      .output(partial);
    if (tag !== undefined) command.outputOptions(['-tag:v', tag]);
    if (metadata !== undefined) {
      command.input(metadata).inputFormat('ffmetadata').inputOptions(['-protocol_whitelist', 'file']);
      command.outputOptions(['-map_chapters', '1']);
    }
    if (onProgress) {
      command.on('progress', ({ timemark }: { timemark?: string }) => {
        onProgress(Math.min(1, parseTimemark(timemark) / totalMs));
      });
    }
    return command;
  });
  onProgress?.(1);
}

/** `01:02:03.45`, in ms; 0 for anything else. */
function parseTimemark(mark: string | undefined): number {
  const [, h, m, s] = /^(\d+):(\d\d):(\d\d(?:\.\d+)?)$/.exec(mark ?? '') ?? [];
  return s === undefined ? 0 : ((Number(h) * 60 + Number(m)) * 60 + Number(s)) * 1000;
}

async function* joined({ epochs, ...options }: ExportOptions): AsyncGenerator<Buffer> {
  const joiner = new TsJoiner();
  for (const epoch of epochs) {
    const bytes = filesOf(epoch.init === undefined ? epoch.segments : [epoch.init, ...epoch.segments]);
    yield* joiner.join(epoch.init === undefined ? bytes : asTs(bytes, options));
  }
}

async function* filesOf(paths: readonly string[]): AsyncGenerator<Buffer> {
  for (const path of paths)
    yield* createReadStream(path, { highWaterMark: 188 * 1024 }) as AsyncIterable<Buffer>;
}

/** fMP4 as MPEG-TS: parameter sets go into the stream, so that epochs with different ones can be joined. */
async function* asTs(bytes: AsyncGenerator<Buffer>, options: JobOptions): AsyncGenerator<Buffer> {
  const ts = new PassThrough();
  const command = ffmpeg(Readable.from(bytes, { objectMode: false }))
    .inputFormat('mov')
    .inputOptions(['-protocol_whitelist', 'pipe'])
    .outputOptions(['-map', '0', '-c', 'copy', '-copyts', '-mpegts_copyts', '1'])
    .format('mpegts')
    .output(ts, { end: true });
  const done = run(command, options);
  done.catch((error: unknown) => ts.destroy(error as Error));
  yield* ts as AsyncIterable<Buffer>;
  await done;
}

/** `hvc1` as players want it; `hev1` says that parameter sets in the stream count, where epochs differ in them. */
async function videoTagOf(epochs: readonly ExportedEpoch[]): Promise<string | undefined> {
  const [first] = epochs;
  const source = first?.init ?? first?.segments[0];
  if (source === undefined) throw new LivestowError('NOT_FOUND', 'There is nothing to export.');
  const head = await headOf(source);
  const codec =
    first?.init === undefined
      ? censusOfTs(head).codec
      : describeInit(head).find(({ kind }) => kind === 'video')?.codec;
  if (codec !== 'h265') return undefined;
  const inits = new Set<string>();
  for (const { init } of epochs) inits.add(init === undefined ? '' : (await headOf(init)).toString('base64'));
  return inits.size > 1 || (inits.has('') && epochs.length > 1) ? 'hev1' : 'hvc1';
}

const HEAD_BYTES = 188 * 2_048;

async function headOf(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** Runs a job into a file beside the final one, which appears under its name only when it is complete. */
async function intoFile(
  out: string,
  options: JobOptions,
  build: (partial: string) => FfmpegCommand,
): Promise<void> {
  const partial = `${out}.partial-${process.pid}`;
  try {
    await run(build(partial), options);
    await syncFile(partial);
    await rename(partial, out);
    await syncFolder(dirname(out));
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

/** Resolves when ffmpeg has done its work and is gone. */
async function run(
  command: FfmpegCommand,
  { ffmpegPath = 'ffmpeg', niceness = 0, signal }: JobOptions,
): Promise<void> {
  signal?.throwIfAborted();
  command.setFfmpegPath(ffmpegPath).renice(niceness);
  const onAbort = (): void => {
    command.kill('SIGKILL');
  };
  const ended = new Promise<void>((resolve, reject) => {
    // Before the process is there, there is nothing to kill.
    command.on('start', () => {
      if (signal?.aborted) onAbort();
    });
    command.on('end', () => resolve());
    command.on('error', (error: unknown) => reject(failed('ffmpeg', error)));
  });
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    command.run();
    await ended;
  } catch (error) {
    await endProcess(command);
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

/** An error of a stream is told before the process has ended. */
async function endProcess(command: FfmpegCommand): Promise<void> {
  const { ffmpegProc: child } = command as FfmpegCommand & { ffmpegProc?: ChildProcess };
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

function failed(what: string, error: unknown): LivestowError {
  const message = scrub(error instanceof Error ? error.message : String(error))
    .split('\n')[0]
    ?.trim();
  return new LivestowError('FFMPEG_FAILED', `${what} failed: ${message}`, { cause: error });
}
