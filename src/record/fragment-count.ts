/** Adds up what the fragments of one fMP4 segment hold. */
import type { Fmp4Census, Fmp4Track } from '../media/fmp4.ts';
import type { SegmentCensus } from './verified-segment.ts';

export class FragmentCount {
  fragmentsWithPictures = 0;
  #pictures = 0;
  #audioFrames = 0;
  #firstDtsMs: number | undefined;
  #lastDtsMs: number | undefined;

  add(census: Fmp4Census): void {
    this.#audioFrames += census.audioFrames;
    // Times of sound beside pictures are of no use here, and those of a fragment without pictures would be that.
    if (census.pictures > 0 && this.#pictures === 0) this.#firstDtsMs = undefined;
    if (census.pictures > 0 || this.#pictures === 0) {
      this.#firstDtsMs ??= census.firstDtsMs ?? undefined;
      this.#lastDtsMs = census.lastDtsMs ?? this.#lastDtsMs;
    }
    this.#pictures += census.pictures;
    if (census.pictures > 0) this.fragmentsWithPictures += 1;
  }

  result(tracks: readonly Fmp4Track[]): Omit<SegmentCensus, 'n' | 'path' | 'bytes' | 'sha256'> {
    const video = tracks.find((track) => track.kind === 'video');
    return {
      pictures: this.#pictures,
      audioFrames: this.#audioFrames,
      firstDtsMs: this.#firstDtsMs ?? 0,
      lastDtsMs: this.#lastDtsMs ?? 0,
      video: video ? { codec: video.codec, width: video.width, height: video.height } : undefined,
    };
  }
}
