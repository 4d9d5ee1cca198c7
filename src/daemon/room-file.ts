/**
 * `room.json`: the look that began the session and each later one that changed something. Stream URLs are left out and
 * the query strings of other URLs cut; viewer counts belong to the samples.
 */
import { bareUrl } from '../kernel/redact.ts';
import { isoUtc } from '../kernel/clock.ts';
import type { Look } from '../model/look.ts';

type LiveLook = Extract<Look, { status: 'live' }>;

const bare = (url: string | null): string | null => (url === null ? null : bareUrl(url));

function recordOf({ profile, room, meta }: LiveLook) {
  return {
    profile: { ...profile, avatarUrl: bare(profile.avatarUrl) },
    room: {
      roomId: room.roomId,
      title: room.title,
      coverUrl: bare(room.coverUrl),
      startedAt: room.startedAt,
      streams: room.streams.map(
        ({ codecFamily, source, qualityKey, qualityLabel, resolution, bitrateBps, ...urls }) => ({
          codecFamily,
          source,
          qualityKey,
          qualityLabel,
          resolution,
          bitrateBps,
          protocols: [urls.flvUrl && 'flv', urls.hlsUrl && 'hls', urls.cmafUrl && 'cmaf'].filter(Boolean),
        }),
      ),
    },
    requestId: meta.requestId,
  };
}

export class RoomFile {
  readonly #looks: ({ at: string } & ReturnType<typeof recordOf>)[] = [];
  #last = '';

  /** @param earlier the text that an earlier term wrote, if any */
  constructor(earlier?: string) {
    const looks = looksIn(earlier);
    if (Array.isArray(looks))
      this.#looks.push(...(looks as ({ at: string } & ReturnType<typeof recordOf>)[]));
  }

  /** True when the look changed something. */
  add(look: LiveLook, atMs: number): boolean {
    const record = recordOf(look);
    const { requestId: _, ...content } = record;
    const text = JSON.stringify(content);
    if (text === this.#last) return false;
    this.#last = text;
    this.#looks.push({ at: isoUtc(atMs), ...record });
    return true;
  }

  toString(): string {
    return `${JSON.stringify({ looks: this.#looks }, null, 1)}\n`;
  }
}

/** Undefined for a text that somebody altered. */
function looksIn(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : (JSON.parse(text) as { looks?: unknown } | null)?.looks;
  } catch {
    return undefined;
  }
}
