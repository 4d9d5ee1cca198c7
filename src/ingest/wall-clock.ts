/**
 * How the session's time line lies in the real time. The least (arrival − dts) seen is the live edge: media can't arrive
 * before it is made. Where the line closes a hole that was none in real time, UTC makes a step; where the source's clock
 * drifts against ours, the edge follows within two windows.
 *
 * Arrivals are told by a clock that nobody sets; only what is said to others is UTC. Where the machine's clock is set
 * forward, the line's UTC follows from there on. Set back, it goes on as it was, up to the end of the process: no two
 * places of a term's line have the same UTC.
 */

/** Long enough to see the edge through a slow link, short enough that a day of drift is no gap. */
const WINDOW_MS = 60_000;
/** What is asked about lies in the last segments. */
const STEPS_KEPT = 256;

/** From a place of the line on: arrivals at the edge minus dts, UTC minus arrivals. */
interface Step {
  fromDtsMs: number;
  lagMs: number;
  utcMs: number;
}

export class WallClock {
  #steps: Step[] = [];
  #utcMs: number;
  #windowEndsMs = -Infinity;
  #edgeMs = Infinity;
  #previousEdgeMs = Infinity;

  /** @param utcMs UTC minus the clock of the arrivals */
  constructor(utcMs = 0) {
    this.#utcMs = utcMs;
  }

  /** @param wallMs UTC minus dts, known from an earlier process */
  begin(wallMs = Infinity): void {
    const lagMs = wallMs - this.#utcMs;
    this.#steps = [{ fromDtsMs: 0, lagMs, utcMs: this.#utcMs }];
    this.#edgeMs = lagMs;
    this.#previousEdgeMs = lagMs;
  }

  /** The live edge of the process before is of no use: our clock was set back since. What comes first is at the edge. */
  forgetEdge(): void {
    this.#edgeMs = Infinity;
    this.#previousEdgeMs = Infinity;
  }

  /** The machine's clock was set: UTC minus the clock of the arrivals, from this place on. */
  set(fromDtsMs: number, utcMs: number): void {
    this.#utcMs = utcMs;
    const last = this.#steps.at(-1);
    if (last && utcMs > last.utcMs) this.#step({ fromDtsMs, lagMs: last.lagMs, utcMs });
  }

  /** A packet arrived that stands here on the line. */
  saw(dtsMs: number, arrivedAtMs: number): void {
    const lagMs = arrivedAtMs - dtsMs;
    const last = this.#steps.at(-1);
    if (last) last.lagMs = Math.min(last.lagMs, lagMs);
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
    return Math.round(dtsMs + (step ? step.lagMs + step.utcMs : 0));
  }

  /** UTC minus dts now, by the machine's clock as it is; what a later process needs. */
  get wallMs(): number {
    return (this.#steps.at(-1)?.lagMs ?? -this.#utcMs) + this.#utcMs;
  }

  /** How long after the live edge something arrives that stands here on the line; negative: ahead of it. */
  lateMs(dtsMs: number, arrivedAtMs: number): number {
    const edgeMs = Math.min(this.#edgeMs, this.#previousEdgeMs);
    return edgeMs === Infinity ? 0 : arrivedAtMs - dtsMs - edgeMs;
  }

  /** From this place on, the line stands `byMs` later in real time than it did. */
  shift(fromDtsMs: number, byMs: number): void {
    const last = this.#steps.at(-1);
    this.#step({
      fromDtsMs,
      lagMs: (last?.lagMs ?? -this.#utcMs) + byMs,
      utcMs: last?.utcMs ?? this.#utcMs,
    });
    this.#edgeMs += byMs;
    this.#previousEdgeMs += byMs;
  }

  #step(step: Step): void {
    this.#steps.push(step);
    if (this.#steps.length > STEPS_KEPT) this.#steps.shift();
  }
}
