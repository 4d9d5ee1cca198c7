/**
 * The first picture of a segment that a decoder can begin at, with its parameter sets, as one piece of Annex B: cut out
 * of the segment's beginning, so that a still picture costs neither the rest of the segment nor a demuxer's probing.
 */
import { AnnexBFraming } from './annex-b.ts';
import { avcConfigOfRecord } from './avc.ts';
import { describeInit } from './fmp4.ts';
import { hevcConfigOfRecord } from './hevc.ts';
import { bounded, type Box, boxesIn, childOf, notMp4, whole } from './mp4-boxes.ts';
import { MpegTsDemuxer } from './mpegts.ts';
import { isConfig, type VideoConfig } from './packet.ts';

export interface Keyframe {
  codec: VideoConfig['codec'];
  /** Annex B. */
  data: Buffer;
}

/**
 * @param head the segment's first bytes
 * @param isWhole there are no more
 * @param init of fragmented MP4; null for MPEG-TS
 * @returns undefined when it is not in these bytes, or not all of it
 * @throws MEDIA_NOT_MEDIA, MEDIA_UNSUPPORTED
 */
export function firstKeyframe(head: Buffer, isWhole: boolean, init: Buffer | null): Keyframe | undefined {
  return init === null ? ofTransportStream(head, isWhole) : bounded(() => ofFragment(head, init));
}

function ofTransportStream(head: Buffer, isWhole: boolean): Keyframe | undefined {
  const demuxer = new MpegTsDemuxer();
  const units = demuxer.push(head);
  // Where a picture ends is known when the next one begins.
  if (isWhole) units.push(...demuxer.flush());
  let config: VideoConfig | undefined;
  for (const unit of units) {
    if (isConfig(unit)) config = unit.kind === 'video' ? unit : config;
    else if (unit.kind === 'video' && unit.key && config) return annexB(config, unit.data);
  }
  return undefined;
}

function ofFragment(head: Buffer, init: Buffer): Keyframe | undefined {
  const track = describeInit(init).find(({ kind }) => kind === 'video');
  const config = track && configIn(init, track.id);
  if (!config) return undefined;
  for (let at = 0; at + 8 <= head.length;) {
    const end = at + head.readUInt32BE(at);
    if (end < at + 8) throw notMp4('a box is too long, or nonsense');
    if (head.toString('latin1', at + 4, at + 8) === 'moof') {
      if (end > head.length) return undefined;
      const sample = firstSample(head, { type: 'moof', from: at + 8, end }, track.id);
      if (sample)
        return sample.end > head.length ? undefined : annexB(config, head.subarray(sample.from, sample.end));
    }
    at = end;
  }
  return undefined;
}

const annexB = (config: VideoConfig, data: Buffer): Keyframe => ({
  codec: config.codec,
  data: new AnnexBFraming(config).frame(data, true),
});

/** Bytes of a visual sample entry before its boxes (ISO/IEC 14496-12 12.1.3). */
const VISUAL_ENTRY_BYTES = 78;

function configIn(init: Buffer, trackId: number): VideoConfig | undefined {
  const moov = childOf(init, whole(init), 'moov');
  for (const trak of moov ? boxesIn(init, moov) : []) {
    const tkhd = trak.type === 'trak' ? childOf(init, trak, 'tkhd') : undefined;
    if (!tkhd || init.readUInt32BE(tkhd.from + (init[tkhd.from] === 1 ? 20 : 12)) !== trackId) continue;
    const stsd = childOf(init, trak, 'mdia', 'minf', 'stbl', 'stsd');
    const entry = stsd && [...boxesIn(init, { ...stsd, from: stsd.from + 8 })][0];
    for (const box of entry ? boxesIn(init, { ...entry, from: entry.from + VISUAL_ENTRY_BYTES }) : []) {
      const record = init.subarray(box.from, box.end);
      if (box.type === 'avcC') return avcConfigOfRecord(record);
      if (box.type === 'hvcC') return hevcConfigOfRecord(record);
    }
  }
  return undefined;
}

/** Where the track's first sample lies: a segment begins with a keyframe. Undefined when the fragment has none of it. */
function firstSample(head: Buffer, moof: Box, trackId: number): { from: number; end: number } | undefined {
  for (const traf of boxesIn(head, moof)) {
    const tfhd = traf.type === 'traf' ? childOf(head, traf, 'tfhd') : undefined;
    if (!tfhd || head.readUInt32BE(tfhd.from + 4) !== trackId) continue;
    const trun = childOf(head, traf, 'trun');
    if (!trun || head.readUInt32BE(trun.from + 4) === 0) continue;
    const flags = head.readUInt32BE(trun.from) & 0xff_ffff;
    // livestow's own fragments, and ffmpeg's, say both: where the data lies, and how long each sample is.
    if ((flags & 0x201) !== 0x201) throw notMp4('a run does not say where its data lies');
    const from = moof.from - 8 + head.readInt32BE(trun.from + 8);
    const sizeAt = trun.from + 12 + ((flags & 4) > 0 ? 4 : 0) + ((flags & 0x100) > 0 ? 4 : 0);
    return { from, end: from + head.readUInt32BE(sizeAt) };
  }
  return undefined;
}
