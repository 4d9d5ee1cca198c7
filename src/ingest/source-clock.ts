/**
 * How a source's timestamps lie on the session's time line. `offset` maps them while the source's clock holds; clocks
 * that held before are remembered, for a source may come back to them. Audio and video are always shifted together: what
 * a step of the clock is, and what only a pause of one track, is told by the other.
 */
import type { MediaPacket } from '../media/packet.ts';
import type { Printed } from './recent-media.ts';
import { WallClock } from './wall-clock.ts';

/** BililiveRecorder's rule for a jump within a connection. */
export const JUMP_MS = 500;
/** Decode times of one track never go back, but for what a muxer rounds. */
const BACK_MS = 100;
/** A timestamp may be this much ahead of the live edge before it can't be of the same clock. */
const AHEAD_MS = 250;
/** ... and this much behind it: the CDN's own buffer at a join, a slow link. */
const BEHIND_MS = 60_000;
const CLOCKS_KEPT = 4;
/** HLS gives media when a segment of it is whole: its arrivals tell the live edge to a segment only. */
const JITTER_MS = { flv: 0, hls: 4_000, cmaf: 4_000 } as const;

export type MediaProtocol = keyof typeof JITTER_MS;

export interface Arrived extends Printed {
  arrivedAtMs: number;
}

export interface Track {
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

export class SourceClock {
  readonly wall: WallClock;
  video: Track | null = null;
  audio: Track | null = null;
  #offsetMs = 0;
  #earlierMs: number[] = [];
  /** Counts the offsets. */
  #clock = 0;
  #jitterMs = 0;

  /** @param utcMs UTC minus the clock of the arrivals */
  constructor(utcMs = 0) {
    this.wall = new WallClock(utcMs);
  }

  get offsetMs(): number {
    return this.#offsetMs;
  }

