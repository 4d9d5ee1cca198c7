/**
 * Which HLS segments a variant's broadcast consists of: a function of the live edge, so that every client sees the same
 * sequence numbers. One segment a GOP; what the encoder never made is left out, and so is a number for it.
 */
import { gopAt, gopStartMs, hits, inHole, type Broadcast, type ScheduledFault } from '../broadcast.ts';
import type { MediaName } from '../media/recipes.ts';
import type { ScenarioVariant } from '../scenario.ts';

export interface HlsSegment {
  sequence: number;
  gop: number;
  /** Positions. */
  fromMs: number;
  toMs: number;
  media: MediaName;
  /** Added to positions to make timestamps. */
  shiftMs: number;
  discontinuity: boolean;
  /** The faults that made it other than the one before. */
  by: ScheduledFault[];
}

/** All segments complete at this edge, the first one first. */
export function hlsTimeline(broadcast: Broadcast, variant: ScenarioVariant, edgeMs: number): HlsSegment[] {
  const segments: HlsSegment[] = [];
  const holes = broadcast.holes();
  const over = edgeMs >= (broadcast.end()?.atMs ?? Infinity);
  const contentEdgeMs = broadcast.contentEdgeMs(edgeMs);
  for (let gop = gopAt(broadcast.originMs); gopStartMs(gop) < contentEdgeMs; gop++) {
    const fromMs = gopStartMs(gop);
    const hole = holes.find(
      (candidate) => candidate.fromMs > fromMs && candidate.fromMs < gopStartMs(gop + 1),
    );
    const toMs = Math.min(hole?.fromMs ?? gopStartMs(gop + 1), over ? contentEdgeMs : Infinity);
    if (toMs > contentEdgeMs || holes.some((candidate) => inHole(candidate, fromMs))) {
      continue;
    }
    const previous = segments.at(-1);
    const { media, by: mediaFault } = broadcast.mediaAt(variant.media, gop);
    const { shiftMs, by: timeFaults } = shiftAt(broadcast, variant, fromMs);
    const changed = previous !== undefined && (previous.media !== media || previous.shiftMs !== shiftMs);
    segments.push({
      sequence: segments.length,
      gop,
      fromMs,
      toMs,
      media,
      shiftMs,
      discontinuity: changed || (previous !== undefined && previous.toMs !== fromMs),
      by: changed ? [...timeFaults, ...(mediaFault ? [mediaFault] : [])] : [],
    });
  }
  return segments;
}

/** Jumps and resets take effect at the first GOP after them. */
function shiftAt(
  broadcast: Broadcast,
  variant: ScenarioVariant,
  fromMs: number,
): { shiftMs: number; by: ScheduledFault[] } {
  let shiftMs = -broadcast.originMs;
  const by: ScheduledFault[] = [];
  for (const scheduled of broadcast.faults) {
    const { fault, atMs } = scheduled;
    if (atMs > fromMs || !hits(fault.target, variant, 'hls')) {
      continue;
    }
    if (fault.type === 'jump') {
      shiftMs += fault.byMs;
      by.push(scheduled);
    } else if (fault.type === 'reset') {
      const gop = gopAt(atMs);
      shiftMs = -gopStartMs(gopStartMs(gop) === atMs ? gop : gop + 1);
      by.push(scheduled);
    }
  }
  return { shiftMs, by };
}
