/** The segment that is being written: its file, and what was fed for it. */
import type { MediaPacket } from '../../media/packet.ts';
import { SegmentFile } from '../segment-file.ts';
import type { FedSegment } from '../verified-segment.ts';

export class OpenSegment {
  readonly n: number;
  readonly file: SegmentFile;
  #pictures = 0;
  #audioFrames = 0;
  #firstPictureMs: number | undefined;
  #lastPictureMs = 0;
  #firstSoundMs: number | undefined;
  #lastSoundMs = 0;

  constructor(n: number, path: string) {
    this.n = n;
    this.file = new SegmentFile(path);
  }

  add(packet: MediaPacket): void {
    if (packet.kind === 'video') {
      this.#pictures += 1;
      this.#firstPictureMs ??= packet.dtsMs;
      this.#lastPictureMs = packet.dtsMs;
    } else {
      this.#audioFrames += 1;
      this.#firstSoundMs ??= packet.dtsMs;
      this.#lastSoundMs = packet.dtsMs;
    }
  }

  /** Where its first picture lies (`video`), or its first sound; undefined until there is one. */
  beganMs(video: boolean): number | undefined {
    return video ? this.#firstPictureMs : this.#firstSoundMs;
  }

  /** @param endMs where the next segment begins; undefined: so long after the last picture or sound as `stepMs` says */
  fed(endMs: number | undefined, stepMs: number): FedSegment {
    const pictures = this.#pictures > 0;
    const firstDtsMs = (pictures ? this.#firstPictureMs : this.#firstSoundMs) ?? 0;
    const lastDtsMs = pictures ? this.#lastPictureMs : this.#lastSoundMs;
    return {
      firstDtsMs,
      lastDtsMs,
      durationMs: Math.round((endMs ?? lastDtsMs + stepMs) - firstDtsMs),
      pictures: this.#pictures,
      audioFrames: this.#audioFrames,
    };
  }
}
