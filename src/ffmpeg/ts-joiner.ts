/**
 * Makes the MPEG-TS of several epochs one stream whose clock runs on: each epoch begins where the one before ended, and
 * a hole within one is closed. Only time stamps are rewritten (PTS, DTS, PCR), in place; no picture or sound is touched,
 * dropped or moved against the other.
 */
import { ADTS_HEADER_BYTES, adtsFrameBytes, adtsFrameTicks } from '../media/aac.ts';
import { TickUnwrapper } from '../media/ts-pes.ts';
import {
  movePcr,
  moveStamp,
  payloadAt,
  pesDataAt,
  pidOf,
  stampOf,
  TS_PACKET_BYTES,
  type TsTrackKind,
} from './ts-stamps.ts';

const TICKS_PER_MS = 90;
/** Room for sound that begins before the first picture. */
const START_TICKS = 10_000 * TICKS_PER_MS;
/** A step longer than this, on all tracks at once, is a hole. */
const HOLE_TICKS = 1_000 * TICKS_PER_MS;
/** After a hole, what is older than this before its far side belongs to its near side. */
const SLACK_TICKS = 500 * TICKS_PER_MS;
/** Where an epoch begins is known when both tracks have shown a time; so much is waited for. */
const LOOKAHEAD_BYTES = 2_048 * TS_PACKET_BYTES;

interface VideoTrack {
  lastIn: number;
  stepTicks: number;
}

export class TsJoiner {
  /** Where each track ended, in new time. */
  readonly #ends = new Map<TsTrackKind, number>();
  #clock = new TickUnwrapper();
  #shift = 0;
  /** The newest time as it came; undefined at the beginning of an epoch. */
  #newestIn: number | undefined;
  /** Before the last hole: what is older than `from` goes by it. */
  #before: { from: number; shift: number } | undefined;
  #video: VideoTrack | undefined;
  #sound: { pid: number; frames: SoundFrames } | undefined;

  /** The bytes of an epoch with their new times. Chunks may split anywhere, and are changed. */
  async *join(epoch: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    const packets = wholePackets(epoch);
    const head = await readHead(packets);
    this.#begin(firstTimes(head));
    for (const chunk of head) yield this.#rewritten(chunk);
    for await (const chunk of packets) yield this.#rewritten(chunk);
  }

  /** No track may begin before its own end in the epoch before. */
  #begin(first: ReadonlyMap<TsTrackKind, number>): void {
    const shifts = [...first].flatMap(([kind, tick]) => {
      const end = this.#ends.get(kind);
      return end === undefined ? [] : [end - tick];
    });
    const start = first.size > 0 ? Math.min(...first.values()) : 0;
    // An epoch of other tracks altogether begins where everything has ended.
    const fresh = Math.max(START_TICKS, ...this.#ends.values()) - start;
    this.#shift = shifts.length > 0 ? Math.max(...shifts) : fresh;
    this.#clock = new TickUnwrapper();
    this.#newestIn = undefined;
    this.#before = undefined;
    this.#video = undefined;
    this.#sound = undefined;
  }

  #rewritten(chunk: Buffer): Buffer {
    for (let at = 0; at < chunk.length; at += TS_PACKET_BYTES) {
      const stamp = stampOf(chunk, at);
      let shift = this.#shift;
      if (stamp) {
        const dts = this.#clock.unwrap(stamp.dts);
        shift = this.#shiftOf(stamp.kind, dts);
        moveStamp(chunk, stamp, shift);
        if (stamp.kind === 'video') this.#onPicture(dts, shift);
        else this.#onSound(chunk, at, stamp.pid, dts + shift);
      } else if (pidOf(chunk, at) === this.#sound?.pid) {
        this.#endOfSound(this.#sound.frames.push(chunk, payloadAt(chunk, at), at + TS_PACKET_BYTES));
      }
      movePcr(chunk, at, shift);
    }
    return chunk;
  }

  #shiftOf(kind: TsTrackKind, dts: number): number {
    if (this.#newestIn !== undefined && dts - this.#newestIn > HOLE_TICKS) {
      this.#before = { from: dts - SLACK_TICKS, shift: this.#shift };
      this.#shift = (this.#ends.get(kind) ?? Math.max(...this.#ends.values())) - dts;
    }
    this.#newestIn = Math.max(this.#newestIn ?? dts, dts);
    return this.#before && dts < this.#before.from ? this.#before.shift : this.#shift;
  }

  #onPicture(dts: number, shift: number): void {
    const step = dts - (this.#video?.lastIn ?? dts);
    const stepTicks = step > 0 && step < HOLE_TICKS ? step : (this.#video?.stepTicks ?? 0);
    this.#video = { lastIn: dts, stepTicks };
    this.#ends.set('video', dts + shift + stepTicks);
  }

  #onSound(chunk: Buffer, at: number, pid: number, tick: number): void {
    if (this.#sound?.pid !== pid) this.#sound = { pid, frames: new SoundFrames() };
    this.#sound.frames.begin(tick);
    this.#endOfSound(this.#sound.frames.push(chunk, pesDataAt(chunk, at), at + TS_PACKET_BYTES));
  }

  #endOfSound(tick: number): void {
    this.#ends.set('audio', tick);
  }
}

/** Finds where sound ends: a PES packet of ADTS has as many frames as fit, fewer at the end of a segment. */
class SoundFrames {
  #endTick = 0;
  /** Bytes of a frame that are still to come. */
  #skip = 0;
  #head = Buffer.alloc(0);

  begin(tick: number): void {
    this.#endTick = tick;
  }

  /** The end of the last frame that has begun. */
  push(bytes: Buffer, from: number, end: number): number {
    const data = this.#head.length > 0 ? Buffer.concat([this.#head, bytes.subarray(from, end)]) : bytes;
    let at = data === bytes ? from : 0;
    const stop = data === bytes ? end : data.length;
    this.#head = Buffer.alloc(0);
    while (at < stop) {
      if (this.#skip > 0) {
        const passed = Math.min(this.#skip, stop - at);
        this.#skip -= passed;
        at += passed;
      } else if (stop - at < ADTS_HEADER_BYTES) {
        this.#head = Buffer.from(data.subarray(at, stop));
        break;
      } else {
        this.#skip = adtsFrameBytes(data, at);
        if (this.#skip > 0) this.#endTick += adtsFrameTicks(data, at);
        else at += 1;
      }
    }
    return this.#endTick;
  }
}

/** Reads until both tracks have shown a time, or enough. */
async function readHead(packets: AsyncGenerator<Buffer>): Promise<Buffer[]> {
  const head: Buffer[] = [];
  let bytes = 0;
  while (bytes < LOOKAHEAD_BYTES && firstTimes(head).size < 2) {
    const next = await packets.next();
    if (next.done) break;
    head.push(next.value);
    bytes += next.value.length;
  }
  return head;
}

/** The first decode time of each track. */
function firstTimes(chunks: readonly Buffer[]): Map<TsTrackKind, number> {
  const clock = new TickUnwrapper();
  const first = new Map<TsTrackKind, number>();
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length && first.size < 2; at += TS_PACKET_BYTES) {
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
    const whole = bytes.length - (bytes.length % TS_PACKET_BYTES);
    rest = Buffer.from(bytes.subarray(whole));
    if (whole > 0) yield bytes.subarray(0, whole);
  }
}
