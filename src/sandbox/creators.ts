/** Who is in the world, and what each of them broadcasts now. */
import { createHash } from 'node:crypto';
import { LivestowError } from '../kernel/errors.ts';
import { Broadcast, gopAt, gopStartMs } from './broadcast.ts';
import { faultSchema, type Fault, type FaultInput } from './faults.ts';
import type { Ledger } from './ledger.ts';
import type { Scenario, ScenarioCreator } from './scenario.ts';

/** Real room ids are numbers of 19 digits. */
const FIRST_ROOM = 7_300_000_000_000_000_000n;

export class SimulatedCreator {
  readonly handle: string;
  readonly creator: ScenarioCreator;
  readonly #speed: number;
  readonly #ledger: Ledger;
  readonly #now: () => number;
  readonly #nextFaultId: () => number;
  #broadcast: Broadcast | undefined;
  #wentLiveAtMs = 0;
  #rooms = 0;
  /** Up to which position the ledger was told. */
  #toldMs = 0;

  /** `now` is milliseconds since the scenario began. */
  constructor(about: {
    handle: string;
    creator: ScenarioCreator;
    speed: number;
    ledger: Ledger;
    now: () => number;
    nextFaultId: () => number;
  }) {
    this.handle = about.handle;
    this.creator = about.creator;
    this.#speed = about.speed;
    this.#ledger = about.ledger;
    this.#now = about.now;
    this.#nextFaultId = about.nextFaultId;
  }

  /** The one that is on, or the last. */
  get broadcast(): Broadcast | undefined {
    return this.#broadcast;
  }

  get platformUserId(): string {
    return this.creator.platformUserId ?? String(6_800_000_000_000_000_000n + this.#hash());
  }

  /** Milliseconds since the scenario began at which a position was, or will be, live. */
  timeOf(positionMs: number): number {
    return this.#wentLiveAtMs + (positionMs - (this.#broadcast?.originMs ?? 0)) / this.#speed;
  }

  /** The position now, the broadcast's end disregarded. */
  positionAt(timeMs: number): number {
    return (this.#broadcast?.originMs ?? 0) + (timeMs - this.#wentLiveAtMs) * this.#speed;
  }

  /** Begins a broadcast, unless one is on. */
  goLive(): Broadcast {
    if (this.#broadcast && !this.#broadcast.over) {
      return this.#broadcast;
    }
    const end = this.#broadcast?.end()?.atMs;
    const originMs = end === undefined ? 0 : gopStartMs(gopAt(end) + 1);
    this.#wentLiveAtMs = this.#now();
    this.#toldMs = originMs;
    this.#broadcast = new Broadcast({
      handle: this.handle,
      creator: this.creator,
      originMs,
      positionNow: () => Math.max(originMs, originMs + (this.#now() - this.#wentLiveAtMs) * this.#speed),
      nextRoomId: () => this.#nextRoomId(),
      nextFaultId: this.#nextFaultId,
    });
    const { roomId } = this.#broadcast.room(originMs);
    this.#ledger.say({ type: 'live', handle: this.handle, roomId, positionMs: originMs });
    return this.#broadcast;
  }

  /** Now, or at its own time. Throws USAGE when the creator never went live. */
  inject(input: FaultInput): Fault {
    const fault = faultSchema.parse(input);
    if (!this.#broadcast) {
      throw new LivestowError('USAGE', `${this.handle} was never live: nothing can go wrong yet.`);
    }
    this.#broadcast.schedule(fault);
    return fault;
  }

  /** Called at each tick: goes live when it is time, and tells of what happened to the world itself. */
  tick(): void {
    const { liveAtMs } = this.creator;
    if (!this.#broadcast && liveAtMs !== null && this.#now() >= liveAtMs) {
      this.goLive();
    }
    const broadcast = this.#broadcast;
    if (!broadcast) {
      return;
    }
    const edgeMs = broadcast.edgeMs();
    for (const { id, fault, atMs } of broadcast.faults) {
      if (atMs < this.#toldMs || atMs > edgeMs || !isOfTheWorld(fault) || this.#told.has(id)) {
        continue;
      }
      this.#told.add(id);
      const positionMs = atMs - broadcast.originMs;
      this.#ledger.say({
        type: 'fault',
        handle: this.handle,
        fault: fault.type,
        faultId: id,
        transfer: null,
        positionMs,
      });
      if (fault.type === 'room' || fault.type === 'end') {
        const { roomId } = broadcast.room(atMs);
        const type = fault.type === 'end' ? 'ended' : 'room';
        this.#ledger.say({ type, handle: this.handle, roomId, positionMs: atMs });
      }
    }
  }

  readonly #told = new Set<number>();

  #nextRoomId(): string {
    this.#rooms += 1;
    if (this.#rooms === 1 && this.creator.roomId !== undefined) {
      return this.creator.roomId;
    }
    const first =
      this.creator.roomId !== undefined && /^\d+$/.test(this.creator.roomId)
        ? BigInt(this.creator.roomId)
        : FIRST_ROOM + this.#hash() * 1_000n;
    return String(first + BigInt(this.#rooms - 1));
  }

  /** A number of up to 9 digits that belongs to the handle. */
  #hash(): bigint {
    return BigInt(createHash('sha256').update(this.handle).digest().readUInt32BE(0) % 1_000_000_000);
  }
}

/** Faults that happen whether or not anybody looks. */
function isOfTheWorld(fault: Fault): boolean {
  return fault.type === 'room' || fault.type === 'end' || fault.type === 'offline';
}

export function creatorsOf(
  scenario: Scenario,
  ledger: Ledger,
  now: () => number,
): Map<string, SimulatedCreator> {
  let faultId = 0;
  const nextFaultId = () => ++faultId;
  return new Map(
    Object.entries(scenario.creators).map(([handle, creator]) => [
      handle,
      new SimulatedCreator({ handle, creator, speed: scenario.speed, ledger, now, nextFaultId }),
    ]),
  );
}
