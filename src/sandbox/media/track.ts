/**
 * A file of the cache in memory, ready to be sent: its tags encoded back to back, and an index that says which picture
 * or frame of sound each tag is.
 */
import { readFile } from 'node:fs/promises';
import { encodeFlvTag, FlvTagReader, type FlvTag } from '../../media/flv.ts';
import { unitOfFlvTag } from '../../media/flv-units.ts';
import { isConfig, type AudioConfig, type VideoConfig } from '../../media/packet.ts';
import { mediaPath } from './folder.ts';
import { GOP_PICTURES, LOOP_GOPS, LOOP_MS, PICTURES_PER_SECOND, REORDER_MS } from './grid.ts';
import { RECIPES, type MediaName } from './recipes.ts';

export interface TrackTag {
  kind: 'video' | 'audio';
  /** Within the loop. */
  dtsMs: number;
  /** Picture or AAC frame, within the loop. */
  number: number;
  /** It belongs to the round before: sound is as late as the pictures' reordering. */
  ofRoundBefore: boolean;
  key: boolean;
  /** Where the encoded tag lies in `bytes`. */
  from: number;
  end: number;
}

export interface Track {
  name: MediaName;
  codec: 'h264' | 'h265' | 'none';
  script: FlvTag;
  videoHeader: FlvTag | undefined;
  audioHeader: FlvTag;
  videoConfig: VideoConfig | undefined;
  audioConfig: AudioConfig;
  /** Encoded with timestamps of the loop. */
  bytes: Buffer;
  tags: TrackTag[];
  /** Index in `tags` where each GOP of the loop begins; sound alone begins where its pictures would. */
  gopStarts: number[];
}

/** `legacy` is codec id 12, `enhanced` FourCC hvc1; h264 has one form only. */
export type FlvForm = 'legacy' | 'enhanced';

export async function loadTrack(folder: string, name: MediaName, form: FlvForm): Promise<Track> {
  const tags = new FlvTagReader().push(await readFile(mediaPath(folder, name)));
  const inForm = form === 'enhanced' && RECIPES[name]?.codec === 'h265' ? tags.map(enhancedTag) : tags;
  return trackOf(name, inForm);
}

function trackOf(name: MediaName, source: readonly FlvTag[]): Track {
  const script = source.find((tag) => tag.type === 18);
  const index: TrackTag[] = [];
  const pieces: Buffer[] = [];
  let length = 0;
  let frames = 0;
  let videoHeader: FlvTag | undefined;
  let audioHeader: FlvTag | undefined;
  let videoConfig: VideoConfig | undefined;
  let audioConfig: AudioConfig | undefined;
  for (const tag of source) {
    const unit = unitOfFlvTag(tag);
    if (!unit || (unit.kind !== 'video' && unit.kind !== 'audio')) {
      continue;
    }
    if (isConfig(unit)) {
      if (unit.kind === 'video') {
        [videoHeader, videoConfig] = [tag, unit];
      } else {
        [audioHeader, audioConfig] = [tag, unit];
      }
      continue;
    }
    const encoded = encodeFlvTag(tag);
    const place = { dtsMs: unit.dtsMs, from: length, end: length + encoded.length };
    if (unit.kind === 'video') {
      const shownMs = unit.dtsMs + unit.compositionMs - REORDER_MS;
      index.push({
        kind: 'video',
        number: Math.round((shownMs * PICTURES_PER_SECOND) / 1_000),
        ofRoundBefore: false,
        key: unit.key,
        ...place,
      });
    } else {
      const ofRoundBefore = unit.dtsMs >= LOOP_MS;
      const dtsMs = unit.dtsMs - (ofRoundBefore ? LOOP_MS : 0);
      index.push({ kind: 'audio', number: frames, ofRoundBefore, key: false, ...place, dtsMs });
      frames += 1;
    }
    pieces.push(encoded);
    length += encoded.length;
  }
  index.sort((a, b) => a.dtsMs - b.dtsMs);
  if (!script || !audioHeader || !audioConfig) {
    throw new Error(`The sandbox's media ${name} is damaged; delete its folder to have it made again.`);
  }
  return {
    name,
    codec: videoConfig?.codec ?? 'none',
    script,
    videoHeader,
    audioHeader,
    videoConfig,
    audioConfig,
    bytes: Buffer.concat(pieces, length),
    tags: index,
    gopStarts: gopStartsOf(index, videoConfig !== undefined),
  };
}

function gopStartsOf(tags: readonly TrackTag[], hasPictures: boolean): number[] {
  return Array.from({ length: LOOP_GOPS }, (_, gop) => {
    const startMs = Math.round((gop * GOP_PICTURES * 1_000) / PICTURES_PER_SECOND);
    return tags.findIndex((tag) =>
      hasPictures ? tag.key && tag.number === gop * GOP_PICTURES : tag.dtsMs >= startMs,
    );
  });
}

/** As encoders write h265 since 2023. See the enhanced RTMP specification, "ExVideoTagHeader". */
function enhancedTag(tag: FlvTag): FlvTag {
  if (tag.type !== 9) {
    return tag;
  }
  const frameType = tag.data[0]! & 0x70;
  const compositionMs = tag.data.readIntBE(2, 3);
  const packetType = tag.data[1] === 0 ? 0 : compositionMs === 0 ? 3 : 1;
  const head = Buffer.concat([Buffer.from([0x80 | frameType | packetType]), Buffer.from('hvc1')]);
  return { ...tag, data: Buffer.concat([head, tag.data.subarray(packetType === 1 ? 2 : 5)]) };
}
