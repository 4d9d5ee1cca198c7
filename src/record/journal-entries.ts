/** What a recording says of its epochs and segments in the journal; pure. */
import { isoUtc } from '../kernel/clock.ts';
import type { EpochItem } from '../ingest/timeline.ts';
import { sessionKeys } from '../layout/keys.ts';
import type { Container, Epoch, JournalEntry, Segment } from '../model/manifest.ts';
import type { VariantLabel } from '../model/variant.ts';
import type { ClosedSegment } from './engine.ts';

/** An epoch that begins; what its init is follows when there is one. */
export function epochOf(
  { video }: EpochItem,
  { term, epoch, container }: { term: number; epoch: number; container: Container },
  variant: VariantLabel,
): Epoch {
  return {
    term,
    epoch,
    codec: video?.codec ?? 'none',
    width: video?.width ?? 0,
    height: video?.height ?? 0,
    init: container === 'fmp4' ? sessionKeys.init(term, epoch) : null,
    initBytes: null,
    initSha256: null,
    variant,
  };
}

/** @param startsAtMs UTC of its first picture */
export function segmentOf(
  closed: ClosedSegment,
  { term, epoch, container }: { term: number; epoch: number; container: Container },
  startsAtMs: number,
): Segment {
  return {
    key: sessionKeys.segment(term, epoch, closed.n, container),
    term,
    epoch,
    bytes: closed.bytes,
    sha256: closed.sha256,
    durationMs: Math.round(closed.durationMs),
    startsAt: isoUtc(startsAtMs),
    pictures: closed.pictures,
    audioFrames: closed.audioFrames,
    firstDtsMs: Math.round(closed.firstDtsMs),
    lastDtsMs: Math.round(closed.lastDtsMs),
  };
}

export function segmentEntry(segment: Segment, { soundUpToMs }: ClosedSegment, at: string): JournalEntry {
  const sound = soundUpToMs === undefined ? {} : { soundUpToMs: Math.round(soundUpToMs) };
  return { type: 'segment', at, segment, ...sound };
}

/** Of its duration, what pictures that were fed and are not in it are. */
export const lostMsOf = ({ durationMs, pictures, fedPictures }: ClosedSegment): number =>
  pictures < fedPictures ? Math.round((Math.round(durationMs) * (fedPictures - pictures)) / fedPictures) : 0;
