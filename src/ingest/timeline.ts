/**
 * The session's one time line. Connections come and go, each with timestamps of its own that may jump or restart; the
 * time line puts their packets one after another in milliseconds that only grow, drops what was sent again, cuts epochs
 * where the codec configuration really changes or where media is missing, and says how much is missing and why.
 *
 * Invariants:
 * - no packet that a source gave is dropped, but for: one that was recorded already, what a playlist's window holds from
 *   before the end of the line, pictures that no keyframe of their connection precedes, and sound that no epoch has a
 *   configuration for (each noted as an event);
 * - an epoch begins with a keyframe (or is audio alone) and has one configuration;
 * - audio and video of one source are always shifted together.
 *
 * A timestamp that would lie ahead of the live edge comes from a clock that was changed, not from media that was skipped:
 * that is how a jump by an hour is told from a gap (`source-clock.ts`). What was recorded before is told by its content
 * (`recent-media.ts`).
 */
import {
  isConfig,
  type AudioConfig,
  type MediaPacket,
  type MediaUnit,
  type VideoConfig,
} from '../media/packet.ts';
import type { GapCause } from '../model/causes.ts';
import { HeldUnits, type Configs, type HeldUnit } from './held-units.ts';
import { LineKeyframes, type LineKeyframe, type TakeOver } from './line-keyframes.ts';
import { printOf, RecentMedia } from './recent-media.ts';
import { sameConfig } from './same-config.ts';
import { JUMP_MS, SourceClock, type Arrived, type MediaProtocol, type Track } from './source-clock.ts';

/** Where the line begins, so that sound a little ahead of the first picture stays positive. */
const FIRST_DTS_MS = 60_000;
/** A clock that was mended may have moved a packet by so much. */
const ROUNDING_MS = 10;
/** Silence within a connection, with a changed clock after it, that counts as missing media. */
const SILENCE_MS = 1_500;
/** How long a join watches arrivals to find the live edge: the CDN's cache comes faster than real time. */
const EDGE_WATCH_MS = 500;
/** How near to the live edge media must come to be where the arrivals say that it is. */
const EDGE_TOLERANCE_MS = 1_000;
/** A hole by arrivals alone is no better known than this. */
const ARRIVAL_TOLERANCE_MS = 100;
/** How much media a join holds back to see whether there is sound. */
const AUDIO_WAIT_MS = 3_000;
/** Two connections that begin with timestamps so near to each other may have clocks of their own. */
const BEGINS_ANEW_MS = 1_000;
/** So little of a connection proves nothing by its content: its timestamps are taken at their word. */
const BRIEF_MS = 500;
/** Less than any GOP lasts. */
const SAME_GOP_MS = 250;
/** The end of what was recorded may lie so far ahead of a clock that was never set back. */
const CLOCKS_AGREE_MS = 1_000;
/** A frame that seems to last longer is a pause. */
const FRAME_MAX_MS = 200;

export type EpochItem = {
  kind: 'epoch';
  /**
   * It begins at a keyframe that was recorded already, in another quality: from there on the epoch before it is not
   * wanted any more. Null: it begins behind all that was recorded.
   */
  backToDtsMs: number | null;
} & Configs;
export type GapItem = { kind: 'gap'; fromMs: number; toMs: number; cause: GapCause };
export type EventItem = {
  kind: 'event';
  event: string;
  detail: Record<string, string | number | boolean | null>;
};
/** Packets come with `dtsMs` on the session's line. Gaps are in wall-clock milliseconds and stand before their epoch. */
export type TimelineItem = MediaPacket | EpochItem | GapItem | EventItem;

/** What a later process needs to go on where this one stopped. */
export interface TimelineState {
  offsetMs: number;
  /** Of the clocks that held before and may hold again. */
  earlierMs: number[];
  wallMs: number;
  video: { lastDtsMs: number; frameMs: number } | null;
  audio: { lastDtsMs: number; frameMs: number } | null;
}

/** Why packets are being held back: a new connection, a step of the source's clock, media that looks known. */
type Join =
  | { kind: 'connection'; cause: GapCause; otherQuality: boolean }
  | { kind: 'step'; silenceMs: number }
  | { kind: 'again' };

