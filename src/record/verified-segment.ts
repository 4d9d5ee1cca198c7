/**
 * Each segment is compared with what was fed, and with the epoch that it should be of, before it is handed over. ffmpeg's
 * exit code and silence prove nothing (field experience: a picture size that changes in mid-stream gives garbage and exit
 * 0), and a muxer of our own deserves no more trust.
 */
import { basename } from 'node:path';
import { LivestowError } from '../kernel/errors.ts';
import type { VideoConfig } from '../media/packet.ts';
import type { ClosedSegment } from './engine.ts';

/** What a closed segment holds, by the bytes of its file. */
export interface SegmentCensus {
  n: number;
  path: string;
  bytes: number;
  sha256: string;
  pictures: number;
  audioFrames: number;
  /** As the file has them; in MPEG-TS modulo 2^33 ticks of 90 kHz. */
  firstDtsMs: number;
  lastDtsMs: number;
  /** Undefined when there are no pictures. */
  video: { codec: string; width: number; height: number } | undefined;
}

/** What was fed for the same segment. */
export interface FedSegment {
  firstDtsMs: number;
  /** Of the pictures; where there are none, of the sound as the file has it. */
  lastDtsMs: number;
  durationMs: number;
  pictures: number;
  audioFrames: number;
  soundUpToMs?: number;
}

/** A file's first picture is this close to where it was fed, or the time line is broken. */
const TIMELINE_TOLERANCE_MS = 2_000;
/** MPEG-TS counts 33 bits at 90 kHz. */
const TS_WRAP_MS = 2 ** 33 / 90;

/** Throws ENGINE when the pictures of a file (of an init's track) are not the epoch's. */
export function checkPictures(path: string, found: SegmentCensus['video'], epoch: VideoConfig | null): void {
  const same =
    epoch === null
      ? found === undefined
      : found?.codec === epoch.codec && found.width === epoch.width && found.height === epoch.height;
  if (same) return;
  throw new LivestowError('ENGINE', `${basename(path)} has the wrong pictures.`, {
    retryable: true,
    context: { found: describe(found), expected: describe(epoch ?? undefined) },
  });
}

const describe = (video: SegmentCensus['video']): string =>
  video ? `${video.codec} ${video.width}x${video.height}` : 'none';

/**
 * The segment as it is handed over. Where nothing is missing, its times are those that were fed: they are what the next
 * engine goes on from, and decode times that came by Matroska are only worked out by ffmpeg. Throws ENGINE.
 */
export function verifiedSegment(
  census: SegmentCensus,
  fed: FedSegment,
  epoch: VideoConfig | null,
): ClosedSegment {
  const { video, ...counted } = census;
  if (counted.pictures > 0) checkPictures(counted.path, video, epoch);
  const turnsMs = Math.round((fed.firstDtsMs - counted.firstDtsMs) / TS_WRAP_MS) * TS_WRAP_MS;
  const firstDtsMs = Math.round(counted.firstDtsMs + turnsMs);
  if (Math.abs(firstDtsMs - fed.firstDtsMs) > TIMELINE_TOLERANCE_MS) {
    throw new LivestowError('ENGINE', `${basename(counted.path)} is not on the time line that was fed.`, {
      retryable: true,
      context: { firstDtsMs, fedDtsMs: fed.firstDtsMs },
    });
  }
  const whole = counted.pictures === fed.pictures && counted.audioFrames === fed.audioFrames;
  return {
    ...counted,
    firstDtsMs: whole ? Math.round(fed.firstDtsMs) : firstDtsMs,
    lastDtsMs: whole ? Math.round(fed.lastDtsMs) : Math.round(counted.lastDtsMs + turnsMs),
    durationMs: fed.durationMs,
    fedPictures: fed.pictures,
    fedAudioFrames: fed.audioFrames,
    ...(fed.soundUpToMs === undefined ? {} : { soundUpToMs: fed.soundUpToMs }),
  };
}
