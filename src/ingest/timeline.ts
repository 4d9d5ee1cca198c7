/**
 * The session's one time line. Connections come and go, each with timestamps of its own that may jump or restart; the
 * time line puts their packets one after another in milliseconds that only grow, drops what was sent again, cuts epochs
 * where the codec configuration really changes or where media is missing, and says how much is missing and why.
 *
 * Invariants:
 * - no packet that a source gave is dropped, but for: one that was recorded already, pictures that no keyframe of their
 *   connection precedes, and sound that no epoch has a configuration for (each noted as an event);
 * - an epoch begins with a keyframe (or is audio alone) and has one configuration;
 * - audio and video of one source are always shifted together.
 *
 * `offset` maps a source's timestamps to the line while the source's clock holds. A timestamp that would lie ahead of the
 * live edge comes from a clock that was changed, not from media that was skipped: that is how a jump by an hour is told
 * from a gap. Clocks that held before are remembered, for a source may come back to them.
 */
import {
  isConfig,
  type AudioConfig,
  type MediaPacket,
  type MediaUnit,
  type VideoConfig,
} from '../media/packet.ts';
import type { GapCause } from '../model/causes.ts';
import { printOf, RecentMedia, type Printed } from './recent-media.ts';
import { sameConfig } from './same-config.ts';
import { WallClock } from './wall-clock.ts';

/** Where the line begins, so that sound a little ahead of the first picture stays positive. */
const FIRST_DTS_MS = 60_000;
/** BililiveRecorder's rule for a jump within a connection. */
const JUMP_MS = 500;
/** Decode times of one track never go back, but for what a muxer rounds. */
const BACK_MS = 100;
/** A timestamp may be this much ahead of the live edge before it can't be of the same clock. */
const AHEAD_MS = 250;
/** ... and this much behind it: the CDN's own buffer at a join, a slow link. */
const BEHIND_MS = 60_000;
const ROUNDING_MS = 10;
/** Silence within a connection, with a changed clock after it, that counts as missing media. */
const SILENCE_MS = 1_500;
/** How long a join watches arrivals to find the live edge: the CDN's cache comes faster than real time. */
const EDGE_WATCH_MS = 500;
/** How near to the live edge media must come to be where the arrivals say that it is. */
const EDGE_TOLERANCE_MS = 1_000;
/** A hole by arrivals alone is no better known than this. */
const ARRIVAL_TOLERANCE_MS = 100;
/** HLS gives media when a segment of it is whole: its arrivals tell the live edge to a segment only. */
const JITTER_MS = { flv: 0, hls: 4_000, cmaf: 4_000 } as const;
/** How much media a join holds back to see whether there is sound. */
const AUDIO_WAIT_MS = 3_000;
const HELD_BYTES_MAX = 32 * 1024 * 1024;
const CLOCKS_KEPT = 4;

export type EpochItem = { kind: 'epoch'; video: VideoConfig | null; audio: AudioConfig | null };
export type GapItem = { kind: 'gap'; fromMs: number; toMs: number; cause: GapCause };
export type EventItem = {
  kind: 'event';
  event: string;
  detail: Record<string, string | number | boolean | null>;
};
/** Packets come with `dtsMs` on the session's line. Gaps are in wall-clock milliseconds and stand before their epoch. */
export type TimelineItem = MediaPacket | EpochItem | GapItem | EventItem;

interface Track {
  lastSourceMs: number;
  lastDtsMs: number;
  frameMs: number;
  /** How far ahead of the other track it is in the source, in the order of arrival. */
  skewMs: number | null;
  /** Of the clock that `lastSourceMs` is of. */
  clock: number;
  /** Packets up to lastDtsMs are being sent again. */
  dropping: boolean;
}

/** What a later process needs to go on where this one stopped. */
export interface TimelineState {
  offsetMs: number;
  wallMs: number;
  video: { lastDtsMs: number; frameMs: number } | null;
  audio: { lastDtsMs: number; frameMs: number } | null;
}

interface Held {
  unit: MediaUnit;
  arrivedAtMs: number;
}
type HeldPacket = Printed & { arrivedAtMs: number };

/** Why packets are being held back: a new connection, a step of the source's clock, media that looks known. */
type Join = { kind: 'connection'; cause: GapCause } | { kind: 'step'; silenceMs: number } | { kind: 'again' };

