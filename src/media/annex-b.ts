/**
 * Pictures as MPEG-TS has them (ISO/IEC 13818-1 2.14, 2.17): an access unit delimiter, the parameter sets before each
 * picture that a decoder can begin at, and start codes instead of lengths.
 */
import { kindOfAvcNal, parseAvcRecord } from './avc.ts';
import { kindOfHevcNal, parseHevcRecord } from './hevc.ts';
import { lengthPrefixedNals } from './nal.ts';
import type { VideoConfig } from './packet.ts';

const START_CODE_BYTES = 4;
const DELIMITERS = { h264: Buffer.from('09f0', 'hex'), h265: Buffer.from('460150', 'hex') } as const;

export class AnnexBFraming {
  readonly #codec: VideoConfig['codec'];
  readonly #lengthSize: number;
  readonly #sets: readonly Buffer[];
  /** Used again for each picture: thirty recordings then leave no garbage of the size of what they record. */
  #memory = Buffer.alloc(0);

  /** Throws MEDIA_UNSUPPORTED for a record that cannot be read. */
  constructor({ codec, record }: Pick<VideoConfig, 'codec' | 'record'>) {
    this.#codec = codec;
    if (codec === 'h264') {
      const { sps, pps, lengthSize } = parseAvcRecord(record);
      this.#lengthSize = lengthSize;
      this.#sets = [...sps, ...pps];
    } else {
      const { vps, sps, pps, lengthSize } = parseHevcRecord(record);
      this.#lengthSize = lengthSize;
      this.#sets = [...vps, ...sps, ...pps];
    }
  }

  /** The picture's bytes, which are good until the next call. */
  frame(payload: Buffer, key: boolean): Buffer {
    const kindOf = this.#codec === 'h264' ? kindOfAvcNal : kindOfHevcNal;
    const own = lengthPrefixedNals(payload, this.#lengthSize).filter((nal) => kindOf(nal) !== 'aud');
    const sets = key && !own.some((nal) => kindOf(nal) === 'sps') ? this.#sets : [];
    const nals = [DELIMITERS[this.#codec], ...sets, ...own];
    let bytes = 0;
    for (const nal of nals) bytes += START_CODE_BYTES + nal.length;
    if (bytes > this.#memory.length) this.#memory = Buffer.allocUnsafeSlow(Math.ceil(bytes * 1.5));
    let at = 0;
    for (const nal of nals) {
      at = this.#memory.writeUInt32BE(1, at);
      at += nal.copy(this.#memory, at);
    }
    return this.#memory.subarray(0, at);
  }
}
