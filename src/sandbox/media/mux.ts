/**
 * Makes an FLV of encoded pictures and sound, on the exact grid and with the legacy codec id 12 for h265, which ffmpeg
 * can't write before version 8.
 */
import { readFile } from 'node:fs/promises';
import { BufferSource, EncodedPacketSink, Input, MP4 } from 'mediabunny';
import { parseAdtsHeader } from '../../media/aac.ts';
import { encodeFlvTag, FLV_HEADER, type FlvTag } from '../../media/flv.ts';
import { flvTagOfUnit } from '../../media/flv-units.ts';
import type { AudioPacket, VideoPacket } from '../../media/packet.ts';
import { FIRST_LOOP_FRAME } from './encode.ts';
import { frameMs, LOOP_FRAMES, LOOP_PICTURES, pictureMs, PICTURES_PER_SECOND, REORDER_MS } from './grid.ts';
import { encodeOnMetaData } from './on-metadata.ts';
import { AUDIO_BITRATE_BPS, type RECIPES } from './recipes.ts';

type Recipe = (typeof RECIPES)[keyof typeof RECIPES];

/** The whole file. `picturesPath` is null for sound alone. */
export async function muxFlv(
  recipe: Recipe,
  picturesPath: string | null,
  soundPath: string,
): Promise<Buffer> {
  const sound = soundOf(await readFile(soundPath));
  const pictures = recipe && picturesPath !== null ? await picturesOf(picturesPath) : undefined;
  const codec = recipe?.codec ?? 'h264';
  const head: FlvTag[] = [
    { type: 18, timestampMs: 0, data: encodeOnMetaData(metadataOf(recipe)) },
    ...(pictures
      ? [flvTagOfUnit({ kind: 'video', codec, record: pictures.record, width: 0, height: 0 }, codec)]
      : []),
    flvTagOfUnit({ kind: 'audio', codec: 'aac', record: sound.record, sampleRate: 0, channels: 0 }),
  ];
  const packets = [...(pictures?.packets ?? []), ...sound.packets].sort((a, b) => a.dtsMs - b.dtsMs);
  const header = Buffer.from(FLV_HEADER);
  header[4] = pictures ? 0b101 : 0b100;
  return Buffer.concat([
    header,
    ...head.map(encodeFlvTag),
    ...packets.map((packet) => encodeFlvTag(flvTagOfUnit(packet, codec))),
  ]);
}

function metadataOf(recipe: Recipe): Record<string, number> {
  const sound = { audiocodecid: 10, audiosamplerate: 44_100, audiodatarate: AUDIO_BITRATE_BPS / 1_000 };
  if (!recipe) {
    return sound;
  }
  const { width, height, bitrateBps, codec } = recipe;
  const videocodecid = codec === 'h264' ? 7 : 12;
  return {
    width,
    height,
    framerate: PICTURES_PER_SECOND,
    videocodecid,
    videodatarate: bitrateBps / 1_000,
    ...sound,
  };
}

async function picturesOf(path: string): Promise<{ record: Buffer; packets: VideoPacket[] }> {
  const input = new Input({ source: new BufferSource(await readFile(path)), formats: [MP4] });
  const track = await input.getPrimaryVideoTrack();
  const description = (await track?.getDecoderConfig())?.description;
  if (!track || description === undefined) {
    throw new Error('The encoder made no pictures.');
  }
  const packets: VideoPacket[] = [];
  for await (const packet of new EncodedPacketSink(track).packets()) {
    const dtsMs = Math.round(pictureMs(packets.length));
    const shownMs = Math.round(
      (Math.round(packet.timestamp * PICTURES_PER_SECOND) * 1_000) / PICTURES_PER_SECOND + REORDER_MS,
    );
    packets.push({
      kind: 'video',
      dtsMs,
      compositionMs: shownMs - dtsMs,
      key: packet.type === 'key',
      data: Buffer.from(packet.data),
    });
  }
  if (packets.length !== LOOP_PICTURES) {
    throw new Error(`The encoder made ${packets.length} pictures instead of ${LOOP_PICTURES}.`);
  }
  return { record: bytesOf(description), packets };
}

function soundOf(adts: Buffer): { record: Buffer; packets: AudioPacket[] } {
  const packets: AudioPacket[] = [];
  let record: Buffer | undefined;
  for (let at = 0, index = 0; packets.length < LOOP_FRAMES; index++) {
    const header = parseAdtsHeader(adts, at);
    if (!header) {
      throw new Error(`The encoder made ${index} frames of sound, too few.`);
    }
    record ??= header.record;
    if (index >= FIRST_LOOP_FRAME) {
      const dtsMs = Math.round(frameMs(packets.length) + REORDER_MS);
      packets.push({
        kind: 'audio',
        dtsMs,
        data: adts.subarray(at + header.headerBytes, at + header.frameBytes),
      });
    }
    at += header.frameBytes;
  }
  return { record: record!, packets };
}

function bytesOf(source: ArrayBufferLike | ArrayBufferView): Buffer {
  return ArrayBuffer.isView(source)
    ? Buffer.from(source.buffer, source.byteOffset, source.byteLength)
    : Buffer.from(source);
}
