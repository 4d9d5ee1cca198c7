/**
 * The last keyframes on the line, so that another quality of the broadcast can take over at one of them. It begins with
 * the CDN's last keyframe (a playlist with several), as a rule one that was recorded in the quality before. Both are made
 * of one broadcast: their keyframes are where each other's are. The group of pictures that the old quality broke off in
 * is given up for the new one's, which is whole.
 */
import type { Arrived } from './source-clock.ts';

/** A clock that was mended may have moved a keyframe by so much. */
const SAME_PLACE_MS = 10;
/** As many as are recognised by their content (`recent-media.ts`). */
const KEPT = 16;

export interface LineKeyframe {
  dtsMs: number;
  /** The sound that came before it ends here; null without sound. */
  soundMs: number | null;
}

export interface TakeOver {
  offsetMs: number;
  lead: Arrived;
  keyframe: LineKeyframe;
}

export class LineKeyframes {
  #kept: LineKeyframe[] = [];

  note(keyframe: LineKeyframe): void {
    this.#kept.push(keyframe);
    if (this.#kept.length > KEPT) this.#kept.shift();
  }

  forgetFrom(dtsMs: number): void {
    this.#kept = this.#kept.filter((each) => each.dtsMs < dtsMs);
  }

  /**
   * Where these packets of a new connection take over from what is on the line. 'later': they lie before its last
   * keyframe, and the one that stands in its place is still to come.
   * @param offsetsMs how their timestamps may lie on the line
   */
  takeOver(packets: readonly Arrived[], offsetsMs: readonly number[]): TakeOver | 'later' | undefined {
    const last = this.#kept.at(-1);
    if (!last) return undefined;
    const keyframes = packets.filter(({ packet }) => packet.kind === 'video' && packet.key);
    const isAt = (place: LineKeyframe, dtsMs: number): boolean =>
      Math.abs(place.dtsMs - dtsMs) <= SAME_PLACE_MS;
    for (const offsetMs of offsetsMs) {
      const lead = keyframes.find(({ packet }) => isAt(last, packet.dtsMs + offsetMs));
      if (lead) return { offsetMs, lead, keyframe: last };
      const isEarlier = keyframes.some(({ packet }) =>
        this.#kept.some((each) => isAt(each, packet.dtsMs + offsetMs)),
      );
      const isBehind = packets.some(({ packet }) => packet.dtsMs + offsetMs > last.dtsMs + SAME_PLACE_MS);
      if (isEarlier && !isBehind) return 'later';
    }
    return undefined;
  }
}
