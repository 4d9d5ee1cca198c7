/** A place in a track that goes round and round. */
import type { Broadcast } from '../broadcast.ts';
import { gopAt, gopStartMs, inHole } from '../broadcast.ts';
import { LOOP_FRAMES, LOOP_GOPS, LOOP_MS, LOOP_PICTURES } from '../media/grid.ts';
import type { Track, TrackTag } from '../media/track.ts';

export class Cursor {
  #track: Track;
  #loop = 0;
  #index = 0;

  constructor(track: Track, gop: number) {
    this.#track = track;
    this.toGop(gop);
  }

  get track(): Track {
    return this.#track;
  }

  get tag(): TrackTag {
    return this.#track.tags[this.#index]!;
  }

  /** Position. */
  get dtsMs(): number {
    return this.#loop * LOOP_MS + this.tag.dtsMs;
  }

  /** Picture or AAC frame, counted since the creator's first broadcast. */
  get number(): number {
    const { kind, number, ofRoundBefore } = this.tag;
    return (this.#loop - (ofRoundBefore ? 1 : 0)) * (kind === 'video' ? LOOP_PICTURES : LOOP_FRAMES) + number;
  }

  get gop(): number {
    return gopAt(this.dtsMs);
  }

  /** At the first tag of its GOP, where headers may change. */
  get atGopStart(): boolean {
    return this.#track.gopStarts[this.gop % LOOP_GOPS] === this.#index;
  }

  advance(): void {
    this.#index += 1;
    if (this.#index === this.#track.tags.length) {
      this.#index = 0;
      this.#loop += 1;
    }
    this.#passUnmade();
  }

  toGop(gop: number, track: Track = this.#track): void {
    this.#track = track;
    this.#loop = Math.floor(gop / LOOP_GOPS);
    this.#index = track.gopStarts[gop % LOOP_GOPS]!;
    this.#passUnmade();
  }

  /** Before the first round there is none. */
  #passUnmade(): void {
    while (this.number < 0) {
      this.#index += 1;
    }
  }

  /** Passes over what the encoder never made. */
  leaveHole(broadcast: Broadcast): void {
    for (const hole of broadcast.holes()) {
      if (inHole(hole, this.dtsMs)) {
        this.toGop(hole.toGop);
      }
    }
  }

  /** The keyframe of the live edge, unless that lies behind. */
  toEdge(contentEdgeMs: number): void {
    const gop = gopAt(contentEdgeMs);
    if (gopStartMs(gop) > this.dtsMs) {
      this.toGop(gop);
    }
  }
}

/**
 * The first position from `limitMs` on at which no picture is left out of those shown before the last one: where an
 * encoder ends that puts out what it holds.
 */
export function wholeEndMs(track: Track, limitMs: number): number {
  const cursor = new Cursor(track, gopAt(limitMs));
  const first = cursor.number;
  let [last, count] = [first - 1, 0];
  while (cursor.dtsMs < limitMs || last - first + 1 > count) {
    if (cursor.tag.kind === 'video') {
      last = Math.max(last, cursor.number);
      count += 1;
    }
    cursor.advance();
  }
  return cursor.dtsMs;
}
