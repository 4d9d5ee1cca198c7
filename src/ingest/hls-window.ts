/**
 * Which segment comes next, as a live playlist's window moves along: pure bookkeeping over media sequence numbers. Each
 * segment is handed out once, in order; what left the window before its turn is told as missing.
 */
import type { HlsMediaPlaylist, HlsSegment } from './hls-playlist.ts';

export interface WindowChange {
  /** Something new can be fetched, or the list is complete. */
  changed: boolean;
  /** Left the window unseen. */
  missedMs: number;
  /** The numbering began anew: nothing that was said of sequence numbers before holds. */
  restarted: boolean;
}

/** A segment and the numbering that its sequence number is of. */
export interface Turn {
  generation: number;
  segment: HlsSegment;
}

export class HlsWindow {
  #segments: readonly HlsSegment[] = [];
  /** The sequence number whose turn it is; undefined before the first playlist. */
  #turn: number | undefined;
  #generation = 0;
  #ended = false;

  update(playlist: HlsMediaPlaylist): WindowChange {
    const first = playlist.segments[0]?.sequence;
    const last = playlist.segments.at(-1)?.sequence;
    const wasEnded = this.#ended;
    this.#ended = playlist.ended;
    if (first === undefined || last === undefined) {
      return { changed: this.#ended && !wasEnded, missedMs: 0, restarted: false };
    }

    const knownFirst = this.#segments[0]?.sequence;
    const knownLast = this.#segments.at(-1)?.sequence;
    // A cache may answer with an older window, which overlaps the known one; a list wholly before it was begun anew.
    const restarted = knownFirst !== undefined && last < knownFirst;
    const stale = !restarted && knownLast !== undefined && last < knownLast;
    if (stale) {
      this.#ended = wasEnded;
      return { changed: false, missedMs: 0, restarted: false };
    }

    this.#segments = playlist.segments;
    if (restarted) this.#generation += 1;
    if (restarted || this.#turn === undefined) this.#turn = first;
    const missed = Math.max(0, first - this.#turn);
    if (missed > 0) this.#turn = first;
    const meanMs =
      playlist.segments.reduce((sum, { durationMs }) => sum + durationMs, 0) / playlist.segments.length;
    const changed = restarted || knownLast === undefined || last > knownLast || (this.#ended && !wasEnded);
    return { changed, missedMs: Math.round(missed * meanMs), restarted };
  }

  /** The segment whose turn it is, when the playlist has it; the next is the one behind it. */
  take(): Turn | undefined {
    const segment = this.#segments.find(({ sequence }) => sequence === this.#turn);
    if (segment === undefined) return undefined;
    this.#turn = segment.sequence + 1;
    return { generation: this.#generation, segment };
  }

  /** As the latest playlist has it (its address may have a new signature); undefined when it is not offered any more. */
  latest({ generation, segment }: Turn): HlsSegment | undefined {
    if (generation !== this.#generation) return undefined;
    return this.#segments.find(({ sequence }) => sequence === segment.sequence);
  }

  /** How much the latest playlist lists behind a segment: at least so long ago it was made. */
  behindMs({ generation, segment }: Turn): number {
    if (generation !== this.#generation) return 0;
    const behind = this.#segments.filter(({ sequence }) => sequence > segment.sequence);
    return behind.reduce((sum, { durationMs }) => sum + durationMs, 0);
  }

  /** The list is complete: reading it again is of no use. */
  get ended(): boolean {
    return this.#ended;
  }

  /** What tells the last segment from all others, however its address is signed. */
  get lastName(): string {
    const last = this.#segments.at(-1);
    return last === undefined ? '' : `${last.sequence} ${new URL(last.url).pathname}`;
  }
}
