/** The boxes of ISO/IEC 14496-12 (4.2), as places in a buffer. */
import { LivestowError } from '../kernel/errors.ts';

/** A box's type and where its content lies. */
export interface Box {
  type: string;
  from: number;
  end: number;
}

export const whole = (bytes: Buffer): Box => ({ type: '', from: 0, end: bytes.length });

/** The boxes in a box, in order. Throws MEDIA_NOT_MEDIA. */
export function* boxesIn(bytes: Buffer, parent: Box): Generator<Box> {
  let at = parent.from;
  while (at + 8 <= parent.end) {
    const small = bytes.readUInt32BE(at);
    const head = small === 1 ? 16 : 8;
    const size = small === 1 ? bytes.readUInt32BE(at + 8) * 2 ** 32 + bytes.readUInt32BE(at + 12) : small;
    if (size < head || at + size > parent.end) {
      throw notMp4('a box is longer than what it lies in');
    }
    yield { type: bytes.toString('latin1', at + 4, at + 8), from: at + head, end: at + size };
    at += size;
  }
}

/** The first box at the end of this path. */
export function childOf(bytes: Buffer, parent: Box, ...path: string[]): Box | undefined {
  let box: Box | undefined = parent;
  for (const type of path) {
    box = box && [...boxesIn(bytes, box)].find((child) => child.type === type);
  }
  return box;
}

/** A read beyond the bytes is the file's fault, not ours. */
export function bounded<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof RangeError ? notMp4('it is cut short') : error;
  }
}

export const notMp4 = (what: string): LivestowError =>
  new LivestowError('MEDIA_NOT_MEDIA', `The fragmented MP4 cannot be read: ${what}.`);
