/** PES packets (ISO/IEC 13818-1 2.4.3.6) without their headers, and the 33-bit clock of 90 kHz made one that goes on. */

export interface PesTimes {
  /** In ticks of 90 kHz, as written (33 bits); undefined where there is none. The decode time is that of presentation where it is not written. */
  pts: number | undefined;
  dts: number | undefined;
}

export interface PesTaker {
  /** A PES packet begins. */
  pesStart(times: PesTimes): void;
  /** The next of its bytes; not empty. */
  pesData(bytes: Buffer, from: number, end: number): void;
}

/** Takes the PES header off, which may reach over several TS packets. */
export class PesReader {
  readonly #taker: PesTaker;
  #head: Buffer | undefined;
  #passes = false;

  constructor(taker: PesTaker) {
    this.#taker = taker;
  }

  push(starts: boolean, bytes: Buffer, from: number, end: number): void {
    if (!starts && this.#head === undefined) {
      if (this.#passes) {
        this.#taker.pesData(bytes, from, end);
      }
      return;
    }
    this.#passes = false;
    const fresh = bytes.subarray(from, end);
    const head = starts ? fresh : Buffer.concat([this.#head!, fresh]);
    this.#head = head;
    if (head.length < 9) {
      return;
    }
    const headBytes = 9 + head[8]!;
    if (head[0] !== 0 || head[1] !== 0 || head[2] !== 1 || (head[6]! & 0xc0) !== 0x80) {
      // Not a PES packet (or an encrypted one): nothing of it is taken.
      this.#head = undefined;
    } else if (head.length >= headBytes) {
      this.#head = undefined;
      this.#passes = true;
      this.#taker.pesStart(timesOf(head));
      if (head.length > headBytes) {
        this.#taker.pesData(head, headBytes, head.length);
      }
    }
  }

  reset(): void {
    this.#head = undefined;
    this.#passes = false;
  }
}

function timesOf(head: Buffer): PesTimes {
  const which = head[7]! >> 6;
  const pts = which >= 2 && head[8]! >= 5 ? ticksAt(head, 9) : undefined;
  return { pts, dts: which === 3 && head[8]! >= 10 ? ticksAt(head, 14) : pts };
}

const ticksAt = (bytes: Buffer, at: number): number =>
  ((bytes[at]! >> 1) & 7) * 2 ** 30 +
  ((bytes[at + 1]! << 22) | ((bytes[at + 2]! >> 1) << 15) | (bytes[at + 3]! << 7) | (bytes[at + 4]! >> 1));

const WRAP = 2 ** 33;

/** Puts each time nearest to the one before it, so that the clock's running over (after 26.5 hours) is not seen. */
export class TickUnwrapper {
  #last: number | undefined;

  unwrap(ticks: number): number {
    const last = this.#last;
    const turns = last === undefined ? 0 : Math.round((last - ticks) / WRAP);
    this.#last = ticks + turns * WRAP;
    return this.#last;
  }
}

/** Always the whole value is rounded, never a difference: so sums don't drift. */
export const msOfTicks = (ticks: number): number => Math.round(ticks / 90);
