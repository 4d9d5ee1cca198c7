/**
 * Remembers the last keyframes by content, so that media which a CDN sends again (the last GOP after a reconnect, a loop
 * of the last seconds) is recognised whatever timestamps it comes with this time.
 */
import { createHash } from 'node:crypto';
import type { VideoPacket } from '../media/packet.ts';

/** BililiveRecorder and rust-srec look back over a few to 16 GOPs; a reconnect after a long stall needs no more. */
const REMEMBERED = 16;

export class RecentKeyframes {
  readonly #recent: { digest: string; dtsMs: number }[] = [];

  /** @param dtsMs where the keyframe stands on the session's time line */
  remember(packet: VideoPacket, dtsMs: number): void {
    this.#recent.push({ digest: digestOf(packet), dtsMs });
    if (this.#recent.length > REMEMBERED) this.#recent.shift();
  }

  /**
   * Where this very keyframe was recorded before. A still picture may give several equal keyframes: then only one at the
   * expected place counts, for media recorded twice is better than media lost.
   */
  find(packet: VideoPacket, expectedDtsMs: number): number | undefined {
    const digest = digestOf(packet);
    const matches = this.#recent.filter((known) => known.digest === digest).map((known) => known.dtsMs);
    return (
      matches.find((dtsMs) => Math.abs(dtsMs - expectedDtsMs) <= 2) ??
      (matches.length === 1 ? matches[0] : undefined)
    );
  }
}

const digestOf = (packet: VideoPacket): string => createHash('sha1').update(packet.data).digest('base64');
