/**
 * FLV as a container: the file header, tags in, tags out. What is in a tag is `flv-units.ts`. The reader takes a body in
 * chunks that may split anywhere and holds one unfinished tag at most; a tag that lies within a chunk is a view of that
 * chunk, one that straddles chunks is copied once into a buffer of its own.
 */
import { LivestowError } from '../kernel/errors.ts';

export interface FlvTag {
  /** 8 audio, 9 video, 18 script. */
  type: 8 | 9 | 18;
  /** Unsigned, 32 bits. */
  timestampMs: number;
  /** The tag's body, at most 16 MiB less one byte. */
  data: Buffer;
}

const HEADER_BYTES = 9;
const TAG_HEADER_BYTES = 11;
const TRAILER_BYTES = 4;
/** A header that says it is longer than this is no header. */
const HEADER_BYTES_MAX = 1024;

/** A file header with the audio and the video flag, and the first previousTagSize. */
export const FLV_HEADER: Buffer = Buffer.from([0x46, 0x4c, 0x56, 1, 5, 0, 0, 0, HEADER_BYTES, 0, 0, 0, 0]);

/** The 11 bytes before a body of `dataLength` bytes. */
export function flvTagPrefix(type: FlvTag['type'], timestampMs: number, dataLength: number): Buffer {
  const prefix = Buffer.allocUnsafe(TAG_HEADER_BYTES);
  writeFlvTagPrefix(prefix, type, timestampMs, dataLength);
  return prefix;
}

/** As `flvTagPrefix`, into the first 11 bytes of a buffer that the caller has. */
export function writeFlvTagPrefix(
  into: Buffer,
  type: FlvTag['type'],
  timestampMs: number,
  dataLength: number,
): void {
  const time = Math.round(timestampMs) >>> 0;
  into[0] = type;
  into.writeUIntBE(dataLength, 1, 3);
  into[4] = (time >>> 16) & 0xff;
  into[5] = (time >>> 8) & 0xff;
  into[6] = time & 0xff;
  into[7] = time >>> 24;
  into[8] = 0;
  into[9] = 0;
  into[10] = 0;
}

/** The 4 bytes after a body of `dataLength` bytes: the tag's whole size again. */
export function flvTagSuffix(dataLength: number): Buffer {
  const suffix = Buffer.allocUnsafe(TRAILER_BYTES);
  suffix.writeUInt32BE(TAG_HEADER_BYTES + dataLength, 0);
  return suffix;
}

export function encodeFlvTag(tag: FlvTag): Buffer {
  const length = tag.data.length;
  return Buffer.concat([flvTagPrefix(tag.type, tag.timestampMs, length), tag.data, flvTagSuffix(length)]);
}

/**
 * Reads one FLV body. A wrong previousTagSize is tolerated (peers mend tags and forget it); a first byte that is no FLV
 * and a tag header that is nonsense are not: `push` throws MEDIA_NOT_MEDIA, after it has given the good tags before.
 */
export class FlvTagReader {
  /** Bytes of the thing being read that came with earlier chunks. */
  #held: Buffer = Buffer.alloc(0);
  #heldLength = 0;
  /** Bytes to pass over before the next tag: the rest of a header, a trailer. */
  #skip = 0;
  #started = false;
  #failure: LivestowError | undefined;
  #lostBytes = 0;

  /** Bytes held of a tag (or file header) that is not complete. */
  get pendingBytes(): number {
    return this.#heldLength;
  }

  /** The tags that these chunks complete, in order. Throws MEDIA_NOT_MEDIA. */
  push(chunks: Buffer | readonly Buffer[]): FlvTag[] {
    const tags: FlvTag[] = [];
    this.#throwFailure();
    for (const chunk of Buffer.isBuffer(chunks) ? [chunks] : chunks) this.#read(chunk, tags);
    if (tags.length === 0) this.#throwFailure();
    return tags;
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure;
  }