/** Where the held packets go. */
type Place =
  | { kind: 'first' }
  /** Recorded before: dropped as far as it was. `isForeign`: the line has gone on in another quality since. */
  | { kind: 'again'; offsetMs: number; fromDtsMs: number; isForeign?: true }
  /** Nothing special, after all. */
  | { kind: 'onward' }
  /** After the end of the line, by a clock that is known. */
  | { kind: 'clock'; offsetMs: number }
  /** At a keyframe of the line, by a clock that is known: another quality of what was recorded last. */
  | ({ kind: 'back' } & TakeOver)
  /** After the end of the line, by a clock that nobody knows. */
  | { kind: 'unknown' }
  /** Made before the end of the line, for certain, and nothing tells where: left alone. */
  | { kind: 'before' };
type PlaceOnLine = Exclude<Place, { kind: 'before' }>;

export class Timeline {
  readonly #firstDtsMs: number;
  #join: Join | null = { kind: 'connection', cause: 'found-late', otherQuality: false };
  /** The first timestamps of this connection, and of the one before it. */
  #beganMs: { now: number | null; before: number | null } = { now: null, before: null };
  readonly #held = new HeldUnits();
  /** Came behind what was put on the line, and is taken next, the last of these first. */
  #queue: HeldUnit[] = [];
  readonly #clock: SourceClock;
  /** The source's clock was left to drop what was sent again. */
  #leftClock = false;
  /** What is being dropped is of another quality than the end of the line. */
  #dropsForeign = false;
  /** From here on, what is being dropped must be known. */
  #dropsKnownFromMs = 0;
  /** The configurations of the epoch being recorded; undefined before the first. */
  #epoch: Configs | undefined;
  /** The source's configurations where the line is now. */
  #configs: Configs = { video: null, audio: null };
  /** The source's sound is not the epoch's: it waits for the next one. */
  #soundChanged = false;
  readonly #recent = new RecentMedia();
  readonly #keyframes = new LineKeyframes();
  #lastArrivalMs = 0;
  #droppedAgain = 0;
  #droppedHead = { pictures: 0, sound: 0 };
  #droppedSound = 0;
  #out: TimelineItem[] = [];

  /**
   * @param startMs how long after its session's beginning this line begins: later terms stand behind earlier ones
   * @param utcMs UTC minus the clock of the arrivals
   */
  constructor(startMs = 0, utcMs = 0) {
    this.#clock = new SourceClock(utcMs);
    this.#firstDtsMs = FIRST_DTS_MS + Math.max(0, Math.round(startMs));
  }

  /**
   * The next units come from another connection; `cause` is why media may be missing before it.
   * @param otherQuality of the same broadcast
   */
  connect(cause: GapCause, protocol: MediaProtocol = 'flv', otherQuality = false): TimelineItem[] {
    const items = this.finish();
    this.#join = { kind: 'connection', cause, otherQuality };
    this.#beganMs = { now: null, before: this.#beganMs.now ?? this.#beganMs.before };
    this.#clock.comesBy(protocol);
    this.#configs = { video: null, audio: null };
    return items;
  }

