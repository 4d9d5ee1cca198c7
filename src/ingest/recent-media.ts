/**
 * Remembers the last media by content, so that what a CDN sends again (the last GOPs after a reconnect, a loop of the
 * last seconds) is recognised whatever timestamps it comes with this time.
 *
 * A keyframe alone proves nothing, for a still picture gives equal keyframes all the time: what follows it decides, the
 * sound above all, which is never the same twice unless it is silence.
 */
import { crc32 } from 'node:zlib';
import type { MediaPacket } from '../media/packet.ts';

/** BililiveRecorder and rust-srec look back over a few to 16 GOPs; a reconnect after a long stall needs no more. */
const KEYFRAMES = 16;
/** Without pictures: about a minute of sound. */
const FRAMES_ALONE = 3_000;
/** Sixteen GOPs of ten seconds, 60 pictures a second; a GOP that never ends is forgotten from its beginning. */
const PACKETS_MOST = 10_000;
/** How far sound may lie from its pictures in the order of arrival. */
const SKEW_MS = 3_000;
/** Media that is sent again lies as it lay, to a frame or two. */
const SAME_PLACE_MS = 60;
/** A clock that was mended may have moved a packet by so much. */
const ROUNDING_MS = 10;
/** So many different frames of sound are no silence. */
const FRAMES_THAT_PROVE = 4;
/** More than this between two frames of sound: something is missing there, and the rest can't be compared. */
const HOLE_MS = 200;
/** Equal packets by the thousand are silence, or meant to keep us busy: then the last ones count, and less of what came. */
const PLACES_MOST = 512;
const COMPARED_LEAST = 64;
const COMPARED_MOST = 8_000;

/** A packet's content in 52 bits: checksum and length. */
export const printOf = ({ data }: MediaPacket): number => crc32(data) * 0x10_0000 + (data.length % 0x10_0000);

export interface Printed {
  packet: MediaPacket;
  print: number;
}

export interface Likeness {
  /** Where it stands on the session's time line. */
  dtsMs: number;
  /** - other: what follows differs
   *  - maybe: nothing speaks against it
   *  - same: nothing but the same media can look like this */
  verdict: 'other' | 'maybe' | 'same';
  /** Nothing more was recorded after it: what comes next can't be compared. */
  isAll: boolean;
}

/** One kind of packets, oldest first, at places that only grow. */
class Trace {
  prints: number[] = [];
  dtsMs: number[] = [];
  /** Indexes of keyframes. */
  keys: number[] = [];

  add(print: number, dtsMs: number, key: boolean): void {
    if (this.prints.length >= PACKETS_MOST) this.dropBefore(PACKETS_MOST / 2);
    if (key) this.keys.push(this.prints.length);
    this.prints.push(print);
    this.dtsMs.push(dtsMs);
  }

  /** Index of the first packet at this place or behind it. */
  firstFrom(atMs: number): number {
    let [low, high] = [0, this.dtsMs.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.dtsMs[middle] ?? Infinity) < atMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  dropBefore(index: number): void {
    if (index <= 0) return;
    this.prints.splice(0, index);
    this.dtsMs.splice(0, index);
    this.keys = this.keys.filter((key) => key >= index).map((key) => key - index);
  }

  dropFrom(dtsMs: number): void {
    const index = this.dtsMs.findIndex((each) => each >= dtsMs);
    if (index === -1) return;
    this.prints.length = index;
    this.dtsMs.length = index;
    this.keys = this.keys.filter((key) => key < index);
  }
}

export class RecentMedia {
  readonly #pictures = new Trace();
  readonly #sound = new Trace();

