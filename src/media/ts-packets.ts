/**
 * MPEG-TS (ISO/IEC 13818-1) down to the payloads of one video and one audio stream: packets out of chunks that split
 * anywhere, sync lost and found, PAT and PMT, continuity. The first program's first H.264 or H.265 and first ADTS AAC
 * stream are read, anything else is passed over. Nothing of a payload is copied but the packet that straddles two chunks.
 */
import { LivestowError } from '../kernel/errors.ts';

export interface TsStream {
  kind: 'video' | 'audio';
  codec: 'h264' | 'h265' | 'aac';
  pid: number;
}

/** A payload lies in `bytes` from `from` to `end`; `starts`: a PES packet begins with it. Not empty. */
export type TsPayloadTaker = (
  stream: TsStream,
  starts: boolean,
  bytes: Buffer,
  from: number,
  end: number,
) => void;

const PACKET_BYTES = 188;
const SYNC = 0x47;
/** So much without a packet is not MPEG-TS. */
const SEARCH_BYTES_MAX = 64 * 1024;
/** A section is 1,024 bytes at most, and 3 before its length counts. */
const SECTION_BYTES_MAX = 1027;
const CODECS = new Map<number, Pick<TsStream, 'kind' | 'codec'>>([
  [0x1b, { kind: 'video', codec: 'h264' }],
  [0x24, { kind: 'video', codec: 'h265' }],
  [0x0f, { kind: 'audio', codec: 'aac' }],
]);

/** What is known of one PID. */
interface Channel {
  pid: number;
  stream: TsStream | undefined;
  /** Of the last packet with a payload; -1 before the first. */
  counter: number;
  /** That packet's payload, to know a repetition by. */
  last: Buffer;
  lastFrom: number;
  lastEnd: number;
  /** A section that is not complete. */
  section: Buffer;
}

export class TsPacketReader {
  /** Jumps of a continuity counter that were not announced: packets were lost there. */
  continuityErrors = 0;
  /** Bytes passed over to find sync. */
  skippedBytes = 0;
  /** Stream types of the program that are not read. */
  readonly ignoredTypes = new Set<number>();
  /** Whether there was a table that says what the streams are: until then it may be anything. */
  get programKnown(): boolean {
    return this.#lastPmt.length > 0;
  }

  readonly #take: TsPayloadTaker;
  #pat: Channel = channel(0);
  #pmt: Channel | undefined;
  #video: Channel | undefined;
  #audio: Channel | undefined;
  #lastPmt: Buffer = Buffer.alloc(0);
  /** Less than a packet; or, while sync is lost, what was not searched yet. */
  #held: Buffer = Buffer.alloc(0);
  #inSync = false;
  #searchedBytes = 0;

  constructor(take: TsPayloadTaker) {
    this.#take = take;
  }

  /** Throws MEDIA_NOT_MEDIA when there is no packet in 64 KiB. */
  push(chunk: Buffer): void {
    const held = this.#held;
    const missing = PACKET_BYTES - held.length;
    if (held.length === 0) {
      this.#packets(chunk, 0);
    } else if (this.#inSync && missing <= chunk.length) {
      this.#packets(Buffer.concat([held, chunk.subarray(0, missing)]), 0);
      this.#packets(chunk, missing);
    } else {
      this.#packets(Buffer.concat([held, chunk]), 0);
    }
  }

  /** The stream ends or is cut here: counters may begin anew. Gives the bytes that were no whole packet. */
  reset(): number {
    if (!this.#inSync) {
      this.#packets(this.#held, 0, true);
    }
    const left = this.#held.length;
    this.#held = Buffer.alloc(0);
    this.#inSync = false;
    for (const known of [this.#pat, this.#pmt, this.#video, this.#audio]) {
      if (known) {
        known.counter = -1;
      }
    }
    return left;
  }

  #packets(bytes: Buffer, from: number, last = false): void {
    let at = from;
    for (;;) {
      if (!this.#inSync || (at < bytes.length && bytes[at] !== SYNC)) {
        at = this.#search(bytes, at, last);
        if (!this.#inSync) {
          break;
        }
      }
      if (at + PACKET_BYTES > bytes.length) {
        break;
      }
      this.#packet(bytes, at);
      at += PACKET_BYTES;
    }
    this.#held = bytes.subarray(at);
  }

