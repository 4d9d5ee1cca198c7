/**
 * A broadcast without a network: numbered pictures and frames of sound on a true time line, sent to a `Timeline` as a CDN
 * would, with all that goes wrong. What was sent, and what never was, is known exactly.
 */
import { Timeline, type GapItem, type TimelineItem } from '../../src/ingest/timeline.ts';
import type { AudioConfig, MediaPacket, MediaUnit, VideoConfig } from '../../src/media/packet.ts';
import type { GapCause } from '../../src/model/causes.ts';

export const START_UTC = Date.UTC(2026, 10, 22, 14);
const FRAME_MS = (1_024 * 1_000) / 44_100;

export interface BroadcastOptions {
  gopPictures?: number;
  /** When each picture is shown, from its number. */
  pictureMs?: (picture: number) => number;
  /** The sound comes so much later than its pictures, for ever. */
  skewMs?: number;
  video?: boolean;
  audio?: boolean;
  /** Every GOP has the same bytes. */
  still?: boolean;
  /** Every frame of sound has the same bytes. */
  silent?: boolean;
}

export const videoConfig = (name = 'a', width = 720): VideoConfig => ({
  kind: 'video',
  codec: 'h264',
  record: avcRecord(name),
  width,
  height: 1280,
});

/** An avcC with one SPS and one PPS, of no encoder. */
function avcRecord(name: string): Buffer {
  const set = (type: number): Buffer => {
    const nal = Buffer.concat([Buffer.from([type]), Buffer.from(name)]);
    return Buffer.concat([Buffer.from([nal.length >> 8, nal.length & 0xff]), nal]);
  };
  return Buffer.concat([Buffer.from([1, 100, 0, 31, 0xff, 0xe1]), set(0x67), Buffer.from([1]), set(0x68)]);
}

export const audioConfig = (sampleRate = 44_100): AudioConfig => ({
  kind: 'audio',
  codec: 'aac',
  record: Buffer.from([sampleRate === 44_100 ? 0x12 : 0x11, 0x10]),
  sampleRate,
  channels: 2,
});

interface Sent {
  kind: 'video' | 'audio';
  number: number;
  trueMs: number;
}

const sentOf = new WeakMap<Buffer, Sent>();

export class Broadcast {
  readonly timeline: Timeline;
  readonly items: TimelineItem[] = [];
  readonly sent: Sent[] = [];
  video: VideoConfig | null;
  audio: AudioConfig | null;
  /** Added to the true time to make a timestamp. */
  shiftMs = 0;
  /** Where the connection is in the media; the live edge is `nowMs`. */
  atMs = 0;
  nowMs = 0;
  /** Our own clock is wrong by so much. */
  utcAheadMs = 0;
  /** The same broadcast, encoded otherwise. */
  pictureQuality = '';
  soundQuality = '';
  /** As in the options, and to be changed. */
  skewMs: number;
  readonly #options: Required<BroadcastOptions>;

