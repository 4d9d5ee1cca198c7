/** The simulated CDN, as the bench sees it: creators that it lets go live, and the addresses of their streams. */
import { Agent } from 'undici';
import { TICK_MS } from '../src/sandbox/cdn/ticker.ts';
import { silentLogger } from '../src/kernel/logger.ts';
import { LookupClient } from '../src/lookup/lookup-client.ts';
import { TalkingChild } from './child.ts';

/** What each stream brings: pictures at 2.5 Mbit/s and sound. */
export const STREAM_BITS_PER_SECOND = 2_564_000;
/** Of the sandbox's media: the first keyframe 6 s or more after the segment's beginning. */
export const SEGMENT_MS = 6_400;

/** H.264, or H.265 at the same bitrate. */
export type SourceMedia = 'portrait' | 'portrait-hevc';

export class Source {
  readonly apiUrl: string;
  readonly apiKey: string;
  readonly handles: readonly string[];
  readonly #child: TalkingChild;

  private constructor(
    child: TalkingChild,
    handles: readonly string[],
    told: { apiUrl: string; apiKey: string },
  ) {
    this.#child = child;
    this.handles = handles;
    this.apiUrl = told.apiUrl;
    this.apiKey = told.apiKey;
  }

  /**
   * @param idle creators that are there and never go live
   * @param tickMs how often what has come due is sent; 13 ms lie between two of a stream's frames in the mean
   */
  static async start(
    streams: number,
    {
      atOnce = false,
      media = 'portrait',
      idle = [],
      tickMs = TICK_MS,
    }: { atOnce?: boolean; media?: SourceMedia; idle?: readonly string[]; tickMs?: number } = {},
  ): Promise<Source> {
    const handles = Array.from({ length: streams }, (_, n) => `bench${n + 1}`);
    const spreadMs = atOnce ? 0 : SEGMENT_MS;
    const script = `${import.meta.dirname}/source-process.ts`;
    const args = [script, handles.join(','), String(spreadMs), media, idle.join(','), String(tickMs)];
    const child = new TalkingChild(process.execPath, args);
    return new Source(child, handles, await child.hear());
  }

  /** Resolves when all creators are live. */
  async goLive(): Promise<void> {
    this.#child.say('live');
    await this.#child.hear();
  }

  /** The FLV address of each creator's stream. */
  async addresses(): Promise<string[]> {
    const dispatcher = new Agent();
    const { apiKey, apiUrl: baseUrl } = this;
    const lookup = new LookupClient({ apiKey, baseUrl, dispatcher, logger: silentLogger() });
    const signal = AbortSignal.timeout(30_000);
    const addresses = await Promise.all(
      this.handles.map(async (handle) => {
        const look = await lookup.look(handle, { signal });
        const address = look.status === 'live' ? look.room.streams[0]?.flvUrl : undefined;
        if (typeof address !== 'string') throw new Error(`${handle} has no stream`);
        return address;
      }),
    );
    await dispatcher.close();
    return addresses;
  }

  async stop(): Promise<void> {
    await this.#child.ended();
  }
}
