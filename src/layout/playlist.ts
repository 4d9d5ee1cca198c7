/**
 * The HLS playlists of a session (RFC 8216): `index.m3u8` over all epochs with discontinuities between them, and one
 * playlist for each epoch alone. URIs are relative, so that a bucket can be moved. Where a segment was lost, the time
 * line has a hole, and that is a discontinuity too.
 */
import type { Epoch, Manifest, Segment } from '../model/manifest.ts';
import { publishIntervalMs } from './publish-interval.ts';

/** A hole in the time line up to this long is left to the player; more is a new time line to it. */
const JOINED_WITHIN_MS = 500;

const sameEpoch = (a: { term: number; epoch: number }, b: { term: number; epoch: number }): boolean =>
  a.term === b.term && a.epoch === b.epoch;

/** Whether a player may take the segment for the continuation of the one before. */
const continues = (previous: Segment, segment: Segment): boolean =>
  sameEpoch(previous, segment) &&
  Math.abs(segment.firstDtsMs - (previous.firstDtsMs + previous.durationMs)) <= JOINED_WITHIN_MS;

const targetSeconds = (segments: readonly Segment[]): number =>
  segments.reduce((most, { durationMs }) => Math.max(most, Math.round(durationMs / 1000)), 1);

type Form = 'VOD' | 'EVENT' | 'window';

/** @param from index of the first segment that is listed */
function render(
  manifest: Pick<Manifest, 'container' | 'epochs'>,
  segments: readonly Segment[],
  complete: boolean,
  form: Form = complete ? 'VOD' : 'EVENT',
  from = 0,
): string {
  const lines = [
    '#EXTM3U',
    `#EXT-X-VERSION:${manifest.container === 'fmp4' ? 7 : 6}`,
    `#EXT-X-TARGETDURATION:${targetSeconds(segments)}`,
    ...(form === 'window' ? [] : [`#EXT-X-PLAYLIST-TYPE:${form}`]),
    `#EXT-X-MEDIA-SEQUENCE:${from}`,
    ...(from === 0 ? [] : [`#EXT-X-DISCONTINUITY-SEQUENCE:${discontinuitiesUpTo(segments, from)}`]),
    '#EXT-X-INDEPENDENT-SEGMENTS',
  ];
  let previous: Segment | undefined;
  for (const segment of segments.slice(from)) {
    if (!previous || !continues(previous, segment)) {
      if (previous) lines.push('#EXT-X-DISCONTINUITY');
      if (!previous || !sameEpoch(previous, segment)) {
        const init = manifest.epochs.find((epoch) => sameEpoch(epoch, segment))?.init;
        if (init) lines.push(`#EXT-X-MAP:URI="${init}"`);
      }
      lines.push(`#EXT-X-PROGRAM-DATE-TIME:${segment.startsAt}`);
    }
    lines.push(`#EXTINF:${(segment.durationMs / 1000).toFixed(3)},`, segment.key);
    previous = segment;
  }
  if (complete) lines.push('#EXT-X-ENDLIST');
  return `${lines.join('\n')}\n`;
}

const discontinuitiesUpTo = (segments: readonly Segment[], last: number): number =>
  segments.slice(0, last).filter((segment, i) => !continues(segment, segments[i + 1]!)).length;

/**
 * The end of a session for whoever looks on while it is made: a window that moves, of at least so much. It has no less
 * than players need (RFC 8216, 6.2.2), and reaches back to before the manifest of before: who had played that to its end
 * goes on.
 */
export function windowPlaylist(manifest: Manifest, complete: boolean, windowMs: number): string {
  const { segments } = manifest;
  const [first, last] = [segments[0], segments.at(-1)];
  const elapsedMs =
    first && last ? Date.parse(last.startsAt) - Date.parse(first.startsAt) + last.durationMs : 0;
  const leastMs = Math.max(windowMs, 3_000 * targetSeconds(segments), 3 * publishIntervalMs(elapsedMs));
  let [from, listedMs] = [segments.length, 0];
  while (from > 0 && listedMs < leastMs) {
    from -= 1;
    listedMs += segments[from]!.durationMs;
  }
  return render(manifest, segments, complete, 'window', from);
}

/** @param complete the session is sealed: VOD instead of EVENT */
export const sessionPlaylist = (manifest: Manifest, complete: boolean): string =>
  render(manifest, manifest.segments, complete);

/** @param complete no segment will be added to this epoch any more */
export const epochPlaylist = (manifest: Manifest, epoch: Epoch, complete: boolean): string =>
  render(
    manifest,
    manifest.segments.filter((segment) => sameEpoch(segment, epoch)),
    complete,
  );
