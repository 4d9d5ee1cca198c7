/**
 * The command line of the ffmpeg process that writes one epoch. Pure.
 *
 * What it relies on, measured with 5.1 and true of the source of later versions:
 * - `-fflags +noparse` (input): whether a picture is a keyframe is then what the fed packet says, not what a parser
 *   finds. So Node decides where MPEG-TS is cut: only cut points are marked as keyframes, and the segment muxer, with a
 *   segment time of next to nothing, cuts at each of them, on every version. (Its own rule is a fixed grid on absolute
 *   time stamps, which differs between versions and falls behind when keyframes are further apart than the grid.)
 * - ffmpeg is fed a time line that begins near zero; `output_ts_offset` of the innermost muxer puts the session's time
 *   back, so FLV's 32 bits and the segment muxer's grid (used for audio alone) never see it.
 * - Nothing is flushed packet by packet: what is in no closed segment is still the caller's (the tail).
 * - The list line on fd 3 comes after a segment's trailer was flushed, because each segment has a trailer of its own.
 */
import type { VideoConfig } from '../../media/packet.ts';
import type { EpochSpec } from '../engine.ts';

/** What ffmpeg reads from its standard input. HEVC in FLV is read by new versions only, HEVC in Matroska by all. */
export type FeedFormat = 'flv' | 'matroska';

export const feedFormatOf = (video: VideoConfig | null): FeedFormat =>
  video?.codec === 'h265' ? 'matroska' : 'flv';

/** The descriptor that segment announcements come by. */
export const LIST_FD = 3;

/** How far one stream may be behind the other before ffmpeg writes without it (its default of 10 s delays segments). */
export const INTERLEAVE_MS = 2_000;

/** The headers say all; ffmpeg would look for a first sound for up to 90 s of FLV. */
const ANALYZE_MS = 1_000;

const FRAGMENTED = '+empty_moov+default_base_moof+frag_discont';
/** As HLS wants them: parameter sets in the init. */
const TAGS = { h264: 'avc1', h265: 'hvc1' } as const;

/** Every cut point is beyond it. */
const AT_EVERY_MARK = '0.001';

const seconds = (ms: number): string => (ms / 1000).toFixed(3);

export interface ArgumentsInput {
  spec: Pick<EpochSpec, 'video' | 'audio' | 'container' | 'segmentDurationMs' | 'firstSegment'>;
  /** Where zero of the fed time line lies on the session's. */
  originMs: number;
  /** Base name with `%06d` for the segment's number, relative to the process's folder. */
  segmentPattern: string;
}

export function ffmpegArguments({ spec, originMs, segmentPattern }: ArgumentsInput): string[] {
  const tracks = [...(spec.video ? ['-map', '0:v:0'] : []), ...(spec.audio ? ['-map', '0:a:0'] : [])];
  const output =
    spec.container === 'mpegts' ? segmentsOf(spec, originMs, segmentPattern) : fragmentsOf(spec, originMs);
  return words(`
    -hide_banner -nostdin -nostats -loglevel repeat+level+warning
    -protocol_whitelist pipe -fflags +noparse -fpsprobesize 0 -analyzeduration ${ANALYZE_MS * 1000}
    -f ${feedFormatOf(spec.video)} -i pipe:0
  `).concat(
    tracks,
    words(`
      -c copy -copyts -avoid_negative_ts disabled -map_metadata -1
      -max_interleave_delta ${INTERLEAVE_MS * 1000}
    `),
    output,
  );
}

/** Nothing that is put together here has a blank in it; what could have one is added as it is. */
const words = (line: string): string[] => line.trim().split(/\s+/);

function segmentsOf(spec: ArgumentsInput['spec'], originMs: number, pattern: string): string[] {
  const muxer = [
    `output_ts_offset=${seconds(originMs)}`,
    'avoid_negative_ts=disabled',
    'mpegts_copyts=1',
    // Continuity counters begin anew in each segment; readers of the joined stream are told.
    'mpegts_flags=+initial_discontinuity',
  ];
  // ffmpeg puts H.264's parameter sets before IDR pictures only; a segment may begin with a recovery point.
  const parameterSets = spec.video?.codec === 'h264' ? '-bsf:v h264_mp4toannexb,dump_extra' : '';
  return words(`
    ${parameterSets} -f segment -segment_format mpegts -segment_format_options ${muxer.join(':')}
    -segment_time ${spec.video ? AT_EVERY_MARK : seconds(spec.segmentDurationMs)}
    -segment_start_number ${spec.firstSegment} -segment_list pipe:${LIST_FD} -segment_list_type csv
  `).concat(pattern);
}

function fragmentsOf({ video, segmentDurationMs }: ArgumentsInput['spec'], originMs: number): string[] {
  // frag_discont: the first fragment's decode time is written as it is, not as zero. Audio alone has no keyframes to
  // cut at: a fragment is a segment.
  const cutting = video
    ? `-movflags ${FRAGMENTED}+frag_keyframe -tag:v ${TAGS[video.codec]} -video_track_timescale 90000`
    : `-movflags ${FRAGMENTED} -frag_duration ${segmentDurationMs * 1000}`;
  return words(`
    -f mp4 ${cutting} -use_editlist 0 -fflags +bitexact
    -output_ts_offset ${seconds(originMs)} -flush_packets 1 pipe:1
  `);
}
