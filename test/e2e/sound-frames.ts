/**
 * Which frames of the sandbox's sound recorded media has: every AAC frame of its loop is different from all the others,
 * so a frame's bytes tell its number.
 */
import { createHash } from 'node:crypto';
import { parseAdtsHeader } from '../../src/media/aac.ts';
import { defaultMediaFolder } from '../../src/sandbox/media/folder.ts';
import { prepareMedia } from '../../src/sandbox/media/prepare.ts';
import { loadTrack } from '../../src/sandbox/media/track.ts';
import { decode, packetTimesMs, type MediaSource } from '../support/media-source.ts';

export interface SoundFrame {
  /** Within the loop; -1: none of the sandbox's. */
  number: number;
  ptsMs: number;
}

/** FLV tag header, then the two bytes that say AAC, raw. */
const BEFORE_FRAME_BYTES = 11 + 2;
const AFTER_FRAME_BYTES = 4;

let known: Promise<Map<string, number>> | undefined;

/** All frames of sound in their order. */
export async function soundFrames(source: MediaSource): Promise<SoundFrame[]> {
  known ??= numbersByDigest();
  const numbers = await known;
  const [times, { output }] = await Promise.all([
    packetTimesMs(source, 'a'),
    decode(source, ['-map', '0:a:0', '-c', 'copy', '-f', 'adts']),
  ]);
  const frames: SoundFrame[] = [];
  for (let at = 0; at < output.length;) {
    const header = parseAdtsHeader(output, at);
    if (!header) throw new Error(`ffmpeg gave something that is no ADTS at ${at}`);
    const frame = output.subarray(at + header.headerBytes, at + header.frameBytes);
    frames.push({ number: numbers.get(digestOf(frame)) ?? -1, ptsMs: times[frames.length] ?? Number.NaN });
    at += header.frameBytes;
  }
  if (times.length !== frames.length) throw new Error(`${times.length} times for ${frames.length} frames`);
  return frames;
}

async function numbersByDigest(): Promise<Map<string, number>> {
  await prepareMedia({ folder: defaultMediaFolder(), names: ['sound'] });
  const track = await loadTrack(defaultMediaFolder(), 'sound', 'legacy');
  return new Map(
    track.tags.map(({ from, end, number }) => [
      digestOf(track.bytes.subarray(from + BEFORE_FRAME_BYTES, end - AFTER_FRAME_BYTES)),
      number,
    ]),
  );
}

const digestOf = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('base64');
