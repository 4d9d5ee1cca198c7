/** Sets of whole numbers as runs: which pictures, which frames of sound. */

/** First and last, both included. */
export type Range = [first: number, last: number];

export class RangeSet {
  /** Sorted, apart from one another by at least one missing number. */
  readonly #runs: Range[] = [];

  constructor(runs: Iterable<Range> = []) {
    for (const run of runs) {
      this.addRun(run);
    }
  }

  get runs(): Range[] {
    return this.#runs.map(([first, last]) => [first, last]);
  }

  get size(): number {
    return this.#runs.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  }

  get first(): number | undefined {
    return this.#runs[0]?.[0];
  }

  get last(): number | undefined {
    return this.#runs.at(-1)?.[1];
  }

  has(value: number): boolean {
    return this.#runs.some(([first, last]) => first <= value && value <= last);
  }

  add(value: number): void {
    this.addRun([value, value]);
  }

  addRun([first, last]: Range): void {
    // Numbers mostly come in order: what they touch is at the end.
    let from = this.#runs.length;
    while (from > 0 && this.#runs[from - 1]![1] >= first - 1) {
      from--;
    }
    let to = from;
    const joined: Range = [first, last];
    while (to < this.#runs.length && this.#runs[to]![0] <= last + 1) {
      joined[0] = Math.min(joined[0], this.#runs[to]![0]);
      joined[1] = Math.max(joined[1], this.#runs[to]![1]);
      to++;
    }
    this.#runs.splice(from, to - from, joined);
  }

  /** The runs of this set that the other lacks. */
  minus(other: RangeSet): Range[] {
    const left: Range[] = [];
    for (const [first, last] of this.#runs) {
      let at = first;
      for (const [from, to] of other.#runs) {
        if (to < at || from > last) {
          continue;
        }
        if (from > at) {
          left.push([at, from - 1]);
        }
        at = to + 1;
      }
      if (at <= last) {
        left.push([at, last]);
      }
    }
    return left;
  }
}