  #read(chunk: Buffer, tags: FlvTag[]): void {
    let at = 0;
    while (at < chunk.length && this.#failure === undefined) {
      if (this.#skip > 0) {
        const passed = Math.min(this.#skip, chunk.length - at);
        this.#skip -= passed;
        at += passed;
        continue;
      }
      try {
        at = this.#started ? this.#readTag(chunk, at, tags) : this.#readHeader(chunk, at);
      } catch (error) {
        this.#failure = error as LivestowError;
        this.#lostBytes = this.#heldLength + chunk.length - at;
      }
    }
  }

  /** The body is over. `tornBytes` were the beginning of a tag that never came to its end (0: it ended whole). */
  end(): { tornBytes: number } {
    return { tornBytes: this.#failure ? this.#lostBytes : this.#heldLength };
  }

  #readHeader(chunk: Buffer, from: number): number {
    const at = this.#hold(chunk, from, HEADER_BYTES);
    const have = this.#heldLength;
    for (let i = 0; i < Math.min(3, have); i++) {
      if (this.#held[i] !== FLV_HEADER[i]) {
        throw notMedia('The body does not begin as an FLV file does.', this.#held.subarray(0, have));
      }
    }
    if (have === HEADER_BYTES) {
      const size = this.#held.readUInt32BE(5);
      if (size < HEADER_BYTES || size > HEADER_BYTES_MAX) {
        throw notMedia('The FLV header has an impossible size.', this.#held);
      }
      this.#started = true;
      this.#skip = size - HEADER_BYTES + TRAILER_BYTES;
      this.#heldLength = 0;
    }
    return at;
  }

  #readTag(chunk: Buffer, from: number, tags: FlvTag[]): number {
    let at = from;
    if (this.#heldLength === 0 && chunk.length - at >= TAG_HEADER_BYTES) {
      const end = at + TAG_HEADER_BYTES + bodyLength(chunk, at);
      if (end <= chunk.length) {
        tags.push(tagOf(chunk, at, end));
        this.#skip = TRAILER_BYTES;
        return end;
      }
    }
    if (this.#heldLength < TAG_HEADER_BYTES) {
      at = this.#hold(chunk, at, TAG_HEADER_BYTES);
      if (this.#heldLength < TAG_HEADER_BYTES) {
        return at;
      }
    }
    const whole = TAG_HEADER_BYTES + bodyLength(this.#held, 0);
    at = this.#hold(chunk, at, whole);
    if (this.#heldLength === whole) {
      tags.push(tagOf(this.#held, 0, whole));
      this.#held = Buffer.alloc(0);
      this.#heldLength = 0;
      this.#skip = TRAILER_BYTES;
    }
    return at;
  }

  /** Fills up the held bytes to `wanted` as far as the chunk goes; returns where the chunk goes on. */
  #hold(chunk: Buffer, from: number, wanted: number): number {
    if (this.#held.length < wanted) {
      const larger = Buffer.allocUnsafeSlow(wanted);
      this.#held.copy(larger, 0, 0, this.#heldLength);
      this.#held = larger;
    }
    const taken = Math.min(wanted - this.#heldLength, chunk.length - from);
    chunk.copy(this.#held, this.#heldLength, from, from + taken);
    this.#heldLength += taken;
    return from + taken;
  }
}

function bodyLength(bytes: Buffer, at: number): number {
  // The upper bits are reserved and "encrypted"; some servers set them.
  const type = bytes[at]! & 0x1f;
  if (type !== 8 && type !== 9 && type !== 18) {
    throw notMedia(
      `Where an FLV tag should begin there is none (type ${type}).`,
      bytes.subarray(at, at + 11),
    );
  }
  return (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

function tagOf(bytes: Buffer, at: number, end: number): FlvTag {
  const time = (bytes[at + 7]! << 24) | (bytes[at + 4]! << 16) | (bytes[at + 5]! << 8) | bytes[at + 6]!;
  return {
    type: (bytes[at]! & 0x1f) as FlvTag['type'],
    timestampMs: time >>> 0,
    data: bytes.subarray(at + TAG_HEADER_BYTES, end),
  };
}

function notMedia(message: string, bytes: Buffer): LivestowError {
  return new LivestowError('MEDIA_NOT_MEDIA', message, {
    retryable: true,
    context: { beginsWith: bytes.subarray(0, 16).toString('hex') },
  });
}
