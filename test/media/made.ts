/** Media made by the real ffmpeg, and what the real ffprobe says of it. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { isLivestowError } from '../../src/kernel/errors.ts';
import { aacConfigOfRecord } from '../../src/media/aac.ts';
import { avcConfigOfRecord } from '../../src/media/avc.ts';
import { hevcConfigOfRecord } from '../../src/media/hevc.ts';
import type { AudioConfig, MediaPacket, VideoConfig } from '../../src/media/packet.ts';

export const folder = mkdtempSync(join(tmpdir(), 'livestow-media-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

export function ffmpeg(args: readonly string[], input?: Buffer): Buffer {
  return execFileSync('ffmpeg', ['-v', 'error', '-y', ...args], {
    input,
    maxBuffer: 2 ** 30,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

const CODEC_ARGS = {
  h264: ['-c:v', 'libx264', '-preset', 'veryfast', '-bf', '3', '-g', '30', '-sc_threshold', '0'],
  h265: ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params'].concat(
    'bframes=3:keyint=30:min-keyint=30:scenecut=0:open-gop=0:log-level=none',
  ),
};

export interface MadeOptions {
  codec?: 'h264' | 'h265';
  size?: string;
  seconds?: number;
  /** Further arguments of the output. */
  extra?: readonly string[];
}

/** An MP4 with B pictures and a tone; 30 pictures a second, a keyframe each second. */
export function makeMp4(name: string, options: MadeOptions = {}): string {
  const { codec = 'h264', size = '160x284', seconds = 3, extra = [] } = options;
  const path = join(folder, `${name}.mp4`);
  const length = ['-t', String(seconds)];
  const video = ['-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=30`];
  const audio = ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=44100'];
  const codecs = [...CODEC_ARGS[codec], '-pix_fmt', 'yuv420p', '-c:a', 'aac', ...extra];
  ffmpeg([...video, ...audio, ...length, ...codecs, path]);
  return path;
}

/** The same media in another container. */
export function remux(path: string, ...output: string[]): Buffer {
  return ffmpeg(['-i', path, '-c', 'copy', ...output, 'pipe:1']);
}

export interface ProbedPacket {
  codec_type: 'video' | 'audio';
  pts_time?: string;
  dts_time?: string;
  size: string;
  pos: string;
  flags: string;
}

/** What ffprobe finds in a file's bytes (or in the file of this path). */
export function probe(media: Buffer | string): { video: ProbedPacket[]; audio: ProbedPacket[] } {
  const file = typeof media === 'string';
  const asked = ['-show_entries', 'packet=codec_type,pts_time,dts_time,size,pos,flags'];
  const said = execFileSync('ffprobe', ['-v', 'error', '-of', 'json', ...asked, file ? media : 'pipe:0'], {
    ...(file ? {} : { input: media }),
    maxBuffer: 2 ** 28,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const { packets } = JSON.parse(said.toString()) as { packets: ProbedPacket[] };
  const of = (type: string) => packets.filter((packet) => packet.codec_type === type);
  return { video: of('video'), audio: of('audio') };
}

export const msOf = (seconds: string | undefined): number => Math.round(Number(seconds) * 1000);

/** The content of the first box of this type, wherever it lies. */
export function boxOf(mp4: Buffer, type: string): Buffer {
  const at = mp4.indexOf(type);
  return mp4.subarray(at + 4, at - 4 + mp4.readUInt32BE(at - 4));
}

export interface Units {
  video: VideoConfig;
  audio: AudioConfig;
  packets: MediaPacket[];
}

/** An MP4's media as units, in decode order, the first picture's decode time being `baseMs`. */
export function unitsOfMp4(path: string, baseMs = 0): Units {
  const bytes = readFileSync(path);
  const hevc = bytes.indexOf('hvcC') >= 0;
  const record = boxOf(bytes, hevc ? 'hvcC' : 'avcC');
  const { video, audio } = probe(path);
  const offset = baseMs - msOf(video[0]!.dts_time);
  const packets = [...video, ...audio].map((packet): MediaPacket => {
    const dtsMs = msOf(packet.dts_time) + offset;
    const data = bytes.subarray(Number(packet.pos), Number(packet.pos) + Number(packet.size));
    return packet.codec_type === 'audio'
      ? { kind: 'audio', dtsMs, data }
      : {
          kind: 'video',
          dtsMs,
          compositionMs: msOf(packet.pts_time) + offset - dtsMs,
          key: packet.flags.startsWith('K'),
          data,
        };
  });
  return {
    video: hevc ? hevcConfigOfRecord(record) : avcConfigOfRecord(record),
    audio: aacConfigOfRecord(decoderInfoOf(bytes)),
    packets: packets.toSorted((a, b) => a.dtsMs - b.dtsMs),
  };
}

/** The AudioSpecificConfig in an esds. */
export function decoderInfoOf(mp4: Buffer): Buffer {
  const esds = boxOf(mp4, 'esds');
  const at = esds.indexOf(Buffer.from([5, 0x80, 0x80, 0x80]));
  return esds.subarray(at + 5, at + 5 + esds[at + 4]!);
}

/** Pieces of these sizes, over and over, for readers that take chunks. */
export function* cut(bytes: Buffer, sizes: readonly number[]): Generator<Buffer> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length]!;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

/** True when this returns or throws a LivestowError; any other error is a defect and goes on. */
export function endsWell(read: () => void): boolean {
  try {
    read();
  } catch (error) {
    if (!isLivestowError(error)) {
      throw error;
    }
  }
  return true;
}
