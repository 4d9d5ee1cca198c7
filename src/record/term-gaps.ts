/** The gaps of one term, as the journal has them: where each stands, and those at the term's head and end. */
import { isoUtc } from '../kernel/clock.ts';
import { CORRECTION_MS, untoldMs } from '../layout/untold.ts';
import type { GapCause } from '../model/causes.ts';
import type { Gap } from '../model/manifest.ts';
import type { Withheld } from './withheld.ts';

/** The API's clock and ours agree no better than this; and HLS gives media no sooner than a segment of it is whole. */
const HEAD_TOLERANCE_MS = { flv: 500, hls: 4_000, cmaf: 4_000 } as const;

export interface TermGapsOptions {
  /** Where media could first have been: the room's start, or the end of the earlier terms' last picture. */
  mediaDueSinceMs: number | null;
  /** Key of the earlier terms' last segment. */
  lastSegmentKey: string | null;
  /** When the disk had no room in earlier terms, since media came last; oldest first. */
  withheldBefore: readonly Withheld[];
  /** Gaps that earlier terms have told; what they tell is not told again. */
  told: readonly Gap[];
}

export class TermGaps {
  readonly #options: TermGapsOptions;
  #headNoted = false;
  #lastKey: string | null;
  #goesOn = false;
  #withheld: { sinceMs: number; cutMedia: boolean } | null = null;
  /** Of what this term has told, the end. */
  #toldUpToMs = -Infinity;

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

  /** Empty: there is nothing in between, or it was told. Where an earlier term had no room, that was why. */
  between(fromMs: number, toMs: number, cause: GapCause, after = this.#lastKey): Gap[] {
    const gaps: Gap[] = [];
    let atMs = fromMs;
    for (const pause of this.#options.withheldBefore) {
      // What came until then ended with it: also what the next term finds that ends before it was missed for that.
      const beginMs = pause.cutMedia ? atMs : Math.max(atMs, pause.fromMs);
      if (pause.toMs <= atMs || toMs <= beginMs) continue;
      const endMs = Math.min(toMs, pause.toMs);
      gaps.push(
        ...this.#untold(atMs, beginMs, cause, after),
        ...this.#untold(beginMs, endMs, 'disk-full', after),
      );
      atMs = endMs;
    }
    return [...gaps, ...this.#untold(atMs, toMs, cause, after)];
  }

  #untold(fromMs: number, toMs: number, cause: GapCause, after: string | null): Gap[] {
    if (toMs <= fromMs) return [];
    const untold = untoldMs(fromMs, toMs, this.#options.told);
    if (untold < toMs - fromMs) {
      return untold < CORRECTION_MS ? [] : this.#gap(toMs - untold, toMs, cause, after);
    }
    return this.#gap(fromMs, toMs, cause, after);
  }

  #gap(fromMs: number, toMs: number, cause: GapCause, after: string | null): Gap[] {
    const ms = Math.round(toMs - fromMs);
    if (ms <= 0) return [];
    this.#toldUpToMs = Math.max(this.#toldUpToMs, fromMs + ms);
    return [{ after, from: isoUtc(fromMs), to: isoUtc(fromMs + ms), ms, cause }];
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
    const { mediaDueSinceMs: dueSinceMs } = this.#options;
    if (this.#lastKey === null && lastPictureMs === null) {
      // Nothing was ever recorded of this session.
      if (this.#headNoted || dueSinceMs === null) return [];
      return withheldUntilMs === null
        ? this.between(dueSinceMs, nowMs, 'no-media')
        : this.#since(dueSinceMs, withheldUntilMs, 'found-late');
    }
    const recordedMs = lastPictureMs ?? Math.max(dueSinceMs ?? -Infinity, this.#toldUpToMs);
    if (!Number.isFinite(recordedMs)) return [];
    const pausedMs = Math.max(recordedMs, ...this.#options.withheldBefore.map(({ toMs }) => toMs));
    if (withheldUntilMs === null) return this.#inPauses(recordedMs, pausedMs);
    // Nobody has recorded anything since an earlier term's pause, or this term nothing at all.
    if (pausedMs > recordedMs || lastPictureMs === null) {
      return [
        ...this.between(recordedMs, pausedMs, 'recorder-down'),
        ...this.#since(pausedMs, withheldUntilMs, 'recorder-down'),
      ];
    }
    const { sinceMs, cutMedia } = this.#withheld ?? { sinceMs: recordedMs, cutMedia: true };
    return cutMedia
      ? this.between(recordedMs, Math.max(sinceMs, withheldUntilMs), 'disk-full')
      : this.between(Math.max(recordedMs, sinceMs), withheldUntilMs, 'disk-full');
  }

  /** What earlier terms had no room for. Nobody knows whether she was live beside it. */
  #inPauses(fromMs: number, toMs: number): Gap[] {
    return this.between(fromMs, toMs, 'recorder-down').filter(({ cause }) => cause === 'disk-full');
  }

  /** For this cause up to where the disk had no room, and then for that. */
  #since(fromMs: number, toMs: number, cause: GapCause): Gap[] {
    const turnMs = Math.max(fromMs, Math.min(toMs, this.#withheld?.sinceMs ?? Infinity));
    return [...this.between(fromMs, turnMs, cause), ...this.between(turnMs, toMs, 'disk-full')];
  }
}