  /** Of all clocks that held and may hold again, the one that holds first. */
  get offsetsMs(): readonly number[] {
    return [this.#offsetMs, ...this.#earlierMs];
  }

  /** How little arrivals say, beside what they say of one long response. */
  get jitterMs(): number {
    return this.#jitterMs;
  }

  comesBy(protocol: MediaProtocol): void {
    this.#jitterMs = JITTER_MS[protocol];
  }

  get tracks(): Track[] {
    return [this.video, this.audio].filter((track) => track !== null);
  }

  get isDropping(): boolean {
    return this.tracks.some(({ dropping }) => dropping);
  }

  setDropping(dropping: boolean): void {
    for (const track of this.tracks) track.dropping = dropping;
  }

  /** The packet's own track, or the other while it has none. */
  trackOf({ kind }: MediaPacket): Track | null {
    return kind === 'video' ? (this.video ?? this.audio) : (this.audio ?? this.video);
  }

  /** The packet's own track, made with it. */
  ownTrackOf({ kind, dtsMs }: MediaPacket, sourceMs: number): Track {
    const fresh = (frameMs: number): Track => ({
      lastSourceMs: sourceMs,
      lastDtsMs: dtsMs,
      frameMs,
      skewMs: null,
      clock: this.#clock,
      dropping: false,
    });
    return kind === 'video' ? (this.video ??= fresh(33)) : (this.audio ??= fresh(23));
  }

  /** The track's latest timestamp. */
  stamp(track: Track, sourceMs: number): void {
    const other = track === this.video ? this.audio : this.video;
    track.lastSourceMs = sourceMs;
    track.clock = this.#clock;
    if (other?.clock === this.#clock) track.skewMs = sourceMs - other.lastSourceMs;
  }

  /** Where the first of a session, or of a later process, lies. */
  begin(offsetMs: number, wallMs?: number, earlierMs: readonly number[] = []): void {
    this.wall.begin(wallMs);
    this.#clock += 1;
    this.#offsetMs = offsetMs;
    this.#earlierMs = [...earlierMs];
  }

  moveTo(offsetMs: number): void {
    this.#clock += 1;
    if (offsetMs === this.#offsetMs) return;
    const others = this.#earlierMs.filter((each) => each !== offsetMs);
    this.#earlierMs = [this.#offsetMs, ...others].slice(0, CLOCKS_KEPT);
    this.#offsetMs = offsetMs;
  }

  /** Goes on at `nextMs` with what has this timestamp, without a hole on the line, whatever is missing. */
  closeHole(nextMs: number, sourceMs: number, missingMs: number): void {
    this.moveTo(nextMs - sourceMs);
    if (missingMs <= 0) return;
    // By this clock the line lies earlier than it did: offsets of before don't hold any more.
    this.#earlierMs = [];
    this.wall.shift(nextMs, missingMs);
  }

  /** Whether the packet belongs here on the line by the clock that holds. */
  isAt(dtsMs: number, packet: MediaPacket): boolean {
    return Math.abs(dtsMs - packet.dtsMs - this.#offsetMs) <= 2;
  }

  /** Whether the source's clock made a step with this packet: against its own track, and not explained by the other. */
  isStep(packet: MediaPacket): boolean {
    const [own, other] = packet.kind === 'video' ? [this.video, this.audio] : [this.audio, this.video];
    if (!own) return false;
    const stepMs = packet.dtsMs - own.lastSourceMs;
    if (stepMs >= -BACK_MS && stepMs <= JUMP_MS) return false;
    if (!other || other.clock !== this.#clock) return true;
    if (stepMs < 0 && own.clock === this.#clock) return true;
    // The first packet in a clock that the other track has set may be a little off; the clock was not.
    const toleranceMs = own.clock === this.#clock && own.skewMs !== null ? JUMP_MS : 4 * JUMP_MS;
    return Math.abs(packet.dtsMs - other.lastSourceMs - (own.skewMs ?? 0)) > toleranceMs;
  }

  /** The packet goes on exactly where the line ends. */
  followsOn(packet: MediaPacket): boolean {
    const track = this.trackOf(packet);
    if (!track) return false;
    const stepMs = packet.dtsMs + this.#offsetMs - track.lastDtsMs;
    return stepMs >= track.frameMs / 2 && stepMs <= track.frameMs * 1.5;
  }

  /** How long after the live edge these packets come, were this their offset; by the one that comes soonest. */
  lateMs(packets: readonly Arrived[], offsetMs: number): number {
    const each = this.untilStep(packets).map(({ packet, arrivedAtMs }) =>
      this.wall.lateMs(packet.dtsMs + offsetMs, arrivedAtMs),
    );
    return Math.min(...each);
  }

  /** The clock, of those that held, by which the packets come at the live edge and behind the end of the line. */
  knownFor(packets: readonly Arrived[]): number | undefined {
    const [lead] = packets;
    const track = lead && this.trackOf(lead.packet);
    if (!lead || !track) return undefined;
    const fits = this.offsetsMs.flatMap((offsetMs) => {
      const lateMs = this.lateMs(packets, offsetMs);
      const isBehind = lead.packet.dtsMs + offsetMs - track.lastDtsMs >= track.frameMs / 2;
      return isBehind && lateMs >= -AHEAD_MS - this.#jitterMs && lateMs <= BEHIND_MS
        ? [{ offsetMs, lateMs: Math.abs(lateMs) }]
        : [];
    });
    const best = fits.toSorted((a, b) => a.lateMs - b.lateMs)[0];
    const current = fits.find(({ offsetMs }) => offsetMs === this.#offsetMs);
    return current && best && current.lateMs <= best.lateMs + AHEAD_MS ? current.offsetMs : best?.offsetMs;
  }

  /** Those that are of one clock with the first. */
  untilStep(packets: readonly Arrived[]): readonly Arrived[] {
    const last: { video?: number; audio?: number } = {};
    const step = packets.findIndex(({ packet: { kind, dtsMs } }) => {
      const stepMs = dtsMs - (last[kind] ?? dtsMs);
      last[kind] = dtsMs;
      return stepMs < -BACK_MS || stepMs > JUMP_MS;
    });
    return step === -1 ? packets : packets.slice(0, step);
  }
}