  constructor(options: BroadcastOptions = {}, timeline = new Timeline()) {
    this.timeline = timeline;
    this.#options = {
      gopPictures: 60,
      pictureMs: (picture) => (picture * 1_000) / 30,
      skewMs: 0,
      video: true,
      audio: true,
      still: false,
      silent: false,
      ...options,
    };
    this.skewMs = this.#options.skewMs;
    this.video = this.#options.video ? videoConfig() : null;
    this.audio = this.#options.audio ? audioConfig() : null;
  }

  get utcMs(): number {
    return START_UTC + this.utcAheadMs + this.nowMs;
  }

  /** Start of the GOP that this time lies in, or of one so many before it. */
  gopStartMs(atMs: number, back = 0): number {
    const { gopPictures, pictureMs } = this.#options;
    let gop = 0;
    while (pictureMs((gop + 1) * gopPictures) <= atMs) gop += 1;
    return pictureMs(Math.max(0, gop - back) * gopPictures);
  }

  /** A new connection that sends its cache at once: from this place to the live edge, or to so much before it. */
  connect(
    cause: GapCause,
    {
      fromMs,
      clock = 'same',
      lagMs = 0,
      otherQuality = false,
    }: { fromMs?: number; clock?: 'same' | 'restart'; lagMs?: number; otherQuality?: boolean } = {},
  ): void {
    this.#keep(this.timeline.connect(cause, 'flv', otherQuality));
    this.atMs = fromMs ?? this.gopStartMs(this.nowMs);
    if (clock === 'restart') this.shiftMs = -this.atMs;
    this.headers();
    this.burst(this.nowMs - lagMs);
  }

  headers(): void {
    const configs = [this.video, this.audio].filter((config) => config !== null);
    this.#keep(this.timeline.push(configs, this.utcMs));
  }

  give(units: MediaUnit[]): void {
    this.#keep(this.timeline.push(units, this.utcMs));
  }

  /** Sends everything up to there now, in reads of about 16 packets. */
  burst(toMs: number): void {
    const units = this.#unitsTo(toMs);
    for (let at = 0; at < units.length; at += 16) {
      this.#keep(this.timeline.push(units.slice(at, at + 16), this.utcMs));
    }
  }

  /** The source says that what comes next has other timestamps, which begin anew. */
  discontinuity(): void {
    this.#keep(this.timeline.interrupt('source-skip'));
    this.shiftMs = -this.atMs;
  }

  /** Time passes and media flows, in reads of 40 ms. */
  run(ms: number): this {
    const endMs = this.nowMs + ms;
    while (this.nowMs < endMs) {
      const behindMs = this.nowMs - this.atMs;
      this.nowMs = Math.min(endMs, this.nowMs + 40);
      this.#keep(this.timeline.push(this.#unitsTo(this.nowMs - behindMs), this.utcMs));
    }
    return this;
  }

  /** Time passes, nothing is sent. */
  silence(ms: number): this {
    this.nowMs += ms;
    return this;
  }

  /** What the connection would send next is never sent. */
  skipTo(atMs: number): this {
    this.atMs = atMs;
    return this;
  }

  /** The connection goes back and sends from there on again, all at once. */
  replayFrom(fromMs: number, timestamps: 'same' | 'onward'): this {
    const [backMs, toMs] = [this.atMs - fromMs, this.atMs];
    this.atMs = fromMs;
    if (timestamps === 'onward') this.shiftMs += backMs;
    this.burst(toMs);
    return this;
  }

  end(): Outcome {
    this.#keep(this.timeline.finish());
    return outcomeOf(this.items, this.sent);
  }

  #keep(items: readonly TimelineItem[]): void {
    this.items.push(...items);
  }

  #unitsTo(toMs: number): MediaUnit[] {
    const { pictureMs } = this.#options;
    const { skewMs } = this;
    const units: { atMs: number; unit: MediaPacket }[] = [];
    if (this.video) {
      for (let n = firstFrom(this.atMs, pictureMs); pictureMs(n) < toMs; n += 1) {
        units.push({ atMs: pictureMs(n), unit: this.#picture(n) });
      }
    }
    if (this.#options.audio) {
      const at = (n: number): number => n * FRAME_MS;
      for (let n = firstFrom(this.atMs - skewMs, at); at(n) + skewMs < toMs; n += 1) {
        if (n >= 0) units.push({ atMs: at(n) + skewMs, unit: this.#frame(n) });
      }
    }
    this.atMs = toMs;
    return units.toSorted((a, b) => a.atMs - b.atMs).map(({ unit }) => unit);
  }

  #picture(n: number): MediaPacket {
    const { gopPictures, pictureMs, still } = this.#options;
    const key = n % gopPictures === 0;
    const content = still ? n % gopPictures : n;
    const data = Buffer.alloc(key ? 4_000 : 60 + (content % 7), `picture ${content}${this.pictureQuality}, `);
    return this.#send({ kind: 'video', number: n, trueMs: pictureMs(n) }, data, key);
  }

  #frame(n: number): MediaPacket {
    const data = Buffer.from(this.#options.silent ? 'silence' : `sound ${n}${this.soundQuality}`);
    return this.#send({ kind: 'audio', number: n, trueMs: n * FRAME_MS }, data, false);
  }

  #send(sent: Sent, data: Buffer, key: boolean): MediaPacket {
    const dtsMs = Math.round(sent.trueMs + this.shiftMs);
    sentOf.set(data, sent);
    this.sent.push(sent);
    return sent.kind === 'video'
      ? { kind: 'video', dtsMs, compositionMs: 0, key, data }
      : { kind: 'audio', dtsMs, data };
  }
}

