/**
 * The session's one time line. Connections come and go, each with timestamps of its own that may jump or restart; the
 * time line puts their packets one after another in milliseconds that only grow, drops what was sent again, cuts epochs
 * where the codec configuration really changes or where media is missing, and says how much is missing and why.
 *
 * Invariants:
 * - no packet that a source gave is dropped, but for: one that was recorded already, pictures that no keyframe of their
 *   connection precedes, and sound for which no configuration was ever sent (each noted as an event);
 * - an epoch begins with a keyframe (or is audio alone) and has one configuration;
 * - audio and video of one source are always shifted together.
 *
 * Two clocks matter. `offset` maps a source's timestamps to the line while the source's clock holds. `wall` maps the line
 * to UTC: the least (arrival − dts) seen, i.e. the live edge. A timestamp that would lie ahead of the live edge comes
 * from a clock that was changed, not from media that was skipped: that is how a jump by an hour is told from a gap.
 */
import {
  isConfig,
  type AudioConfig,
  type MediaPacket,
  type MediaUnit,
  type VideoConfig,
} from '../media/packet.ts';
import type { GapCause } from '../model/causes.ts';
import { RecentKeyframes } from './recent-keyframes.ts';
import { sameConfig } from './same-config.ts';

/** Where the line begins, so that sound a little ahead of the first picture stays positive. */
const FIRST_DTS_MS = 60_000;
/** BililiveRecorder's rule for a jump within a connection. */
const JUMP_MS = 500;
/** How far two tracks of one source may lie apart before a step of one is a step of the clock. */
const TRACK_SKEW_MS = 1_000;
/** A timestamp may be this much ahead of the live edge before it can't be of the same clock. */
const AHEAD_MS = 250;
/** ... and this much behind it: the CDN's own buffer at a join, a slow link. */
const BEHIND_MS = 60_000;
/** Silence within a connection, with a changed clock after it, that counts as missing media. */
const SILENCE_MS = 1_500;
/** How long a join watches arrivals to find the live edge of an unknown clock. */
const EDGE_WATCH_MS = 500;
/** How much media a join holds back to see whether there is sound. */
const AUDIO_WAIT_MS = 3_000;
const HELD_BYTES_MAX = 32 * 1024 * 1024;

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
  packet: MediaPacket;
  arrivedAtMs: number;
}

/** Why packets are being held back: a new connection, or a step within one. */
type Join = { kind: 'connection'; cause: GapCause } | { kind: 'step'; silenceMs: number };

export class Timeline {
  readonly #firstDtsMs: number;
  #join: Join | null = { kind: 'connection', cause: 'found-late' };
  #held: Held[] = [];
  #heldBytes = 0;
  #offsetMs = 0;
  #walls: { fromDtsMs: number; wallMs: number }[] = [];
  #video: Track | null = null;
  #audio: Track | null = null;
  /** The configurations of the epoch being recorded; undefined before the first. */
  #epoch: { video: VideoConfig | null; audio: AudioConfig | null } | undefined;
  /** The source's latest configurations. */
  #videoConfig: VideoConfig | null = null;
  #audioConfig: AudioConfig | null = null;
  #keyframes = new RecentKeyframes();
  #lastArrivalMs = 0;
  #droppedAgain = 0;
  #droppedHead = 0;
  #droppedSound = 0;
  #out: TimelineItem[] = [];

  /** @param startMs how long after its session's beginning this line begins: later terms stand behind earlier ones */
  constructor(startMs = 0) {
    this.#firstDtsMs = FIRST_DTS_MS + Math.max(0, Math.round(startMs));
  }

  /** The next units come from another connection; `cause` is why media may be missing before it. */
  connect(cause: GapCause): TimelineItem[] {
    const items = this.finish();
    this.#join = { kind: 'connection', cause };
    this.#videoConfig = null;
    this.#audioConfig = null;
    return items;
  }

  /** The units of one network read. Packets are re-stamped in place. */
  push(units: readonly MediaUnit[], arrivedAtMs: number): TimelineItem[] {
    for (const unit of units) {
      if (isConfig(unit)) this.#takeConfig(unit);
      else this.#takePacket(unit, arrivedAtMs);
    }
    if (units.length > 0) this.#lastArrivalMs = arrivedAtMs;
    return this.#drain();
  }