  /** The source says that media is missing before the next units, or that their timestamps are others. */
  interrupt(cause: GapCause): TimelineItem[] {
    const items = this.finish();
    // A connection of which nothing was put on the line stays what it is.
    if (this.#join?.kind !== 'connection') this.#join = { kind: 'connection', cause, otherQuality: false };
    return items;
  }

  /**
   * The units of one network read. Packets are re-stamped in place.
   * @param arrivedAtMs by a clock that nobody sets
   */
  push(units: readonly MediaUnit[], arrivedAtMs: number): TimelineItem[] {
    this.#takeAll(units.map((unit) => ({ unit, arrivedAtMs })));
    if (units.length > 0) this.#lastArrivalMs = arrivedAtMs;
    return this.#drain();
  }

  /** The connection is over: what was held back comes out. */
  finish(): TimelineItem[] {
    while (this.#join && !this.#held.isEmpty) {
      const before = this.#held.count;
      this.#settle(true);
      this.#takeQueued();
      // What no picture can be made of is of no use to the next connection either.
      if (this.#held.count === before) this.#dropHeld();
    }
    this.#noteDropped();
    return this.#drain();
  }

  /** The machine's clock was set: UTC minus the clock of the arrivals, from the end of the line on. */
  clockSet(utcMs: number): void {
    this.#clock.wall.set(this.endDtsMs ?? 0, utcMs);
  }

  /** Whether packets are held back until it is known where they go. */
  get isWaiting(): boolean {
    return this.#join !== null && (!this.#held.isEmpty || this.#droppedHead.pictures > 0);
  }

  /** UTC milliseconds of a place on the line. */
  wallOf(dtsMs: number): number {
    return this.#clock.wall.utcOf(dtsMs);
  }

  /** Where the last picture (or sound, without pictures) ends on the line; null before the first. */
  get endDtsMs(): number | null {
    const track = this.#clock.video ?? this.#clock.audio;
    return track ? track.lastDtsMs + track.frameMs : null;
  }

  get state(): TimelineState {
    const { offsetsMs, wall, video, audio } = this.#clock;
    const [offsetMs = 0, ...earlierMs] = offsetsMs;
    const of = (track: Track | null) => track && { lastDtsMs: track.lastDtsMs, frameMs: track.frameMs };
    return { offsetMs, earlierMs, wallMs: wall.wallMs, video: of(video), audio: of(audio) };
  }

  /**
   * Goes on where another process stopped.
   * @param tail the last units it had recorded, stamped on this line already; those after `closedDtsMs` (of the leading
   *   track) are in no closed segment and come out again, as an epoch
   * @param closedSoundMs sound up to here is in a closed segment, though it may have come behind the pictures that are not
   * @param nowMs UTC: what it is now cannot have been recorded later
   */
  resume(
    state: TimelineState,
    tail: readonly MediaUnit[],
    closedDtsMs: number,
    closedSoundMs = -Infinity,
    nowMs = Infinity,
  ): TimelineItem[] {
    this.#clock.begin(state.offsetMs, state.wallMs, state.earlierMs);
    this.#epoch = { video: null, audio: null };
    const leadKind = tail.some(({ kind }) => kind === 'video') ? 'video' : 'audio';
    let leads = false;
    for (const unit of tail) {
      if (isConfig(unit)) {
        this.#takeConfig(unit);
        continue;
      }
      const known = this.#clock[unit.kind];
      // A term that crashed while it was going on from a tail left some of it twice.
      if (known && unit.dtsMs <= known.lastDtsMs) continue;
      const isLead = unit.kind === 'video' ? unit.key : leadKind === 'audio';
      this.#recent.remember({ packet: unit, print: printOf(unit) }, unit.dtsMs);
      const endMs = this.endDtsMs;
      // What was written down is what counts, not what the state says: it was ahead of the disk.
      const track = this.#clock.ownTrackOf(unit, unit.dtsMs - state.offsetMs);
      track.frameMs = state[unit.kind]?.frameMs ?? track.frameMs;
      track.lastDtsMs = unit.dtsMs;
      track.lastSourceMs = unit.dtsMs - state.offsetMs;
      if (!leads && !(isLead && unit.dtsMs > closedDtsMs)) continue;
      // Of what is closed the tail may lack the end, as of what is not the beginning.
      const fromMs = leads ? endMs : Math.max(endMs ?? -Infinity, closedDtsMs + track.frameMs);
      const hole = isLead && fromMs !== null && unit.dtsMs - fromMs > JUMP_MS && Number.isFinite(fromMs);
      if (hole)
        this.#gap(this.wallOf(fromMs), unit.dtsMs - fromMs, leads ? 'connection-lost' : 'recorder-down');
      if (!leads || hole || (isLead && this.#configChanged())) this.#beginEpoch();
      leads = true;
      // In the tail times are whole milliseconds.
      if (unit.kind === 'audio' && unit.dtsMs <= closedSoundMs + 1) continue;
      this.#out.push(unit);
    }
    const lead = this.#clock[leadKind];
    if (lead) lead.lastDtsMs = Math.max(lead.lastDtsMs, closedDtsMs);
    if (this.endDtsMs !== null && this.wallOf(this.endDtsMs) > nowMs + CLOCKS_AGREE_MS) {
      this.#clock.wall.forgetEdge();
    }
    // In a term without a picture yet, what comes after a known keyframe could not be decoded: it is recorded again.
    if (!leads) this.#recent.forget();
    return this.#drain();
  }

  #drain(): TimelineItem[] {
    if (this.#out.length === 0) return [];
    const items = this.#out;
    this.#out = [];
    return items;
  }

  #takeAll(units: readonly HeldUnit[]): void {
    for (const held of units) {
      this.#take(held);
      this.#takeQueued();
    }
    while (this.#join && this.#held.hasUnseen) {
      this.#settle(false);
      this.#takeQueued();
    }
  }

  #takeQueued(): void {
    for (let next = this.#queue.pop(); next; next = this.#queue.pop()) this.#take(next);
  }

  #take(held: HeldUnit): void {
    const { unit, arrivedAtMs } = held;
    if (isConfig(unit)) {
      if (this.#held.isEmpty) this.#takeConfig(unit);
      else this.#held.add(held);
      return;
    }
    this.#beganMs.now ??= unit.dtsMs;
    this.#join ??= this.#joinAt(unit, arrivedAtMs);
    if (!this.#join) {
      this.#emit(unit, arrivedAtMs);
      return;
    }
    this.#held.add(held);
    if (this.#held.isWorthALook) this.#settle(false);
  }

  #takeConfig(config: VideoConfig | AudioConfig): void {
    this.#configs = { ...this.#configs, [config.kind]: config };
    this.#compareSound();
  }

  #compareSound(): void {
    const { audio = null } = this.#epoch ?? {};
    const now = this.#configs.audio;
    // A connection that has not told its configuration yet is taken to go on as the one before.
    this.#soundChanged = !audio || (now !== null && !sameConfig(audio, now));
  }

  #joinAt(packet: MediaPacket, arrivedAtMs: number): Join | null {
    if (this.#clock.isStep(packet)) return { kind: 'step', silenceMs: arrivedAtMs - this.#lastArrivalMs };
    if (packet.kind === 'audio' || !packet.key) return null;
    const places = this.#recent.keyframesLike(printOf(packet));
    const isInReplay = this.#clock.isDropping && places.some((dtsMs) => this.#clock.isAt(dtsMs, packet));
    return places.length === 0 || isInReplay ? null : { kind: 'again' };
  }

  /** Decides where the held packets go, once enough is known; always when `now`. */
  #settle(now: boolean): void {
    const join = this.#join;
    this.#held.looked();
    if (!join || this.#held.packets.length === 0) return;
    const { packets, watchedMs, lengthMs, isFull } = this.#held;
    const enough = now || isFull || Math.max(watchedMs, lengthMs) >= AUDIO_WAIT_MS;
    const lead = this.#leadOf(join, packets, enough);
    if (!lead) {
      if (isFull) this.#dropHeld();
      return;
    }
    const after = packets.slice(packets.indexOf(lead));
    const watched = now || isFull || watchedMs >= EDGE_WATCH_MS;
    const place = this.#placeOf(join, after, watched, now || isFull);
    if (place?.kind === 'before') this.#letGo(() => (this.#droppedAgain += 1));
    else if (place)
      this.#put(join, place.kind === 'back' ? after.slice(after.indexOf(place.lead)) : after, place);
  }

  /** What is held comes to nothing, but for its configurations. */
  #letGo(count: (packet: MediaPacket) => void): void {
    for (const { unit } of this.#held.take()) {
      if (isConfig(unit)) this.#takeConfig(unit);
      else count(unit);
    }
  }

  /** The packet that decides where the others go; undefined: not there yet. */
  #leadOf(join: Join, packets: readonly Arrived[], enough: boolean): Arrived | undefined {
    if (join.kind === 'again') return packets[0];
    const pictures = packets.filter(({ packet }) => packet.kind === 'video');
    if (join.kind === 'step') return pictures[0] ?? (this.#clock.video && !enough ? undefined : packets[0]);
    const keyframe = pictures.find(({ packet }) => packet.kind === 'video' && packet.key);
    const { video, audio } = this.#held.configsAt(keyframe?.packet, this.#configs);
    if (keyframe && ((video && audio) || enough)) return keyframe;
    if (keyframe || !enough) return undefined;
    this.#droppedHead.pictures += this.#held.dropPictures();
    return pictures.length > 0 || video ? undefined : packets[0];
  }

  /** @param packets the lead and what came after it; undefined: not known yet */
  #placeOf(join: Join, packets: readonly Arrived[], watched: boolean, now: boolean): Place | undefined {
    const [lead] = packets;
    if (!lead || !this.#clock.trackOf(lead.packet)) return { kind: 'first' };
    const again = this.#recordedBefore(join, packets, watched, now);
    if (again === 'unknown') return undefined;
    if (again !== undefined) {
      const place: Place = { kind: 'again', offsetMs: again - lead.packet.dtsMs, fromDtsMs: again };
      if (join.kind !== 'connection' || !this.#endsDiffer(packets)) return place;
      const takeOver = this.#takeOver(packets, [place.offsetMs], now);
      // Nothing to take over: it is what was recorded, and no reason to record it once more.
      return !takeOver || takeOver.kind === 'back' ? takeOver : { ...place, isForeign: true };
    }
    if (join.kind === 'again') return { kind: 'onward' };
    if (this.#clock.followsOn(lead.packet)) return { kind: 'clock', offsetMs: this.#clock.offsetMs };
    if (join.kind === 'connection' && !watched) return undefined;
    if (join.kind === 'connection') {
      const older = this.#olderThanRecorded(packets);
      if (older) return older;
      // Durations in a playlist may be rounded: what is dropped for them must be older than that.
      if (this.#isBeforeEnd(packets, now ? this.#clock.jitterMs : 0))
        return now ? { kind: 'before' } : undefined;
    }
    const offsetMs = this.#clock.knownFor(packets);
    if (offsetMs !== undefined) return { kind: 'clock', offsetMs };
    if (join.kind !== 'connection' || !join.otherQuality) return { kind: 'unknown' };
    return this.#takeOver(packets, this.#offsetsOf(packets), now);
  }

  /** A playlist's window may reach back to before all that was recorded: what is known in it tells where the rest lies. */
  #olderThanRecorded(packets: readonly Arrived[]): Place | undefined {
    for (const [index, { packet, print }] of this.#clock.untilStep(packets).entries()) {
      if (packet.kind === 'audio' || !packet.key || this.#recent.keyframesLike(print).length === 0) continue;
      const known = this.#recent.placesOf(packets.slice(index)).findLast(({ verdict }) => verdict === 'same');
      if (known) return { kind: 'again', offsetMs: known.dtsMs - packet.dtsMs, fromDtsMs: known.dtsMs };
    }
    return undefined;
  }

  /** All that came so far was made before the end of the line: what it overlaps with is still to come. */
  #isBeforeEnd(packets: readonly Arrived[], byMs: number): boolean {
    const last = packets.at(-1);
    const { endDtsMs } = this;
    if (!last || endDtsMs === null || this.#clock.jitterMs === 0) return false;
    return this.#clock.wall.lateMs(endDtsMs, last.arrivedAtMs) < -byMs;
  }

  #takeOver(packets: readonly Arrived[], offsetsMs: readonly number[], now: boolean): Place | undefined {
    const takeOver = this.#keyframes.takeOver(packets, offsetsMs);
    if (takeOver !== 'later') return takeOver ? { kind: 'back', ...takeOver } : { kind: 'unknown' };
    if (!now) return undefined;
    return this.#isBeforeLastKeyframe(packets) ? { kind: 'before' } : { kind: 'unknown' };
  }

  /** By its sound, which is certain; a clock alone may be another one. */
  #isBeforeLastKeyframe(packets: readonly Arrived[]): boolean {
    const offsetMs = this.#recent.offsetBySound(packets);
    return offsetMs !== undefined && this.#keyframes.takeOver(packets, [offsetMs]) === 'later';
  }

  /** What was recorded already can't go on in the epoch: its pictures are of another configuration by now. */
  #endsDiffer(packets: readonly Arrived[]): boolean {
    const last = packets.at(-1);
    const { video } = this.#held.configsAt(last?.packet, this.#configs);
    return !this.#epoch || !sameConfig(this.#epoch.video, video);
  }

  /** How these packets may lie on the line: by a clock that they come in time by, by sound that is there already. */
  #offsetsOf(packets: readonly Arrived[]): number[] {
    const { now, before } = this.#beganMs;
    const { jitterMs } = this.#clock;
    // Timestamps that begin where the last connection's began may be of no common clock: then they are late by a GOP.
    const beginsAnew = now === null || before === null || Math.abs(now - before) < BEGINS_ANEW_MS;
    const toleranceMs = beginsAnew ? (jitterMs > 0 ? -1 : SAME_GOP_MS) : EDGE_TOLERANCE_MS + jitterMs;
    const byClock = this.#clock.offsetsMs.filter(
      (offsetMs) => Math.abs(this.#clock.lateMs(packets, offsetMs)) <= toleranceMs,
    );
    const bySound = this.#recent.offsetBySound(packets);
    return bySound === undefined ? byClock : [bySound, ...byClock];
  }

