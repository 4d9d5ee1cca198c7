/**
 * Writes MPEG-TS (ISO/IEC 13818-1): one program, one stream of pictures and one of sound at most. Times are ticks of
 * 90 kHz on a line without end; the 33 bits of the format are taken here. Continuity counters go on from segment to
 * segment; that they begin at all is marked as a discontinuity, once for each stream.
 *
 * What is written lies in one piece of memory that is used again and again: no recording leaves garbage of its own size.
 */
import type { VideoConfig } from './packet.ts';

const PACKET_BYTES = 188;
const PAYLOAD_BYTES = 184;
const PID_PAT = 0;
const PID_PMT = 0x1000;
const PID_VIDEO = 0x100;
const PID_AUDIO = 0x101;
const STREAM_TYPE = { h264: 0x1b, h265: 0x24, aac: 0x0f } as const;
const STREAM_ID = { video: 0xe0, audio: 0xc0 } as const;
/** The clock runs so far ahead of decode times (0.7 s, as ffmpeg has it): time for the bytes to arrive. */
const CLOCK_AHEAD_TICKS = 63_000;
const TICKS_MODULUS = 2 ** 33;
const CLOCK_FIELD_BYTES = 8;
/** Adaptation field flags. */
const DISCONTINUITY = 0x80;
const RANDOM_ACCESS = 0x40;
const HAS_CLOCK = 0x10;

export interface Pes {
  kind: 'video' | 'audio';
  ptsTicks: number;
  dtsTicks: number;
  /** A decoder can begin here. */
  key: boolean;
  /** Annex B, or ADTS frames. */
  data: Buffer;
}

/** Room for a second of media at 4 Mbit/s; it grows with what comes. */
const FIRST_BYTES = 512 * 1024;

export class TsWriter {
  readonly #counters = new Map<number, number>();
  readonly #clockPid: number;
  readonly #pmt: Buffer;
  #memory = Buffer.alloc(0);
  #length = 0;

  constructor({ video, sound }: { video: VideoConfig['codec'] | null; sound: boolean }) {
    this.#clockPid = video ? PID_VIDEO : PID_AUDIO;
    this.#pmt = section(
      2,
      Buffer.concat([
        Buffer.from([0xe0 | (this.#clockPid >> 8), this.#clockPid & 0xff, 0xf0, 0]),
        ...(video ? [elementary(STREAM_TYPE[video], PID_VIDEO)] : []),
        ...(sound ? [elementary(STREAM_TYPE.aac, PID_AUDIO)] : []),
      ]),
    );
  }

  /** What was written since the last call; good until something is written again. */
  taken(): Buffer {
    const taken = this.#memory.subarray(0, this.#length);
    this.#length = 0;
    return taken;
  }

  /** What a segment begins with: which streams there are. */
  writeTables(): void {
    this.#writeTable(PID_PAT, PAT);
    this.#writeTable(PID_PMT, this.#pmt);
  }

  /** One picture, or some frames of sound. */
  write({ kind, ptsTicks, dtsTicks, key, data }: Pes): void {
    const pid = kind === 'video' ? PID_VIDEO : PID_AUDIO;
    const begins = !this.#counters.has(pid);
    const clock = pid === this.#clockPid;
    const flags = (begins ? DISCONTINUITY : 0) | (key ? RANDOM_ACCESS : 0) | (clock ? HAS_CLOCK : 0);
    const fieldBytes = clock ? CLOCK_FIELD_BYTES : flags > 0 ? 2 : 0;
    const header = pesHeader(kind, ptsTicks, dtsTicks, data.length);
    const total = header.length + data.length;
    const count = Math.ceil((total + fieldBytes) / PAYLOAD_BYTES);
    const start = this.#room(count);
    const out = this.#memory;
    let taken = 0;
    for (let packet = 0; packet < count; packet++) {
      const base = start + packet * PACKET_BYTES;
      const first = packet === 0;
      const room = PAYLOAD_BYTES - (first ? fieldBytes : 0);
      const bytes = Math.min(room, total - taken);
      const field = PAYLOAD_BYTES - bytes;
      this.#packetHeader(out, base, pid, first, field > 0);
      if (field > 0) writeField(out, base + 4, field, first ? flags : 0);
      if (first && clock) writeClock(out, base + 6, dtsTicks - CLOCK_AHEAD_TICKS);
      let at = base + 4 + field;
      if (first) at += header.copy(out, at);
      const from = first ? 0 : taken - header.length;
      data.copy(out, at, from, from + base + PACKET_BYTES - at);
      taken += bytes;
    }
  }

  #writeTable(pid: number, content: Buffer): void {
    const at = this.#room(1);
    this.#packetHeader(this.#memory, at, pid, true, false);
    this.#memory[at + 4] = 0;
    this.#memory.fill(0xff, at + 5 + content.copy(this.#memory, at + 5), at + PACKET_BYTES);
  }

  /** Where the next packets go. */
  #room(packets: number): number {
    const at = this.#length;
    this.#length += packets * PACKET_BYTES;
    if (this.#length > this.#memory.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, 2 * this.#length));
      this.#memory.copy(larger, 0, 0, at);
      this.#memory = larger;
    }
    return at;
  }

