/**
 * The ground truth: what the sandbox really sent on each connection, what it answered, and which faults had an effect.
 * Media counts as sent when the operating system took it; what a dropped socket never took was not sent.
 */
import { EventEmitter } from 'node:events';
import type { FaultType } from './faults.ts';
import type { MediaName } from './media/recipes.ts';
import { RangeSet, type Range } from './ranges.ts';

type EventDetail =
  /** `positionMs` is where this room begins, or where the broadcast ends. */
  | { type: 'live' | 'room' | 'ended'; handle: string; roomId: string; positionMs: number }
  /** `answer` is the kind of rule that answered, or `truth`. */
  | {
      type: 'lookup';
      handle: string;
      status: number | null;
      answer: string;
      live: boolean;
      creditsCharged: number;
    }
  | { type: 'opened'; handle: string; transfer: number; protocol: 'flv' | 'hls' }
  | { type: 'closed'; handle: string; transfer: number; by: string }
  | { type: 'refused'; handle: string; status: number; why: string }
  /** The first tag of a GOP went out on a connection. */
  | { type: 'gop'; handle: string; transfer: number; picture: number }
  | { type: 'playlist'; handle: string; firstSequence: number; segments: number; ended: boolean }
  /** The fault did something: to this connection, or (null) to the world or to a request. */
  | {
      type: 'fault';
      handle: string;
      fault: FaultType;
      faultId: number;
      transfer: number | null;
      positionMs: number;
    };

/** `atMs` is since the scenario began, wall clock. */
export type SandboxEvent = EventDetail & { atMs: number };
export type SandboxEventOf<Type extends SandboxEvent['type']> = Extract<SandboxEvent, { type: Type }>;
export type FiredFault = SandboxEventOf<'fault'>;

/** One response that carries media: an FLV connection or an HLS segment. */
export interface Transfer {
  id: number;
  handle: string;
  roomId: string;
  protocol: 'flv' | 'hls';
  qualityKey: string;
  /** The media it began with. */
  media: MediaName;
  /** HLS media sequence number. */
  sequence: number | null;
  openedAtMs: number;
  closedAtMs: number | null;
  /** `client`, `end`, `done`, or the fault's type. */
  closedBy: string | null;
  bytes: number;
  pictures: RangeSet;
  /** AAC frames. */
  sound: RangeSet;
  /** With repeats: more than `pictures.size` when some went out twice. */
  picturesSent: number;
  framesSent: number;
  firstTimestampMs: number | null;
  lastTimestampMs: number | null;
}

export type TransferSnapshot = Omit<Transfer, 'pictures' | 'sound'> & { pictures: Range[]; sound: Range[] };

/** What a creator's audience was sent, all connections together. */
export interface Truth {
  handle: string;
  transfers: TransferSnapshot[];
  /** Numbers count on through all broadcasts of the creator; a picture bears its number modulo LOOP_PICTURES. */
  pictures: Range[];
  sound: Range[];
  fired: FiredFault[];
}

export interface Sent {
  bytes: number;
  pictures: readonly number[];
  frames: readonly number[];
  firstTimestampMs: number;
  lastTimestampMs: number;
}

export class Ledger {
  readonly #now: () => number;
  readonly #emitter = new EventEmitter<{ event: [SandboxEvent] }>();
  readonly events: SandboxEvent[] = [];
  readonly transfers: Transfer[] = [];

  /** `now` is the milliseconds since the scenario began. */
  constructor(now: () => number) {
    this.#now = now;
    this.#emitter.setMaxListeners(0);
  }

  say(detail: EventDetail): void {
    const event: SandboxEvent = { ...detail, atMs: this.#now() };
    this.events.push(event);
    this.#emitter.emit('event', event);
  }

  open(
    about: Pick<Transfer, 'handle' | 'roomId' | 'protocol' | 'qualityKey' | 'media' | 'sequence'>,
  ): Transfer {
    const transfer: Transfer = {
      ...about,
      id: this.transfers.length + 1,
      openedAtMs: this.#now(),
      closedAtMs: null,
      closedBy: null,
      bytes: 0,
      pictures: new RangeSet(),
      sound: new RangeSet(),
      picturesSent: 0,
      framesSent: 0,
      firstTimestampMs: null,
      lastTimestampMs: null,
    };
    this.transfers.push(transfer);
    this.say({ type: 'opened', handle: transfer.handle, transfer: transfer.id, protocol: transfer.protocol });
    return transfer;
  }

  sent(transfer: Transfer, sent: Sent): void {
    transfer.bytes += sent.bytes;
    for (const picture of sent.pictures) {
      transfer.pictures.add(picture);
    }
    for (const frame of sent.frames) {
      transfer.sound.add(frame);
    }
    transfer.picturesSent += sent.pictures.length;
    transfer.framesSent += sent.frames.length;
    transfer.firstTimestampMs ??= sent.firstTimestampMs;
    transfer.lastTimestampMs = sent.lastTimestampMs;
  }

  close(transfer: Transfer, by: string): void {
    if (transfer.closedAtMs !== null) {
      return;
    }
    transfer.closedAtMs = this.#now();
    transfer.closedBy = by;
    this.say({ type: 'closed', handle: transfer.handle, transfer: transfer.id, by });
  }

  /** The faults that had an effect, each effect once. */
  fired(handle?: string, type?: FaultType): FiredFault[] {
    return this.events.filter(
      (event): event is FiredFault =>
        event.type === 'fault' &&
        (handle === undefined || event.handle === handle) &&
        (type === undefined || event.fault === type),
    );
  }

  truth(handle: string): Truth {
    const transfers = this.transfers.filter((transfer) => transfer.handle === handle);
    return {
      handle,
      transfers: transfers.map(snapshot),
      pictures: new RangeSet(transfers.flatMap((transfer) => transfer.pictures.runs)).runs,
      sound: new RangeSet(transfers.flatMap((transfer) => transfer.sound.runs)).runs,
      fired: this.fired(handle),
    };
  }

  /** Calls back for each event from now on, until the returned function is called. */
  subscribe(listener: (event: SandboxEvent) => void): () => void {
    this.#emitter.on('event', listener);
    return () => void this.#emitter.off('event', listener);
  }

  /** The first event, past or to come, that the predicate is true of. Rejects when the signal aborts. */
  waitFor(predicate: (event: SandboxEvent) => boolean, signal?: AbortSignal): Promise<SandboxEvent> {
    const past = this.events.find(predicate);
    if (past) {
      return Promise.resolve(past);
    }
    const { promise, resolve, reject } = Promise.withResolvers<SandboxEvent>();
    const unsubscribe = this.subscribe((event) => {
      if (predicate(event)) {
        resolve(event);
      }
    });
    const abort = () => reject(signal?.reason as Error);
    signal?.addEventListener('abort', abort);
    if (signal?.aborted) {
      abort();
    }
    return promise.finally(() => {
      unsubscribe();
      signal?.removeEventListener('abort', abort);
    });
  }
}

export const snapshot = (transfer: Transfer): TransferSnapshot => ({
  ...transfer,
  pictures: transfer.pictures.runs,
  sound: transfer.sound.runs,
});
