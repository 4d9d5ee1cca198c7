/**
 * One epoch: feeds its packets to the tail and to an engine, and goes on with a new engine process, from the tail, when
 * one dies. Media that no engine survives is given up and told as lost; the next keyframe is another chance. What there is
 * no room for waits in the tail, which may have it. Knows nothing of connections or sessions.
 */
import type { Clock } from '../kernel/clock.ts';
import { isLivestowError, messageOf } from '../kernel/errors.ts';
import { hasNoRoom, isDiskFull } from '../kernel/files.ts';
import type { Logger } from '../kernel/logger.ts';
import type { MediaPacket } from '../media/packet.ts';
import type { GapCause } from '../model/causes.ts';
import type { VariantLabel } from '../model/variant.ts';
import type { TailState } from '../spool/tail.ts';
import type { TailWriter } from '../spool/tail-writer.ts';
import type { ClosedInit, ClosedSegment, Engine, EpochSink, EpochSpec } from './engine.ts';

/** Pauses before each new engine, in a row without a closed segment; after the last, what it was fed is given up. */
const PAUSES_MS = [0, 100, 500, 1_000, 2_000];
/** Between looks for room. */
const ROOM_LOOK_MS = 1_000;

/** In the tail times are whole milliseconds. */
const TAIL_ROUNDING_MS = 1;
const isAt = (oneMs: number, otherMs: number): boolean => Math.abs(oneMs - otherMs) <= TAIL_ROUNDING_MS;

/** A disk that fails under an engine is one of the things that it dies of. */
const isDeath = (error: unknown): error is Error =>
  isLivestowError(error, 'ENGINE') || (error instanceof Error && 'errno' in error);

export interface EpochRecorderDeps {
  engine: Engine;
  tail: TailWriter;
  clock: Clock;
  log: Logger;
  tailState: () => TailState;
  variant: VariantLabel;
  onInit: (init: ClosedInit) => void;
  /** `lossCause`: why pictures that were fed are not in it, should any be missing. */
  onSegment: (segment: ClosedSegment, lossCause: GapCause) => void;
  /** Media of this stretch of the line, which stands before the segment that comes next, is in no segment. */
  onLost: (fromDtsMs: number, toDtsMs: number, cause: GapCause) => void;
  onEngineDied(reason: string): void;
  /** Ends the waiting for room. */
  signal: AbortSignal;
}

export class EpochRecorder {
  readonly spec: EpochSpec;
  readonly #deps: EpochRecorderDeps;
  #sink: EpochSink | null = null;
  #nextSegment: number;
  #closedDtsMs = -Infinity;
  #closedSoundMs = -Infinity;
  #deaths = 0;
  #initGiven = false;
  /** Of the leading track: what was fed and is in no closed segment. */
  #open: number[] = [];
  #frameMs = 0;
  /** Of what was lost since the last segment. */
  #lossCause: GapCause = 'engine-failed';
  /** What an engine died of is not fed again: nothing is, up to the next keyframe. */
  #waitsForKeyframe = false;
  /** No engine runs, for want of room: what is open is fed from the tail when there is some. */
  #waitsForRoom = false;

  constructor(spec: EpochSpec, deps: EpochRecorderDeps) {
    this.spec = spec;
    this.#deps = deps;
    this.#nextSegment = spec.firstSegment;
    deps.tail.beginEpoch(spec.epoch, deps.variant, spec.video, spec.audio);
  }

