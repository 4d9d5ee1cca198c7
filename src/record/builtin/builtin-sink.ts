/**
 * One epoch being written: decides where segments end, drains the muxer into the open one about once a second, and turns
 * every way in which that can go wrong into one failure. One thing at a time: what is asked for meanwhile waits. The first
 * failure wins.
 */
import { isLivestowError, LivestowError } from '../../kernel/errors.ts';
import { removeFile } from '../../kernel/files.ts';
import type { Logger } from '../../kernel/logger.ts';
import { avcConfigOfRecord } from '../../media/avc.ts';
import { describeInit } from '../../media/fmp4.ts';
import { hevcConfigOfRecord } from '../../media/hevc.ts';
import type { MediaPacket } from '../../media/packet.ts';
import type { EngineOutput, EpochSink, EpochSpec } from '../engine.ts';
import { EpochFiles } from '../epoch-files.ts';
import { SegmentFile } from '../segment-file.ts';
import { checkPictures, verifiedSegment } from '../verified-segment.ts';
import { FragmentMuxer } from './fragment-muxer.ts';
import { initSegment } from './init-segment.ts';
import { OpenSegment } from './open-segment.ts';
import type { SegmentMuxer } from './segment-muxer.ts';
import { TransportMuxer } from './transport-muxer.ts';

/** Media that is held before it is written: that much, or that large. */
const HELD_MS = 1_000;
const HELD_BYTES = 1024 * 1024;
/** How long a picture lasts until two have told better. */
const PICTURE_MS = 33;

export class BuiltinSink implements EpochSink {
  readonly #logger: Logger;
  readonly #spec: EpochSpec;
  readonly #output: EngineOutput;
  readonly #files: EpochFiles;
  #muxer: SegmentMuxer | undefined;
  #open: OpenSegment | undefined;
  #nextSegment: number;
  #heldSinceMs = 0;
  #heldBytes = 0;
  #lastMs: number | undefined;
  #stepMs = PICTURE_MS;
  #failure: LivestowError | undefined;
  #ending: Promise<void> | undefined;
  #work: Promise<unknown> = Promise.resolve();

  constructor(logger: Logger, spec: EpochSpec, output: EngineOutput) {
    this.#logger = logger;
    this.#spec = spec;
    this.#output = output;
    this.#nextSegment = spec.firstSegment;
    this.#files = new EpochFiles(spec);
  }

