/**
 * Keeps the playlist's window up to date: reads it again a target duration after it changed, half of one after it did not
 * (RFC 8216, 6.3.4). A playlist that can't be read for a while is a failure, one that stands still is frozen.
 */
import { isLivestowError, LivestowError } from '../kernel/errors.ts';
import { hostOf } from '../net/media-client.ts';
import { MAX_PLAYLIST_BYTES, parseHlsPlaylist, type HlsMediaPlaylist } from './hls-playlist.ts';
import { HlsWindow } from './hls-window.ts';
import type { SourceDeps } from './source.ts';

const READ_TIMEOUT_MS = 10_000;
/** So many target durations without anything new mean that nothing will come, and so many looks at the least. */
const FROZEN_TARGETS = 3;
const FROZEN_READS = 3;

export class HlsPoller {
  readonly window = new HlsWindow();
  readonly #deps: SourceDeps;
  readonly #signal: AbortSignal;
  #url: string;
  #targetDurationMs = 0;
  /** Monotonic. */
  #dueMs = 0;
  #changedAtMs = 0;
  #readAtMs = 0;
  #readsWithoutChange = 0;
  #failures = 0;
  #news = { missedMs: 0, restarted: false };

  constructor(url: string, deps: SourceDeps, signal: AbortSignal) {
    this.#url = url;
    this.#deps = deps;
    this.#signal = signal;
    this.#changedAtMs = deps.clock.monotonic();
  }

  get targetDurationMs(): number {
    return this.#targetDurationMs;
  }

  get frozen(): boolean {
    const quietMs = this.#deps.clock.monotonic() - this.#changedAtMs;
    return this.#readsWithoutChange >= FROZEN_READS && quietMs >= FROZEN_TARGETS * this.#targetDurationMs;
  }

  /** The first reading, through a master playlist where there is one. Throws MEDIA_*. */
  async begin(): Promise<void> {
    const first = await this.#read();
    if (first.kind === 'media') {
      this.#take(first);
      return;
    }
    this.#url = first.mediaUrl;
    const second = await this.#read();
    if (second.kind === 'master') {
      throw new LivestowError('MEDIA_NOT_MEDIA', 'a master playlist names another master playlist', {
        retryable: true,
        context: { host: hostOf(this.#url) },
      });
    }
    this.#take(second);
  }

  /** What the readings since the last call said beside new segments. */
  takeNews(): { missedMs: number; restarted: boolean } {
    const news = this.#news;
    this.#news = { missedMs: 0, restarted: false };
    return news;
  }

  /** Reads the playlist when its time has come. Throws when it could not be read for too long. */
  async pollIfDue(): Promise<void> {
    if (!this.window.ended && this.#deps.clock.monotonic() >= this.#dueMs) await this.#poll();
  }

  /** Waits until it is time, and reads it. */
  async wait(): Promise<void> {
    const { clock } = this.#deps;
    await clock.delay(Math.max(0, this.#dueMs - clock.monotonic()), this.#signal);
    await this.#poll();
  }

  async #poll(): Promise<void> {
    const { clock } = this.#deps;
    const begunMs = clock.monotonic();
    try {
      const playlist = await this.#read();
      if (playlist.kind === 'media') this.#take(playlist, begunMs);
    } catch (error) {
      if (!isLivestowError(error) || !error.retryable) throw error;
      this.#failures += 1;
      this.#dueMs = begunMs + this.#targetDurationMs / 2;
      const deafMs = clock.monotonic() - this.#readAtMs;
      if (this.#failures >= FROZEN_READS && deafMs >= FROZEN_TARGETS * this.#targetDurationMs) throw error;
    }
  }

  async #read() {
    const { media } = this.#deps;
    const { bytes, url } = await media.read(this.#url, {
      signal: this.#signal,
      maxBytes: MAX_PLAYLIST_BYTES,
      timeoutMs: READ_TIMEOUT_MS,
    });
    return parseHlsPlaylist(bytes.toString('utf8'), url);
  }

  #take(playlist: HlsMediaPlaylist, begunMs: number = this.#deps.clock.monotonic()): void {
    const { changed, missedMs, restarted } = this.window.update(playlist);
    const nowMs = this.#deps.clock.monotonic();
    this.#targetDurationMs = playlist.targetDurationMs;
    this.#readAtMs = nowMs;
    this.#failures = 0;
    if (changed) this.#changedAtMs = nowMs;
    this.#readsWithoutChange = changed ? 0 : this.#readsWithoutChange + 1;
    this.#dueMs = begunMs + (changed ? playlist.targetDurationMs : playlist.targetDurationMs / 2);
    this.#news = {
      missedMs: this.#news.missedMs + missedMs,
      restarted: this.#news.restarted || restarted,
    };
  }
}