/** Where the held packets go. */
type Place =
  | { kind: 'first' }
  /** Recorded before: dropped as far as it was. */
  | { kind: 'again'; offsetMs: number }
  /** Nothing special, after all. */
  | { kind: 'onward' }
  /** After the end of the line, by a clock that is known. */
  | { kind: 'clock'; offsetMs: number }
  /** After the end of the line, by a clock that nobody knows. */
  | { kind: 'unknown' };

export class Timeline {
  readonly #firstDtsMs: number;
  #join: Join | null = { kind: 'connection', cause: 'found-late' };
  #held: Held[] = [];
  #prints = new WeakMap<MediaPacket, number>();
  #heldBytes = 0;
  #offsetMs = 0;
  /** Offsets that held before, the latest first. */
  #earlierOffsets: number[] = [];
  #clock = 0;
  #jitterMs = 0;
  /** The source's clock was left to drop what was sent again. */
  #leftClock = false;
  readonly #wall = new WallClock();
  #video: Track | null = null;
  #audio: Track | null = null;
  /** The configurations of the epoch being recorded; undefined before the first. */
  #epoch: { video: VideoConfig | null; audio: AudioConfig | null } | undefined;
  /** The source's configurations where the line is now. */
  #videoConfig: VideoConfig | null = null;
  #audioConfig: AudioConfig | null = null;
  /** The source's sound is not the epoch's: it waits for the next one. */
  #soundChanged = false;
  readonly #recent = new RecentMedia();
  #lastArrivalMs = 0;
  #droppedAgain = 0;
  #droppedHead = { pictures: 0, sound: 0 };
  #droppedSound = 0;
  #out: TimelineItem[] = [];

  /** @param startMs how long after its session's beginning this line begins: later terms stand behind earlier ones */
  constructor(startMs = 0) {
    this.#firstDtsMs = FIRST_DTS_MS + Math.max(0, Math.round(startMs));
  }

  /** The next units come from another connection; `cause` is why media may be missing before it. */
  connect(cause: GapCause, protocol: keyof typeof JITTER_MS = 'flv'): TimelineItem[] {
    const items = this.interrupt(cause);
    this.#jitterMs = JITTER_MS[protocol];
    this.#videoConfig = null;
    this.#audioConfig = null;
    return items;
  }

  /** The source says that media is missing before the next units, or that their timestamps are others. */
  interrupt(cause: GapCause): TimelineItem[] {
    const items = this.finish();
    this.#join = { kind: 'connection', cause };
    return items;
  }

  /** The units of one network read. Packets are re-stamped in place. */
  push(units: readonly MediaUnit[], arrivedAtMs: number): TimelineItem[] {
    for (const unit of units) this.#take({ unit, arrivedAtMs });
    if (units.length > 0) this.#lastArrivalMs = arrivedAtMs;
    return this.#drain();
  }

