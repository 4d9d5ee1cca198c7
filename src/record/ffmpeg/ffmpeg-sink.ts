/**
 * One epoch being written by one ffmpeg process: feeds it, takes what it announces, compares the two, and turns every
 * way in which that can go wrong into one failure. The first failure wins.
 */
import type { Clock } from '../../kernel/clock.ts';
import { isLivestowError, LivestowError, messageOf } from '../../kernel/errors.ts';
import type { Logger } from '../../kernel/logger.ts';
import type { MediaPacket } from '../../media/packet.ts';
import type { EngineOutput, EpochSink, EpochSpec } from '../engine.ts';
import { EpochFiles } from '../epoch-files.ts';
import { checkPictures, type SegmentCensus, verifiedSegment } from '../verified-segment.ts';
import { createFeed, type Feed } from './feed.ts';
import { ffmpegArguments, INTERLEAVE_MS } from './ffmpeg-arguments.ts';
import type { FfmpegLogLine } from './ffmpeg-log.ts';
import { FfmpegProcess, type ProcessExit, ProcessStalled } from './ffmpeg-process.ts';
import { FragmentWriter } from './fragment-writer.ts';
import { GopLedger } from './gop-ledger.ts';
import type { SegmentReader } from './segment-census.ts';
import { parseListLine } from './segment-list.ts';

export interface SinkOptions {
  ffmpegPath: string;
  clock: Clock;
  logger: Logger;
  reader: SegmentReader;
  stallMs: number;
  endMs: number;
}

/** Sound may begin before the pictures do; no time fed to ffmpeg is below zero. */
const HEADROOM_MS = 10_000;
/** ffmpeg may hold this much back before a segment that is complete counts as overdue. */
const HELD_BACK_MS = 2 * INTERLEAVE_MS;
/** Samples in an AAC frame. */
const AAC_FRAME = 1024;

interface Running {
  process: FfmpegProcess;
  feed: Feed;
}

export class FfmpegSink implements EpochSink {
  readonly #options: SinkOptions;
  readonly #spec: EpochSpec;
  readonly #output: EngineOutput;
  readonly #files: EpochFiles;
  readonly #ledger: GopLedger;
  readonly #fragments: FragmentWriter | undefined;
  #running: Running | undefined;
  #failure: LivestowError | undefined;
  #ending: Promise<void> | undefined;
  /** Files being read back, one behind the other. */
  #closing: Promise<void> = Promise.resolve();
  /** Output of ffmpeg that is being taken right now: while there is any, it is not ffmpeg that is late. */
  #busy = 0;
  #nextSegment: number;
  /** Segments announced after the input had ended: only the exit tells which is the last. */
  #announcedLate: number[] = [];
  #overdueSince: number | undefined;

