/**
 * The HLS playlists of a session (RFC 8216): `index.m3u8` over all epochs with discontinuities between them, and one
 * playlist for each epoch alone. URIs are relative, so that a bucket can be moved.
 */
import type { Epoch, Manifest, Segment } from '../model/manifest.ts';

const sameEpoch = (a: { term: number; epoch: number }, b: { term: number; epoch: number }): boolean =>
  a.term === b.term && a.epoch === b.epoch;

function render(
  manifest: Pick<Manifest, 'container' | 'epochs'>,
  segments: readonly Segment[],
  complete: boolean,
): string {
  const longestSeconds = Math.max(1, ...segments.map((segment) => Math.round(segment.durationMs / 1000)));
  const lines = [
    '#EXTM3U',
    `#EXT-X-VERSION:${manifest.container === 'fmp4' ? 7 : 6}`,
    `#EXT-X-TARGETDURATION:${longestSeconds}`,
    `#EXT-X-PLAYLIST-TYPE:${complete ? 'VOD' : 'EVENT'}`,
    '#EXT-X-MEDIA-SEQUENCE:0',
    '#EXT-X-INDEPENDENT-SEGMENTS',
  ];
  let previous: Segment | undefined;
  for (const segment of segments) {
    if (!previous || !sameEpoch(previous, segment)) {
      if (previous) lines.push('#EXT-X-DISCONTINUITY');
      const init = manifest.epochs.find((epoch) => sameEpoch(epoch, segment))?.init;
      if (init) lines.push(`#EXT-X-MAP:URI="${init}"`);
      lines.push(`#EXT-X-PROGRAM-DATE-TIME:${segment.startsAt}`);
    }
    lines.push(`#EXTINF:${(segment.durationMs / 1000).toFixed(3)},`, segment.key);
    previous = segment;
  }
  if (complete) lines.push('#EXT-X-ENDLIST');
  return `${lines.join('\n')}\n`;
}

export const sessionPlaylist = (manifest: Manifest): string =>
  render(manifest, manifest.segments, manifest.sealedAt !== null || manifest.endCause !== null);

/** @param complete no segment will be added to this epoch any more */
export const epochPlaylist = (manifest: Manifest, epoch: Epoch, complete: boolean): string =>
  render(
    manifest,
    manifest.segments.filter((segment) => sameEpoch(segment, epoch)),
    complete,
  );
