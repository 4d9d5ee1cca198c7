/**
 * One epoch: feeds its packets to the tail and to an engine, and goes on with a new engine process, from the tail, when
 * one dies. Knows nothing of connections or sessions.
 */
import { isLivestowError, LivestowError, messageOf } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import type { MediaPacket } from '../media/packet.ts';
import type { VariantLabel } from '../model/variant.ts';
import type { TailState, TailWriter } from '../spool/tail.ts';
import type { ClosedInit, ClosedSegment, Engine, EpochSink, EpochSpec } from './engine.ts';

/** Engines that die this often in a row without closing a segment are not tried again. */
const DEATHS_MAX = 5;

export interface EpochRecorderDeps {
  engine: Engine;
  tail: TailWriter;
  log: Logger;
  tailState: () => TailState;
  variant: VariantLabel;
  onInit: (init: ClosedInit) => void;
  onSegment: (segment: ClosedSegment) => void;
  onEngineDied(reason: string): void;
}

export class EpochRecorder {
  readonly spec: EpochSpec;
  readonly #deps: EpochRecorderDeps;
  #sink: EpochSink | null = null;
  #nextSegment: number;
  #closedDtsMs = -Infinity;
  #deaths = 0;
  #initGiven = false;

  constructor(spec: EpochSpec, deps: EpochRecorderDeps) {
    this.spec = spec;
    this.#deps = deps;
    this.#nextSegment = spec.firstSegment;
    deps.tail.beginEpoch(spec.epoch, deps.variant, spec.video, spec.audio);
  }

  /** Resolves when more may be written. Throws ENGINE only when no engine can be kept alive. */
  async write(packets: readonly MediaPacket[]): Promise<void> {
    for (const packet of packets) this.#deps.tail.append(packet, this.#deps.tailState);
    this.#deps.tail.flush();
    const feed = async (): Promise<void> => {
      if (this.#sink) await this.#sink.write(packets);
      else await this.#open(packets);
    };
    await this.#outlive(feed, () => this.#reopen());
  }

  /** Closes the last segment; every segment was handed over when it resolves. */
  async end(): Promise<void> {
    const close = async (): Promise<void> => this.#sink?.end();
    await this.#outlive(close, async () => {
      await this.#reopen();
      await close();
    });
    this.#sink = null;
  }

  async abort(): Promise<void> {
    await this.#sink?.abort();
    this.#sink = null;
  }

  /** Runs a step; each time that the engine dies in it, `again` is run instead, with a new engine. */
  async #outlive(step: () => Promise<void>, again: () => Promise<void>): Promise<void> {
    for (let run = step; ; run = again) {
      try {
        await run();
        return;
      } catch (error) {
        if (!isLivestowError(error, 'ENGINE')) throw error;
        await this.#noteDeath(error);
      }
    }
  }

  async #noteDeath(cause: LivestowError): Promise<void> {
    this.#deaths += 1;
    this.#deps.log.warn({ err: cause, deaths: this.#deaths }, 'the recording engine died');
    this.#deps.onEngineDied(messageOf(cause));
    await this.abort();
    if (this.#deaths <= DEATHS_MAX) return;
    throw new LivestowError('ENGINE', 'the recording engine dies again and again', {
      cause,
      hint: 'run `livestow doctor`; the raw media is kept in the spool and is shipped once the engine works',
    });
  }

  /** A new engine takes what no closed segment holds yet: the tail cuts at keyframes, as segments do. */
  async #reopen(): Promise<void> {
    await this.#open(await this.#deps.tail.packetsAfter(this.spec.epoch, this.#closedDtsMs));
  }

  async #open(packets: readonly MediaPacket[]): Promise<void> {
    const { onInit, onSegment } = this.#deps;
    const sink = await this.#deps.engine.open(
      { ...this.spec, firstSegment: this.#nextSegment },
      {
        onInit: (init) => {
          if (!this.#initGiven) onInit(init);
          this.#initGiven = true;
        },
        onSegment: (segment) => {
          this.#nextSegment = segment.n + 1;
          this.#closedDtsMs = segment.lastDtsMs;
          this.#deaths = 0;
          onSegment(segment);
        },
      },
    );
    this.#sink = sink;
    await sink.write(packets);
  }
}
