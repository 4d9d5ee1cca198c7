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
    const cause = lastSegmentKey === null ? 'found-late' : 'recorder-down';
    await this.note(mediaDueSinceMs, firstPictureMs, cause);
  }

  /** Nothing was ever recorded of this session. */
  async noteNothing(nowMs: number): Promise<void> {
    const { mediaDueSinceMs } = this.#options;
    if (this.#lastKey !== null || this.#headNoted || mediaDueSinceMs === null) return;
    await this.note(mediaDueSinceMs, nowMs, 'no-media');
  }
}