  async write(packets: readonly MediaPacket[]): Promise<void> {
    if (!this.#failure && this.#ending) throw new LivestowError('ENGINE', 'The epoch has been ended.');
    await this.#next(async () => {
      for (const packet of packets) {
        this.#requireTrack(packet);
        this.#muxer ??= await this.#begin();
        // Most packets wait for nothing: a promise for each would cost more than muxing it.
        const written = this.#writeBefore(packet);
        if (written) await written;
        this.#add(packet, this.#muxer);
      }
    });
  }

  end(): Promise<void> {
    this.#ending ??= this.#next(() => this.#closeSegment(undefined));
    return this.#ending;
  }

  async abort(): Promise<void> {
    this.#failure ??= new LivestowError('ENGINE', 'The epoch was given up.', { retryable: true });
    await this.#work;
    await this.#tidy();
  }

  /** Runs a step behind those before it. Rejects with the failure, once nothing is open any more. */
  async #next(step: () => Promise<void>): Promise<void> {
    const before = this.#work;
    const run = async (): Promise<void> => {
      await before;
      if (this.#failure) throw this.#failure;
      try {
        await step();
      } catch (error) {
        const failure = this.#fail(error);
        await this.#tidy();
        throw failure;
      }
    };
    const running = run();
    this.#work = running.catch(() => {});
    await running;
  }

  #requireTrack({ kind }: MediaPacket): void {
    if (this.#spec[kind] === null) {
      throw new LivestowError('ENGINE', `The epoch has no ${kind}, and a packet of it came.`);
    }
  }

  /** Segments and fragments end where the pictures say, or the sound where there are none. */
  #writeBefore(packet: MediaPacket): Promise<void> | undefined {
    const { video, segmentDurationMs } = this.#spec;
    if (!this.#leads(packet)) {
      // When it is due, the pictures have stopped coming.
      return this.#isDue(packet, 2 * HELD_MS) ? this.#drain(undefined) : undefined;
    }
    const beganMs = this.#open?.beganMs(video !== null) ?? packet.dtsMs;
    const cuts = (packet.kind === 'audio' || packet.key) && packet.dtsMs - beganMs >= segmentDurationMs;
    if (cuts) return this.#closeSegment(packet.dtsMs);
    return this.#isDue(packet, HELD_MS) ? this.#drain(packet.dtsMs) : undefined;
  }

  #leads({ kind }: MediaPacket): boolean {
    return this.#spec.video === null || kind === 'video';
  }

  #isDue(packet: MediaPacket, heldMs: number): boolean {
    return (
      this.#heldBytes >= HELD_BYTES ||
      (this.#heldBytes > 0 && Math.abs(packet.dtsMs - this.#heldSinceMs) >= heldMs)
    );
  }

  #add(packet: MediaPacket, muxer: SegmentMuxer): void {
    if (this.#leads(packet)) {
      const stepMs = packet.dtsMs - (this.#lastMs ?? packet.dtsMs);
      if (stepMs > 0) this.#stepMs = stepMs;
      this.#lastMs = packet.dtsMs;
    }
    if (!this.#open) this.#open = new OpenSegment(this.#nextSegment, this.#files.segment(this.#nextSegment));
    if (this.#heldBytes === 0) this.#heldSinceMs = packet.dtsMs;
    this.#heldBytes += packet.data.length;
    this.#open.add(packet);
    muxer.add(packet);
  }

  async #begin(): Promise<SegmentMuxer> {
    const { video, audio, container } = this.#spec;
    if (container === 'mpegts') return new TransportMuxer({ video, audio });
    if (video) {
      const { codec, record } = video;
      const found = codec === 'h264' ? avcConfigOfRecord(record) : hevcConfigOfRecord(record);
      checkPictures(this.#files.init, found, video);
    }
    const init = await initSegment({ video, audio });
    const tracks = describeInit(init);
    const file = new SegmentFile(this.#files.init);
    try {
      await file.append([init]);
      this.#output.onInit(await file.close());
    } catch (error) {
      await file.release();
      await removeFile(file.path);
      throw error;
    }
    return new FragmentMuxer(tracks, audio);
  }

  async #drain(nextMs: number | undefined): Promise<void> {
    this.#heldBytes = 0;
    const buffers = this.#muxer?.drain(nextMs) ?? [];
    if (buffers.length > 0) await this.#open?.file.append(buffers);
    // Given up meanwhile.
    if (this.#failure) throw this.#failure;
  }

  /** @param nextMs where the next segment begins; undefined when none does */
  async #closeSegment(nextMs: number | undefined): Promise<void> {
    const segment = this.#open;
    if (!segment || !this.#muxer) return;
    await this.#drain(nextMs ?? (this.#lastMs ?? 0) + this.#stepMs);
    const written = await segment.file.close();
    const census = { n: segment.n, ...written, ...this.#muxer.endSegment() };
    const closed = verifiedSegment(census, segment.fed(nextMs, this.#stepMs), this.#spec.video);
    if (this.#failure) throw this.#failure;
    this.#open = undefined;
    this.#nextSegment += 1;
    this.#output.onSegment(closed);
  }

  #fail(cause: unknown): LivestowError {
    if (this.#failure) return this.#failure;
    const { term, epoch } = this.#spec;
    this.#failure = isLivestowError(cause, 'ENGINE')
      ? cause
      : new LivestowError('ENGINE', `Segment ${this.#nextSegment} cannot be written.`, {
          retryable: true,
          cause,
          context: { term, epoch, segment: this.#nextSegment },
        });
    this.#logger.warn({ err: this.#failure }, 'the recording engine failed');
    return this.#failure;
  }

  /** A name in the folder is then a segment that was handed over, unless livestow itself was killed. */
  async #tidy(): Promise<void> {
    const segment = this.#open;
    this.#open = undefined;
    this.#muxer = undefined;
    if (!segment) return;
    try {
      await segment.file.release();
      await removeFile(segment.file.path);
    } catch (error) {
      this.#logger.warn({ err: error }, 'an unfinished segment could not be removed');
    }
  }
}
