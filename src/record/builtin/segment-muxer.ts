/** What the two containers have in common for the builtin engine: packets go in, pieces of the open segment come out. */
import type { MediaPacket } from '../../media/packet.ts';
import type { SegmentCensus } from '../verified-segment.ts';

export type SegmentContent = Omit<SegmentCensus, 'n' | 'path' | 'bytes' | 'sha256'>;

export interface SegmentMuxer {
  add(packet: MediaPacket): void;
  /**
   * The bytes of what was added and not drained, to go to the end of the open segment; good until the next packet is
   * added. `nextPictureMs` is the decode time
   * of the picture that comes next, which says how long the last one lasts; while it is unknown, that one may be held back.
   */
  drain(nextPictureMs: number | undefined): Buffer[];
  /** What the drained bytes of the segment hold, counted in the bytes. The next segment begins. */
  endSegment(): SegmentContent;
}
