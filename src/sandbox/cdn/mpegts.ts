/**
 * A writer of MPEG-TS (ISO/IEC 13818-1): one program, one stream of pictures and one of sound at most. Continuity counters
 * go on from segment to segment, so that a client which fetches them all sees one stream.
 */

const PACKET_BYTES = 188;
const PID_PAT = 0;
const PID_PMT = 0x1000;
const PID_VIDEO = 0x100;
const PID_AUDIO = 0x101;
const STREAM_TYPE = { h264: 0x1b, h265: 0x24, aac: 0x0f } as const;
const STREAM_ID_VIDEO = 0xe0;
const STREAM_ID_AUDIO = 0xc0;
/** Timestamps begin here, and the clock reference runs so far ahead of them: as ffmpeg does. */
const FIRST_TIMESTAMP = 126_000;
const CLOCK_AHEAD = 63_000;
const TIMESTAMP_MODULUS = 2 ** 33;

export interface Pes {
  kind: 'video' | 'audio';
  ptsMs: number;
  dtsMs: number;
  key: boolean;
  /** Annex B, or ADTS frames. */
  data: Buffer;
}

export class MpegTsWriter {
  readonly #counters = new Map<number, number>();

  /** One segment: the tables, then everything in the order given. */
  segment(video: 'h264' | 'h265' | 'none', pieces: readonly Pes[]): Buffer {
    const packets = [this.#table(PID_PAT, pat()), this.#table(PID_PMT, pmt(video))];
    for (const pes of pieces) {
      this.#addPes(packets, pes, video === 'none' || pes.kind === 'video');
    }
    return Buffer.concat(packets);
  }

  #addPes(packets: Buffer[], pes: Pes, withClock: boolean): void {
    const pid = pes.kind === 'video' ? PID_VIDEO : PID_AUDIO;
    const bytes = Buffer.concat([pesHeader(pes), pes.data]);
    for (let at = 0; at < bytes.length;) {
      const first = at === 0;
      const clock = first && withClock ? ticks(pes.dtsMs) - CLOCK_AHEAD : undefined;
      const adaptation =
        first && (clock !== undefined || pes.key) ? adaptationField(clock, pes.key) : Buffer.alloc(0);
      const taken = Math.min(PACKET_BYTES - 4 - adaptation.length, bytes.length - at);
      packets.push(this.#packet(pid, first, adaptation, bytes.subarray(at, at + taken)));
      at += taken;
    }
  }

  #table(pid: number, section: Buffer): Buffer {
    const payload = Buffer.alloc(PACKET_BYTES - 4, 0xff);
    payload[0] = 0;
    section.copy(payload, 1);
    return this.#packet(pid, true, Buffer.alloc(0), payload);
  }

  #packet(pid: number, unitStart: boolean, adaptation: Buffer, payload: Buffer): Buffer {
    const counter = this.#counters.get(pid) ?? 0;
    this.#counters.set(pid, (counter + 1) & 15);
    const stuffed = stuff(adaptation, PACKET_BYTES - 4 - payload.length);
    const header = Buffer.from([
      0x47,
      (unitStart ? 0x40 : 0) | (pid >> 8),
      pid & 0xff,
      (stuffed.length > 0 ? 0x30 : 0x10) | counter,
    ]);
    return Buffer.concat([header, stuffed, payload], PACKET_BYTES);
  }
}

function ticks(ms: number): number {
  return FIRST_TIMESTAMP + Math.round(ms * 90);
}

function adaptationField(clock: number | undefined, key: boolean): Buffer {
  const field = Buffer.alloc(clock === undefined ? 2 : 8);
  field[0] = field.length - 1;
  field[1] = (key ? 0x40 : 0) | (clock === undefined ? 0 : 0x10);
  if (clock !== undefined) {
    const base = ((clock % TIMESTAMP_MODULUS) + TIMESTAMP_MODULUS) % TIMESTAMP_MODULUS;
    field.writeUInt32BE(Math.floor(base / 2), 2);
    field[6] = ((base % 2) << 7) | 0x7e;
    field[7] = 0;
  }
  return field;
}

/** The adaptation field made so long that the packet is full. */
function stuff(field: Buffer, length: number): Buffer {
  if (field.length >= length) {
    return field;
  }
  const stuffed = Buffer.alloc(length, 0xff);
  field.copy(stuffed);
  stuffed[0] = length - 1;
  if (field.length === 0 && length > 1) {
    stuffed[1] = 0;
  }
  return stuffed;
}

function pesHeader({ kind, ptsMs, dtsMs, data }: Pes): Buffer {
  const withDts = ptsMs !== dtsMs;
  const optional = withDts ? 10 : 5;
  const header = Buffer.alloc(9 + optional);
  header.writeUIntBE(1, 0, 3);
  header[3] = kind === 'video' ? STREAM_ID_VIDEO : STREAM_ID_AUDIO;
  // Pictures may be larger than the field can say: 0 is "until the next one begins".
  header.writeUInt16BE(kind === 'video' ? 0 : 3 + optional + data.length, 4);
  header[6] = 0x84;
  header[7] = withDts ? 0xc0 : 0x80;
  header[8] = optional;
  writeTimestamp(header, 9, withDts ? 3 : 2, ticks(ptsMs));
  if (withDts) {
    writeTimestamp(header, 14, 1, ticks(dtsMs));
  }
  return header;
}

function writeTimestamp(into: Buffer, at: number, prefix: number, value: number): void {
  const time = ((value % TIMESTAMP_MODULUS) + TIMESTAMP_MODULUS) % TIMESTAMP_MODULUS;
  into[at] = (prefix << 4) | (Math.floor(time / 2 ** 30) << 1) | 1;
  into.writeUInt16BE(((Math.floor(time / 2 ** 15) % 2 ** 15) << 1) | 1, at + 1);
  into.writeUInt16BE(((time % 2 ** 15) << 1) | 1, at + 3);
}

function pat(): Buffer {
  return section(0, 1, Buffer.from([0, 1, 0xe0 | (PID_PMT >> 8), PID_PMT & 0xff]));
}

function pmt(video: 'h264' | 'h265' | 'none'): Buffer {
  const clockPid = video === 'none' ? PID_AUDIO : PID_VIDEO;
  const streams = [
    ...(video === 'none' ? [] : [elementary(STREAM_TYPE[video], PID_VIDEO)]),
    elementary(STREAM_TYPE.aac, PID_AUDIO),
  ];
  return section(
    2,
    1,
    Buffer.concat([Buffer.from([0xe0 | (clockPid >> 8), clockPid & 0xff, 0xf0, 0]), ...streams]),
  );
}

const elementary = (type: number, pid: number): Buffer =>
  Buffer.from([type, 0xe0 | (pid >> 8), pid & 0xff, 0xf0, 0]);

function section(tableId: number, id: number, body: Buffer): Buffer {
  const length = 5 + body.length + 4;
  const head = Buffer.from([tableId, 0xb0 | (length >> 8), length & 0xff, id >> 8, id & 0xff, 0xc1, 0, 0]);
  const checked = Buffer.concat([head, body]);
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crc32Mpeg(checked));
  return Buffer.concat([checked, crc]);
}

/** CRC-32/MPEG-2: not reflected, so not zlib's. */
function crc32Mpeg(bytes: Buffer): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) {
      crc = crc & 0x8000_0000 ? (crc << 1) ^ 0x04c1_1db7 : crc << 1;
    }
  }
  return crc >>> 0;
}
