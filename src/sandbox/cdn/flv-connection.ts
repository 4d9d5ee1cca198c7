/**
 * One HTTP-FLV connection: sends what is due at each tick and suffers the faults that were scheduled after it opened,
 * each at its exact place in the media. Media is copied once, in one write a tick.
 */
import type { ServerResponse } from 'node:http';
import { encodeFlvTag, FLV_HEADER } from '../../media/flv.ts';
import { gopAt, hits, type Broadcast, type ScheduledFault } from '../broadcast.ts';
import type { FaultOf } from '../faults.ts';
import type { Ledger, Transfer } from '../ledger.ts';
import type { MediaLibrary } from '../media/library.ts';
import type { Track } from '../media/track.ts';
import type { ScenarioVariant } from '../scenario.ts';
import { Cursor } from './cursor.ts';
import { FlvBatch } from './flv-batch.ts';

/** What a client that does not read may have waiting before the sandbox waits for it. */
const BACKLOG_BYTES_MAX = 8 * 1024 * 1024;

export interface FlvConnectionDependencies {
  response: ServerResponse;
  broadcast: Broadcast;
  variant: ScenarioVariant;
  transfer: Transfer;
  ledger: Ledger;
  library: MediaLibrary;
  gopCache: number;
}

interface Silence {
  untilMs: number;
  afterwards: FaultOf<'stall'>['afterwards'];
}

interface Looping {
  fromGop: number;
  toGop: number;
  untilMs: number;
  /** Added to a tag's time to tell when it is due. */
  lateMs: number;
  shiftBeforeMs: number;
}

export class FlvConnection {
  readonly transfer: Transfer;
  readonly #response: ServerResponse;
  readonly #broadcast: Broadcast;
  readonly #variant: ScenarioVariant;
  readonly #ledger: Ledger;
  readonly #library: MediaLibrary;
  readonly #openedAtMs: number;
  readonly #suffered = new Set<number>();
  readonly #cursor: Cursor;
  /** Added to a tag's position to make its timestamp. */
  #shiftMs: number;
  #restart: boolean;
  #silence: Silence | undefined;
  #looping: Looping | undefined;
  #audioHeader: { dueMs: number; framesWithheld: boolean } | undefined;
  #headersAgain: ScheduledFault<FaultOf<'repeat-headers'>> | undefined;
  #headersOwed = false;
  #unflushed = 0;
  #whenFlushed: (() => void) | undefined;
  #closed = false;

  constructor({
    response,
    broadcast,
    variant,
    transfer,
    ledger,
    library,
    gopCache,
  }: FlvConnectionDependencies) {
    this.transfer = transfer;
    this.#response = response;
    this.#broadcast = broadcast;
    this.#variant = variant;
    this.#ledger = ledger;
    this.#library = library;
    this.#openedAtMs = broadcast.edgeMs();
    const join = broadcast.active('join', this.#openedAtMs, variant, 'flv');
    if (join) {
      this.#fired(join);
    }
    const gops = join?.fault.gops ?? gopCache;
    const gop = Math.max(
      gopAt(broadcast.contentEdgeMs(this.#openedAtMs)) - gops + 1,
      gopAt(broadcast.originMs),
    );
    this.#cursor = new Cursor(this.#trackAt(gop), gop);
    this.#shiftMs = -broadcast.originMs;
    this.#restart = join?.fault.timestamps === 'restart';
    response.once('close', () => this.#gone('client'));
    this.#greet();
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Sends all that is due at the live edge. */
  pump(): void {
    const edgeMs = this.#broadcast.edgeMs();
    while (!this.#closed && this.#response.writableLength < BACKLOG_BYTES_MAX) {
      const fault = this.#nextFault(edgeMs);
      this.#advanceTo(fault?.atMs ?? edgeMs);
      if (!fault || this.#closed) {
        return;
      }
      this.#suffered.add(fault.id);
      this.#suffer(fault);
    }
  }

  /** Ends it from outside: the sandbox closes. */
  destroy(): void {
    this.#gone('sandbox');
    this.#response.destroy();
  }

  #greet(): void {
    const silent = this.#broadcast.active('no-media', this.#openedAtMs, this.#variant, 'flv');
    if (silent) {
      this.#fired(silent);
      this.#silence = { untilMs: silent.atMs + silent.fault.forMs, afterwards: 'resume' };
      if (silent.fault.how === 'empty') {
        this.#response.flushHeaders();
        this.#headersOwed = true;
        return;
      }
    }
    this.#sendHead();
  }

  #sendHead(): void {
    this.#headersOwed = false;
    const { track } = this.#cursor;
    const header = Buffer.from(FLV_HEADER);
    header[4] = track.videoHeader ? 0b101 : 0b100;
    const late = this.#broadcast.active('late-audio-header', this.#openedAtMs, this.#variant, 'flv');
    if (late) {
      this.#fired(late);
      const framesWithheld = late.fault.frames === 'withheld';
      this.#audioHeader = { dueMs: this.#openedAtMs + late.fault.byMs, framesWithheld };
    }
    const tags = [track.script, track.videoHeader, late ? undefined : track.audioHeader];
    this.#response.write(Buffer.concat([header, ...tags.flatMap((tag) => (tag ? [encodeFlvTag(tag)] : []))]));
  }

  #trackAt(gop: number): Track {
    return this.#library.track(
      this.#broadcast.mediaAt(this.#variant.media, gop).media,
      this.#variant.flvForm,
    );
  }

  #nextFault(edgeMs: number): ScheduledFault | undefined {
    return this.#broadcast.faults.find(
      ({ id, fault, atMs }) =>
        atMs >= this.#openedAtMs &&
        atMs <= edgeMs &&
        !this.#suffered.has(id) &&
        hits(fault.target, this.#variant, 'flv'),
    );
  }

