/**
 * What is in a recorded MPEG-TS segment, counted without looking into the pictures: PES packets, ADTS headers, the
 * first parameter sets. For muxers that put one picture into a PES packet, as ffmpeg's and mediabunny's do.
 */
import { isLivestowError } from '../kernel/errors.ts';
import { ADTS_HEADER_BYTES, adtsFrameBytes, adtsFrameTicks } from './aac.ts';
import { kindOfAvcNal, parseAvcSps } from './avc.ts';
import { kindOfHevcNal, parseHevcSps } from './hevc.ts';
import { annexBNals } from './nal.ts';
import { msOfTicks, PesReader, type PesTimes, TickUnwrapper } from './ts-pes.ts';
import { TsPacketReader, type TsStream } from './ts-packets.ts';

export interface TsCensus {
  /** Null where there are no pictures. */
  codec: 'h264' | 'h265' | null;
  /** From the first picture's SPS; 0 where it has none. */
  width: number;
  height: number;
  pictures: number;
  /** Whole ones. */
  audioFrames: number;
  /** Of the pictures; of the audio where there are none; null where there is neither. */
  firstDtsMs: number | null;
  lastDtsMs: number | null;
  /** Whether a decoder can begin at the first picture. */
  startsWithKeyframe: boolean;
  continuityErrors: number;
  /** Bytes that belonged to no packet. */
  strayBytes: number;
}

/** Enough of the first picture to have its parameter sets, SEI and the first slice's type. */
const HEAD_BYTES = 8 * 1024;

/** Feed chunks that split anywhere, then finish. Throws MEDIA_NOT_MEDIA for what is not MPEG-TS at all. */
export class TsCensusTaker {
  readonly #reader = new TsPacketReader((stream, starts, bytes, from, end) => {
    if (stream.kind === 'video') {
      this.#codec ??= stream.codec === 'aac' ? null : stream.codec;
      this.#videoPes.push(starts, bytes, from, end);
    } else {
      this.#audioPes.push(starts, bytes, from, end);
    }
  });
  readonly #video = new VideoCount();
  readonly #audio = new AudioCount();
  readonly #videoPes = new PesReader(this.#video);
  readonly #audioPes = new PesReader(this.#audio);
  #codec: 'h264' | 'h265' | null = null;

  push(chunk: Buffer): void {
    this.#reader.push(chunk);
  }

  finish(): TsCensus {
    const strayBytes = this.#reader.reset() + this.#reader.skippedBytes;
    const video = this.#video;
    const times = video.pictures > 0 ? video : this.#audio;
    return {
      codec: video.pictures > 0 ? this.#codec : null,
      ...headFacts(this.#codec, video.head()),
      pictures: video.pictures,
      audioFrames: this.#audio.frames,
      firstDtsMs: times.firstTick === undefined ? null : msOfTicks(times.firstTick),
      lastDtsMs: times.lastTick === undefined ? null : msOfTicks(times.lastTick),
      continuityErrors: this.#reader.continuityErrors,
      strayBytes,
    };
  }
}

/** The census of a segment that is in memory. */
export function censusOfTs(segment: Buffer): TsCensus {
  const taker = new TsCensusTaker();
  taker.push(segment);
  return taker.finish();
}

function headFacts(codec: TsStream['codec'] | null, head: Buffer) {
  const facts = { width: 0, height: 0, startsWithKeyframe: false };
  for (const nal of annexBNals(head)) {
    const kind = codec === 'h265' ? kindOfHevcNal(nal) : kindOfAvcNal(nal);
    if (kind === 'sps') {
      Object.assign(facts, sizeOf(codec, nal));
    }
    facts.startsWithKeyframe ||= kind === 'key';
  }
  return facts;
}

function sizeOf(codec: TsStream['codec'] | null, sps: Buffer): { width: number; height: number } {
  try {
    const { width, height } = codec === 'h265' ? parseHevcSps(sps) : parseAvcSps(sps);
    return { width, height };
  } catch (error) {
    if (isLivestowError(error)) {
      return { width: 0, height: 0 };
    }
    throw error;
  }
}

class VideoCount {
  pictures = 0;
  firstTick: number | undefined;
  lastTick: number | undefined;
  readonly #clock = new TickUnwrapper();
  readonly #head: Buffer[] = [];
  #headBytes = 0;

  pesStart(times: PesTimes): void {
    // One without a time goes on with the picture before.
    if (times.dts !== undefined) {
      this.pictures++;
      this.lastTick = this.#clock.unwrap(times.dts);
      this.firstTick ??= this.lastTick;
    }
  }

  pesData(bytes: Buffer, from: number, end: number): void {
    if (this.pictures <= 1 && this.#headBytes < HEAD_BYTES) {
      // Copied: whoever writes a segment piece by piece uses its memory again.
      this.#head.push(Buffer.from(bytes.subarray(from, end)));
      this.#headBytes += end - from;
    }
  }

  head(): Buffer {
    return Buffer.concat(this.#head);
  }
}

class AudioCount {
  frames = 0;
  firstTick: number | undefined;
  /** Of the last whole frame. */
  lastTick: number | undefined;
  readonly #clock = new TickUnwrapper();
  /** When the next frame to begin will sound; undefined before the first time in the stream. */
  #nextTick: number | undefined;
  #frameTick: number | undefined;
  /** Bytes to pass over: the rest of a frame. */
  #skip = 0;
  #inFrame = false;
  /** The beginning of a header that the payload before ended in. */
  #held: Buffer = Buffer.alloc(0);

  pesStart({ pts }: PesTimes): void {
    if (pts !== undefined) {
      this.#nextTick = this.#clock.unwrap(pts);
    }
  }

  pesData(bytes: Buffer, from: number, end: number): void {
    if (this.#held.length > 0) {
      const joined = Buffer.concat([this.#held, bytes.subarray(from, end)]);
      this.#held = Buffer.alloc(0);
      this.#count(joined, 0, joined.length);
    } else {
      this.#count(bytes, from, end);
    }
  }

  #count(bytes: Buffer, from: number, end: number): void {
    let at = from;
    while (at < end) {
      if (this.#skip > 0) {
        const passed = Math.min(this.#skip, end - at);
        this.#skip -= passed;
        at += passed;
      }
      if (this.#skip === 0 && this.#inFrame) {
        this.frames++;
        this.#inFrame = false;
        this.lastTick = this.#frameTick;
        this.firstTick ??= this.lastTick;
      }
      if (this.#skip > 0 || at >= end) {
        return;
      }
      if (end - at < ADTS_HEADER_BYTES) {
        this.#held = Buffer.from(bytes.subarray(at, end));
        return;
      }
      this.#skip = adtsFrameBytes(bytes, at);
      this.#inFrame = this.#skip > 0;
      if (this.#inFrame && this.#nextTick !== undefined) {
        this.#frameTick = this.#nextTick;
        this.#nextTick += adtsFrameTicks(bytes, at);
      }
      // What is no header is passed over, byte by byte, up to the next one.
      at += this.#inFrame ? 0 : 1;
    }
  }
}