  constructor(options: SinkOptions, spec: EpochSpec, output: EngineOutput) {
    this.#options = options;
    this.#spec = spec;
    this.#output = output;
    this.#nextSegment = spec.firstSegment;
    this.#files = new EpochFiles(spec);
    this.#ledger = new GopLedger({
      video: spec.video !== null,
      firstSegment: spec.firstSegment,
      segmentDurationMs: spec.segmentDurationMs,
      audioSlackMs: INTERLEAVE_MS,
      audioFrameMs: spec.audio ? (AAC_FRAME * 1000) / spec.audio.sampleRate : 0,
    });
    if (spec.container === 'fmp4') this.#fragments = this.#createFragments();
  }

  async write(packets: readonly MediaPacket[]): Promise<void> {
    if (this.#failure) throw this.#failure;
    if (this.#ending) throw new LivestowError('ENGINE', 'The epoch has been ended.');
    const [first] = packets;
    if (!first) return;
    const buffers: Buffer[] = [];
    if (!this.#running) {
      this.#running = this.#start(first);
      buffers.push(...this.#running.feed.header());
    }
    const { process, feed } = this.#running;
    for (const packet of packets) buffers.push(...feed.buffersOf(packet, this.#account(packet)));
    try {
      await process.write(buffers);
    } catch (error) {
      this.#onWriteError(error);
      return this.#gone(process);
    }
    this.#checkOverdue();
    if (this.#failure) return this.#gone(process);
  }

  end(): Promise<void> {
    this.#ending ??= this.#finish();
    return this.#ending;
  }

  async abort(): Promise<void> {
    this.#failure ??= new LivestowError('ENGINE', 'The epoch was given up.', { retryable: true });
    this.#ending ??= Promise.resolve();
    if (this.#running) await this.#gone(this.#running.process).catch(() => {});
  }

  #start(first: MediaPacket): Running {
    const spec = this.#spec;
    const originMs = Math.floor(first.dtsMs) - (spec.video ? HEADROOM_MS : 0);
    const process = new FfmpegProcess({
      binary: this.#options.ffmpegPath,
      args: ffmpegArguments({ spec, originMs, segmentPattern: this.#files.segmentPattern }),
      folder: spec.folder,
      clock: this.#options.clock,
      stallMs: this.#options.stallMs,
      endMs: this.#options.endMs,
      onLog: (line) => this.#onLog(line),
      onListLine: (line) => this.#onListLine(line),
      onOutput: (chunk) => this.#onOutput(chunk),
    });
    void this.#watch(process);
    return {
      process,
      feed: createFeed(spec, originMs),
    };
  }

  async #watch(process: FfmpegProcess): Promise<void> {
    const exit = await process.exited;
    if (!this.#ending) this.#fail('ffmpeg ended by itself.', { context: contextOf(exit) });
  }

  /** Enters a packet in the books; true when ffmpeg shall take it for a keyframe. */
  #account(packet: MediaPacket): boolean {
    const config = packet.kind === 'video' ? this.#spec.video : this.#spec.audio;
    if (!config)
      throw new LivestowError('ENGINE', `The epoch has no ${packet.kind}, and a packet of it came.`);
    if (packet.kind === 'audio') {
      this.#ledger.addAudio(packet);
      return true;
    }
    const cut = this.#ledger.addVideo(packet);
    return this.#spec.container === 'mpegts' ? cut : packet.key;
  }

  #createFragments(): FragmentWriter {
    const { firstSegment, video } = this.#spec;
    return new FragmentWriter({
      initPath: this.#files.init,
      segmentPath: (n) => this.#files.segment(n),
      firstSegment,
      onInit: (init, tracks) => {
        checkPictures(
          init.path,
          tracks.find((track) => track.kind === 'video'),
          video,
        );
        this.#output.onInit(init);
      },
      onFragment: async (n, groups) => {
        // Without pictures ffmpeg makes one fragment a segment.
        if (!video || this.#ledger.gopsOf(n) === groups) await this.#closeFragments(false);
      },
    });
  }

  async #closeFragments(last: boolean): Promise<void> {
    const census = await this.#fragments?.closeSegment();
    if (census) this.#handOver(census, last);
  }

  async #onOutput(chunk: Buffer): Promise<void> {
    if (this.#failure) return;
    this.#busy += 1;
    try {
      await this.#fragments?.push(chunk);
    } catch (error) {
      this.#fail('What ffmpeg wrote cannot be used.', { cause: error });
    } finally {
      this.#busy -= 1;
    }
  }

  #onListLine(line: string): void {
    const name = parseListLine(line);
    if (!name) return;
    this.#files.announced(name.n);
    if (this.#ending) this.#announcedLate.push(name.n);
    else this.#readBack(name.n, false);
  }

  #readBack(n: number, last: boolean): void {
    const before = this.#closing;
    this.#closing = this.#readBackAfter(before, n, last);
  }

  async #readBackAfter(before: Promise<void>, n: number, last: boolean): Promise<void> {
    this.#busy += 1;
    try {
      await before;
      if (this.#failure) return;
      this.#handOver(await this.#options.reader.read(n, this.#files.segment(n)), last);
    } catch (error) {
      this.#fail(`Segment ${n} cannot be used.`, { cause: error });
    } finally {
      this.#busy -= 1;
    }
  }

  #handOver(census: SegmentCensus, last: boolean): void {
    if (census.n !== this.#nextSegment) {
      throw new LivestowError(
        'ENGINE',
        `ffmpeg wrote segment ${census.n} where ${this.#nextSegment} was due.`,
      );
    }
    const fed = this.#ledger.close(census, last);
    const segment = verifiedSegment(census, fed, this.#spec.video);
    this.#nextSegment += 1;
    this.#overdueSince = undefined;
    this.#output.onSegment(segment);
  }

  /** ffmpeg reads on and finishes nothing: it hangs, whatever it says. */
  #checkOverdue(): void {
    const now = this.#options.clock.awake();
    if (this.#busy > 0 || this.#ledger.overdueMs <= HELD_BACK_MS) {
      this.#overdueSince = undefined;
      return;
    }
    this.#overdueSince ??= now;
    if (now - this.#overdueSince > this.#options.stallMs) {
      this.#fail(`ffmpeg has not finished segment ${this.#nextSegment} in time.`);
    }
  }

  async #finish(): Promise<void> {
    if (!this.#running) {
      if (this.#failure) throw this.#failure;
      return;
    }
    const { process } = this.#running;
    if (this.#failure) return this.#gone(process);
    const exit = await process.stop();
    const last = this.#announcedLate.at(-1);
    for (const n of this.#announcedLate) this.#readBack(n, n === last);
    await this.#closing;
    if (!this.#failure && this.#fragments) {
      await this.#closeFragments(true).catch((error: unknown) => {
        this.#fail('The last segment cannot be used.', { cause: error });
      });
    }
    const { pictures, audioFrames } = this.#ledger.outstanding;
    if (exit.failure !== undefined || pictures > 0 || (!this.#spec.video && audioFrames > 0)) {
      this.#fail('ffmpeg did not write all that it was given.', {
        context: { ...contextOf(exit), missingPictures: pictures, missingAudioFrames: audioFrames },
      });
    } else if (exit.code !== 0) {
      this.#options.logger.warn(contextOf(exit), 'ffmpeg ended with an error, and everything is there');
    }
    if (this.#failure) await this.#gone(process);
  }

  #onWriteError(error: unknown): void {
    // A process that is gone is told of with its exit.
    if (error instanceof ProcessStalled) this.#fail(error.message, { cause: error });
  }

  /** Notes why; the process is ended, and waited for by whoever meets the failure. */
  #fail(message: string, detail: { cause?: unknown; context?: Record<string, unknown> } = {}): void {
    if (this.#failure) return;
    const { term, epoch } = this.#spec;
    this.#failure = isLivestowError(detail.cause, 'ENGINE')
      ? detail.cause
      : new LivestowError('ENGINE', message, {
          retryable: true,
          ...(detail.cause === undefined ? {} : { cause: detail.cause }),
          context: { term, epoch, segment: this.#nextSegment, ...detail.context },
        });
    this.#options.logger.warn({ err: this.#failure }, 'the recording engine failed');
    void this.#running?.process.kill();
  }

  /** Waits until nothing runs any more, tidies the folder, and throws the failure. */
  async #gone(process: FfmpegProcess): Promise<never> {
    const exit = await process.kill();
    await this.#closing;
    await this.#fragments?.release();
    this.#fail('ffmpeg is gone.', { context: contextOf(exit) });
    // A name in the folder is then a segment that was handed over, unless livestow itself was killed.
    await this.#files.removeFrom(this.#nextSegment).catch((error: unknown) => {
      this.#options.logger.warn({ err: error }, 'an unfinished segment could not be removed');
    });
    throw this.#failure!;
  }

  #onLog(line: FfmpegLogLine): void {
    const { term, epoch } = this.#spec;
    this.#options.logger.debug({ term, epoch, ...line }, 'ffmpeg');
  }
}

const contextOf = (exit: ProcessExit): Record<string, unknown> => ({
  exitCode: exit.code,
  signal: exit.signal,
  ...(exit.failure === undefined ? {} : { failure: messageOf(exit.failure) }),
  log: exit.log,
});