  #advanceTo(limitMs: number): void {
    if (this.#silence) {
      if (limitMs < this.#silence.untilMs) {
        return;
      }
      const { afterwards, untilMs } = this.#silence;
      this.#silence = undefined;
      switch (afterwards) {
        case 'drop':
          return this.#end('stall', 'drop');
        case 'close':
          return this.#end('stall', 'close');
        case 'resume':
          this.#cursor.toEdge(this.#broadcast.contentEdgeMs(untilMs));
          break;
        case 'catch-up':
          break;
      }
      if (this.#headersOwed) {
        this.#sendHead();
      }
    }
    const looping = this.#looping;
    if (looping) {
      this.#collect(Math.min(limitMs, looping.untilMs));
      if (limitMs < looping.untilMs) {
        return;
      }
      this.#looping = undefined;
      this.#shiftMs = looping.shiftBeforeMs;
      this.#cursor.toGop(looping.toGop);
      this.#cursor.toEdge(this.#broadcast.contentEdgeMs(looping.untilMs));
    }
    this.#collect(limitMs);
  }

  /** Everything due before the limit, as one write. */
  #collect(limitMs: number): void {
    const batch = new FlvBatch();
    const cursor = this.#cursor;
    for (;;) {
      if (this.#looping && cursor.gop === this.#looping.toGop && cursor.atGopStart) {
        const roundMs = this.#goBack(this.#looping.fromGop);
        this.#looping.lateMs += roundMs;
        this.#shiftMs += roundMs;
      }
      cursor.leaveHole(this.#broadcast);
      const dueMs = cursor.dtsMs + (this.#looping?.lateMs ?? 0);
      if (dueMs >= limitMs) {
        break;
      }
      if (cursor.atGopStart) {
        this.#beginGop(batch);
      }
      this.#addTag(batch, dueMs);
      cursor.advance();
    }
    this.#send(batch);
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
    for (const tag of [track.videoHeader, this.#audioHeader ? undefined : track.audioHeader]) {
      if (tag) {
        batch.addWhole({ ...tag, timestampMs });
      }
    }
  }

  #addTag(batch: FlvBatch, dueMs: number): void {
    const { tag, track, number } = this.#cursor;
    const timestampMs = this.#timestampMs();
    if (this.#audioHeader && dueMs >= this.#audioHeader.dueMs) {
      this.#audioHeader = undefined;
      batch.addWhole({ ...track.audioHeader, timestampMs });
    }
    if (tag.kind === 'video' || !this.#audioHeader?.framesWithheld) {
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

  #send(batch: FlvBatch): void {
    const sent = batch.take();
    if (!sent) {
      return;
    }
    this.#unflushed += 1;
    this.#response.write(sent.data, (error) => {
      this.#unflushed -= 1;
      if (!error) {
        this.#ledger.sent(this.transfer, sent);
        if (batch.keyPicture !== undefined) {
          const { handle, id } = this.transfer;
          this.#ledger.say({ type: 'gop', handle, transfer: id, picture: batch.keyPicture });
        }
      }
      this.#flushed();
    });
  }

  #flushed(): void {
    if (this.#unflushed === 0) {
      this.#whenFlushed?.();
      this.#whenFlushed = undefined;
    }
  }

  /** How far that was, in milliseconds. */
  #goBack(gop: number): number {
    const beforeMs = this.#cursor.dtsMs;
    this.#cursor.toGop(gop, this.#trackAt(gop));
    return beforeMs - this.#cursor.dtsMs;
  }

  #backBy(gops: number): number {
    return Math.max(this.#cursor.gop - gops, gopAt(this.#broadcast.originMs));
  }

  #suffer(scheduled: ScheduledFault): void {
    const { fault, atMs } = scheduled;
    const firedAtOnce = () => this.#fired(scheduled);
    switch (fault.type) {
      case 'stall':
        firedAtOnce();
        this.#silence = { untilMs: atMs + fault.forMs, afterwards: fault.afterwards };
        return;
      case 'drop':
        firedAtOnce();
        return this.#end('drop', fault.reset ? 'reset' : 'drop');
      case 'close':
        firedAtOnce();
        return this.#end('close', 'close');
      case 'refuse':
      case 'html':
      case 'no-media':
      case 'expire':
        if (fault.cut) {
          firedAtOnce();
          this.#end(fault.type, 'drop');
        }
        return;
      case 'replay': {
        firedAtOnce();
        const backMs = this.#goBack(this.#backBy(fault.gops));
        this.#shiftMs += fault.timestamps === 'onward' ? backMs : 0;
        return;
      }
      case 'loop': {
        firedAtOnce();
        const fromGop = this.#backBy(fault.gops);
        const toGop = Math.max(this.#cursor.gop, fromGop + 1);
        const shiftBeforeMs = this.#shiftMs;
        const lateMs = this.#goBack(fromGop);
        this.#shiftMs += lateMs;
        this.#looping = { fromGop, toGop, untilMs: atMs + fault.forMs, lateMs, shiftBeforeMs };
        return;
      }
      case 'jump':
        firedAtOnce();
        this.#shiftMs += fault.byMs;
        return;
      case 'reset':
        firedAtOnce();
        this.#restart = true;
        return;
      case 'repeat-headers':
        this.#headersAgain = scheduled as ScheduledFault<FaultOf<'repeat-headers'>>;
        return;
      case 'room':
        if (fault.media === 'breaks') {
          this.#end('room', 'close');
        }
        return;
      case 'offline':
        if (fault.media === 'stops') {
          this.#end('offline', 'close');
        }
        return;
      case 'end':
        if (fault.media !== 'silence') {
          this.#end('end', fault.media);
        }
        return;
      case 'join':
      case 'media':
      case 'late-audio-header':
      case 'hls-frozen':
      case 'hls-missing':
        return;
    }
  }

  #fired({ id, fault, atMs }: ScheduledFault): void {
    const { handle, id: transfer } = this.transfer;
    const positionMs = atMs - this.#broadcast.originMs;
    this.#ledger.say({ type: 'fault', handle, fault: fault.type, faultId: id, transfer, positionMs });
  }

  /** Only when all that was sent before is on its way, so that the ledger and the client agree. */
  #end(by: string, how: 'drop' | 'reset' | 'close'): void {
    this.#closed = true;
    this.#whenFlushed = () => {
      this.#ledger.close(this.transfer, by);
      switch (how) {
        case 'close':
          this.#response.end();
          return;
        case 'drop':
          this.#response.socket?.destroy();
          return;
        case 'reset':
          this.#response.socket?.resetAndDestroy();
          return;
      }
    };
    this.#flushed();
  }

  #gone(by: string): void {
    this.#closed = true;
    this.#ledger.close(this.transfer, by);
  }
}