  #packetHeader(into: Buffer, at: number, pid: number, unitStart: boolean, field: boolean): void {
    const counter = this.#counters.get(pid) ?? 0;
    this.#counters.set(pid, (counter + 1) & 15);
    into[at] = 0x47;
    into[at + 1] = (unitStart ? 0x40 : 0) | (pid >> 8);
    into[at + 2] = pid & 0xff;
    into[at + 3] = (field ? 0x30 : 0x10) | counter;
  }
}

/** An adaptation field of this size in all, stuffed. */
function writeField(into: Buffer, at: number, bytes: number, flags: number): void {
  into[at] = bytes - 1;
  if (bytes === 1) return;
  into[at + 1] = flags;
  into.fill(0xff, at + 2, at + bytes);
}

const wrapped = (ticks: number): number => ((ticks % TICKS_MODULUS) + TICKS_MODULUS) % TICKS_MODULUS;

function writeClock(into: Buffer, at: number, ticks: number): void {
  const base = wrapped(ticks);
  into.writeUInt32BE(Math.floor(base / 2), at);
  into[at + 4] = ((base % 2) << 7) | 0x7e;
  into[at + 5] = 0;
}

function pesHeader(kind: Pes['kind'], pts: number, dts: number, dataBytes: number): Buffer {
  const withDts = pts !== dts;
  const stampBytes = withDts ? 10 : 5;
  const header = Buffer.allocUnsafe(9 + stampBytes);
  header.writeUIntBE(1, 0, 3);
  header[3] = STREAM_ID[kind];
  // A picture may be larger than the field can say: 0 is "until the next one begins".
  header.writeUInt16BE(kind === 'video' ? 0 : 3 + stampBytes + dataBytes, 4);
  header[6] = 0x84;
  header[7] = withDts ? 0xc0 : 0x80;
  header[8] = stampBytes;
  writeStamp(header, 9, withDts ? 3 : 2, pts);
  if (withDts) writeStamp(header, 14, 1, dts);
  return header;
}

function writeStamp(into: Buffer, at: number, prefix: number, ticks: number): void {
  const time = wrapped(ticks);
  into[at] = (prefix << 4) | (Math.floor(time / 2 ** 30) << 1) | 1;
  into.writeUInt16BE(((Math.floor(time / 2 ** 15) % 2 ** 15) << 1) | 1, at + 1);
  into.writeUInt16BE(((time % 2 ** 15) << 1) | 1, at + 3);
}

const elementary = (type: number, pid: number): Buffer =>
  Buffer.from([type, 0xe0 | (pid >> 8), pid & 0xff, 0xf0, 0]);

function section(tableId: number, body: Buffer): Buffer {
  const length = 5 + body.length + 4;
  const head = Buffer.from([tableId, 0xb0 | (length >> 8), length & 0xff, 0, 1, 0xc1, 0, 0]);
  const content = Buffer.concat([head, body, Buffer.alloc(4)]);
  content.writeUInt32BE(crc32Mpeg(content.subarray(0, -4)), content.length - 4);
  return content;
}

/** CRC-32/MPEG-2: not reflected, so not zlib's. */
function crc32Mpeg(bytes: Buffer): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000_0000 ? (crc << 1) ^ 0x04c1_1db7 : crc << 1;
  }
  return crc >>> 0;
}

const PAT = section(0, Buffer.from([0, 1, 0xe0 | (PID_PMT >> 8), PID_PMT & 0xff]));