  /** The connection is over: what was held back comes out. */
  finish(): TimelineItem[] {
    while (this.#join && this.#held.length > 0) {
      const before = this.#held.length;
      this.#settle(true);
      // What no picture can be made of is of no use to the next connection either.
      if (this.#held.length === before) this.#dropHead(before);
    }
    this.#noteDropped();
    return this.#drain();
  }

  /** Whether packets are held back until it is known where they go. */
  get isWaiting(): boolean {
    return this.#join !== null && (this.#held.length > 0 || this.#droppedHead.pictures > 0);
  }

  /** UTC milliseconds of a place on the line. */
  wallOf(dtsMs: number): number {
    return this.#wall.utcOf(dtsMs);
  }

  /** Where the last picture (or sound, without pictures) ends on the line; null before the first. */
  get endDtsMs(): number | null {
    const track = this.#video ?? this.#audio;
    return track ? track.lastDtsMs + track.frameMs : null;
  }

  get state(): TimelineState {
    const of = (track: Track | null) => track && { lastDtsMs: track.lastDtsMs, frameMs: track.frameMs };
    return {
      offsetMs: this.#offsetMs,
      wallMs: this.#wall.wallMs,
      video: of(this.#video),
      audio: of(this.#audio),
    };
  }

  /**
   * Goes on where another process stopped.
   * @param tail the last units it had recorded, stamped on this line already; those after `closedDtsMs` (of the leading
   *   track) are in no closed segment and come out again, as an epoch
   * @param closedSoundMs sound up to here is in a closed segment, though it may have come behind the pictures that are not
   */
  resume(
    state: TimelineState,
    tail: readonly MediaUnit[],
    closedDtsMs: number,
    closedSoundMs = -Infinity,
  ): TimelineItem[] {
    this.#wall.begin(state.wallMs);
    this.#offsetMs = state.offsetMs;
    this.#epoch = { video: null, audio: null };
    const leadKind = tail.some(({ kind }) => kind === 'video') ? 'video' : 'audio';
    let leads = false;
    for (const unit of tail) {
      if (isConfig(unit)) {
        this.#takeConfig(unit);
        continue;
      }
      const known = unit.kind === 'video' ? this.#video : this.#audio;
      // A term that crashed while it was going on from a tail left some of it twice.
      if (known && unit.dtsMs <= known.lastDtsMs) continue;
      const isLead = unit.kind === 'video' ? unit.key : leadKind === 'audio';
      this.#recent.remember({ packet: unit, print: printOf(unit) }, unit.dtsMs);
      const endMs = this.endDtsMs;
      // What was written down is what counts, not what the state says: it was ahead of the disk.
      const track = this.#trackFor(unit, unit.dtsMs - state.offsetMs);
      track.frameMs = state[unit.kind]?.frameMs ?? track.frameMs;
      track.lastDtsMs = unit.dtsMs;
      track.lastSourceMs = unit.dtsMs - state.offsetMs;
      if (!leads && !(isLead && unit.dtsMs > closedDtsMs)) continue;
      const hole = leads && isLead && endMs !== null && unit.dtsMs - endMs > JUMP_MS;
      if (hole) this.#gap(this.wallOf(endMs), unit.dtsMs - endMs, 'connection-lost');
      if (!leads || hole || (isLead && this.#configChanged())) this.#beginEpoch();
      leads = true;
      // In the tail times are whole milliseconds.
      if (unit.kind === 'audio' && unit.dtsMs <= closedSoundMs + 1) continue;
      this.#out.push(unit);
    }
    const lead = leadKind === 'video' ? this.#video : this.#audio;
    if (lead) lead.lastDtsMs = Math.max(lead.lastDtsMs, closedDtsMs);
    // In a term without a picture yet, what comes after a known keyframe could not be decoded: it is recorded again.
    if (!leads) this.#recent.forget();
    return this.#drain();
  }

  #drain(): TimelineItem[] {
    const items = this.#out;
    if (items.length > 0) this.#out = [];
    return items;
  }

  #take(held: Held): void {
    const { unit, arrivedAtMs } = held;
    if (isConfig(unit)) {
      if (this.#held.length > 0) this.#held.push(held);
      else this.#takeConfig(unit);
      return;
    }
    if (!this.#join) {
      this.#join = this.#joinAt(unit, arrivedAtMs);
      if (!this.#join) {
        this.#emit(unit, arrivedAtMs);
        return;
      }
    }
    this.#held.push(held);
    this.#heldBytes += unit.data.length;
    this.#settle(false);
  }

  #takeConfig(config: VideoConfig | AudioConfig): void {
    if (config.kind === 'video') this.#videoConfig = config;
    else this.#audioConfig = config;
    this.#compareSound();
  }

  #compareSound(): void {
    const { audio = null } = this.#epoch ?? {};
    // A connection that has not told its configuration yet is taken to go on as the one before.
    this.#soundChanged = !audio || (this.#audioConfig !== null && !sameConfig(audio, this.#audioConfig));
  }

  #printOf(packet: MediaPacket): number {
    let print = this.#prints.get(packet);
    if (print === undefined) this.#prints.set(packet, (print = printOf(packet)));
    return print;
  }

  #joinAt(packet: MediaPacket, arrivedAtMs: number): Join | null {
    if (this.#isStep(packet)) return { kind: 'step', silenceMs: arrivedAtMs - this.#lastArrivalMs };
    if (packet.kind === 'audio' || !packet.key) return null;
    const places = this.#recent.keyframesLike(this.#printOf(packet));
    const isInReplay = this.#isDropping && places.some((dtsMs) => this.#isAt(dtsMs, packet));
    return places.length === 0 || isInReplay ? null : { kind: 'again' };
  }

  /** Whether the packet belongs here by the clock that holds. */
  #isAt(dtsMs: number, packet: MediaPacket): boolean {
    return Math.abs(dtsMs - packet.dtsMs - this.#offsetMs) <= 2;
  }

  /** Whether the source's clock made a step with this packet: against its own track, and not explained by the other. */
  #isStep(packet: MediaPacket): boolean {
    const [own, other] = packet.kind === 'video' ? [this.#video, this.#audio] : [this.#audio, this.#video];
    if (!own) return false;
    const stepMs = packet.dtsMs - own.lastSourceMs;
    if (stepMs >= -BACK_MS && stepMs <= JUMP_MS) return false;
    if (!other || other.clock !== this.#clock) return true;
    if (stepMs < 0 && own.clock === this.#clock) return true;
    // The first packet in a clock that the other track has set may be a little off; the clock was not.
    const toleranceMs = own.clock === this.#clock && own.skewMs !== null ? JUMP_MS : 4 * JUMP_MS;
    return Math.abs(packet.dtsMs - other.lastSourceMs - (own.skewMs ?? 0)) > toleranceMs;
  }

  get #heldPackets(): HeldPacket[] {
    return this.#held.flatMap(({ unit, arrivedAtMs }) =>
      isConfig(unit) ? [] : [{ packet: unit, print: this.#printOf(unit), arrivedAtMs }],
    );
  }

  /** Decides where the held packets go, once enough is known; always when `now`. */
  #settle(now: boolean): void {
    const join = this.#join;
    const packets = this.#heldPackets;
    const [first, last] = [packets[0], packets.at(-1)];
    if (!join || !first || !last) return;
    const watchedMs = last.arrivedAtMs - first.arrivedAtMs;
    const waitedMs = Math.max(watchedMs, lengthMs(packets, first.packet.kind));
    const enough = now || waitedMs >= AUDIO_WAIT_MS || this.#heldBytes > HELD_BYTES_MAX;
    const lead = this.#leadOf(join, packets, enough);
    if (!lead) return;
    const before = packets.indexOf(lead);
    const watched = now || watchedMs >= EDGE_WATCH_MS || this.#heldBytes > HELD_BYTES_MAX;
    const place = this.#placeOf(join, packets.slice(before), watched, now);
    if (place) this.#put(join, lead, place);
  }

  /** The packet that decides where the others go; undefined: not there yet. */
  #leadOf(join: Join, packets: readonly HeldPacket[], enough: boolean): HeldPacket | undefined {
    if (join.kind === 'again') return packets[0];
    if (join.kind === 'step') {
      return (
        packets.find(({ packet }) => packet.kind === 'video') ??
        (this.#video && !enough ? undefined : packets[0])
      );
    }
    const keyframe = packets.find(({ packet }) => packet.kind === 'video' && packet.key);
    const configs = this.#configsAhead(keyframe);
    if (keyframe && ((configs.video && configs.audio) || enough)) return keyframe;
    if (keyframe || !enough) return undefined;
    const pictures = packets.some(({ packet }) => packet.kind === 'video');
    if (pictures) this.#dropHead(Infinity);
    return pictures || configs.video ? undefined : packets[0];
  }

  /** The configurations at the lead. Those of the sound may come late and count from the beginning. */
  #configsAhead(lead: HeldPacket | undefined): { video: VideoConfig | null; audio: AudioConfig | null } {
    let [video, audio] = [this.#videoConfig, this.#audioConfig];
    let passed = false;
    for (const { unit } of this.#held) {
      passed ||= unit === lead?.packet;
      if (!isConfig(unit)) continue;
      if (unit.kind === 'video' && !passed) video = unit;
      if (unit.kind === 'audio' && (!passed || audio === null)) audio = unit;
    }
    return { video, audio };
  }

  /** @param packets the lead and what came after it; undefined: not known yet */
  #placeOf(join: Join, packets: readonly HeldPacket[], watched: boolean, now: boolean): Place | undefined {
    const [lead] = packets;
    if (!lead || !this.#trackOf(lead.packet)) return { kind: 'first' };
    const again = this.#recordedBefore(join, packets, watched, now);
    if (again === 'unknown') return undefined;
    if (again !== undefined) return { kind: 'again', offsetMs: again - lead.packet.dtsMs };
    if (join.kind === 'again') return { kind: 'onward' };
    if (this.#followsOn(lead)) return { kind: 'clock', offsetMs: this.#offsetMs };
    if (join.kind === 'connection' && !watched) return undefined;
    const offsetMs = this.#knownClock(packets);
    return offsetMs === undefined ? { kind: 'unknown' } : { kind: 'clock', offsetMs };
  }

  /** Where on the line the lead and what follows it was recorded already; undefined: nowhere. */
  #recordedBefore(
    join: Join,
    packets: readonly HeldPacket[],
    watched: boolean,
    now: boolean,
  ): number | 'unknown' | undefined {
    const [lead] = packets;
    if (!lead) return undefined;
    const isCut = lead.packet.kind === 'video' ? lead.packet.key : !this.#configsAhead(lead).video;
    // In the middle of a GOP only where one is being dropped that bears a step in it.
    if (!isCut && !this.#isDropping) return undefined;
    const places = this.#recent.placesOf(packets).filter(({ verdict }) => verdict !== 'other');
    const proven = places.findLast(({ verdict }) => verdict === 'same');
    if (proven) return proven.dtsMs;
    if (places.length === 0) return undefined;
    if (join.kind === 'again' && places.some(({ dtsMs }) => this.#isAt(dtsMs, lead.packet))) {
      return lead.packet.dtsMs + this.#offsetMs;
    }
    const watchedMs = (packets.at(-1)?.arrivedAtMs ?? 0) - lead.arrivedAtMs;
    const undecided = join.kind === 'again' ? watchedMs < 2 * EDGE_WATCH_MS : !watched;
    if (undecided && !now && this.#heldBytes <= HELD_BYTES_MAX) return 'unknown';
    if (join.kind === 'again') return undefined;
    // A still picture in silence: it was recorded before if it comes when it should. Media recorded twice is better
    // than media lost.
    const lateMs = ({ dtsMs }: { dtsMs: number }): number =>
      Math.abs(this.#lateMs(packets, dtsMs - lead.packet.dtsMs));
    const [nearest] = places.toSorted((a, b) => lateMs(a) - lateMs(b));
    return nearest && lateMs(nearest) <= EDGE_TOLERANCE_MS + this.#jitterMs ? nearest.dtsMs : undefined;
  }

  get #isDropping(): boolean {
    return (this.#video?.dropping ?? false) || (this.#audio?.dropping ?? false);
  }

  /** How long after the live edge these packets come, were this their offset; by the one that comes soonest. */
  #lateMs(packets: readonly HeldPacket[], offsetMs: number): number {
    const each = untilStep(packets).map(({ packet, arrivedAtMs }) =>
      this.#wall.lateMs(packet.dtsMs + offsetMs, arrivedAtMs),
    );
    return Math.min(...each);
  }

  /** The packet goes on exactly where the line ends. */
  #followsOn({ packet }: HeldPacket): boolean {
    const track = this.#trackOf(packet);
    if (!track) return false;
    const stepMs = packet.dtsMs + this.#offsetMs - track.lastDtsMs;
    return stepMs >= track.frameMs / 2 && stepMs <= track.frameMs * 1.5;
  }

  /** The clock, of those that held before, by which the packets come at the live edge and behind the end of the line. */
  #knownClock(packets: readonly HeldPacket[]): number | undefined {
    const [lead] = packets;
    const track = lead && this.#trackOf(lead.packet);
    if (!lead || !track) return undefined;
    const fits = [this.#offsetMs, ...this.#earlierOffsets].flatMap((offsetMs) => {
      const lateMs = this.#lateMs(packets, offsetMs);
      const isBehind = lead.packet.dtsMs + offsetMs - track.lastDtsMs >= track.frameMs / 2;
      return isBehind && lateMs >= -AHEAD_MS - this.#jitterMs && lateMs <= BEHIND_MS
        ? [{ offsetMs, lateMs: Math.abs(lateMs) }]
        : [];
    });
    const best = fits.toSorted((a, b) => a.lateMs - b.lateMs)[0];
    const current = fits.find(({ offsetMs }) => offsetMs === this.#offsetMs);
    return current && best && current.lateMs <= best.lateMs + AHEAD_MS ? current.offsetMs : best?.offsetMs;
  }

  /** Drops what is held up to here and has no keyframe before it; the sound too, when the connection is over. */
  #dropHead(before: number): void {
    const isOver = before !== Infinity;
    this.#held = this.#held.filter(({ unit }, index) => {
      if (isConfig(unit) || index >= before || (unit.kind === 'audio' && !isOver)) return true;
      this.#droppedHead[unit.kind === 'video' ? 'pictures' : 'sound'] += 1;
      return false;
    });
    if (isOver) {
      for (const { unit } of this.#held) if (isConfig(unit)) this.#takeConfig(unit);
      this.#held = [];
      this.#heldBytes = 0;
      this.#noteHead();
    }
  }

  #noteHead(): void {
    const { pictures, sound } = this.#droppedHead;
    if (pictures + sound > 0) this.#event('undecodable-head', { pictures, sound });
    this.#droppedHead = { pictures: 0, sound: 0 };
  }