  /** Resolves when more may be written. */
  async write(packets: readonly MediaPacket[]): Promise<void> {
    const { tail, tailState } = this.#deps;
    for (const packet of packets) {
      tail.append(packet, tailState);
      if (packet.kind === this.#leading) this.#fed(packet.dtsMs);
    }
    await tail.flush();
    const wanted = this.#waitsForKeyframe ? this.#fromKeyframe(packets) : packets;
    if (wanted.length === 0 || (this.#waitsForRoom && (await hasNoRoom(this.spec.folder)))) return;
    this.#waitsForKeyframe = false;
    const feed = async (): Promise<void> => {
      if (this.#sink) await this.#sink.write(wanted);
      else if (this.#waitsForRoom) await this.#restart();
      else await this.#start(wanted);
    };
    await this.#outlive(feed, () => this.#restart());
  }

  /**
   * Closes the last segment; every segment was handed over when it resolves. Waits for room if there is none.
   * @param wantedBeforeMs what lies behind is no loss
   */
  async end(wantedBeforeMs = Infinity): Promise<void> {
    await this.#onceThereIsRoom(() => this.#close());
    this.#loseOpen(wantedBeforeMs);
  }

  /**
   * For want of room nothing more comes for now: closes the last segment, or leaves it to the tail where there is no room
   * for that either. The next keyframe goes on.
   */
  async pause(): Promise<void> {
    await this.#close();
    if (!this.#waitsForRoom) this.#loseOpen();
    this.#waitsForKeyframe = true;
    this.#lossCause = 'disk-full';
  }

  /** Of what is open nothing will come out any more. */
  #loseOpen(wantedBeforeMs = Infinity): void {
    this.#lose(this.#open.filter((dtsMs) => dtsMs < wantedBeforeMs));
    this.#open = [];
  }

  /** Closes what is open, or leaves it to the tail until there is room. */
  async #close(): Promise<void> {
    const close = async (): Promise<void> => {
      if (this.#waitsForRoom) await this.#restart();
      await this.#sink?.end();
    };
    await this.#outlive(close, async () => {
      await this.#restart();
      await this.#sink?.end();
    });
    this.#sink = null;
  }

  /** Takes the step again and again, until it does not fail for want of room. */
  async #onceThereIsRoom(step: () => Promise<void>): Promise<void> {
    await step();
    while (this.#waitsForRoom) {
      await this.#room();
      await step();
    }
  }

  async #room(): Promise<void> {
    const { clock, log, signal } = this.#deps;
    log.error(
      { epoch: this.spec.epoch },
      'the last segment cannot be written for want of room; trying again',
    );
    do await clock.delay(ROOM_LOOK_MS, signal);
    while (await hasNoRoom(this.spec.folder));
  }

  /**
   * Closes what ends at a keyframe: the last one, and the GOP that is open stays in the tail, for the next term to go on
   * with; or the one at `dtsMs`, and nobody wants what follows it. Closes all where the tail does not have it, or where
   * there are no GOPs.
   */
  async endAtKeyframe(dtsMs: number | null = null): Promise<void> {
    const { tail } = this.#deps;
    const rest = this.spec.video ? await this.#openPackets() : [];
    const pictures = rest.filter(({ kind }) => kind === 'video');
    const keyframe = rest.findLastIndex(
      (packet) => packet.kind === 'video' && packet.key && (dtsMs === null || isAt(packet.dtsMs, dtsMs)),
    );
    if (keyframe === -1 || pictures.length !== this.#open.length) {
      await this.end(dtsMs ?? Infinity);
      return;
    }
    await this.abort();
    // The next term goes on with all of it.
    if (dtsMs === null && (await hasNoRoom(this.spec.folder))) return;
    // Sound that belongs before the keyframe may stand behind it.
    const isLate = (packet: MediaPacket): boolean =>
      dtsMs !== null && packet.kind === 'audio' && packet.dtsMs < dtsMs;
    const whole = rest.filter((packet, index) => index < keyframe || isLate(packet));
    await this.#closeWhole(whole);
    // Only now: killed before, this would be lost.
    if (dtsMs !== null) tail.drop(this.spec.epoch, dtsMs - TAIL_ROUNDING_MS);
  }

  /** What the tail has and no closed segment does, a segment that closes meanwhile included. */
  async #openPackets(): Promise<MediaPacket[]> {
    for (;;) {
      const closedDtsMs = this.#closedDtsMs;
      const packets = await this.#deps.tail.packetsAfter(this.spec.epoch, closedDtsMs);
      if (closedDtsMs === this.#closedDtsMs) return packets;
    }
  }

  async #closeWhole(whole: readonly MediaPacket[]): Promise<void> {
    const closedMs = (): number => this.#closedDtsMs + TAIL_ROUNDING_MS;
    this.#open = whole.flatMap(({ kind, dtsMs }) => (kind === 'video' && dtsMs > closedMs() ? [dtsMs] : []));
    if (whole.length === 0) return;
    const closeWhole = async (): Promise<void> => {
      const from = whole.findIndex((packet) => packet.kind === 'video' && packet.dtsMs > closedMs());
      if (from === -1) return;
      await this.#start(whole.slice(from).filter(this.#isOpen));
      await this.#sink?.end();
    };
    await this.#onceThereIsRoom(() => this.#outlive(closeWhole, closeWhole));
    this.#sink = null;
    this.#lose(this.#open);
  }