  /** The connection is over: what was held back comes out. */
  finish(): TimelineItem[] {
    if (this.#join && this.#held.length > 0) this.#settle(true);
    if (this.#droppedAgain > 0) this.#noteDropped();
    return this.#drain();
  }

  /** UTC milliseconds of a place on the line. */
  wallOf(dtsMs: number): number {
    const wall = this.#walls.findLast((entry) => entry.fromDtsMs <= dtsMs) ?? this.#walls[0];
    return Math.round(dtsMs + (wall?.wallMs ?? 0));
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
      wallMs: this.#walls.at(-1)?.wallMs ?? 0,
      video: of(this.#video),
      audio: of(this.#audio),
    };
  }

  /**
   * Goes on where another process stopped.
   * @param tail the last units it had recorded, stamped on this line already; those after `closedDtsMs` (of the leading
   *   track) are in no closed segment and come out again, as an epoch
   */
  resume(state: TimelineState, tail: readonly MediaUnit[], closedDtsMs: number): TimelineItem[] {
    const track = (known: { lastDtsMs: number; frameMs: number } | null): Track | null =>
      known && { ...known, lastSourceMs: known.lastDtsMs - state.offsetMs, dropping: false };
    this.#walls = [{ fromDtsMs: 0, wallMs: state.wallMs }];
    this.#video = track(state.video);
    this.#audio = track(state.audio);
    let leads = false;
    const last = { video: -Infinity, audio: -Infinity };
    for (const unit of tail) {
      if (isConfig(unit)) {
        this.#takeConfig(unit);
        continue;
      }
      // A term that crashed while it was going on from a tail left some of it twice.
      if (unit.dtsMs <= last[unit.kind]) continue;
      last[unit.kind] = unit.dtsMs;
      const isLead = unit.kind === 'video' ? unit.key : this.#videoConfig === null;
      if (unit.kind === 'video' && unit.key) this.#keyframes.remember(unit, unit.dtsMs);
      const known =
        unit.kind === 'video' ? (this.#video ??= newTrack(unit)) : (this.#audio ??= newTrack(unit));
      known.lastDtsMs = Math.max(known.lastDtsMs, unit.dtsMs);
      known.lastSourceMs = known.lastDtsMs - state.offsetMs;
      if (!leads && !(isLead && unit.dtsMs > closedDtsMs)) continue;
      if (!leads || (isLead && this.#configChanged())) this.#beginEpoch();
      leads = true;
      this.#out.push(unit);
    }
    this.#offsetMs = state.offsetMs;
    return this.#drain();
  }

  #drain(): TimelineItem[] {
    const items = this.#out;
    if (items.length > 0) this.#out = [];
    return items;
  }

  #takeConfig(config: VideoConfig | AudioConfig): void {
    if (config.kind === 'video') this.#videoConfig = config;
    else this.#audioConfig = config;
  }

  #takePacket(packet: MediaPacket, arrivedAtMs: number): void {
    if (!this.#join) {
      const step = this.#stepOf(packet);
      if (!step) {
        this.#emit(packet, arrivedAtMs);
        return;
      }
      this.#join = { kind: 'step', silenceMs: arrivedAtMs - this.#lastArrivalMs };
    }
    this.#held.push({ packet, arrivedAtMs });
    this.#heldBytes += packet.data.length;
    this.#settle(false);
  }

  /** Whether the source's clock made a step with this packet: against its own track, and not explained by the other. */
  #stepOf(packet: MediaPacket): boolean {
    const [own, other] = packet.kind === 'video' ? [this.#video, this.#audio] : [this.#audio, this.#video];
    const far = (track: Track, toleranceMs: number) =>
      Math.abs(packet.dtsMs - track.lastSourceMs) > toleranceMs;
    if (own && !far(own, JUMP_MS)) return false;
    if (other && !far(other, TRACK_SKEW_MS)) return false;
    return own !== null || other !== null;
  }

  /** Decides where the held packets go, once enough is known; always when `now`. */
  #settle(now: boolean): void {
    const join = this.#join;
    const first = this.#held[0];
    const last = this.#held.at(-1);
    if (!join || !first || !last) return;
    const heldMs = Math.abs(last.packet.dtsMs - first.packet.dtsMs);
    const watchedMs = last.arrivedAtMs - first.arrivedAtMs;
    const enough =
      now || heldMs >= AUDIO_WAIT_MS || watchedMs >= AUDIO_WAIT_MS || this.#heldBytes > HELD_BYTES_MAX;

    if (join.kind === 'step') {
      const lead =
        this.#held.find(({ packet }) => packet.kind === 'video') ??
        (this.#video && !enough ? undefined : first);
      if (lead) this.#place(join, lead);
      return;
    }
    const keyframe = this.#held.find(({ packet }) => packet.kind === 'video' && packet.key);
    if (!keyframe && !enough) return;
    if (!keyframe && this.#held.some(({ packet }) => packet.kind === 'video')) {
      this.#dropHeadPictures(Infinity);
      if (this.#held.length === 0 || this.#videoConfig) return;
    }
    const configured = this.#videoConfig !== null && this.#audioConfig !== null;
    if (!configured && !enough) return;
    const lead = keyframe ?? this.#held[0];
    if (!lead) return;
    const known = !this.#epoch || this.#recordedBefore(lead) !== undefined || this.#sameClock(lead);
    if (!known && !enough && watchedMs < EDGE_WATCH_MS) return;
    if (keyframe) this.#dropHeadPictures(this.#held.indexOf(keyframe));
    this.#place(join, lead);
  }

  /** Pictures that come before the connection's first keyframe can't be decoded. */
  #dropHeadPictures(before: number): void {
    const kept = this.#held.filter(({ packet }, index) => packet.kind === 'audio' || index >= before);
    this.#droppedHead += this.#held.length - kept.length;
    this.#held = kept;
    if (this.#droppedHead > 0 && before !== Infinity) {
      this.#event('undecodable-head', { pictures: this.#droppedHead });
      this.#droppedHead = 0;
    }
  }

  #recordedBefore({ packet }: Held): number | undefined {
    if (packet.kind !== 'video' || !packet.key) return undefined;
    return this.#keyframes.find(packet, packet.dtsMs + this.#offsetMs);
  }

  #sameClock({ packet, arrivedAtMs }: Held): boolean {
    const wall = this.#walls.at(-1);
    const track = this.#trackOf(packet);
    if (!wall || !track) return false;
    const dtsMs = packet.dtsMs + this.#offsetMs;
    const behindMs = arrivedAtMs - dtsMs - wall.wallMs;
    const notBefore = dtsMs - track.lastDtsMs >= track.frameMs / 2;
    return notBefore && behindMs >= -AHEAD_MS && behindMs <= BEHIND_MS;
  }

  #trackOf(packet: MediaPacket): Track | null {
    return packet.kind === 'video' ? (this.#video ?? this.#audio) : (this.#audio ?? this.#video);
  }

  /** Puts the held packets on the line, `lead` deciding where. */
  #place(join: Join, lead: Held): void {
    const track = this.#trackOf(lead.packet);
    const leadIsCut = (lead.packet.kind === 'video' && lead.packet.key) || !this.#videoConfig;
    const before = this.#recordedBefore(lead);
    // Where the same pictures come again, a change (the sound's) waits for the next keyframe that is new. Without an epoch
    // to go on with (the term before closed it) there is no other beginning than that keyframe.
    let begins =
      !this.#epoch || (join.kind === 'connection' && before === undefined && this.#configChanged());
    if (!track) {
      this.#offsetMs = this.#firstDtsMs - lead.packet.dtsMs;
      this.#walls = [{ fromDtsMs: 0, wallMs: Infinity }];
      begins = true;
    } else if (before !== undefined) {
      this.#offsetMs = before - lead.packet.dtsMs;
      for (const each of [this.#video, this.#audio]) if (each) each.dropping = true;
    } else {
      const nextMs = track.lastDtsMs + track.frameMs;
      const joins = this.#sameClock(lead);
      const missingMs = this.#missingBefore(join, lead, nextMs);
      const cause =
        join.kind === 'connection' ? join.cause : join.silenceMs > SILENCE_MS ? 'stall' : 'source-skip';
      if (missingMs > 0) {
        const fromMs = this.wallOf(nextMs);
        this.#out.push({ kind: 'gap', fromMs, toMs: fromMs + missingMs, cause });
      }
      if (leadIsCut && (missingMs > 0 || (join.kind === 'connection' && !joins))) {
        this.#offsetMs = nextMs + missingMs - lead.packet.dtsMs;
        begins = true;
      } else if (missingMs > 0 || !joins) {
        this.#offsetMs = nextMs - lead.packet.dtsMs;
        if (missingMs > 0) this.#shiftWall(nextMs, missingMs);
      }
    }
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    this.#join = null;
    if (begins) {
      this.#beginEpoch();
      this.#emit(lead.packet, lead.arrivedAtMs);
    }
    for (const each of held) if (!begins || each !== lead) this.#emit(each.packet, each.arrivedAtMs);
  }

  /** How much media is missing between the end of the line and the lead, in ms. */
  #missingBefore(join: Join, lead: Held, nextMs: number): number {
    const track = this.#trackOf(lead.packet);
    const frameMs = track?.frameMs ?? 0;
    if (this.#sameClock(lead)) {
      const holeMs = lead.packet.dtsMs + this.#offsetMs - nextMs;
      const toleranceMs = join.kind === 'connection' ? frameMs / 2 : JUMP_MS - frameMs;
      return holeMs <= toleranceMs ? 0 : Math.round(holeMs);
    }
    if (join.kind === 'step') {
      this.#event('timestamp-jump', {
        sourceMs: Math.round(lead.packet.dtsMs),
        silenceMs: Math.round(join.silenceMs),
      });
      return join.silenceMs > SILENCE_MS ? Math.round(join.silenceMs - frameMs) : 0;
    }
    const edgeMs = Math.min(...this.#held.map(({ packet, arrivedAtMs }) => arrivedAtMs - packet.dtsMs));
    const wallMs = this.#walls.at(-1)?.wallMs ?? 0;
    const holeMs = lead.packet.dtsMs + edgeMs - wallMs - nextMs;
    this.#event('timestamp-restart', { sourceMs: Math.round(lead.packet.dtsMs) });
    if (holeMs < 0) this.#shiftWall(nextMs, holeMs);
    return holeMs > 100 ? Math.round(holeMs) : 0;
  }