  #trackOf(packet: MediaPacket): Track | null {
    return packet.kind === 'video' ? (this.#video ?? this.#audio) : (this.#audio ?? this.#video);
  }

  /** Puts the held units on the line, `lead` deciding where. */
  #put(join: Join, lead: HeldPacket, place: Place): void {
    const held = this.#held;
    const packets = this.#heldPackets;
    const after = packets.slice(packets.findIndex(({ packet }) => packet === lead.packet));
    const configs = this.#configsAhead(lead);
    this.#held = [];
    this.#heldBytes = 0;
    this.#join = null;
    const begins = this.#moveTo(join, lead, place, after, configs);
    if (configs.video) this.#takeConfig(configs.video);
    if (configs.audio) this.#takeConfig(configs.audio);
    if (begins) {
      this.#beginEpoch();
      this.#emit(lead.packet, lead.arrivedAtMs);
    }
    let passed = false;
    for (const each of held) {
      const { unit, arrivedAtMs } = each;
      const isLead = unit === lead.packet;
      if (passed) this.#take(each);
      else if (isLead && begins) passed = true;
      else if (isConfig(unit)) continue;
      else if (join.kind === 'connection' && unit.kind === 'video' && !isLead)
        this.#droppedHead.pictures += 1;
      else this.#emit(unit, arrivedAtMs);
      passed ||= isLead;
    }
    this.#noteHead();
  }

  /** Sets the clock; true when an epoch must begin at the lead. */
  #moveTo(
    join: Join,
    lead: HeldPacket,
    place: Place,
    packets: readonly HeldPacket[],
    configs: { video: VideoConfig | null; audio: AudioConfig | null },
  ): boolean {
    const { dtsMs } = lead.packet;
    const isCut = (lead.packet.kind === 'video' && lead.packet.key) || !configs.video;
    const isConnection = join.kind === 'connection';
    const configChanged = isConnection && this.#differs(configs);
    const track = this.#trackOf(lead.packet);
    const nextMs = track ? track.lastDtsMs + track.frameMs : 0;
    switch (place.kind) {
      case 'first':
        this.#wall.begin();
        this.#setOffset(this.#firstDtsMs - dtsMs, false);
        return true;
      case 'onward':
        return false;
      case 'again':
        this.#leftClock = !isConnection && Math.abs(place.offsetMs - this.#offsetMs) > ROUNDING_MS;
        this.#setOffset(place.offsetMs);
        for (const each of [this.#video, this.#audio]) if (each) each.dropping = true;
        // Where the same pictures come again, a change (the sound's) waits for the next keyframe that is new.
        return false;
      case 'clock': {
        const holeMs = Math.round(dtsMs + place.offsetMs - nextMs);
        const toleranceMs = (track?.frameMs ?? 0) * (isConnection ? 0.5 : 1);
        const missingMs = holeMs <= toleranceMs ? 0 : holeMs;
        this.#missing(join, nextMs, missingMs);
        if (isCut || missingMs === 0) this.#setOffset(place.offsetMs);
        else this.#closeHole(nextMs, dtsMs, missingMs);
        return isCut && (missingMs > 0 || configChanged);
      }
      case 'unknown': {
        const missingMs = isConnection
          ? this.#missingByArrival(packets, nextMs)
          : this.#missingInSilence(join, lead, nextMs);
        this.#missing(join, nextMs, missingMs);
        if (isCut && missingMs > 0) this.#setOffset(nextMs + missingMs - dtsMs);
        else this.#closeHole(nextMs, dtsMs, missingMs);
        return isCut && (isConnection || missingMs > 0);
      }
    }
  }

  #setOffset(offsetMs: number, isStep = true): void {
    this.#clock += 1;
    if (offsetMs === this.#offsetMs) return;
    if (isStep)
      this.#earlierOffsets = [this.#offsetMs, ...this.#earlierOffsets.filter((each) => each !== offsetMs)];
    this.#earlierOffsets.length = Math.min(this.#earlierOffsets.length, CLOCKS_KEPT);
    this.#offsetMs = offsetMs;
  }

  /** Goes on without a hole on the line, whatever is missing. */
  #closeHole(nextMs: number, sourceMs: number, missingMs: number): void {
    this.#setOffset(nextMs - sourceMs);
    if (missingMs > 0) {
      // By this clock the line lies earlier than it did: offsets of before don't hold any more.
      this.#earlierOffsets = [];
      this.#wall.shift(nextMs, missingMs);
    }
  }

  #missing(join: Join, nextMs: number, missingMs: number): void {
    if (missingMs <= 0) return;
    const cause =
      join.kind === 'connection'
        ? join.cause
        : join.kind === 'step' && join.silenceMs > SILENCE_MS
          ? 'stall'
          : 'source-skip';
    this.#gap(this.wallOf(nextMs), missingMs, cause);
  }

  /** Another clock after a silence on an open connection: the silence is all that is known. */
  #missingInSilence(join: Join, { packet }: HeldPacket, nextMs: number): number {
    const silenceMs = join.kind === 'step' ? join.silenceMs : 0;
    this.#event('timestamp-jump', { sourceMs: Math.round(packet.dtsMs), silenceMs: Math.round(silenceMs) });
    const frameMs = nextMs - (this.#trackOf(packet)?.lastDtsMs ?? nextMs);
    return silenceMs > SILENCE_MS ? Math.round(silenceMs - frameMs) : 0;
  }

  /** A connection with another clock: what is missing lies between the end of the line and the live edge. */
  #missingByArrival(packets: readonly HeldPacket[], nextMs: number): number {
    const sourceMs = packets[0]?.packet.dtsMs ?? 0;
    this.#event('timestamp-restart', { sourceMs: Math.round(sourceMs) });
    const holeMs = Math.round(this.#lateMs(packets, nextMs - sourceMs));
    if (holeMs < 0) this.#wall.shift(nextMs, holeMs);
    return holeMs > ARRIVAL_TOLERANCE_MS + this.#jitterMs ? holeMs : 0;
  }

  #gap(fromMs: number, ms: number, cause: GapCause): void {
    this.#out.push({ kind: 'gap', fromMs, toMs: fromMs + ms, cause });
  }

  #configChanged(): boolean {
    return this.#differs({ video: this.#videoConfig, audio: this.#audioConfig });
  }

  #differs({ video, audio }: { video: VideoConfig | null; audio: AudioConfig | null }): boolean {
    if (!this.#epoch) return true;
    return !sameConfig(this.#epoch.video, video) || !sameConfig(this.#epoch.audio, audio);
  }

  #beginEpoch(): void {
    this.#noteDropped();
    this.#epoch = { video: this.#videoConfig, audio: this.#audioConfig };
    this.#compareSound();
    for (const each of [this.#video, this.#audio]) if (each) each.dropping = false;
    this.#out.push({ kind: 'epoch', ...this.#epoch });
  }

  #emit(packet: MediaPacket, arrivedAtMs: number): void {
    const sourceMs = packet.dtsMs;
    const dtsMs = sourceMs + this.#offsetMs;
    const known = packet.kind === 'video' ? this.#video : this.#audio;
    if (known?.dropping) {
      // A clock that was mended in between may have moved it by a rounding.
      if (dtsMs < known.lastDtsMs + Math.min(known.frameMs / 2, ROUNDING_MS)) {
        this.#stamp(known, packet.kind, sourceMs);
        this.#droppedAgain += 1;
        return;
      }
      if (this.#goesBackToLeftClock(packet, arrivedAtMs)) return;
      known.dropping = false;
      if (packet.kind === 'video') this.#noteDropped();
    }
    const isCut = packet.kind === 'video' ? packet.key : this.#videoConfig === null;
    if (isCut && this.#configChanged()) this.#beginEpoch();
    if (packet.kind === 'audio' && this.#soundChanged) {
      this.#droppedSound += 1;
      return;
    }
    const track = this.#trackFor(packet, sourceMs);
    const stepMs = sourceMs - track.lastSourceMs;
    if (stepMs > 0 && stepMs < 200) track.frameMs = stepMs;
    packet.dtsMs = known ? Math.max(dtsMs, known.lastDtsMs + 1) : dtsMs;
    track.lastDtsMs = packet.dtsMs;
    this.#stamp(track, packet.kind, sourceMs);
    this.#recent.remember({ packet, print: this.#printOf(packet) }, packet.dtsMs);
    this.#wall.saw(packet.dtsMs, arrivedAtMs);
    this.#out.push(packet);
  }

  /**
   * Media was sent again with timestamps that went on, as in a loop; what is new may go on with the clock of before it,
   * and then the loop's time is missing.
   */
  #goesBackToLeftClock(packet: MediaPacket, arrivedAtMs: number): boolean {
    if (!this.#leftClock || (packet.kind === 'audio' && this.#video)) return false;
    this.#leftClock = false;
    const lead = { packet, print: this.#printOf(packet), arrivedAtMs };
    const offsetMs = this.#knownClock([lead]);
    if (offsetMs === undefined || offsetMs === this.#offsetMs) return false;
    for (const each of [this.#video, this.#audio]) if (each) each.dropping = false;
    this.#noteDropped();
    this.#held = [{ unit: packet, arrivedAtMs }];
    this.#put({ kind: 'step', silenceMs: Infinity }, lead, { kind: 'clock', offsetMs });
    return true;
  }

  #trackFor(packet: MediaPacket, sourceMs: number): Track {
    const isVideo = packet.kind === 'video';
    const fresh = (): Track => ({
      lastSourceMs: sourceMs,
      lastDtsMs: packet.dtsMs,
      frameMs: isVideo ? 33 : 23,
      skewMs: null,
      clock: this.#clock,
      dropping: false,
    });
    return isVideo ? (this.#video ??= fresh()) : (this.#audio ??= fresh());
  }

  #stamp(track: Track, kind: MediaPacket['kind'], sourceMs: number): void {
    const other = kind === 'video' ? this.#audio : this.#video;
    track.lastSourceMs = sourceMs;
    track.clock = this.#clock;
    if (other?.clock === this.#clock) track.skewMs = sourceMs - other.lastSourceMs;
  }

  #noteDropped(): void {
    if (this.#droppedAgain > 0) this.#event('sent-again', { packets: this.#droppedAgain });
    if (this.#droppedSound > 0) this.#event('sound-without-configuration', { frames: this.#droppedSound });
    this.#droppedAgain = 0;
    this.#droppedSound = 0;
  }

  #event(event: string, detail: EventItem['detail']): void {
    this.#out.push({ kind: 'event', event, detail });
  }
}

/** How much media that is, whatever jumps are in its timestamps. */
function lengthMs(packets: readonly HeldPacket[], kind: MediaPacket['kind']): number {
  const times = packets.flatMap(({ packet }) => (packet.kind === kind ? [packet.dtsMs] : []));
  return times.reduce(
    (sum, dtsMs, i) => sum + Math.max(0, Math.min(dtsMs - (times[i - 1] ?? dtsMs), JUMP_MS)),
    0,
  );
}

/** Those that are of one clock with the first. */
function untilStep(packets: readonly HeldPacket[]): readonly HeldPacket[] {
  const last: { video?: number; audio?: number } = {};
  const step = packets.findIndex(({ packet: { kind, dtsMs } }) => {
    const stepMs = dtsMs - (last[kind] ?? dtsMs);
    last[kind] = dtsMs;
    return stepMs < -BACK_MS || stepMs > JUMP_MS;
  });
  return step === -1 ? packets : packets.slice(0, step);
}
