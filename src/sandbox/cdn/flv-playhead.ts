/**
 * Where an FLV connection is in the media: which tag comes next, when it is due, and which timestamp it bears after all
 * the faults that the connection has suffered.
 */
import { gopAt, type Broadcast, type ScheduledFault } from '../broadcast.ts';
import type { FaultOf } from '../faults.ts';
import type { MediaLibrary } from '../media/library.ts';
import type { Track } from '../media/track.ts';
import type { ScenarioVariant } from '../scenario.ts';
import { Cursor, wholeEndMs } from './cursor.ts';
import type { FlvBatch } from './flv-batch.ts';

/** GOPs that go round and round. */
interface Round {
  fromGop: number;
  toGop: number;
  untilMs: number;
  /** Added to a tag's position to tell when it is due. */
  lateMs: number;
  shiftBeforeMs: number;
}

export class FlvPlayhead {
  readonly #broadcast: Broadcast;
  readonly #variant: ScenarioVariant;
  readonly #library: MediaLibrary;
  readonly #fired: (fault: ScheduledFault) => void;
  readonly #cursor: Cursor;
  /** Added to a tag's position to make its timestamp. */
  #shiftMs: number;
  /** The next tag gets timestamp 0. */
  #restart: boolean;
  #round: Round | undefined;
  #lateAudioHeader: { dueMs: number; framesWithheld: boolean } | undefined;
  #headersAgain: ScheduledFault<FaultOf<'repeat-headers'>> | undefined;

  constructor(about: {
    broadcast: Broadcast;
    variant: ScenarioVariant;
    library: MediaLibrary;
    /** Hears of faults that take effect within the media. */
    fired: (fault: ScheduledFault) => void;
    /** So many GOPs before the one at the live edge... */
    gopsBack: number;
    /** ...which is here. */
    edgeMs: number;
    restart: boolean;
  }) {
    const { broadcast, gopsBack, edgeMs } = about;
    this.#broadcast = broadcast;
    this.#variant = about.variant;
    this.#library = about.library;
    this.#fired = about.fired;
    const gop = Math.max(gopAt(broadcast.contentEdgeMs(edgeMs)) - gopsBack, gopAt(broadcast.originMs));
    this.#cursor = new Cursor(this.#trackAt(gop), gop);
    this.#shiftMs = -broadcast.originMs;
    this.#restart = about.restart;
  }

  get track(): Track {
    return this.#cursor.track;
  }