function firstFrom(fromMs: number, at: (n: number) => number): number {
  let [low, high] = [0, 1];
  while (at(high) < fromMs - 1e-6) high *= 2;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (at(middle) < fromMs - 1e-6) low = middle + 1;
    else high = middle;
  }
  return low;
}

export interface Outcome {
  gaps: (Omit<GapItem, 'kind'> & { ms: number })[];
  events: string[];
  epochs: number;
  /** Sent and not given, though not for having been given before. */
  missing: { video: number[]; audio: number[] };
  repeats: { video: number[]; audio: number[] };
  /** Pictures given without a keyframe of their epoch before them, dts that does not grow, packets without an epoch. */
  faults: string[];
  /** The packets in order, each with where it was in truth. */
  packets: (MediaPacket & { number: number; trueMs: number })[];
}

export const truthOf = (packet: MediaPacket): Sent => {
  const sent = sentOf.get(packet.data);
  if (!sent) throw new Error('a packet that nobody sent');
  return sent;
};

function outcomeOf(items: readonly TimelineItem[], sent: readonly Sent[]): Outcome {
  const gaps: Outcome['gaps'] = [];
  const events: string[] = [];
  const faults: string[] = [];
  const packets: Outcome['packets'] = [];
  const given = { video: new Set<number>(), audio: new Set<number>() };
  const repeats: Outcome['repeats'] = { video: [], audio: [] };
  let epochs = 0;
  let last: { video: number; audio: number } | undefined;
  let decodable = false;
  for (const item of items) {
    switch (item.kind) {
      case 'gap':
        gaps.push({ ...item, ms: item.toMs - item.fromMs });
        break;
      case 'event':
        events.push(item.event);
        break;
      case 'epoch':
        epochs += 1;
        if (item.backToDtsMs !== null) takeBack(packets, given, item.backToDtsMs, faults);
        last = { video: -Infinity, audio: -Infinity };
        decodable = item.video === null;
        break;
      default: {
        const { kind, number, trueMs } = truthOf(item);
        if (!last) faults.push(`${kind} ${number} before the first epoch`);
        else {
          if (item.dtsMs <= last[kind]) faults.push(`${kind} ${number} at ${item.dtsMs} after ${last[kind]}`);
          last[kind] = item.dtsMs;
        }
        if (item.kind === 'video' && item.key) decodable = true;
        if (!decodable) faults.push(`${kind} ${number} before its keyframe`);
        if (given[kind].has(number)) repeats[kind].push(number);
        given[kind].add(number);
        packets.push({ ...item, number, trueMs });
      }
    }
  }
  const missing = (kind: Sent['kind']): number[] => [
    ...new Set(
      sent.filter((each) => each.kind === kind && !given[kind].has(each.number)).map(({ number }) => number),
    ),
  ];
  return {
    gaps,
    events,
    epochs,
    missing: { video: missing('video'), audio: missing('audio') },
    repeats,
    faults,
    packets,
  };
}

/** What a recording does with an epoch that goes back: the end of the one before it is never written. */
function takeBack(
  packets: Outcome['packets'],
  given: Record<Sent['kind'], Set<number>>,
  dtsMs: number,
  faults: string[],
): void {
  const at = packets.findLastIndex(
    (packet) => packet.kind === 'video' && packet.key && packet.dtsMs === dtsMs,
  );
  if (at === -1) faults.push(`back to ${dtsMs}, where no keyframe is`);
  for (const { kind, number } of packets.splice(at === -1 ? packets.length : at)) given[kind].delete(number);
}

/** `3-9 12`: numbers as runs. */
export const runs = (numbers: readonly number[]): string =>
  numbers
    .flatMap((n, i) => (n - 1 === numbers[i - 1] ? (n + 1 === numbers[i + 1] ? [] : [`-${n}`]) : [` ${n}`]))
    .join('')
    .trim();
