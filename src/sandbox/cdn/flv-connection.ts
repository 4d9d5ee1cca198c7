/**
 * One HTTP-FLV connection: sends what is due at each tick, in one write, and suffers the faults that were scheduled after
 * it opened, each at its exact place in the media.
 */
import type { ServerResponse } from 'node:http';
import { encodeFlvTag, FLV_HEADER } from '../../media/flv.ts';
import { hits, type Broadcast, type ScheduledFault } from '../broadcast.ts';
import type { FaultOf } from '../faults.ts';
import type { Ledger, Transfer } from '../ledger.ts';
import type { MediaLibrary } from '../media/library.ts';
import type { ScenarioVariant } from '../scenario.ts';
import { FlvBatch } from './flv-batch.ts';
import { garbledBytes } from './garble.ts';
import { FlvPlayhead } from './flv-playhead.ts';

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

export class FlvConnection {
  readonly #response: ServerResponse;
  readonly #broadcast: Broadcast;
  readonly #variant: ScenarioVariant;
  readonly #transfer: Transfer;
  readonly #ledger: Ledger;
  readonly #openedAtMs: number;
  readonly #playhead: FlvPlayhead;
  readonly #suffered = new Set<number>();
  #silence: { untilMs: number; afterwards: FaultOf<'stall'>['afterwards'] } | undefined;
  #headOwed = true;
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
    this.#response = response;
    this.#broadcast = broadcast;
    this.#variant = variant;
    this.#transfer = transfer;
    this.#ledger = ledger;
    this.#openedAtMs = broadcast.edgeMs();
    const join = broadcast.active('join', this.#openedAtMs, variant, 'flv');
    if (join) {
      this.#fired(join);
    }
    this.#playhead = new FlvPlayhead({
      broadcast,
      variant,
      library,
      fired: (fault) => this.#fired(fault),
      gopsBack: (join?.fault.gops ?? gopCache) - 1,
      edgeMs: this.#openedAtMs,
      restart: join?.fault.timestamps === 'restart',
    });
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
    const noMedia = this.#broadcast.active('no-media', this.#openedAtMs, this.#variant, 'flv');
    if (noMedia) {
      this.#fired(noMedia);
      this.#silence = { untilMs: noMedia.atMs + noMedia.fault.forMs, afterwards: 'resume' };
    }
    if (noMedia?.fault.how === 'empty') {
      this.#response.flushHeaders();
    } else {
      this.#sendHead();
    }
  }

  #sendHead(): void {
    this.#headOwed = false;
    const { track } = this.#playhead;
    const header = Buffer.from(FLV_HEADER);
    header[4] = track.videoHeader ? 0b101 : 0b100;
    const late = this.#broadcast.active('late-audio-header', this.#openedAtMs, this.#variant, 'flv');
    if (late) {
      this.#fired(late);
      this.#playhead.withholdAudioHeader(
        this.#openedAtMs + late.fault.byMs,
        late.fault.frames === 'withheld',
      );
    }
    const tags = [track.script, track.videoHeader, late ? undefined : track.audioHeader];
    this.#response.write(Buffer.concat([header, ...tags.flatMap((tag) => (tag ? [encodeFlvTag(tag)] : []))]));
  }

  #nextFault(edgeMs: number): ScheduledFault | undefined {
    return this.#broadcast.faults.find(
      ({ id, fault, atMs }) =>
        atMs > this.#openedAtMs &&
        atMs <= edgeMs &&
        !this.#suffered.has(id) &&
        hits(fault.target, this.#variant, 'flv'),
    );
  }

  #advanceTo(limitMs: number): void {
    if (this.#silence && limitMs < this.#silence.untilMs) {
      return;
    }
    if (this.#silence) {
      const { afterwards, untilMs } = this.#silence;
      this.#silence = undefined;
      if (afterwards === 'drop' || afterwards === 'close') {
        return this.#end('stall', afterwards);
      }
      if (afterwards === 'resume') {
        this.#playhead.skipToEdge(untilMs);
      }
      if (this.#headOwed) {
        this.#sendHead();
      }
    }
    const batch = new FlvBatch();
    this.#playhead.collect(limitMs, batch);
    this.#send(batch);
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
        this.#ledger.sent(this.#transfer, sent);
        if (batch.keyPicture !== undefined) {
          const { handle, id } = this.#transfer;
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

  #suffer(scheduled: ScheduledFault): void {
    const { fault, atMs } = scheduled;
    switch (fault.type) {
      case 'stall':
        this.#silence = { untilMs: atMs + fault.forMs, afterwards: fault.afterwards };
        return this.#fired(scheduled);
      case 'drop':
        return this.#endBy(scheduled, fault.reset ? 'reset' : 'drop');
      case 'close':
        return this.#endBy(scheduled, 'close');
      case 'refuse':
      case 'html':
      case 'no-media':
      case 'expire':
        return fault.cut ? this.#endBy(scheduled, 'drop') : undefined;
      case 'replay':
        this.#playhead.replay(fault.gops, fault.timestamps);
        return this.#fired(scheduled);
      case 'loop':
        this.#playhead.loop(fault.gops, atMs + fault.forMs);
        return this.#fired(scheduled);
      case 'jump':
        this.#playhead.jump(fault.byMs);
        return this.#fired(scheduled);
      case 'reset':
        this.#playhead.reset();
        return this.#fired(scheduled);
      case 'garble':
        this.#response.write(garbledBytes(fault.how, this.#playhead.nextTimestampMs));
        return this.#fired(scheduled);
      case 'repeat-headers':
        return this.#playhead.repeatHeaders({ ...scheduled, fault });
      case 'room':
        return fault.media === 'breaks' ? this.#end('room', 'close') : undefined;
      case 'offline':
        return fault.media === 'stops' ? this.#end('offline', 'close') : undefined;
      case 'end':
        return this.#broadcastOver(fault, atMs);
      case 'join':
      case 'media':
      case 'late-audio-header':
      case 'hls-frozen':
      case 'hls-missing':
        // They have no effect at a moment of an open connection.
        return undefined;
    }
  }

  #broadcastOver({ media }: FaultOf<'end'>, endMs: number): void {
    if (!this.#silence) {
      const batch = new FlvBatch();
      this.#playhead.collectLast(endMs, batch);
      this.#send(batch);
    }
    if (media !== 'silence') {
      this.#end('end', media);
    }
  }

  #fired({ id, fault, atMs }: ScheduledFault): void {
    const { handle, id: transfer } = this.#transfer;
    const positionMs = atMs - this.#broadcast.originMs;
    this.#ledger.say({ type: 'fault', handle, fault: fault.type, faultId: id, transfer, positionMs });
  }

  #endBy(scheduled: ScheduledFault, how: 'drop' | 'reset' | 'close'): void {
    this.#fired(scheduled);
    this.#end(scheduled.fault.type, how);
  }

  /** Only when all that was sent before is on its way, so that the ledger and the client agree. */
  #end(by: string, how: 'drop' | 'reset' | 'close'): void {
    this.#closed = true;
    this.#whenFlushed = () => {
      this.#ledger.close(this.#transfer, by);
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
    this.#ledger.close(this.#transfer, by);
  }
}
