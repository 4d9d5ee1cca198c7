/** Real segments, cut by ffmpeg from generated pictures and sound: one epoch each, made once per process. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import {
  CODE_BITS,
  CODE_ROWS,
  codeBlockPixels,
  encodePictureCode,
} from '../../src/sandbox/media/picture-code.ts';

export interface EpochSpec {
  codec: 'h264' | 'h265';
  width: number;
  height: number;
  seconds: number;
  /** Where it begins on the session's time line. */
  startMs: number;
  container: 'mpegts' | 'fmp4';
  /** Each picture bears its number on the session's time line, as the sandbox's do: for widths of 320 and more. */
  numbered?: boolean;
}

export interface MadeSegment {
  bytes: Buffer;
  pictures: number;
  audioFrames: number;
  firstDtsMs: number;
  lastDtsMs: number;
  durationMs: number;
}

export interface MadeEpoch {
  init: Buffer | null;
  segments: MadeSegment[];
}

export const FPS = 15;
const GOP_SECONDS = 2;

const made = new Map<string, Promise<MadeEpoch>>();

/** The same epoch is the same bytes. */
export function makeEpoch(spec: EpochSpec): Promise<MadeEpoch> {
  const name = JSON.stringify(spec);
  const known = made.get(name) ?? inFolder((folder) => make(spec, folder));
  made.set(name, known);
  return known;
}

async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'livestow-media-'));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function make(spec: EpochSpec, folder: string): Promise<MadeEpoch> {
  const encoder =
    spec.codec === 'h264'
      ? '-c:v libx264 -preset veryfast -x264-params scenecut=0'
      : '-c:v libx265 -preset ultrafast -x265-params log-level=error:open-gop=0 -tag:v hvc1';
  const muxer =
    spec.container === 'mpegts'
      ? `-f segment -segment_time ${GOP_SECONDS} -segment_format mpegts`
      : '-movflags +frag_keyframe+empty_moov+default_base_moof+frag_discont+negative_cts_offsets -use_editlist 0 -video_track_timescale 90000 -f mp4';
  const options = [
    `-nostdin -v error -f lavfi -i testsrc2=size=${spec.width}x${spec.height}:rate=${FPS}:duration=${spec.seconds}`,
    `-f lavfi -i sine=frequency=440:sample_rate=44100:duration=${spec.seconds}`,
    `${spec.numbered ? numbers(spec.width) : ''} -pix_fmt yuv420p -g ${FPS * GOP_SECONDS} ${encoder} -c:a aac -b:a 64k`,
    `-output_ts_offset ${spec.startMs / 1000} ${muxer}`,
  ];
  const output = join(folder, spec.container === 'mpegts' ? '%06d.ts' : 'all.mp4');
  const first = Math.round((spec.startMs * FPS) / 1000);
  const codes = Array.from({ length: spec.seconds * FPS }, (_, i) => encodePictureCode(first + i));
  await execa(
    'ffmpeg',
    [...options.join(' ').split(/ +/), output],
    spec.numbered ? { input: Buffer.concat(codes) } : {},
  );
  const cut =
    spec.container === 'mpegts' ? await readSegments(folder) : await splitFragments(join(folder, 'all.mp4'));
  const segments: MadeSegment[] = [];
  for (const bytes of cut.segments) segments.push(await measure(cut.init, bytes, FPS));
  // A segment lasts to the first picture of the next one.
  for (const [i, segment] of segments.entries()) {
    const next = segments[i + 1];
    if (next) segment.durationMs = next.firstDtsMs - segment.firstDtsMs;
  }
  return { init: cut.init, segments };
}

/** A third input, and what lays it over the pictures. */
function numbers(width: number): string {
  const block = codeBlockPixels(width);
  return [
    `-f rawvideo -pix_fmt gray -video_size ${CODE_BITS}x${CODE_ROWS} -framerate ${FPS} -i pipe:0`,
    `-filter_complex [2]scale=${CODE_BITS * block}:${CODE_ROWS * block}:flags=neighbor[code];[0][code]overlay=0:0[v]`,
    '-map [v] -map 1:a',
  ].join(' ');
}

interface Cut {
  init: Buffer | null;
  segments: Buffer[];
}

async function readSegments(folder: string): Promise<Cut> {
  const names = (await readdir(folder)).sort();
  return { init: null, segments: await Promise.all(names.map((name) => readFile(join(folder, name)))) };
}

/** One fragment (`moof` and `mdat`) for each keyframe: what stands before the first is the init segment. */
async function splitFragments(path: string): Promise<Cut> {
  const file = await readFile(path);
  const starts: number[] = [];
  let end = file.length;
  for (let at = 0; at < file.length; at += file.readUInt32BE(at)) {
    const type = file.toString('latin1', at + 4, at + 8);
    if (type === 'moof') starts.push(at);
    if (type === 'mfra') end = at;
  }
  return {
    init: file.subarray(0, starts[0]),
    segments: starts.map((start, i) => file.subarray(start, starts[i + 1] ?? end)),
  };
}

interface Probed {
  packets: { codec_type: string; dts_time: string }[];
}

async function measure(init: Buffer | null, bytes: Buffer, fps: number): Promise<MadeSegment> {
  const { stdout } = await execa(
    'ffprobe',
    ['-v', 'error', '-show_entries', 'packet=codec_type,dts_time', '-of', 'json', '-'],
    { input: init ? Buffer.concat([init, bytes]) : bytes },
  );
  const { packets } = JSON.parse(stdout) as Probed;
  const dtsMs = packets
    .filter((packet) => packet.codec_type === 'video')
    .map((packet) => Math.round(Number(packet.dts_time) * 1000));
  const [first = 0, last = 0] = [dtsMs[0], dtsMs.at(-1)];
  return {
    bytes,
    pictures: dtsMs.length,
    audioFrames: packets.filter((packet) => packet.codec_type === 'audio').length,
    firstDtsMs: first,
    lastDtsMs: last,
    durationMs: Math.round(last - first + 1000 / fps),
  };
}