  /** Where on the line the lead and what follows it was recorded already; undefined: nowhere. */
  #recordedBefore(
    join: Join,
    packets: readonly Arrived[],
    watched: boolean,
    now: boolean,
  ): number | 'unknown' | undefined {
    const [lead] = packets;
    if (!lead) return undefined;
    // In the middle of a GOP only where one is being dropped that bears a step in it.
    if (
      !this.#isCut(lead.packet, this.#held.configsAt(lead.packet, this.#configs)) &&
      !this.#clock.isDropping
    ) {
      return undefined;
    }
    const places = this.#recent.placesOf(packets).filter(({ verdict }) => verdict !== 'other');
    const proven = places.findLast(({ verdict }) => verdict === 'same');
    if (proven) return proven.dtsMs;
    if (places.length === 0) return undefined;
    if (join.kind === 'again') {
      if (places.some(({ dtsMs }) => this.#clock.isAt(dtsMs, lead.packet)))
        return lead.packet.dtsMs + this.#clock.offsetMs;
      const watchedMs = (packets.at(-1)?.arrivedAtMs ?? 0) - lead.arrivedAtMs;
      return now || watchedMs >= 2 * EDGE_WATCH_MS ? undefined : 'unknown';
    }
    if (!watched) return 'unknown';
    const run = this.#clock.untilStep(packets);
    const isBrief = (run.at(-1)?.packet.dtsMs ?? 0) - lead.packet.dtsMs < BRIEF_MS;
    if (isBrief && (now || run.length < packets.length)) {
      // What a source that stands still began with is found again at each connection.
      const there = places.find(({ dtsMs }) => this.#clock.isAt(dtsMs, lead.packet));
      if (there) return there.dtsMs;
    }
    // A still picture in silence: it was recorded before if it comes when it should. Media recorded twice is better
    // than media lost.
    const lateMs = ({ dtsMs }: { dtsMs: number }): number =>
      Math.abs(this.#clock.lateMs(packets, dtsMs - lead.packet.dtsMs));
    const [nearest] = places.toSorted((a, b) => lateMs(a) - lateMs(b));
    const toleranceMs = EDGE_TOLERANCE_MS + this.#clock.jitterMs;
    return nearest && lateMs(nearest) <= toleranceMs ? nearest.dtsMs : undefined;
  }

  /** Whether an epoch may begin with it. */
  #isCut(packet: MediaPacket, { video }: Configs): boolean {
    return packet.kind === 'video' ? packet.key : video === null;
  }

  /** The connection is over, or goes on for ever, and nothing of what is held can be decoded. */
  #dropHeld(): void {
    this.#letGo(({ kind }) => (this.#droppedHead[kind === 'video' ? 'pictures' : 'sound'] += 1));
    this.#noteHead();
  }

  #noteHead(): void {
    const { pictures, sound } = this.#droppedHead;
    if (pictures + sound > 0) this.#event('undecodable-head', { pictures, sound });
    this.#droppedHead = { pictures: 0, sound: 0 };
  }

  /** Puts the held units on the line, the first of these packets deciding where. */
  #put(join: Join, packets: readonly Arrived[], place: PlaceOnLine): void {
    const [lead] = packets;
    if (!lead) return;
    const configs = this.#held.configsAt(lead.packet, this.#configs);
    const held = this.#held.take();
    this.#join = null;
    const begins = this.#moveTo(join, lead, place, packets, configs);
    this.#configs = configs;
    this.#compareSound();
    if (begins) {
      this.#beginEpoch(place.kind === 'back' ? place.keyframe : null);
      this.#emit(lead.packet, lead.arrivedAtMs);
    }
    const at = held.findIndex(({ unit }) => unit === lead.packet);
    // What comes behind the lead may bear another step, another configuration.
    this.#queue.push(...held.slice(at + 1).reverse());
    for (const [index, { unit, arrivedAtMs }] of held.slice(0, at + 1).entries()) {
      const isLead = index === at;
      if (isConfig(unit) || (isLead && begins)) continue;
      else if (place.kind === 'back' && unit.kind === 'video') this.#droppedAgain += 1;
      else if (join.kind === 'connection' && unit.kind === 'video' && !isLead)
        this.#droppedHead.pictures += 1;
      else this.#emit(unit, arrivedAtMs);
    }
    this.#noteHead();
  }

  /** Sets the clock; true when an epoch must begin at the lead. */
  #moveTo(
    join: Join,
    lead: Arrived,
    place: PlaceOnLine,
    packets: readonly Arrived[],
    configs: Configs,
  ): boolean {
    const { dtsMs } = lead.packet;
    const isCut = this.#isCut(lead.packet, configs);
    const isConnection = join.kind === 'connection';
    const track = this.#clock.trackOf(lead.packet);
    const nextMs = track ? track.lastDtsMs + track.frameMs : 0;
    switch (place.kind) {
      case 'first':
        this.#clock.begin(this.#firstDtsMs - dtsMs);
        return true;
      case 'onward':
        return false;
      case 'again':
        this.#leftClock = !isConnection && Math.abs(place.offsetMs - this.#clock.offsetMs) > ROUNDING_MS;
        this.#clock.moveTo(place.offsetMs);
        this.#clock.setDropping(true);
        this.#dropsForeign = place.isForeign === true || (join.kind === 'connection' && join.otherQuality);
        this.#dropsKnownFromMs = place.fromDtsMs;
        // Where the same pictures come again, a change (the sound's) waits for the next keyframe that is new.
        return false;
      case 'clock': {
        const holeMs = Math.round(dtsMs + place.offsetMs - nextMs);
        const toleranceMs = (track?.frameMs ?? 0) * (isConnection ? 0.5 : 1);
        const missingMs = holeMs <= toleranceMs ? 0 : holeMs;
        this.#missing(join, nextMs, missingMs);
        if (isCut || missingMs === 0) this.#clock.moveTo(place.offsetMs);
        else this.#clock.closeHole(nextMs, dtsMs, missingMs);
        return isCut && (missingMs > 0 || (isConnection && this.#differs(configs)));
      }
      case 'back':
        this.#clock.moveTo(place.offsetMs);
        return true;
      case 'unknown': {
        const missingMs = isConnection
          ? this.#missingByArrival(packets, nextMs)
          : this.#missingInSilence(join, lead, nextMs);
        this.#missing(join, nextMs, missingMs);
        if (isCut && missingMs > 0) this.#clock.moveTo(nextMs + missingMs - dtsMs);
        else this.#clock.closeHole(nextMs, dtsMs, missingMs);
        return isCut && (isConnection || missingMs > 0);
      }
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

  /**
   * Another clock after a silence on an open connection: the silence is all that is known. Or all of the connection was
   * sent again: nobody knows how old that was, and the end of the line is.
   */
  #missingInSilence(join: Join, lead: Arrived, nextMs: number): number {
    const { packet } = lead;
    const silenceMs = join.kind === 'step' ? join.silenceMs : 0;
    this.#event('timestamp-jump', { sourceMs: Math.round(packet.dtsMs), silenceMs: Math.round(silenceMs) });
    const frameMs = nextMs - (this.#clock.trackOf(packet)?.lastDtsMs ?? nextMs);
    const isSentAgain = this.#clock.isDropping && this.#clock.jitterMs === 0;
    const lateMs = isSentAgain ? this.#clock.lateMs([lead], nextMs - packet.dtsMs) : 0;
    if (Math.max(silenceMs, lateMs) <= SILENCE_MS) return 0;
    return Math.round(Math.max(silenceMs - frameMs, lateMs));
  }

  /** A connection with another clock: what is missing lies between the end of the line and the live edge. */
  #missingByArrival(packets: readonly Arrived[], nextMs: number): number {
    const sourceMs = packets[0]?.packet.dtsMs ?? 0;
    this.#event('timestamp-restart', { sourceMs: Math.round(sourceMs) });
    const holeMs = Math.round(this.#clock.lateMs(packets, nextMs - sourceMs));
    if (holeMs < 0) this.#clock.wall.shift(nextMs, holeMs);
    return holeMs > ARRIVAL_TOLERANCE_MS + this.#clock.jitterMs ? holeMs : 0;
  }

  #gap(fromMs: number, ms: number, cause: GapCause): void {
    this.#out.push({ kind: 'gap', fromMs, toMs: fromMs + ms, cause });
  }

  #configChanged(): boolean {
    return this.#differs(this.#configs);
  }

  #differs({ video, audio }: Configs): boolean {
    return !this.#epoch || !sameConfig(this.#epoch.video, video) || !sameConfig(this.#epoch.audio, audio);
  }

  #beginEpoch(backTo: LineKeyframe | null = null): void {
    this.#noteDropped();
    this.#epoch = this.#configs;
    this.#compareSound();
    this.#clock.setDropping(false);
    if (backTo) this.#goBackTo(backTo);
    this.#out.push({ kind: 'epoch', backToDtsMs: backTo?.dtsMs ?? null, ...this.#epoch });
  }

  /** As if nothing had been recorded from this keyframe on. */
  #goBackTo(keyframe: LineKeyframe): void {
    const { dtsMs, soundMs } = keyframe;
    const { video, audio } = this.#clock;
    this.#event('taken-back', { ms: Math.round((this.endDtsMs ?? dtsMs) - dtsMs) });
    this.#keyframes.forgetFrom(dtsMs);
    this.#recent.forgetFrom(dtsMs, soundMs);
    if (video) video.lastDtsMs = dtsMs - video.frameMs;
    if (soundMs === null) this.#clock.audio = null;
    if (!audio || soundMs === null) return;
    audio.lastDtsMs = soundMs;
    // Sound lies a little off its pictures: some of what comes with the keyframe is there already.
    audio.dropping = true;
  }

  #emit(packet: MediaPacket, arrivedAtMs: number): void {
    const sourceMs = packet.dtsMs;
    const dtsMs = sourceMs + this.#clock.offsetMs;
    const known = this.#clock[packet.kind];
    if (known?.dropping) {
      if (dtsMs < known.lastDtsMs + Math.min(known.frameMs / 2, ROUNDING_MS)) {
        if (this.#isNews(packet, dtsMs)) {
          this.#waitForPlace(packet, arrivedAtMs, 'source-skip');
          return;
        }
        this.#clock.stamp(known, sourceMs);
        this.#droppedAgain += 1;
        return;
      }
      if (this.#goesBackToLeftClock(packet, arrivedAtMs)) return;
      known.dropping = false;
      if (packet.kind === 'video') this.#noteDropped();
      if (this.#endsInForeignGop(packet, arrivedAtMs)) return;
    }
    if (this.#isCut(packet, this.#configs) && this.#configChanged()) this.#beginEpoch();
    if (packet.kind === 'audio' && this.#soundChanged) {
      this.#droppedSound += 1;
      return;
    }
    packet.dtsMs = known ? Math.max(dtsMs, known.lastDtsMs + 1) : dtsMs;
    if (packet.kind === 'video' && packet.key)
      this.#keyframes.note({ dtsMs: packet.dtsMs, soundMs: this.#clock.audio?.lastDtsMs ?? null });
    const track = this.#clock.ownTrackOf(packet, sourceMs);
    const stepMs = sourceMs - track.lastSourceMs;
    if (stepMs > 0 && stepMs < FRAME_MAX_MS) track.frameMs = stepMs;
    track.lastDtsMs = packet.dtsMs;
    this.#clock.stamp(track, sourceMs);
    this.#recent.remember({ packet, print: printOf(packet) }, packet.dtsMs);
    this.#clock.wall.saw(packet.dtsMs, arrivedAtMs);
    this.#out.push(packet);
  }

  /**
   * Media was sent again with timestamps that went on, as in a loop; what is new may go on with the clock of before it,
   * and then the loop's time is missing.
   */
  #goesBackToLeftClock(packet: MediaPacket, arrivedAtMs: number): boolean {
    if (!this.#leftClock || (packet.kind === 'audio' && this.#clock.video)) return false;
    this.#leftClock = false;
    const lead = { packet, print: printOf(packet), arrivedAtMs };
    const offsetMs = this.#clock.knownFor([lead]);
    if (offsetMs === undefined || offsetMs === this.#clock.offsetMs) return false;
    this.#clock.setDropping(false);
    this.#noteDropped();
    this.#held.add({ unit: packet, arrivedAtMs });
    this.#put({ kind: 'step', silenceMs: Infinity }, [lead], { kind: 'clock', offsetMs });
    return true;
  }

  /**
   * It stands where something was recorded, and is something else. What stands where nothing was lies in a gap, which
   * the playlist's window reaches back to: it can't be put there any more.
   */
  #isNews(packet: MediaPacket, dtsMs: number): boolean {
    if (packet.kind === 'audio' || !packet.key || this.#dropsForeign) return false;
    if (dtsMs <= this.#dropsKnownFromMs + ROUNDING_MS || !this.#recent.hasPictureAt(dtsMs)) return false;
    return this.#recent.keyframesLike(printOf(packet)).length === 0;
  }

  #waitForPlace(packet: MediaPacket, arrivedAtMs: number, cause: GapCause): void {
    this.#clock.setDropping(false);
    this.#noteDropped();
    this.#join = { kind: 'connection', cause, otherQuality: this.#dropsForeign };
    this.#held.add({ unit: packet, arrivedAtMs });
  }

  /**
   * The line went on in another quality behind what was sent again: what comes next is in the middle of a GOP that was not
   * recorded in this one, and waits for a keyframe.
   */
  #endsInForeignGop(packet: MediaPacket, arrivedAtMs: number): boolean {
    if (!this.#dropsForeign || packet.kind !== 'video') return false;
    const isForeign = !packet.key && !sameConfig(this.#epoch?.video ?? null, this.#configs.video);
    if (isForeign) this.#waitForPlace(packet, arrivedAtMs, 'connection-lost');
    this.#dropsForeign = false;
    return isForeign;
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
