/** The gaps of one term, as the journal has them: where each stands, and those at the term's head and end. */
import { isoUtc } from '../kernel/clock.ts';
import type { GapCause } from '../model/causes.ts';
import type { Gap, JournalEntry } from '../model/manifest.ts';

/** The API's clock and ours agree no better than this; and HLS gives media no sooner than a segment of it is whole. */
const HEAD_TOLERANCE_MS = { flv: 500, hls: 4_000, cmaf: 4_000 } as const;

export interface TermGapsOptions {
  /** Where media could first have been: the room's start, or the end of the earlier terms' last picture. */
  mediaDueSinceMs: number | null;
  /** Key of the earlier terms' last segment. */
  lastSegmentKey: string | null;
  /** An earlier term ended while the disk had no room for media. */
  withheldBefore: Withheld | null;
}

/** UTC milliseconds from and to which there was media, and no room for it. */
export interface Withheld {
  fromMs: number;
  toMs: number;
}

/** What the terms before say of a pause for want of room that none of them came out of; null: there was none. */
export function withheldIn(entries: readonly JournalEntry[]): Withheld | null {
  let withheld: Withheld | null = null;
  let hasEnded = false;
  for (const entry of entries) {
    if (entry.type === 'event' && entry.event === 'disk' && entry.detail['level'] === 'out') {
      withheld ??= { fromMs: Date.parse(entry.at), toMs: Date.parse(entry.at) };
    } else if (entry.type === 'event' && (entry.event === 'media' || entry.event === 'disk')) {
      withheld = null;
      hasEnded = false;
    }
    hasEnded ||= withheld !== null && entry.type === 'term';
    if (withheld && !hasEnded) withheld.toMs = Date.parse(entry.at);
  }
  return withheld;
}

export class TermGaps {
  readonly #options: TermGapsOptions;
  #headNoted = false;
  #lastKey: string | null;
  #goesOn = false;
  #withheldSinceMs: number | null = null;

  constructor(options: TermGapsOptions) {
    this.#options = options;
    this.#lastKey = options.lastSegmentKey;
  }

  /** The time line goes on where an earlier term's ends, and notes what is missing in between itself. */
  goOn(): void {
    this.#goesOn = true;
  }

  /** What comes stands behind this segment. */
  segmentClosed(key: string): void {
    this.#lastKey = key;
  }

  /** Empty: there is nothing in between. */
  between(fromMs: number, toMs: number, cause: GapCause, after = this.#lastKey): Gap[] {
    const before = this.#options.withheldBefore;
    if (before && cause !== 'disk-full' && fromMs < before.toMs && before.fromMs < toMs) {
      const turnMs = Math.min(toMs, before.toMs);
      return [
        ...this.between(fromMs, turnMs, 'disk-full', after),
        ...this.between(turnMs, toMs, cause, after),
      ];
    }
    const ms = Math.round(toMs - fromMs);
    return ms > 0 ? [{ after, from: isoUtc(fromMs), to: isoUtc(fromMs + ms), ms, cause }] : [];
  }

  /** Before the term's first picture, once: back to the room's start, or to where the term before stopped. */
  head(firstPictureMs: number, protocol: keyof typeof HEAD_TOLERANCE_MS): Gap[] {
    if (this.#headNoted) return [];
    this.#headNoted = true;
    const { mediaDueSinceMs, lastSegmentKey } = this.#options;
    const goesOn = lastSegmentKey !== null && this.#goesOn;
    const toleranceMs = lastSegmentKey === null ? HEAD_TOLERANCE_MS[protocol] : 0;
    if (mediaDueSinceMs === null || goesOn || firstPictureMs - mediaDueSinceMs < toleranceMs) return [];
    return this.#since(
      mediaDueSinceMs,
      firstPictureMs,
      lastSegmentKey === null ? 'found-late' : 'recorder-down',
    );
  }

  /** From here on the disk has no room for media. */
  withhold(atMs: number): void {
    this.#withheldSinceMs ??= atMs;
  }

  /**
   * The session is over.
   * @param withheldUntilMs to when there was media, for which the disk had no room; null: it had, or there was none
   * @param lastPictureMs the end of what this term recorded
   */
  end(nowMs: number, withheldUntilMs: number | null, lastPictureMs: number | null): Gap[] {
    const { mediaDueSinceMs: dueSinceMs, withheldBefore } = this.#options;
    if (withheldUntilMs !== null && lastPictureMs !== null)
      return this.between(lastPictureMs, withheldUntilMs, 'disk-full');
    if (withheldUntilMs === null && withheldBefore) {
      return this.between(
        lastPictureMs ?? dueSinceMs ?? withheldBefore.fromMs,
        withheldBefore.toMs,
        'disk-full',
      );
    }
    if (this.#headNoted || dueSinceMs === null) return [];
    if (withheldUntilMs !== null) {
      const cause = this.#lastKey === null ? 'found-late' : 'recorder-down';
      return this.#since(dueSinceMs, withheldUntilMs, cause);
    }
    // Nothing was ever recorded of this session.
    return this.#lastKey === null ? this.between(dueSinceMs, nowMs, 'no-media') : [];
  }

  /** For this cause up to where the disk had no room, and then for that. */
  #since(fromMs: number, toMs: number, cause: GapCause): Gap[] {
    const turnMs = Math.max(fromMs, Math.min(toMs, this.#withheldSinceMs ?? Infinity));
    return [...this.between(fromMs, turnMs, cause), ...this.between(turnMs, toMs, 'disk-full')];
  }
}
