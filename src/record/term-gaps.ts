/** The gaps of one term, as the journal has them: where each stands, and those at the term's head and end. */
import { isoUtc } from '../kernel/clock.ts';
import { CORRECTION_MS, untoldMs } from '../layout/untold.ts';
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
  /** Gaps that earlier terms have told; what they tell is not told again. */
  told: readonly Gap[];
}

/** UTC milliseconds from and to which there was no room for media. */
export interface Withheld {
  fromMs: number;
  toMs: number;
  /** Media came until then: what is missing begins behind the last picture. */
  cutMedia: boolean;
}

/** What the terms before say of a pause for want of room that none of them came out of; null: there was none. */
export function withheldIn(entries: readonly JournalEntry[]): Withheld | null {
  let withheld: Withheld | null = null;
  let hasEnded = false;
  for (const entry of entries) {
    if (entry.type === 'event' && entry.event === 'disk' && entry.detail['level'] === 'out') {
      withheld ??= { fromMs: Date.parse(entry.at), toMs: Date.parse(entry.at), cutMedia: false };
    } else if (withheld && entry.type === 'event' && entry.event === 'media-broke') {
      withheld.cutMedia ||= entry.detail['cause'] === 'disk-full' && Number(entry.detail['mediaMs']) > 0;
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
  #withheld: { sinceMs: number; cutMedia: boolean } | null = null;

  constructor(options: TermGapsOptions) {
    this.#options = options;
    this.#lastKey = options.lastSegmentKey;
  }

  /** The time line goes on where an earlier term's ends, and notes what is missing in between itself. */
  goOn(): void {
    this.#goesOn = true;
  }

  /** What comes stands behind this segment, which begins here (UTC milliseconds). */
  segmentClosed(key: string, startsAtMs: number): void {
    this.#lastKey = key;
    if (this.#withheld && startsAtMs > this.#withheld.sinceMs) this.#withheld = null;
  }

  /** Empty: there is nothing in between. */
  between(fromMs: number, toMs: number, cause: GapCause, after = this.#lastKey): Gap[] {
    const before = this.#options.withheldBefore;
    if (before && cause !== 'disk-full' && fromMs < before.toMs && before.fromMs < toMs) {
      const firstMs = before.cutMedia ? fromMs : Math.max(fromMs, before.fromMs);
      const lastMs = Math.min(toMs, before.toMs);
      return [
        ...this.between(fromMs, firstMs, cause, after),
        ...this.between(firstMs, lastMs, 'disk-full', after),
        ...this.between(lastMs, toMs, cause, after),
      ];
    }
    const untold = untoldMs(fromMs, toMs, this.#options.told);
    if (untold < toMs - fromMs) {
      return untold < CORRECTION_MS ? [] : this.#gap(toMs - untold, toMs, cause, after);
    }
    return this.#gap(fromMs, toMs, cause, after);
  }

  #gap(fromMs: number, toMs: number, cause: GapCause, after: string | null): Gap[] {
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

  /**
   * From here on the disk has no room for media.
   * @param cutMedia some came until now
   */
  withhold(atMs: number, cutMedia: boolean): void {
    this.#withheld ??= { sinceMs: atMs, cutMedia };
  }

  /**
   * The session is over.
   * @param withheldUntilMs to when there was media, for which the disk had no room; null: it had, or there was none
   * @param lastPictureMs the end of what this term recorded
   */
  end(nowMs: number, withheldUntilMs: number | null, lastPictureMs: number | null): Gap[] {
    const { mediaDueSinceMs: dueSinceMs, withheldBefore } = this.#options;
    if (withheldUntilMs !== null && lastPictureMs !== null) {
      const { sinceMs, cutMedia } = this.#withheld ?? { sinceMs: lastPictureMs, cutMedia: true };
      return cutMedia
        ? this.between(lastPictureMs, Math.max(sinceMs, withheldUntilMs), 'disk-full')
        : this.between(Math.max(lastPictureMs, sinceMs), withheldUntilMs, 'disk-full');
    }
    if (withheldUntilMs === null && withheldBefore) {
      const { fromMs, toMs, cutMedia } = withheldBefore;
      const recordedMs = lastPictureMs ?? dueSinceMs ?? fromMs;
      return this.between(cutMedia ? recordedMs : Math.max(recordedMs, fromMs), toMs, 'disk-full');
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
    const turnMs = Math.max(fromMs, Math.min(toMs, this.#withheld?.sinceMs ?? Infinity));
    return [...this.between(fromMs, turnMs, cause), ...this.between(turnMs, toMs, 'disk-full')];
  }
}