  /** Finds where three packets begin behind one another (fewer, where no more bytes are to come). */
  #search(bytes: Buffer, from: number, last: boolean): number {
    const looksRight = (at: number): boolean => at >= bytes.length || bytes[at] === SYNC;
    this.#inSync = false;
    let at = bytes.indexOf(SYNC, from);
    while (at >= 0 && !(looksRight(at + PACKET_BYTES) && looksRight(at + 2 * PACKET_BYTES))) {
      at = bytes.indexOf(SYNC, at + 1);
    }
    const found = at < 0 ? bytes.length : at;
    this.skippedBytes += found - from;
    this.#searchedBytes += found - from;
    if (this.#searchedBytes > SEARCH_BYTES_MAX) {
      throw notTs();
    }
    if (found + (last ? 1 : 3) * PACKET_BYTES <= bytes.length) {
      this.#inSync = true;
      this.#searchedBytes = 0;
    }
    return found;
  }

  #packet(bytes: Buffer, at: number): void {
    const b1 = bytes[at + 1]!;
    const b3 = bytes[at + 3]!;
    const pid = ((b1 & 0x1f) << 8) | bytes[at + 2]!;
    const known = this.#channelOf(pid);
    const hasPayload = (b3 & 0x10) > 0;
    // Damaged, scrambled, or without a payload.
    if (!known || b1 >= 0x80 || b3 >= 0x40 || !hasPayload) {
      return;
    }
    let from = at + 4;
    let announced = false;
    if ((b3 & 0x20) > 0) {
      const length = bytes[from]!;
      announced = length > 0 && (bytes[from + 1]! & 0x80) > 0;
      from += 1 + length;
    }
    const end = at + PACKET_BYTES;
    if (from >= end || !this.#continues(known, b3 & 0x0f, announced, bytes, from, end)) {
      return;
    }
    const starts = (b1 & 0x40) > 0;
    if (known.stream) {
      this.#take(known.stream, starts, bytes, from, end);
    } else {
      this.#table(known, starts, bytes.subarray(from, end));
    }
  }

  #channelOf(pid: number): Channel | undefined {
    if (this.#video?.pid === pid) {
      return this.#video;
    }
    if (this.#audio?.pid === pid) {
      return this.#audio;
    }
    return pid === 0 ? this.#pat : this.#pmt?.pid === pid ? this.#pmt : undefined;
  }

  /** False for a packet that was sent twice. */
  #continues(
    known: Channel,
    counter: number,
    announced: boolean,
    bytes: Buffer,
    from: number,
    end: number,
  ): boolean {
    const before = known.counter;
    if (before >= 0 && counter !== ((before + 1) & 15) && !announced) {
      if (counter === before && known.last.compare(bytes, from, end, known.lastFrom, known.lastEnd) === 0) {
        return false;
      }
      this.continuityErrors++;
      known.section = Buffer.alloc(0);
    }
    known.counter = counter;
    known.last = bytes;
    known.lastFrom = from;
    known.lastEnd = end;
    return true;
  }

  #table(known: Channel, starts: boolean, payload: Buffer): void {
    const fresh = starts ? payload.subarray(1 + payload[0]!) : payload;
    if (!starts && known.section.length === 0) {
      return;
    }
    const section = starts ? fresh : Buffer.concat([known.section, fresh]);
    const wanted = section.length >= 3 ? 3 + (section.readUInt16BE(1) & 0x0fff) : SECTION_BYTES_MAX;
    if (section.length < wanted) {
      known.section = section.length < SECTION_BYTES_MAX ? section : Buffer.alloc(0);
      return;
    }
    known.section = Buffer.alloc(0);
    // Without the CRC; and not of a table that is yet to come into force.
    const table = section.subarray(0, wanted - 4);
    if (table.length >= 8 && (table[5]! & 1) === 1) {
      if (known === this.#pat && table[0] === 0) {
        this.#readPat(table);
      } else if (known === this.#pmt && table[0] === 2) {
        this.#readPmt(table);
      }
    }
  }

  #readPat(table: Buffer): void {
    for (let at = 8; at + 4 <= table.length; at += 4) {
      const pid = table.readUInt16BE(at + 2) & 0x1fff;
      if (table.readUInt16BE(at) !== 0) {
        if (this.#pmt?.pid !== pid) {
          this.#pmt = channel(pid);
        }
        return;
      }
    }
  }

  #readPmt(table: Buffer): void {
    if (table.equals(this.#lastPmt) || table.length < 12) {
      return;
    }
    this.#lastPmt = Buffer.from(table);
    const found: Partial<Record<TsStream['kind'], TsStream>> = {};
    let at = 12 + (table.readUInt16BE(10) & 0x0fff);
    while (at + 5 <= table.length) {
      const codec = CODECS.get(table[at]!);
      if (codec) {
        found[codec.kind] ??= { ...codec, pid: table.readUInt16BE(at + 1) & 0x1fff };
      } else {
        this.ignoredTypes.add(table[at]!);
      }
      at += 5 + (table.readUInt16BE(at + 3) & 0x0fff);
    }
    this.#video = joined(this.#video, found.video);
    this.#audio = joined(this.#audio, found.audio);
  }
}

const channel = (pid: number, stream?: TsStream): Channel => ({
  pid,
  stream,
  counter: -1,
  last: Buffer.alloc(0),
  lastFrom: 0,
  lastEnd: 0,
  section: Buffer.alloc(0),
});

/** The channel as it was, when the new table says the same of it. */
function joined(known: Channel | undefined, stream: TsStream | undefined): Channel | undefined {
  if (!stream) {
    return undefined;
  }
  return known?.pid === stream.pid && known.stream?.codec === stream.codec
    ? known
    : channel(stream.pid, stream);
}

export const notTs = (): LivestowError =>
  new LivestowError('MEDIA_NOT_MEDIA', 'There are no MPEG-TS packets in the body.', { retryable: true });
