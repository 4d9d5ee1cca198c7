/**
 * What was fed to the engine, segment by segment, so that what comes out can be compared with it. It also makes the one
 * decision that shapes the archive: a segment ends before the first keyframe that is `segmentDurationMs` or more after
 * its first picture.
 *
 * Pictures belong to exactly one segment. Audio does not: ffmpeg sorts it in by decode time as far as it has arrived, so
 * a frame near a cut may lie on either side. Frames fed are therefore counted for the segment that took them, as long as
 * no more are away from their place than arrive within `audioSlackMs`; what is missing beyond that, or when the epoch is
 * over, shows as frames fed and not written.
 */
import type { AudioPacket, VideoPacket } from '../../media/packet.ts';
import type { FedSegment } from '../verified-segment.ts';

interface Entry {
  n: number;
  firstDtsMs: number;
  lastDtsMs: number;
  pictures: number;
  gops: number;
}

/** What the file of a segment holds. */
export interface FoundInSegment {
  audioFrames: number;
  lastDtsMs: number;
}

export interface LedgerOptions {
  video: boolean;
  firstSegment: number;
  segmentDurationMs: number;
  audioSlackMs: number;
  /** Of one AAC frame. */
  audioFrameMs: number;
}

/** Until two pictures have told better. */
const PICTURE_MS = 33;

export class GopLedger {
  readonly #options: LedgerOptions;
  readonly #entries: Entry[] = [];
  /** Decode times of audio frames that are in no closed segment yet. */
  #audio: number[] = [];
  #newestDtsMs = Number.NEGATIVE_INFINITY;
  #pictureMs = PICTURE_MS;

  constructor(options: LedgerOptions) {
    this.#options = options;
  }

  /** Pictures and audio frames that were fed and are in no closed segment. */
  get outstanding(): { pictures: number; audioFrames: number } {
    return {
      pictures: this.#entries.reduce((sum, entry) => sum + entry.pictures, 0),
      audioFrames: this.#audio.length,
    };
  }

  /** True when a segment begins with this picture. The first picture of all must be a keyframe. */
  addVideo(packet: VideoPacket): boolean {
    const open = this.#entries.at(-1);
    const cut =
      open === undefined || (packet.key && packet.dtsMs - open.firstDtsMs >= this.#options.segmentDurationMs);
    if (cut) {
      this.#entries.push({
        n: open === undefined ? this.#options.firstSegment : open.n + 1,
        firstDtsMs: packet.dtsMs,
        lastDtsMs: packet.dtsMs,
        pictures: 1,
        gops: 1,
      });
    } else {
      const deltaMs = packet.dtsMs - open.lastDtsMs;
      if (deltaMs > 0) this.#pictureMs = deltaMs;
      open.lastDtsMs = packet.dtsMs;
      open.pictures += 1;
      if (packet.key) open.gops += 1;
    }
    this.#newestDtsMs = Math.max(this.#newestDtsMs, packet.dtsMs);
    return cut;
  }

  addAudio(packet: AudioPacket): void {
    this.#audio.push(packet.dtsMs);
    this.#newestDtsMs = Math.max(this.#newestDtsMs, packet.dtsMs);
  }

  /** How many groups of pictures the segment will have, once that is certain: a later segment has begun. */
  gopsOf(n: number): number | undefined {
    const at = this.#entries.findIndex((entry) => entry.n === n);
    return at !== -1 && at < this.#entries.length - 1 ? this.#entries[at]!.gops : undefined;
  }

  /** How much media was fed after the end of the oldest segment that should have been closed by now; 0 when none. */
  get overdueMs(): number {
    const [oldest, next] = this.#entries;
    if (this.#options.video) return oldest && next ? this.#newestDtsMs - next.firstDtsMs : 0;
    const first = this.#audio[0];
    return first === undefined ? 0 : Math.max(0, this.#newestDtsMs - first - this.#options.segmentDurationMs);
  }

  /** Takes the oldest segment out of the books. `last`: nothing comes after it. */
  close(found: FoundInSegment, last: boolean): FedSegment {
    return this.#options.video ? this.#closeVideo(found, last) : this.#closeAudio(found);
  }

  #closeVideo(found: FoundInSegment, last: boolean): FedSegment {
    const entry = this.#entries.shift();
    if (!entry) throw new RangeError('A segment was written that nothing was fed for.');
    const next = this.#entries[0];
    const endMs = next?.firstDtsMs ?? entry.lastDtsMs + this.#pictureMs;
    const taken =
      last && !next
        ? this.#takeAudio(found.audioFrames, Number.POSITIVE_INFINITY, 0)
        : this.#takeAudio(found.audioFrames, endMs, this.#options.audioSlackMs);
    const soundUpToMs = taken.at(-1);
    return {
      firstDtsMs: entry.firstDtsMs,
      lastDtsMs: entry.lastDtsMs,
      durationMs: Math.round(endMs - entry.firstDtsMs),
      pictures: entry.pictures,
      audioFrames: taken.length,
      ...(soundUpToMs === undefined ? {} : { soundUpToMs }),
    };
  }

  /** Sound is in order: what is missing at the end stays outstanding. */
  #closeAudio(found: FoundInSegment): FedSegment {
    const { audioFrameMs } = this.#options;
    const firstDtsMs = this.#audio[0];
    if (firstDtsMs === undefined) throw new RangeError('A segment was written that nothing was fed for.');
    const { length: audioFrames } = this.#takeAudio(found.audioFrames, found.lastDtsMs + audioFrameMs / 2, 0);
    const nextDtsMs = this.#audio[0] ?? found.lastDtsMs + audioFrameMs;
    return {
      firstDtsMs,
      lastDtsMs: found.lastDtsMs,
      durationMs: Math.round(nextDtsMs - firstDtsMs),
      pictures: 0,
      audioFrames,
    };
  }

  /** Strikes out the frames that the segment accounts for, and gives them. */
  #takeAudio(written: number, beforeMs: number, slackMs: number): number[] {
    const inPlace = this.#audio.reduce((count, dtsMs) => (dtsMs < beforeMs ? count + 1 : count), 0);
    const slack = this.#options.audioFrameMs > 0 ? Math.ceil(slackMs / this.#options.audioFrameMs) : 0;
    const taken = Math.abs(inPlace - written) <= slack ? Math.min(written, this.#audio.length) : inPlace;
    return this.#audio.splice(0, taken);
  }
}