  #shiftWall(fromDtsMs: number, byMs: number): void {
    this.#walls.push({ fromDtsMs, wallMs: (this.#walls.at(-1)?.wallMs ?? 0) + byMs });
  }

  #configChanged(): boolean {
    if (!this.#epoch) return true;
    return (
      !sameConfig(this.#epoch.video, this.#videoConfig) || !sameConfig(this.#epoch.audio, this.#audioConfig)
    );
  }

  #beginEpoch(): void {
    if (this.#droppedSound > 0) this.#event('sound-without-configuration', { frames: this.#droppedSound });
    this.#droppedSound = 0;
    this.#epoch = { video: this.#videoConfig, audio: this.#audioConfig };
    for (const each of [this.#video, this.#audio]) if (each) each.dropping = false;
    this.#out.push({ kind: 'epoch', ...this.#epoch });
  }

  #emit(packet: MediaPacket, arrivedAtMs: number): void {
    const isKey = packet.kind === 'video' && packet.key;
    const sourceMs = packet.dtsMs;
    const dtsMs = sourceMs + this.#offsetMs;
    let track = packet.kind === 'video' ? this.#video : this.#audio;
    if (track?.dropping) {
      if (dtsMs <= track.lastDtsMs) {
        track.lastSourceMs = sourceMs;
        this.#droppedAgain += 1;
        return;
      }
      track.dropping = false;
      if (packet.kind === 'video') this.#noteDropped();
    }
    if (isKey && this.#configChanged()) this.#beginEpoch();
    if (packet.kind === 'audio' && !this.#epoch?.audio) {
      this.#droppedSound += 1;
      return;
    }
    if (track) {
      const frameMs = sourceMs - track.lastSourceMs;
      if (frameMs > 0 && frameMs < 200) track.frameMs = frameMs;
      packet.dtsMs = Math.max(dtsMs, track.lastDtsMs + 1);
      track.lastDtsMs = packet.dtsMs;
      track.lastSourceMs = sourceMs;
    } else {
      packet.dtsMs = dtsMs;
      track = { ...newTrack(packet), lastSourceMs: sourceMs };
      if (packet.kind === 'video') this.#video = track;
      else this.#audio = track;
    }
    if (isKey) this.#keyframes.remember(packet, packet.dtsMs);
    const wall = this.#walls.at(-1);
    if (wall) wall.wallMs = Math.min(wall.wallMs, arrivedAtMs - packet.dtsMs);
    this.#out.push(packet);
  }

  #noteDropped(): void {
    if (this.#droppedAgain > 0) this.#event('sent-again', { packets: this.#droppedAgain });
    this.#droppedAgain = 0;
  }

  #event(event: string, detail: EventItem['detail']): void {
    this.#out.push({ kind: 'event', event, detail });
  }
}

const newTrack = (packet: MediaPacket): Track => ({
  lastSourceMs: packet.dtsMs,
  lastDtsMs: packet.dtsMs,
  frameMs: packet.kind === 'video' ? 33 : 23,
  dropping: false,
});