  /** @param dtsMs where the packet stands on the session's time line */
  remember({ packet, print }: Printed, dtsMs: number): void {
    if (packet.kind === 'audio') {
      this.#sound.add(print, dtsMs, false);
      const { length } = this.#sound.prints;
      if (this.#pictures.keys.length === 0 && length > FRAMES_ALONE) this.#sound.dropBefore(length / 2);
      return;
    }
    this.#pictures.add(print, dtsMs, packet.key);
    if (!packet.key || this.#pictures.keys.length <= KEYFRAMES) return;
    this.#pictures.dropBefore(this.#pictures.keys[1] ?? 0);
    const oldestMs = (this.#pictures.dtsMs[0] ?? 0) - SKEW_MS;
    this.#sound.dropBefore(this.#sound.dtsMs.findIndex((dtsMs) => dtsMs >= oldestMs));
  }

  /** As if nothing had been remembered from this picture on, nor the sound behind `soundMs`. */
  forgetFrom(dtsMs: number, soundMs: number | null): void {
    this.#pictures.dropFrom(dtsMs);
    this.#sound.dropFrom(soundMs === null ? -Infinity : soundMs + 1);
  }

  forget(): void {
    this.#pictures.dropBefore(Infinity);
    this.#sound.dropBefore(Infinity);
  }

  /** Whether a keyframe of this content was recorded lately, and where. */
  keyframesLike(print: number): number[] {
    const { keys, prints, dtsMs } = this.#pictures;
    return keys.filter((key) => prints[key] === print).map((key) => dtsMs[key] ?? 0);
  }

  /** Whether a picture was recorded at this place of the line, lately. */
  hasPictureAt(atMs: number): boolean {
    // Not one frame before: a hole begins behind a picture.
    const dtsMs = this.#pictures.dtsMs[this.#pictures.firstFrom(atMs - ROUNDING_MS)];
    return dtsMs !== undefined && dtsMs <= atMs + SAME_PLACE_MS;
  }

  /** What to add to the timestamps of these packets so that their sound lies where the same sound was recorded. */
  offsetBySound(came: readonly Printed[]): number | undefined {
    const { prints, dtsMs } = this.#sound;
    const placeOf = new Map<number, number>();
    const many = new Set<number>();
    for (const [index, print] of prints.entries()) {
      if (placeOf.has(print)) many.add(print);
      placeOf.set(print, dtsMs[index] ?? 0);
    }
    const offsetsMs = came.flatMap(({ packet, print }) => {
      const placeMs = packet.kind === 'audio' && !many.has(print) ? placeOf.get(print) : undefined;
      return placeMs === undefined ? [] : [placeMs - packet.dtsMs];
    });
    const middleMs = offsetsMs.toSorted((a, b) => a - b)[Math.floor(offsetsMs.length / 2)] ?? 0;
    const agree = offsetsMs.filter((offsetMs) => Math.abs(offsetMs - middleMs) <= SAME_PLACE_MS);
    return agree.length >= FRAMES_THAT_PROVE && agree.length > offsetsMs.length / 2 ? middleMs : undefined;
  }

  /** All places where the first of these packets may have been recorded; the others are what came after it. */
  placesOf(came: readonly Printed[]): Likeness[] {
    const [first] = came;
    if (!first) return [];
    const isPicture = first.packet.kind === 'video';
    const trace = isPicture ? this.#pictures : this.#sound;
    const isKey = first.packet.kind === 'video' && first.packet.key;
    const equal = (isKey ? trace.keys : [...trace.prints.keys()])
      .filter((index) => trace.prints[index] === first.print)
      .slice(-PLACES_MOST);
    const compared = came.slice(0, Math.max(COMPARED_LEAST, Math.floor(COMPARED_MOST / equal.length)));
    return equal.map((index) => this.#compare(compared, index, isPicture));
  }

  #compare(came: readonly Printed[], index: number, isPicture: boolean): Likeness {
    const trace = isPicture ? this.#pictures : this.#sound;
    const dtsMs = trace.dtsMs[index] ?? 0;
    const shiftMs = dtsMs - (came[0]?.packet.dtsMs ?? 0);
    const pictures = new Reading(this.#pictures, isPicture ? index + 1 : null);
    const sound = new Reading(this.#sound, isPicture ? null : index + 1);
    for (const { packet, print } of came.slice(1)) {
      if (packet.kind === 'video') pictures.next(print, packet.key);
      else sound.nextOrSeek(print, packet.dtsMs + shiftMs);
      if (pictures.differs || sound.differs) break;
    }
    const isAll = (isPicture ? pictures : sound).isOver;
    const proven = sound.different >= FRAMES_THAT_PROVE;
    return { dtsMs, verdict: pictures.differs || sound.differs ? 'other' : proven ? 'same' : 'maybe', isAll };
  }
}

/** Reads along a trace, as long as it agrees with what comes. */
class Reading {
  differs = false;
  readonly #seen = new Set<number>();
  readonly #trace: Trace;
  #at: number | null;

  constructor(trace: Trace, at: number | null) {
    this.#trace = trace;
    this.#at = at;
  }

  /** So many different packets agreed. */
  get different(): number {
    return this.#seen.size;
  }

  get isOver(): boolean {
    return this.#at !== null && this.#at >= this.#trace.prints.length;
  }

  next(print: number, key = false): void {
    if (this.#at === null || this.isOver || this.differs) return;
    const { prints, dtsMs, keys } = this.#trace;
    if (prints[this.#at] === print) {
      this.#seen.add(print);
      this.#at += 1;
      return;
    }
    // Where something is missing in what was recorded, there is no more to compare.
    const hole = (dtsMs[this.#at] ?? 0) - (dtsMs[this.#at - 1] ?? 0) > HOLE_MS;
    if (hole || keys.includes(this.#at) !== key) this.#at = prints.length;
    else this.differs = true;
  }

  /** As `next`, after the first packet was looked for around the place where it should be. */
  nextOrSeek(print: number, expectedMs: number): void {
    if (this.#at !== null) {
      this.next(print);
      return;
    }
    const { prints, dtsMs } = this.#trace;
    const awayMs = (index: number): number => Math.abs((dtsMs[index] ?? Infinity) - expectedMs);
    let nearest: number | null = null;
    const from = this.#trace.firstFrom(expectedMs - SAME_PLACE_MS);
    for (let index = from; awayMs(index) <= SAME_PLACE_MS; index += 1) {
      if (prints[index] === print && (nearest === null || awayMs(index) < awayMs(nearest))) nearest = index;
    }
    if (nearest !== null) {
      this.#seen.add(print);
      this.#at = nearest + 1;
    } else if (this.#surrounds(expectedMs)) this.differs = true;
  }

  /** Whether sound was recorded on both sides of this place. */
  #surrounds(atMs: number): boolean {
    const { dtsMs } = this.#trace;
    const after = dtsMs[this.#trace.firstFrom(atMs + HOLE_MS / 2)];
    const before = dtsMs[this.#trace.firstFrom(atMs - HOLE_MS / 2) - 1];
    return after !== undefined && before !== undefined && after - before < 2 * HOLE_MS;
  }
}
