/**
 * The boundary to HLS: what a playlist says, as far as a recorder needs it. hls-parser reads the tags; what livestow can't
 * record is refused here, with its reason.
 */
import HLS from 'hls-parser';
import { LivestowError, messageOf } from '../kernel/errors.ts';
import { hostOf } from '../net/media-client.ts';

// Lenient: live playlists in the wild break rules that don't matter here, and the parser would write to the console.
HLS.setOptions({ strictMode: false, silent: true });

export interface HlsSegment {
  /** Media sequence number. */
  sequence: number;
  url: string;
  durationMs: number;
  /** Its timestamps do not go on from the segment before. */
  discontinuity: boolean;
  /** The server says itself that it does not have it. */
  gap: boolean;
  byteRange: { offset: number; length: number } | null;
}

export interface HlsMediaPlaylist {
  kind: 'media';
  targetDurationMs: number;
  /** Nothing will be appended. */
  ended: boolean;
  /** By sequence, without holes. */
  segments: HlsSegment[];
}

export interface HlsMasterPlaylist {
  kind: 'master';
  /** Of the best rendition with pictures and sound in one. */
  mediaUrl: string;
}

export const MAX_PLAYLIST_BYTES = 1024 * 1024;
const MIN_TARGET_MS = 500;
const MAX_TARGET_MS = 60_000;
const MAX_SEGMENT_MS = 10 * 60_000;

/** The parser compares each with each. Real master playlists have ten. */
const MAX_RENDITIONS = 200;
const RENDITION = /^#EXT-X-(?:MEDIA|STREAM-INF|I-FRAME-STREAM-INF):/gm;

type Parsed = ReturnType<typeof HLS.parse>;

/** `baseUrl`: where it came from. Throws MEDIA_NOT_MEDIA, MEDIA_UNSUPPORTED. */
export function parseHlsPlaylist(text: string, baseUrl: string): HlsMediaPlaylist | HlsMasterPlaylist {
  const playlist = parseTags(text, baseUrl);
  return playlist.isMasterPlaylist ? readMaster(playlist, baseUrl) : readMedia(playlist, baseUrl);
}

function parseTags(text: string, baseUrl: string): Parsed {
  const plain = text.replace(/^\uFEFF/, '');
  if (!plain.startsWith('#EXTM3U'))
    throw notAPlaylist(baseUrl, plain.trimStart().startsWith('<') ? 'HTML or XML' : 'no #EXTM3U');
  if ((plain.match(RENDITION)?.length ?? 0) > MAX_RENDITIONS)
    throw notAPlaylist(baseUrl, `more than ${MAX_RENDITIONS} renditions`);
  try {
    // Titles are free text, and a stray per cent sign in one would fail the whole playlist.
    return HLS.parse(plain.replaceAll(/^(#EXTINF:[^,\r\n]*),.*$/gm, '$1,'));
  } catch (error) {
    throw notAPlaylist(baseUrl, messageOf(error), error);
  }
}

function readMaster(playlist: HLS.types.MasterPlaylist, baseUrl: string): HlsMasterPlaylist {
  const withPictures = playlist.variants.filter(
    ({ isIFrameOnly, codecs, resolution }) =>
      isIFrameOnly !== true &&
      (resolution !== undefined || codecs === undefined || /avc|hvc|hev/i.test(codecs)),
  );
  const muxed = withPictures.filter(({ audio }) => !audio.some(({ uri }) => uri !== undefined));
  const best = muxed.toSorted((a, b) => (b.bandwidth || 0) - (a.bandwidth || 0))[0];
  if (best === undefined) {
    throw unsupported(
      withPictures.length > 0
        ? 'its sound is in a playlist of its own'
        : 'its master playlist names no pictures',
      baseUrl,
    );
  }
  return { kind: 'master', mediaUrl: resolve(best.uri, baseUrl) };
}

function readMedia(playlist: HLS.types.MediaPlaylist, baseUrl: string): HlsMediaPlaylist {
  const segments: HlsSegment[] = [];
  for (const segment of playlist.segments) {
    // Parts of a segment that is not complete yet stand at the end, without an address of their own.
    if (segment.uri === '') continue;
    if (segment.key && segment.key.method !== 'NONE')
      throw unsupported('its segments are encrypted', baseUrl);
    if (segment.map as unknown) {
      throw unsupported(
        'its segments are fragmented MP4 (EXT-X-MAP); MPEG-TS and FLV can be recorded',
        baseUrl,
      );
    }
    // Beyond that numbers don't go up one by one, and the same segment would have its turn for ever.
    if (!Number.isSafeInteger(segment.mediaSequenceNumber + 1) || segment.mediaSequenceNumber < 0)
      throw notAPlaylist(baseUrl, 'its media sequence numbers are impossible');
    const { offset, length } = segment.byterange ?? {};
    segments.push({
      sequence: segment.mediaSequenceNumber,
      url: resolve(segment.uri, baseUrl),
      durationMs: Math.min(MAX_SEGMENT_MS, Math.max(0, Math.round((segment.duration || 0) * 1_000))),
      discontinuity: segment.discontinuity === true,
      gap: segment.gap === true,
      byteRange: length === undefined ? null : { offset: offset ?? 0, length },
    });
  }
  const targetMs = (playlist.targetDuration || 0) * 1_000;
  const longestMs = Math.max(MIN_TARGET_MS, ...segments.map(({ durationMs }) => durationMs));
  return {
    kind: 'media',
    targetDurationMs: Math.min(MAX_TARGET_MS, Math.max(MIN_TARGET_MS, targetMs || longestMs)),
    ended: playlist.endlist,
    segments,
  };
}

function resolve(uri: string, baseUrl: string): string {
  if (!URL.canParse(uri, baseUrl)) throw notAPlaylist(baseUrl, 'it names what is no URL');
  return new URL(uri, baseUrl).href;
}

const notAPlaylist = (url: string, why: string, cause?: unknown) =>
  new LivestowError('MEDIA_NOT_MEDIA', `${hostOf(url)} sent no HLS playlist: ${why.slice(0, 200)}`, {
    retryable: true,
    cause,
    context: { host: hostOf(url) },
  });

const unsupported = (why: string, url: string) =>
  new LivestowError('MEDIA_UNSUPPORTED', `this HLS stream can't be recorded: ${why}`, {
    hint: 'another variant of the same broadcast may do',
    context: { host: hostOf(url) },
  });
