/**
 * What H.264 and H.265 share: NAL units in their two framings (Annex B start codes, length prefixes), emulation
 * prevention, and the bit reader for parameter sets. Views everywhere; only the escaped bytes of a parameter set are
 * copied.
 */
import { LivestowError } from '../kernel/errors.ts';

/** `key`: a coded picture that a decoder can begin at; `picture`: another one. */
export type NalKind = 'vps' | 'sps' | 'pps' | 'aud' | 'key' | 'picture' | 'other';

const START_CODE = Buffer.from([0, 0, 1]);

/** The NAL units of an Annex B byte stream, without start codes and trailing zeros; empty ones left out. */
export function annexBNals(bytes: Buffer): Buffer[] {
  const nals: Buffer[] = [];
  let start = bytes.indexOf(START_CODE);
  while (start >= 0) {
    const next = bytes.indexOf(START_CODE, start + 3);
    let end = next < 0 ? bytes.length : next;
    // A NAL unit never ends in a zero byte: what is there belongs to the next start code, or is stuffing.
    while (end > start + 3 && bytes[end - 1] === 0) {
      end--;
    }
    if (end > start + 3) {
      nals.push(bytes.subarray(start + 3, end));
    }
    start = next;
  }
  return nals;
}

/** Whether a start code (of three bytes, or more zeros) lies at `from`, as far as there are bytes to tell. */
export function startsWithStartCode(bytes: Buffer, from: number, end: number): boolean {
  let at = from;
  while (at < end && bytes[at] === 0) {
    at++;
  }
  return at === end || (at - from >= 2 && bytes[at] === 1);
}

/** The NAL units of a length-prefixed payload; a length that goes beyond the payload ends it. */
export function lengthPrefixedNals(bytes: Buffer, lengthSize = 4): Buffer[] {
  const nals: Buffer[] = [];
  let at = 0;
  while (at + lengthSize <= bytes.length) {
    const from = at + lengthSize;
    const end = from + bytes.readUIntBE(at, lengthSize);
    if (end > bytes.length) {
      break;
    }
    if (end > from) {
      nals.push(bytes.subarray(from, end));
    }
    at = end;
  }
  return nals;
}

/** Whether the lengths lead from one NAL unit to the next up to the payload's end, and there is one. */
export function isWholeFraming(bytes: Buffer, lengthSize: number): boolean {
  let at = 0;
  while (at + lengthSize <= bytes.length) at += lengthSize + bytes.readUIntBE(at, lengthSize);
  return at === bytes.length && at > lengthSize;
}

/** NAL units behind one another, each with a 4-byte length. */
export function lengthPrefixed(nals: readonly Buffer[]): Buffer {
  let total = 0;
  for (const nal of nals) {
    total += 4 + nal.length;
  }
  const joined = Buffer.allocUnsafe(total);
  let at = 0;
  for (const nal of nals) {
    at = joined.writeUInt32BE(nal.length, at);
    at += nal.copy(joined, at);
  }
  return joined;
}

/** A NAL unit's bytes without the emulation prevention bytes (the 3 in 0 0 3). */
export function unescaped(nal: Buffer): Buffer {
  const plain = Buffer.allocUnsafe(nal.length);
  let length = 0;
  let zeros = 0;
  for (const byte of nal) {
    if (zeros >= 2 && byte === 3) {
      zeros = 0;
      continue;
    }
    plain[length++] = byte;
    zeros = byte === 0 ? zeros + 1 : 0;
  }
  return plain.subarray(0, length);
}

/** Reads bits, most significant first. Every read beyond the end throws MEDIA_UNSUPPORTED. */
export class BitReader {
  readonly #bytes: Buffer;
  #bit = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get bitsLeft(): number {
    return this.#bytes.length * 8 - this.#bit;
  }

  skip(bits: number): void {
    if (bits > this.bitsLeft) {
      throw malformed('a bit string ends too early');
    }
    this.#bit += bits;
  }

  /** An unsigned number of up to 32 bits. */
  u(bits: number): number {
    if (bits > this.bitsLeft) {
      throw malformed('a bit string ends too early');
    }
    let value = 0;
    for (let i = 0; i < bits; i++, this.#bit++) {
      value = value * 2 + ((this.#bytes[this.#bit >> 3]! >> (7 - (this.#bit & 7))) & 1);
    }
    return value;
  }

  flag(): boolean {
    return this.u(1) === 1;
  }

  /** Exp-Golomb, unsigned. */
  ue(): number {
    let zeros = 0;
    while (this.u(1) === 0) {
      zeros++;
      if (zeros > 32) {
        throw malformed('an Exp-Golomb code is too long');
      }
    }
    return 2 ** zeros - 1 + this.u(zeros);
  }

  /** Exp-Golomb, signed. */
  se(): number {
    const code = this.ue();
    return code % 2 === 1 ? (code + 1) / 2 : -code / 2;
  }
}

/** The error for a codec configuration that cannot be read. */
export function malformed(what: string): LivestowError {
  return new LivestowError('MEDIA_UNSUPPORTED', `The codec configuration cannot be read: ${what}.`);
}
