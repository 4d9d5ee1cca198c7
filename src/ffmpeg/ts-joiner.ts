/**
 * Makes the MPEG-TS of several epochs one stream whose clock runs on: each epoch begins where the one before ended, and
 * a hole within one is closed. Only time stamps are rewritten (PTS, DTS, PCR), in place; no picture or sound is touched,
 * dropped or moved against the other. Timed by PES headers alone, which in ffmpeg's output lie in one TS packet.
 */
import { TickUnwrapper } from '../media/ts-pes.ts';

const PACKET_BYTES = 188;
const TICKS_PER_MS = 90;
const WRAP = 2 ** 33;
/** Room for sound that begins before the first picture. */
const START_TICKS = 10_000 * TICKS_PER_MS;
/** A step longer than this, on all tracks at once, is a hole. */
const HOLE_TICKS = 1_000 * TICKS_PER_MS;
/** After a hole, what is older than this before its far side belongs to its near side. */
const SLACK_TICKS = 500 * TICKS_PER_MS;
/** Where an epoch begins is known when each track has shown a time; so much is waited for. */
const LOOKAHEAD_BYTES = 2_048 * PACKET_BYTES;

type Kind = 'video' | 'audio';

interface Track {
  /** Of the newest packet: as it came, and as it went. */
  lastIn: number;
  lastOut: number;
  /** Between the last two packets. */
  step: number;
}

/** A PES header's times, and where they lie. */
interface Stamp {
  kind: Kind;
  dts: number;
  /** Offsets of PTS and DTS in the packet. */
  fields: number[];
}

export class TsJoiner {
  readonly #tracks = new Map<Kind, Track>();
  #clock = new TickUnwrapper();
  #shift = 0;
  /** Before the last hole: what is older than `from` goes by it. */
  #before: { from: number; shift: number } | undefined;
  #newestIn: number | undefined;

  /** The bytes of an epoch with their new times. Chunks may split anywhere, and are changed. */
  async *join(epoch: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    this.#clock = new TickUnwrapper();
    this.#newestIn = undefined;
    this.#before = undefined;
    let started = false;
    let held: Buffer[] = [];
    let heldBytes = 0;
    for await (const chunk of wholePackets(epoch)) {
      if (!started) {
        held.push(chunk);
        heldBytes += chunk.length;
        const first = firstStamps(held);
        if (first.size < 2 && heldBytes < LOOKAHEAD_BYTES) continue;
        this.#begin(first);
        started = true;
        for (const early of held) yield this.#rewritten(early);
        held = [];
      } else {
        yield this.#rewritten(chunk);
      }
    }
    if (!started && held.length > 0) {
      this.#begin(firstStamps(held));
      for (const early of held) yield this.#rewritten(early);
    }
  }

  /** No track may begin before its own end in the epoch before. */
  #begin(first: ReadonlyMap<Kind, number>): void {
    const shifts = [...first].flatMap(([kind, tick]) => {
      const track = this.#tracks.get(kind);
      return track ? [track.lastOut + track.step - tick] : [];
    });
    const start = Math.min(...first.values());
    this.#shift =
      shifts.length > 0 ? Math.max(...shifts) : START_TICKS - (Number.isFinite(start) ? start : 0);
    for (const track of this.#tracks.values()) track.lastIn = Number.NaN;
  }

  #rewritten(chunk: Buffer): Buffer {
    for (let at = 0; at + PACKET_BYTES <= chunk.length; at += PACKET_BYTES) {
      const stamp = stampOf(chunk, at);
      let shift = this.#shift;
      if (stamp) {
        shift = this.#shiftOf(stamp.kind, this.#clock.unwrap(stamp.dts));
        for (const field of stamp.fields) writeTicks(chunk, field, wrapped(readTicks(chunk, field) + shift));
      }
      movePcr(chunk, at, shift);
    }
    return chunk;
  }

  #shiftOf(kind: Kind, dts: number): number {
    const track = this.#tracks.get(kind);
    if (this.#newestIn !== undefined && dts - this.#newestIn > HOLE_TICKS) {
      this.#before = { from: dts - SLACK_TICKS, shift: this.#shift };
      const near = track ?? [...this.#tracks.values()][0];
      if (near) this.#shift = near.lastOut + near.step - dts;
    }
    this.#newestIn = Math.max(this.#newestIn ?? dts, dts);
    const shift = this.#before && dts < this.#before.from ? this.#before.shift : this.#shift;
    const step = dts - (track?.lastIn ?? Number.NaN);
    this.#tracks.set(kind, {
      lastIn: dts,
      lastOut: Math.max(dts + shift, track?.lastOut ?? 0),
      step: step > 0 && step < HOLE_TICKS ? step : (track?.step ?? 0),
    });
    return shift;
  }
}

/** The first decode time of each track in what was read. */
function firstStamps(chunks: readonly Buffer[]): Map<Kind, number> {
  const clock = new TickUnwrapper();
  const first = new Map<Kind, number>();
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length && first.size < 2; at += PACKET_BYTES) {
      const stamp = stampOf(chunk, at);
      if (stamp && !first.has(stamp.kind)) first.set(stamp.kind, clock.unwrap(stamp.dts));
    }
  }
  return first;
}

async function* wholePackets(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest = Buffer.alloc(0);
  for await (const chunk of chunks) {
    const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    const whole = bytes.length - (bytes.length % PACKET_BYTES);
    rest = Buffer.from(bytes.subarray(whole));
    if (whole > 0) yield bytes.subarray(0, whole);
  }
}

/** Undefined where no timed PES packet of a video or audio stream begins. */
function stampOf(bytes: Buffer, at: number): Stamp | undefined {
  if (bytes[at] !== 0x47 || (bytes[at + 1]! & 0x40) === 0 || (bytes[at + 3]! & 0x10) === 0) return undefined;
  const adaptation = (bytes[at + 3]! & 0x20) === 0 ? 0 : 1 + bytes[at + 4]!;
  const pes = at + 4 + adaptation;
  if (pes + 19 > at + PACKET_BYTES || bytes.readUIntBE(pes, 3) !== 1) return undefined;
  const id = bytes[pes + 3]!;
  const kind = id >= 0xe0 && id <= 0xef ? 'video' : id >= 0xc0 && id <= 0xdf ? 'audio' : undefined;
  const times = bytes[pes + 7]! >> 6;
  if (kind === undefined || times < 2) return undefined;
  const fields = times === 3 ? [pes + 9, pes + 14] : [pes + 9];
  return { kind, dts: readTicks(bytes, fields.at(-1)!), fields };
}

function movePcr(bytes: Buffer, at: number, shift: number): void {
  const hasPcr = (bytes[at + 3]! & 0x20) > 0 && bytes[at + 4]! >= 7 && (bytes[at + 5]! & 0x10) > 0;
  if (!hasPcr) return;
  // 33 bits of 90 kHz, 6 reserved, 9 of 27 MHz.
  const field = at + 6;
  const ticks = wrapped(bytes.readUInt32BE(field) * 2 + (bytes[field + 4]! >> 7) + shift);
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
