/**
 * How the session's time line lies in the real time. The least (arrival − dts) seen is the live edge: media can't arrive
 * before it is made. Where the line closes a hole that was none in real time, UTC makes a step; where the source's clock
 * drifts against ours, the edge follows within two windows.
 */

/** Long enough to see the edge through a slow link, short enough that a day of drift is no gap. */
const WINDOW_MS = 60_000;
/** What is asked about lies in the last segments. */
const STEPS_KEPT = 256;

export class WallClock {
  /** From each place of the line on: UTC minus dts. */
  #steps: { fromDtsMs: number; wallMs: number }[] = [];
  #windowEndsMs = -Infinity;
  #edgeMs = Infinity;
  #previousEdgeMs = Infinity;

  /** @param wallMs known from an earlier process */
  begin(wallMs = Infinity): void {
    this.#steps = [{ fromDtsMs: 0, wallMs }];
    this.#edgeMs = wallMs;
    this.#previousEdgeMs = wallMs;
  }

  /** A packet arrived that stands here on the line. */
  saw(dtsMs: number, arrivedAtMs: number): void {
    const lagMs = arrivedAtMs - dtsMs;
    const last = this.#steps.at(-1);
    if (last) last.wallMs = Math.min(last.wallMs, lagMs);
    if (arrivedAtMs >= this.#windowEndsMs) {
      this.#previousEdgeMs = this.#windowEndsMs === -Infinity ? Math.min(this.#edgeMs, lagMs) : this.#edgeMs;
      this.#edgeMs = lagMs;
      this.#windowEndsMs = arrivedAtMs + WINDOW_MS;
    } else {
      this.#edgeMs = Math.min(this.#edgeMs, lagMs);
    }
  }

  /** UTC milliseconds of a place on the line. */
  utcOf(dtsMs: number): number {
    const step = this.#steps.findLast((each) => each.fromDtsMs <= dtsMs) ?? this.#steps[0];
    return Math.round(dtsMs + (step?.wallMs ?? 0));
  }

  /** UTC minus dts now; what a later process needs. */
  get wallMs(): number {
    return this.#steps.at(-1)?.wallMs ?? 0;
  }

  /** How long after the live edge something arrives that stands here on the line; negative: ahead of it. */
  lateMs(dtsMs: number, arrivedAtMs: number): number {
    return arrivedAtMs - dtsMs - Math.min(this.#edgeMs, this.#previousEdgeMs);
  }

  /** From this place on, the line stands `byMs` later in real time than it did. */
  shift(fromDtsMs: number, byMs: number): void {
    this.#steps.push({ fromDtsMs, wallMs: this.wallMs + byMs });
    if (this.#steps.length > STEPS_KEPT) this.#steps.shift();
    this.#edgeMs += byMs;
    this.#previousEdgeMs += byMs;
  }
}