  get nextTimestampMs(): number {
    return Math.max(0, this.#cursor.dtsMs + this.#shiftMs);
  }

  withholdAudioHeader(dueMs: number, framesWithheld: boolean): void {
    this.#lateAudioHeader = { dueMs, framesWithheld };
  }

  /** Gathers everything due before the limit. */
  collect(limitMs: number, batch: FlvBatch): void {
    const round = this.#round;
    if (round) {
      this.#gather(Math.min(limitMs, round.untilMs), batch);
      if (limitMs < round.untilMs) {
        return;
      }
      this.#round = undefined;
      this.#shiftMs = round.shiftBeforeMs;
      // The next keyframe, so that timestamps go on.
      this.#cursor.toGop(Math.max(round.toGop, gopAt(round.untilMs) + 1));
    }
    this.#gather(limitMs, batch);
  }

  /** Gathers what an encoder still puts out when the broadcast ends. */
  collectLast(endMs: number, batch: FlvBatch): void {
    if (!this.#round) {
      this.#gather(wholeEndMs(this.track, endMs), batch);
    }
  }

  /** On to the keyframe of the live edge, unless that was sent. */
  skipToEdge(edgeMs: number): void {
    this.#cursor.toEdge(this.#broadcast.contentEdgeMs(edgeMs));
  }

  /** To zero at most: there is no earlier timestamp in FLV, and from there on they count again. */
  jump(byMs: number): void {
    this.#shiftMs = Math.max(this.#shiftMs + byMs, -this.#cursor.dtsMs);
  }

  reset(): void {
    this.#restart = true;
  }

  repeatHeaders(fault: ScheduledFault<FaultOf<'repeat-headers'>>): void {
    this.#headersAgain = fault;
  }

  replay(gops: number, timestamps: 'same' | 'onward'): void {
    const backMs = this.#goBackTo(this.#gopBefore(gops));
    this.#shiftMs += timestamps === 'onward' ? backMs : 0;
  }

  loop(gops: number, untilMs: number): void {
    const fromGop = this.#gopBefore(gops);
    const toGop = Math.max(this.#cursor.gop, fromGop + 1);
    const shiftBeforeMs = this.#shiftMs;
    const lateMs = this.#goBackTo(fromGop);
    this.#shiftMs += lateMs;
    this.#round = { fromGop, toGop, untilMs, lateMs, shiftBeforeMs };
  }

  #gather(limitMs: number, batch: FlvBatch): void {
    const cursor = this.#cursor;
    for (;;) {
      if (this.#round && cursor.gop === this.#round.toGop && cursor.atGopStart) {
        const roundMs = this.#goBackTo(this.#round.fromGop);
        this.#round.lateMs += roundMs;
        this.#shiftMs += roundMs;
      }
      cursor.leaveHole(this.#broadcast);
      const dueMs = cursor.dtsMs + (this.#round?.lateMs ?? 0);
      if (dueMs >= limitMs) {
        return;
      }
      if (cursor.atGopStart) {
        this.#beginGop(batch);
      }
      this.#addTag(batch, dueMs);
      cursor.advance();
    }
  }

  #beginGop(batch: FlvBatch): void {
    const cursor = this.#cursor;
    const track = this.#trackAt(cursor.gop);
    if (track !== cursor.track) {
      const { by } = this.#broadcast.mediaAt(this.#variant.media, cursor.gop);
      cursor.toGop(cursor.gop, track);
      if (by) {
        this.#fired(by);
      }
      this.#addHeaders(batch, track);
    } else if (this.#headersAgain) {
      const { fault, atMs } = this.#headersAgain;
      this.#fired(this.#headersAgain);
      this.#addHeaders(batch, track);
      if (fault.forMs === undefined || cursor.dtsMs >= atMs + fault.forMs) {
        this.#headersAgain = undefined;
      }
    }
    if (cursor.tag.kind === 'video') {
      batch.keyPicture = cursor.number;
    }
  }

  #addHeaders(batch: FlvBatch, track: Track): void {
    const timestampMs = this.#timestampMs();
    for (const tag of [track.videoHeader, this.#lateAudioHeader ? undefined : track.audioHeader]) {
      if (tag) {
        batch.addWhole({ ...tag, timestampMs });
      }
    }
  }

  #addTag(batch: FlvBatch, dueMs: number): void {
    const { tag, track, number } = this.#cursor;
    const timestampMs = this.#timestampMs();
    if (this.#lateAudioHeader && dueMs >= this.#lateAudioHeader.dueMs) {
      this.#lateAudioHeader = undefined;
      batch.addWhole({ ...track.audioHeader, timestampMs });
    }
    if (tag.kind === 'video' || !this.#lateAudioHeader?.framesWithheld) {
      batch.add(track.bytes.subarray(tag.from, tag.end), tag.kind, number, timestampMs);
    }
  }

  #timestampMs(): number {
    if (this.#restart) {
      this.#restart = false;
      this.#shiftMs = -this.#cursor.dtsMs;
    }
    return Math.max(0, this.#cursor.dtsMs + this.#shiftMs);
  }

  #trackAt(gop: number): Track {
    return this.#library.track(
      this.#broadcast.mediaAt(this.#variant.media, gop).media,
      this.#variant.flvForm,
    );
  }

  #gopBefore(gops: number): number {
    return Math.max(this.#cursor.gop - gops, gopAt(this.#broadcast.originMs));
  }

  /** How far that was, in milliseconds. */
  #goBackTo(gop: number): number {
    const beforeMs = this.#cursor.dtsMs;
    this.#cursor.toGop(gop, this.#trackAt(gop));
    return beforeMs - this.#cursor.dtsMs;
  }
}
