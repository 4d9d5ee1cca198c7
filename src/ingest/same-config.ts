/**
 * Whether a codec configuration really changed. The same stream bears other bytes over another protocol: HLS has no
 * AudioSpecificConfig, only the ADTS header that one is made of, and parameter sets within the stream.
 */
import { parseAvcRecord } from '../media/avc.ts';
import { parseHevcRecord } from '../media/hevc.ts';
import type { AudioConfig, VideoConfig } from '../media/packet.ts';

type Config = VideoConfig | AudioConfig;

export function sameConfig(a: Config | null, b: Config | null): boolean {
  if (a === null || b === null) return a === b;
  if (a.kind === 'audio') {
    return b.kind === 'audio' && a.sampleRate === b.sampleRate && a.channels === b.channels;
  }
  if (b.kind === 'audio' || a.codec !== b.codec) return false;
  return a.record.equals(b.record) || parameterSets(a).equals(parameterSets(b));
}

/** All parameter sets in order, each behind its length. */
function parameterSets({ codec, record }: VideoConfig): Buffer {
  const sets =
    codec === 'h264'
      ? (({ sps, pps }) => [...sps, ...pps])(parseAvcRecord(record))
      : (({ vps, sps, pps }) => [...vps, ...sps, ...pps])(parseHevcRecord(record));
  return Buffer.concat(sets.flatMap((set) => [Buffer.from([set.length >> 8, set.length & 0xff]), set]));
}
