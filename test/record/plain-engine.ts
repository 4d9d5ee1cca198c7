/**
 * An engine without ffmpeg: writes the payloads one behind another into real files, cut at keyframes, and dies when it is
 * told to. For what stands above the seam; the seam itself is tested with the engines that ship.
 */
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { LivestowError } from '../../src/kernel/errors.ts';
import { sessionKeys } from '../../src/layout/keys.ts';
import type { MediaPacket } from '../../src/media/packet.ts';
import type { ClosedSegment, Engine, EngineOutput, EpochSink, EpochSpec } from '../../src/record/engine.ts';

export class PlainEngine implements Engine {
  readonly name = 'builtin';
  /** Engines that were opened, dead or alive. */
  opened = 0;
  running = 0;
  /** Dies before it takes a packet that this is true of. */
  diesAt: (packet: MediaPacket, opened: number) => boolean = () => false;
  diesAtEnd: (opened: number) => boolean = () => false;
  /** What it dies of; an error of its own unless told. */
  death: (() => Error) | undefined;

  /** Called with a segment that is closed, before it is handed over. */
  onClosed: (segment: ClosedSegment) => Promise<void> = () => Promise.resolve();

  open(spec: EpochSpec, output: EngineOutput): Promise<EpochSink> {
    this.opened += 1;
    this.running += 1;
    return Promise.resolve(new PlainSink(this, this.opened, spec, output));
  }
}

class PlainSink implements EpochSink {
  readonly #engine: PlainEngine;
  readonly #id: number;
  readonly #spec: EpochSpec;
  readonly #output: EngineOutput;
  #n: number;
  #packets: MediaPacket[] = [];
  #gone = false;

  constructor(engine: PlainEngine, id: number, spec: EpochSpec, output: EngineOutput) {
    this.#engine = engine;
    this.#id = id;
    this.#spec = spec;
    this.#output = output;
    this.#n = spec.firstSegment;
  }

  async write(packets: readonly MediaPacket[]): Promise<void> {
    for (const packet of packets) {
      if (this.#engine.diesAt(packet, this.#id)) await this.#die();
      const isCut = packet.kind === 'video' ? packet.key : this.#spec.video === null;
      const since = this.#packets[0]?.dtsMs ?? packet.dtsMs;
      if (isCut && packet.dtsMs - since >= this.#spec.segmentDurationMs) await this.#close(packet.dtsMs);
      this.#packets.push(packet);
    }
  }

  async end(): Promise<void> {
    if (this.#engine.diesAtEnd(this.#id)) await this.#die();
    if (this.#packets.length > 0) await this.#close((this.#leading.at(-1)?.dtsMs ?? 0) + 40);
    this.#leave();
  }

  abort(): Promise<void> {
    this.#leave();
    return Promise.resolve();
  }

  get #leading(): MediaPacket[] {
    return this.#packets.filter(({ kind }) => kind === (this.#spec.video ? 'video' : 'audio'));
  }

  #leave(): void {
    if (!this.#gone) this.#engine.running -= 1;
    this.#gone = true;
  }

  async #die(): Promise<never> {
    this.#leave();
    throw this.#engine.death?.() ?? new LivestowError('ENGINE', 'told to die');
  }

  async #close(untilMs: number): Promise<void> {
    const packets = this.#packets;
    const leading = this.#leading;
    this.#packets = [];
    const { term, epoch, container, folder } = this.#spec;
    const n = this.#n++;
    const path = join(folder, basename(sessionKeys.segment(term, epoch, n, container)));
    const bytes = Buffer.concat(packets.map(({ data }) => data));
    await writeFile(path, bytes);
    const count = (kind: MediaPacket['kind']): number =>
      packets.filter((packet) => packet.kind === kind).length;
    const firstDtsMs = leading[0]?.dtsMs ?? 0;
    const segment: ClosedSegment = {
      n,
      path,
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      pictures: count('video'),
      audioFrames: count('audio'),
      firstDtsMs,
      lastDtsMs: leading.at(-1)?.dtsMs ?? 0,
      durationMs: untilMs - firstDtsMs,
      fedPictures: count('video'),
      fedAudioFrames: count('audio'),
    };
    await this.#engine.onClosed(segment);
    this.#output.onSegment(segment);
  }
}
