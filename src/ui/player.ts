/**
 * Plays the session's playlist with hls.js; the browser's own player where that must do. Media comes from the store itself
 * where a browser may fetch it there, and by way of livestow otherwise.
 */
import { ErrorTypes, Events, Hls } from 'hls.js/light';
import workerPath from 'hls.js/dist/hls.worker.js?url';
import type { SessionTimeline } from '../model/session-timeline.ts';

const PLAYLIST = 'index.m3u8';
const MOST_RECOVERIES = 5;
/** What goes well for so long has recovered: a broadcast may be watched for a day. */
const RECOVERED_MS = 60_000;
const DIRECT = '?direct';

export class Player {
  readonly #video: HTMLVideoElement;
  readonly #tell: (problem: string) => void;
  #timeline: SessionTimeline;
  #hls: Hls | undefined;
  #isDirect = false;
  #recovered = 0;
  #failedAt = 0;

  constructor(video: HTMLVideoElement, timeline: SessionTimeline, tell: (problem: string) => void) {
    this.#video = video;
    this.#timeline = timeline;
    this.#tell = tell;
  }

  begin(): void {
    if (!Hls.isSupported()) {
      if (this.#video.canPlayType('application/vnd.apple.mpegurl') === '')
        this.#tell('This browser cannot play HLS.');
      else this.#video.src = PLAYLIST;
      return;
    }
    void this.#mayFetchDirectly().then((isDirect) => {
      this.#isDirect = isDirect;
      this.#attach();
    });
  }

  update(timeline: SessionTimeline): void {
    this.#timeline = timeline;
  }

  goLive(): void {
    const { seekable } = this.#video;
    if (seekable.length > 0) this.#video.currentTime = Math.max(0, seekable.end(seekable.length - 1) - 6);
    void this.#video.play().catch(() => {});
  }

  #attach(): void {
    const hls = new Hls({
      workerPath,
      startPosition: this.#timeline.isLive ? -1 : 0,
      backBufferLength: 60,
      xhrSetup: (xhr, url) => {
        if (this.#isDirect && /\/segments\/[^/?]+$/.test(url)) xhr.open('GET', `${url}${DIRECT}`, true);
      },
    });
    this.#hls = hls;
    hls.on(Events.ERROR, (_, { fatal, type, details }) => {
      if (fatal) this.#onFatal(type, details);
    });
    hls.on(Events.FRAG_BUFFERED, () => this.#tell(''));
    hls.loadSource(PLAYLIST);
    hls.attachMedia(this.#video);
  }

  #onFatal(type: ErrorTypes, details: string): void {
    if (performance.now() - this.#failedAt > RECOVERED_MS) this.#recovered = 0;
    this.#failedAt = performance.now();
    this.#recovered += 1;
    if (this.#recovered > MOST_RECOVERIES) {
      this.#tell(
        `This browser cannot play it on (${details}). A player such as mpv or VLC may; so may a download as MP4.`,
      );
    } else if (type === ErrorTypes.MEDIA_ERROR) {
      this.#hls?.recoverMediaError();
    } else {
      // The store is out of the browser's reach after all, or the network is away.
      this.#isDirect = false;
      this.#tell('The archive does not answer; it is tried again.');
      setTimeout(() => this.#hls?.startLoad(), 2_000);
    }
  }

  /** One byte says whether the store is within reach and lets pages read. */
  async #mayFetchDirectly(): Promise<boolean> {
    const { probe } = this.#timeline;
    if (probe === null) return false;
    try {
      const answer = await fetch(`${probe}${DIRECT}`, {
        headers: { Range: 'bytes=0-0' },
        signal: AbortSignal.timeout(4_000),
      });
      await answer.body?.cancel();
      return answer.ok;
    } catch {
      return false;
    }
  }
}
