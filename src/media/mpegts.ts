/**
 * Reads MPEG-TS into media units: H.264, H.265 and ADTS AAC, one stream of each. A picture ends where the next PES
 * packet begins, so the last one of a segment comes with `flush`. Configurations are made from the parameter sets and
 * ADTS headers in the stream and given when they are really others; pictures before the first one are dropped. Units of
 * one kind come in the order of the stream; pictures and sound interleave as their PES packets end.
 */
import { LivestowError } from '../kernel/errors.ts';
import { aacConfigOfRecord, adtsFrameBytes, adtsFrameTicks, parseAdtsHeader } from './aac.ts';
import { accessUnitOfNals, ParameterSetFollower, splitAtDelimiters } from './access-unit.ts';
import { annexBNals, startsWithStartCode } from './nal.ts';
import type { MediaUnit } from './packet.ts';
import { msOfTicks, PesReader, type PesTaker, type PesTimes, TickUnwrapper } from './ts-pes.ts';
import { notTs, TsPacketReader, type TsStream } from './ts-packets.ts';

/** A picture, or a PES packet of sound, beyond this is a stream gone wrong. */
const PES_BYTES_MAX = 16 * 1024 * 1024;

export class MpegTsDemuxer {
  #units: MediaUnit[] = [];
  readonly #emit = (unit: MediaUnit): void => {
    this.#units.push(unit);
  };
  readonly #clock = new TickUnwrapper();
  readonly #packets = new TsPacketReader((stream, starts, bytes, from, end) => {
    this.#pesOf(stream).push(starts, bytes, from, end);
  });
  #video: { codec: TsStream['codec']; pes: PesReader; pictures: PictureReader } | undefined;
  readonly #sound = new SoundReader(this.#clock, this.#emit);
  readonly #soundPes = new PesReader(this.#sound);

  /** Places where packets were lost. */
  get continuityErrors(): number {
    return this.#packets.continuityErrors;
  }

  /** Stream types (ISO/IEC 13818-1 table 2-34) that the program has and that are not read. */
  get ignoredTypes(): ReadonlySet<number> {
    return this.#packets.ignoredTypes;
  }

  /** Chunks may split anywhere. Throws MEDIA_NOT_MEDIA. */
  push(chunk: Buffer): MediaUnit[] {
    this.#packets.push(chunk);
    return this.#given();
  }

  /**
   * The segment (or the stream) ends here: gives what is complete. Reading may go on with another segment. Throws
   * MEDIA_NOT_MEDIA when nothing in it says what the streams are.
   */
  flush(): MediaUnit[] {
    const strayBytes = this.#packets.reset();
    if (!this.#packets.programKnown && strayBytes + this.#packets.skippedBytes > 0) {
      throw notTs();
    }
    this.#video?.pictures.flush();
    this.#video?.pes.reset();
    this.#sound.flush();
    this.#soundPes.reset();
    return this.#given();
  }

  #given(): MediaUnit[] {
    const units = this.#units;
    this.#units = [];
    return units;
  }

  #pesOf({ codec }: TsStream): PesReader {
    if (codec === 'aac') {
      return this.#soundPes;
    }
    if (this.#video?.codec !== codec) {
      this.#video?.pictures.flush();
      const pictures = new PictureReader(codec, this.#clock, this.#emit);
      this.#video = { codec, pictures, pes: new PesReader(pictures) };
    }
    return this.#video.pes;
  }
}

/** Bytes of an elementary stream, and which PES packet began where. */
class Gathered {
  parts: Buffer[] = [];
  bytes = 0;
  starts: { at: number; pts: number | undefined; dts: number | undefined }[] = [];

  add(bytes: Buffer, from: number, end: number): void {
    this.bytes += end - from;
    if (this.bytes > PES_BYTES_MAX) {
      throw new LivestowError('MEDIA_NOT_MEDIA', 'A PES packet is larger than 16 MiB.', { retryable: true });
    }
    this.parts.push(bytes.subarray(from, end));
  }

  joined(): Buffer {
    return Buffer.concat(this.parts, this.bytes);
  }
}

class PictureReader implements PesTaker {
  readonly #codec: 'h264' | 'h265';
  readonly #clock: TickUnwrapper;
  readonly #emit: (unit: MediaUnit) => void;
  readonly #sets: ParameterSetFollower;
  #held = new Gathered();
  /** Of what is held, looked through already. */
  #searchedBytes = 0;
  #starting: PesTimes | undefined;
  #lastDts: number | undefined;
  #pictureTicks = 3000;

  constructor(codec: 'h264' | 'h265', clock: TickUnwrapper, emit: (unit: MediaUnit) => void) {
    this.#codec = codec;
    this.#clock = clock;
    this.#emit = emit;
    this.#sets = new ParameterSetFollower(codec);
  }

  pesStart(times: PesTimes): void {
    this.#starting = times;
  }

