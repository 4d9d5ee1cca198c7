/** The time stamps of MPEG-TS packets (ISO/IEC 13818-1 2.4.3), read and rewritten in place. Ticks are of 90 kHz. */

export const TS_PACKET_BYTES = 188;
const WRAP = 2 ** 33;

export type TsTrackKind = 'video' | 'audio';

/** The beginning of a timed PES packet. */
export interface TsStamp {
  kind: TsTrackKind;
  pid: number;
  /** Decode time, as written. */
  dts: number;
  /** Where PTS and DTS lie. */
  fields: number[];
}

export const pidOf = (bytes: Buffer, at: number): number => ((bytes[at + 1]! & 0x1f) << 8) | bytes[at + 2]!;

/** Where the payload of the packet at `at` begins; the packet's end when it has none. */
export function payloadAt(bytes: Buffer, at: number): number {
  const flags = bytes[at + 3]!;
  if ((flags & 0x10) === 0) return at + TS_PACKET_BYTES;
  const adaptationBytes = (flags & 0x20) === 0 ? 0 : 1 + bytes[at + 4]!;
  return Math.min(at + 4 + adaptationBytes, at + TS_PACKET_BYTES);
}

/** Undefined where no timed PES packet of a video or audio stream begins. */
export function stampOf(bytes: Buffer, at: number): TsStamp | undefined {
  if ((bytes[at + 1]! & 0x40) === 0) return undefined;
  const pes = payloadAt(bytes, at);
  if (pes + 19 > at + TS_PACKET_BYTES || bytes.readUIntBE(pes, 3) !== 1) return undefined;
  const id = bytes[pes + 3]!;
  const kind = id >= 0xe0 && id <= 0xef ? 'video' : id >= 0xc0 && id <= 0xdf ? 'audio' : undefined;
  const times = bytes[pes + 7]! >> 6;
  if (kind === undefined || times < 2) return undefined;
  const fields = times === 3 ? [pes + 9, pes + 14] : [pes + 9];
  return { kind, pid: pidOf(bytes, at), dts: readTicks(bytes, fields.at(-1)!), fields };
}

/** Where the data of the PES packet that begins at `at` lies in this packet. */
export function pesDataAt(bytes: Buffer, at: number): number {
  const pes = payloadAt(bytes, at);
  return Math.min(pes + 9 + bytes[pes + 8]!, at + TS_PACKET_BYTES);
}

/** Moves PTS and DTS. */
export function moveStamp(bytes: Buffer, stamp: TsStamp, byTicks: number): void {
  for (const field of stamp.fields) writeTicks(bytes, field, wrapped(readTicks(bytes, field) + byTicks));
}

/** Moves the packet's PCR, if it has one: 33 bits of 90 kHz, 6 reserved, 9 of 27 MHz. */
export function movePcr(bytes: Buffer, at: number, byTicks: number): void {
  const hasPcr = (bytes[at + 3]! & 0x20) > 0 && bytes[at + 4]! >= 7 && (bytes[at + 5]! & 0x10) > 0;
  if (!hasPcr) return;
  const field = at + 6;
  const ticks = wrapped(bytes.readUInt32BE(field) * 2 + (bytes[field + 4]! >> 7) + byTicks);
  bytes.writeUInt32BE(Math.floor(ticks / 2), field);
  bytes[field + 4] = (bytes[field + 4]! & 0x7f) | ((ticks % 2) << 7);
}

const wrapped = (ticks: number): number => ((Math.round(ticks) % WRAP) + WRAP) % WRAP;

const readTicks = (bytes: Buffer, at: number): number =>
  ((bytes[at]! >> 1) & 7) * 2 ** 30 +
  ((bytes[at + 1]! << 22) | ((bytes[at + 2]! >> 1) << 15) | (bytes[at + 3]! << 7) | (bytes[at + 4]! >> 1));

function writeTicks(bytes: Buffer, at: number, ticks: number): void {
  const low = ticks % 2 ** 30;
  bytes[at] = (bytes[at]! & 0xf1) | (Math.floor(ticks / 2 ** 30) << 1);
  bytes[at + 1] = low >> 22;
  bytes[at + 2] = ((low >> 14) & 0xfe) | 1;
  bytes[at + 3] = (low >> 7) & 0xff;
  bytes[at + 4] = ((low << 1) & 0xfe) | 1;
}
