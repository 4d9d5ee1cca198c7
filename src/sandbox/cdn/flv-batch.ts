/** The tags of one tick, gathered and then copied into one buffer with their timestamps mended. */
import { encodeFlvTag, writeFlvTagPrefix, type FlvTag } from '../../media/flv.ts';
import type { Sent } from '../ledger.ts';

const PREFIX_BYTES = 11;
const SUFFIX_BYTES = 4;

export class FlvBatch {
  readonly #pieces: { bytes: Buffer; timestampMs: number }[] = [];
  readonly #pictures: number[] = [];
  readonly #frames: number[] = [];
  #bytes = 0;
  /** The last keyframe in it. */
  keyPicture: number | undefined;

  /** An encoded tag of a track. */
  add(encoded: Buffer, kind: 'video' | 'audio', number: number, timestampMs: number): void {
    this.#pieces.push({ bytes: encoded, timestampMs });
    this.#bytes += encoded.length;
    (kind === 'video' ? this.#pictures : this.#frames).push(number);
  }

  addWhole(tag: FlvTag): void {
    const bytes = encodeFlvTag(tag);
    this.#pieces.push({ bytes, timestampMs: tag.timestampMs });
    this.#bytes += bytes.length;
  }

  take(): (Sent & { data: Buffer }) | undefined {
    const [first, last] = [this.#pieces[0], this.#pieces.at(-1)];
    if (!first || !last) {
      return undefined;
    }
    const data = Buffer.allocUnsafe(this.#bytes);
    let at = 0;
    for (const { bytes, timestampMs } of this.#pieces) {
      bytes.copy(data, at);
      const type = bytes[0] as FlvTag['type'];
      writeFlvTagPrefix(data.subarray(at), type, timestampMs, bytes.length - PREFIX_BYTES - SUFFIX_BYTES);
      at += bytes.length;
    }
    return {
      data,
      bytes: this.#bytes,
      pictures: this.#pictures,
      frames: this.#frames,
      firstTimestampMs: first.timestampMs,
      lastTimestampMs: last.timestampMs,
    };
  }
}