  pesData(bytes: Buffer, from: number, end: number): void {
    const starting = this.#starting;
    if (starting) {
      this.#starting = undefined;
      // Without a time, or in the middle of a NAL unit, it goes on with the picture before.
      if (starting.pts !== undefined && startsWithStartCode(bytes, from, end)) {
        this.flush();
      } else if (this.#held.starts.length > 1 && this.#held.bytes >= 2 * this.#searchedBytes) {
        this.#drain(true);
      }
      this.#held.starts.push({ at: this.#held.bytes, pts: starting.pts, dts: starting.dts });
    }
    this.#held.add(bytes, from, end);
  }

  flush(): void {
    this.#drain(false);
  }

  /** Gives the pictures that are held; the last may go on in what is yet to come. */
  #drain(keepsLast: boolean): void {
    const held = this.#held;
    if (held.bytes === 0) {
      return;
    }
    const whole = held.joined();
    const groups = splitAtDelimiters(this.#codec, annexBNals(whole));
    const last = keepsLast ? groups.pop()?.[0] : undefined;
    this.#held = new Gathered();
    this.#searchedBytes = 0;
    const { starts } = held;
    for (const group of groups) {
      const at = group[0]!.byteOffset - whole.byteOffset;
      // A time holds for the first picture that begins in its PES packet.
      let times: PesTimes | undefined;
      while (starts[0] && starts[0].at <= at) {
        times = starts.shift();
      }
      this.#picture(group, times);
    }
    if (last) {
      const at = Math.max(0, last.byteOffset - whole.byteOffset - 4);
      this.#held.add(whole, at, whole.length);
      this.#searchedBytes = whole.length - at;
      this.#held.starts = starts.map((start) => ({ ...start, at: Math.max(0, start.at - at) }));
    }
  }

  #picture(nals: readonly Buffer[], times: PesTimes | undefined): void {
    const { data, key, sets } = accessUnitOfNals(this.#codec, nals);
    const config = this.#sets.next(sets);
    if (config) {
      this.#emit(config);
    }
    const timed = times?.dts !== undefined && times.pts !== undefined;
    if (!timed && this.#lastDts === undefined) {
      return;
    }
    const dts = timed ? this.#clock.unwrap(times.dts!) : this.#lastDts! + this.#pictureTicks;
    const pts = timed ? this.#clock.unwrap(times.pts!) : dts;
    if (this.#lastDts !== undefined && dts > this.#lastDts && dts - this.#lastDts < 90_000) {
      this.#pictureTicks = dts - this.#lastDts;
    }
    this.#lastDts = dts;
    if (data.length > 0 && this.#sets.known) {
      const dtsMs = msOfTicks(dts);
      this.#emit({ kind: 'video', dtsMs, compositionMs: msOfTicks(pts) - dtsMs, key, data });
    }
  }
}

class SoundReader implements PesTaker {
  readonly #clock: TickUnwrapper;
  readonly #emit: (unit: MediaUnit) => void;
  #held = new Gathered();
  #starting: PesTimes | undefined;
  #record: Buffer | undefined;
  #nextTick: number | undefined;

  constructor(clock: TickUnwrapper, emit: (unit: MediaUnit) => void) {
    this.#clock = clock;
    this.#emit = emit;
  }

  pesStart(times: PesTimes): void {
    this.#drain();
    this.#starting = times;
  }

  pesData(bytes: Buffer, from: number, end: number): void {
    if (this.#starting) {
      this.#held.starts.push({ at: this.#held.bytes, ...this.#starting });
      this.#starting = undefined;
    }
    this.#held.add(bytes, from, end);
  }

  /** What is left is the beginning of a frame that won't go on. */
  flush(): void {
    this.#drain();
    this.#held = new Gathered();
  }

  /** Gives the whole frames; the rest is kept, to go on in the next PES packet. */
  #drain(): void {
    const held = this.#held;
    if (held.bytes === 0) {
      return;
    }
    const bytes = held.joined();
    let at = 0;
    while (at < bytes.length) {
      const frameBytes = adtsFrameBytes(bytes, at);
      if (frameBytes === 0) {
        if (bytes.length - at < 7) {
          break;
        }
        at++;
        continue;
      }
      const start = held.starts[0];
      if (start && start.at <= at) {
        held.starts.shift();
        this.#nextTick = start.pts === undefined ? this.#nextTick : this.#clock.unwrap(start.pts);
      }
      if (at + frameBytes > bytes.length) {
        break;
      }
      this.#frame(bytes, at);
      at += frameBytes;
    }
    this.#held = new Gathered();
    if (at < bytes.length) {
      this.#held.add(bytes, at, bytes.length);
    }
  }

  #frame(bytes: Buffer, at: number): void {
    const header = parseAdtsHeader(bytes, at);
    if (!header || this.#nextTick === undefined) {
      return;
    }
    if (!this.#record?.equals(header.record)) {
      this.#record = header.record;
      this.#emit(aacConfigOfRecord(header.record));
    }
    const data = bytes.subarray(at + header.headerBytes, at + header.frameBytes);
    this.#emit({ kind: 'audio', dtsMs: msOfTicks(this.#nextTick), data });
    this.#nextTick += adtsFrameTicks(bytes, at);
  }
}
