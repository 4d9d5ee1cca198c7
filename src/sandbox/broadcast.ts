/**
 * One broadcast of one creator: its clock, its rooms, and what its faults make of it at any position. Everything here is
 * a function of the position, so that the lookup API, HTTP-FLV and HLS always tell the same story.
 */
import type { Fault, FaultOf, FaultTarget, FaultType } from './faults.ts';
import { GOP_MS } from './media/grid.ts';
import type { MediaName } from './media/recipes.ts';
import type { ScenarioCreator, ScenarioVariant } from './scenario.ts';

export interface ScheduledFault<F extends Fault = Fault> {
  id: number;
  fault: F;
  /** Position. */
  atMs: number;
}

export interface Room {
  roomId: string;
  title: string | null;
  /** Position. */
  fromMs: number;
}

/** Media that was never made: from a position to the next keyframe after the encoder's pause. */
export interface Hole {
  fromMs: number;
  toGop: number;
}

export const gopStartMs = (gop: number): number => Math.round(gop * GOP_MS);
export const gopAt = (positionMs: number): number => {
  const gop = Math.floor(positionMs / GOP_MS);
  return gopStartMs(gop + 1) <= positionMs ? gop + 1 : gop;
};
const gopFrom = (positionMs: number): number => {
  const gop = gopAt(positionMs);
  return gopStartMs(gop) >= positionMs ? gop : gop + 1;
};

export class Broadcast {
  readonly handle: string;
  readonly creator: ScenarioCreator;
  /** The position at which it began: timestamps count from there. */
  readonly originMs: number;
  readonly #positionNow: () => number;
  readonly #nextRoomId: () => string;
  readonly #rooms: Room[];
  #faults: ScheduledFault[] = [];
  #faultIds: () => number;

  constructor(about: {
    handle: string;
    creator: ScenarioCreator;
    originMs: number;
    positionNow: () => number;
    nextRoomId: () => string;
    nextFaultId: () => number;
  }) {
    this.handle = about.handle;
    this.creator = about.creator;
    this.originMs = about.originMs;
    this.#positionNow = about.positionNow;
    this.#nextRoomId = about.nextRoomId;
    this.#faultIds = about.nextFaultId;
    const roomId = about.nextRoomId();
    this.#rooms = [{ roomId, title: about.creator.title, fromMs: about.originMs }];
    for (const fault of about.creator.faults) {
      this.schedule(fault);
    }
    if (about.creator.durationMs !== null) {
      this.schedule({ type: 'end', media: 'close', atMs: about.creator.durationMs });
    }
  }

  /** In order of position. */
  get faults(): readonly ScheduledFault[] {
    return this.#faults;
  }

  schedule(fault: Fault): ScheduledFault {
    const nowMs = this.#positionNow();
    const atMs = Math.max(this.originMs + (fault.atMs ?? -Infinity), nowMs);
    const scheduled = { id: this.#faultIds(), fault, atMs };
    this.#faults = [...this.#faults, scheduled].sort((a, b) => a.atMs - b.atMs);
    if (fault.type === 'room') {
      const last = this.#rooms.at(-1)!;
      this.#rooms.push({
        roomId: fault.roomId ?? this.#nextRoomId(),
        title: fault.title ?? last.title,
        fromMs: atMs,
      });
      this.#rooms.sort((a, b) => a.fromMs - b.fromMs);
    }
    return scheduled;
  }

  /** The live edge: now, or the end. */
  edgeMs(): number {
    return Math.min(this.#positionNow(), this.end()?.atMs ?? Infinity);
  }

  end(): ScheduledFault<FaultOf<'end'>> | undefined {
    return this.#of('end')[0];
  }

  get over(): boolean {
    const end = this.end();
    return end !== undefined && this.#positionNow() >= end.atMs;
  }

  room(positionMs: number): Room {
    return this.#rooms.findLast((room) => room.fromMs <= positionMs) ?? this.#rooms[0]!;
  }

  get rooms(): readonly Room[] {
    return this.#rooms;
  }

  /** The last fault of this type that is on at the position. One without a duration lasts. */
  active<Type extends FaultType>(
    type: Type,
    positionMs: number,
    variant?: ScenarioVariant,
    protocol?: 'flv' | 'hls',
  ): ScheduledFault<FaultOf<Type>> | undefined {
    return this.#of(type).findLast(
      ({ fault, atMs }) =>
        atMs <= positionMs &&
        positionMs < atMs + (('forMs' in fault ? fault.forMs : undefined) ?? Infinity) &&
        (variant === undefined || hits(fault.target, variant, protocol)),
    );
  }

  holes(): Hole[] {
    return this.#of('stall')
      .filter(({ fault }) => fault.scope === 'source')
      .map(({ fault, atMs }) => ({ fromMs: atMs, toGop: gopFrom(atMs + fault.forMs) }));
  }

  /** What there is to send at this edge: in the encoder's pause, no more than before it. */
  contentEdgeMs(edgeMs: number): number {
    return Math.min(edgeMs, ...this.holes().flatMap((hole) => (inHole(hole, edgeMs) ? [hole.fromMs] : [])));
  }

  /** What is sent in the place of this media in a GOP. */
  mediaAt(media: MediaName, gop: number): { media: MediaName; by: ScheduledFault | undefined } {
    const by = this.#of('media').findLast(
      ({ fault, atMs }) => gopFrom(atMs) <= gop && (fault.replaces === undefined || fault.replaces === media),
    );
    return { media: by?.fault.media ?? media, by };
  }

  #of<Type extends FaultType>(type: Type): ScheduledFault<FaultOf<Type>>[] {
    return this.#faults.filter(
      (scheduled): scheduled is ScheduledFault<FaultOf<Type>> => scheduled.fault.type === type,
    );
  }
}

export const inHole = (hole: Hole, positionMs: number): boolean =>
  positionMs >= hole.fromMs && positionMs < gopStartMs(hole.toGop);

export function hits(
  target: FaultTarget | undefined,
  variant: ScenarioVariant,
  protocol: 'flv' | 'hls' | undefined,
): boolean {
  return (
    (target?.qualityKey ?? variant.qualityKey) === variant.qualityKey &&
    (target?.protocol ?? protocol) === protocol &&
    (target?.codecFamily ?? variant.codecFamily) === variant.codecFamily
  );
}
