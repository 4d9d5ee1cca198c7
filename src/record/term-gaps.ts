/** The gaps of one term, as the journal has them: where each stands, and the one at the term's head. */
import { isoUtc } from '../kernel/clock.ts';
import type { GapCause } from '../model/causes.ts';
import type { Gap } from '../model/manifest.ts';

/** The API's clock and ours agree no better than this; and HLS gives media no sooner than a segment of it is whole. */
const HEAD_TOLERANCE_MS = { flv: 500, hls: 4_000, cmaf: 4_000 } as const;

export interface TermGapsOptions {
  /** Where media could first have been: the room's start, or the end of the earlier terms' last picture. */
  mediaDueSinceMs: number | null;
  /** Key of the earlier terms' last segment. */
  lastSegmentKey: string | null;
  /** Journals it. */
  onGap: (gap: Gap) => Promise<void>;
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

  async note(fromMs: number, toMs: number, cause: GapCause): Promise<void> {
    const ms = Math.round(toMs - fromMs);
    if (ms <= 0) return;
    const [from, to] = [isoUtc(fromMs), isoUtc(fromMs + ms)];
    await this.#options.onGap({ after: this.#lastKey, from, to, ms, cause });
  }

  /** The head gap reaches back to the room's start, or to where the term before stopped. */
  async noteHead(firstPictureMs: number, protocol: keyof typeof HEAD_TOLERANCE_MS): Promise<void> {
    if (this.#headNoted) return;
    this.#headNoted = true;
    const { mediaDueSinceMs, lastSegmentKey } = this.#options;
    const goesOn = lastSegmentKey !== null && this.#goesOn;
    const toleranceMs = lastSegmentKey === null ? HEAD_TOLERANCE_MS[protocol] : 0;
    if (mediaDueSinceMs === null || goesOn || firstPictureMs - mediaDueSinceMs < toleranceMs) return;
    await this.#noteSince(
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
  async noteEnd(nowMs: number, withheldUntilMs: number | null, lastPictureMs: number | null): Promise<void> {
    const dueSinceMs = this.#options.mediaDueSinceMs;
    if (withheldUntilMs !== null && lastPictureMs !== null) {
      await this.note(lastPictureMs, withheldUntilMs, 'disk-full');
    } else if (withheldUntilMs !== null && dueSinceMs !== null && !this.#headNoted) {
      await this.#noteSince(
        dueSinceMs,
        withheldUntilMs,
        this.#lastKey === null ? 'found-late' : 'recorder-down',
      );
    } else if (this.#lastKey === null && !this.#headNoted && dueSinceMs !== null) {
      // Nothing was ever recorded of this session.
      await this.note(dueSinceMs, nowMs, 'no-media');
    }
  }

  /** For this cause up to where the disk had no room, and then for that. */
  async #noteSince(fromMs: number, toMs: number, cause: GapCause): Promise<void> {
    const turnMs = Math.max(fromMs, Math.min(toMs, this.#withheldSinceMs ?? Infinity));
    await this.note(fromMs, turnMs, cause);
    await this.note(turnMs, toMs, 'disk-full');
  }
}