  async abort(): Promise<void> {
    await this.#sink?.abort();
    this.#sink = null;
  }

  /** Sound up to here, on the line, is in a closed segment. */
  get soundUpToMs(): number {
    return this.#closedSoundMs + TAIL_ROUNDING_MS;
  }

  get #leading(): MediaPacket['kind'] {
    return this.spec.video ? 'video' : 'audio';
  }

  #fed(dtsMs: number): void {
    const last = this.#open.at(-1);
    if (last !== undefined) this.#frameMs = dtsMs - last;
    this.#open.push(dtsMs);
  }

  #fromKeyframe(packets: readonly MediaPacket[]): readonly MediaPacket[] {
    const first = packets.findIndex(
      (packet) => packet.kind === this.#leading && (packet.kind === 'audio' || packet.key),
    );
    return first === -1 ? [] : packets.slice(first);
  }

  /**
   * Runs a step; each time that the engine dies in it, `again` is run instead, with a new engine. For want of room it is
   * left at that: there is another chance at the next keyframe, and nothing is given up.
   */
  async #outlive(step: () => Promise<void>, again: () => Promise<void>): Promise<void> {
    for (let run = step; ; run = again) {
      try {
        await run();
        this.#waitsForRoom = false;
        return;
      } catch (error) {
        if (!isDeath(error)) throw error;
        if (isDiskFull(error) || (await hasNoRoom(this.spec.folder))) {
          await this.#leaveToTail(error);
          return;
        }
        const pauseMs = PAUSES_MS[this.#deaths];
        this.#deaths += 1;
        await this.#noteDeath(error);
        if (pauseMs === undefined) {
          this.#giveUp();
          return;
        }
        await this.#deps.clock.delay(pauseMs);
      }
    }
  }

  async #noteDeath(error: Error): Promise<void> {
    this.#deps.log.warn({ err: error, deaths: this.#deaths }, 'the recording engine died');
    this.#deps.onEngineDied(messageOf(error));
    await this.abort();
  }

  async #leaveToTail(error: Error): Promise<void> {
    // Of a disk that stays full nothing new is said.
    if (this.#waitsForRoom) await this.abort();
    else await this.#noteDeath(error);
    this.#waitsForRoom = true;
    this.#waitsForKeyframe = true;
    this.#lossCause = 'disk-full';
  }

  #giveUp(): void {
    this.#deps.log.error(
      { epoch: this.spec.epoch },
      'no recording engine survives this media; going on at the next keyframe. Run `livestow doctor`',
    );
    this.#closedDtsMs = this.#open.at(-1) ?? this.#closedDtsMs;
    this.#waitsForKeyframe = true;
  }

  /**
   * A new engine takes what no closed segment holds yet: the tail cuts at keyframes, as segments do. Where the tail lacks
   * something (the disk was full) a segment ends, and no picture follows there that no keyframe precedes.
   */
  async #restart(): Promise<void> {
    const packets = (await this.#openPackets()).filter(this.#isOpen);
    const runs = this.#runsOf(packets);
    const goesOn = runs.at(-1)?.findLast(({ kind }) => kind === this.#leading)?.dtsMs;
    const newest = this.#open.at(-1);
    const isTorn = goesOn === undefined || (newest !== undefined && newest - goesOn > TAIL_ROUNDING_MS);
    const cause = this.#lossCause;
    for (const [i, run] of runs.entries()) {
      await this.#start(run);
      if (i === runs.length - 1 && !isTorn) return;
      await this.#sink?.end();
      this.#sink = null;
      this.#lossCause = cause;
    }
    this.#waitsForKeyframe = true;
  }

  /** Cut where pictures that were fed are missing between two; each begins with a keyframe. */
  #runsOf(packets: readonly MediaPacket[]): MediaPacket[][] {
    const runs: MediaPacket[][] = [];
    let beforeMs: number | null = null;
    for (const packet of packets) {
      const { kind, dtsMs } = packet;
      // A GOP may be in a closed segment up to where the tail had it then.
      const isCut = this.spec.video === null || (packet.kind === 'video' && packet.key);
      if (runs.length === 0 && !isCut) continue;
      if (kind === this.#leading) {
        const [fromMs, toMs] = [(beforeMs ?? dtsMs) + TAIL_ROUNDING_MS, dtsMs - TAIL_ROUNDING_MS];
        if (this.#open.some((open) => open > fromMs && open < toMs)) runs.push([]);
        beforeMs = dtsMs;
      }
      if (runs.length === 0) runs.push([]);
      runs.at(-1)?.push(packet);
    }
    return runs;
  }

  async #start(packets: readonly MediaPacket[]): Promise<void> {
    const sink = await this.#deps.engine.open(
      { ...this.spec, firstSegment: this.#nextSegment },
      {
        onInit: (init) => {
          if (!this.#initGiven) this.#deps.onInit(init);
          this.#initGiven = true;
        },
        onSegment: (segment) => this.#closed(segment),
      },
    );
    this.#sink = sink;
    await sink.write(packets);
  }

  /** An engine that was fed from a torn tail does not know what it was not fed: that is counted here. */
  #closed(segment: ClosedSegment): void {
    this.#nextSegment = segment.n + 1;
    this.#closedDtsMs = Math.max(this.#closedDtsMs, segment.lastDtsMs);
    this.#closedSoundMs = Math.max(this.#closedSoundMs, segment.soundUpToMs ?? -Infinity);
    this.#deaths = 0;
    const isBefore = (dtsMs: number): boolean => dtsMs < Math.floor(segment.firstDtsMs);
    const isWithin = (dtsMs: number): boolean => !isBefore(dtsMs) && dtsMs <= Math.ceil(segment.lastDtsMs);
    this.#lose(this.#open.filter(isBefore), segment.firstDtsMs);
    const fed = this.#open.filter(isWithin).length;
    this.#open = this.#open.filter((dtsMs) => !isBefore(dtsMs) && !isWithin(dtsMs));
    this.#deps.onSegment(
      this.spec.video ? { ...segment, fedPictures: Math.max(fed, segment.fedPictures) } : segment,
      this.#lossCause,
    );
    this.#lossCause = 'engine-failed';
  }

  /** Sound behind a keyframe may be in the segment before it all the same. */
  readonly #isOpen = ({ kind, dtsMs }: MediaPacket): boolean =>
    kind === 'video' ? dtsMs > this.#closedDtsMs + TAIL_ROUNDING_MS : dtsMs > this.soundUpToMs;

  #lose(dtsMs: readonly number[], untilMs?: number): void {
    const [first, last] = [dtsMs[0], dtsMs.at(-1)];
    if (first === undefined || last === undefined) return;
    this.#deps.onLost(first, untilMs ?? last + this.#frameMs, this.#lossCause);
  }
}
