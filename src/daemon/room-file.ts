/**
 * `room.json`: the look that began the session and each later one that changed something. Stream URLs are left out and
 * the query strings of other URLs cut; viewer counts belong to the samples. Its size is bounded: when there is too much,
 * the oldest changes go, and it says how many; the look that began the session stays.
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

type KeptLook = { at: string } & ReturnType<typeof recordOf>;

/** Of all looks together. */
const LIMIT_BYTES = 1024 * 1024;

export class RoomFile {
  readonly #looks: { look: KeptLook; bytes: number }[] = [];
  #bytes = 0;
  #looksLeftOut = 0;
  #last = '';

  /** @param earlier the text that an earlier term wrote, if any */
  constructor(earlier?: string) {
    const { looks, looksLeftOut } = saidIn(earlier) ?? {};
    if (typeof looksLeftOut === 'number') this.#looksLeftOut = looksLeftOut;
    if (Array.isArray(looks)) for (const look of looks as KeptLook[]) this.#keep(look);
  }

  /** True when the look changed something. */
  add(look: LiveLook, atMs: number): boolean {
    const record = recordOf(look);
    const { requestId: _, ...content } = record;
    const text = JSON.stringify(content);
    if (text === this.#last) return false;
    this.#last = text;
    this.#keep({ at: isoUtc(atMs), ...record });
    return true;
  }

  toString(): string {
    const looks = this.#looks.map(({ look }) => look);
    const leftOut = this.#looksLeftOut === 0 ? {} : { looksLeftOut: this.#looksLeftOut };
    return `${JSON.stringify({ looks, ...leftOut }, null, 1)}\n`;
  }

  #keep(look: KeptLook): void {
    const bytes = Buffer.byteLength(JSON.stringify(look, null, 1));
    this.#looks.push({ look, bytes });
    this.#bytes += bytes;
    while (this.#bytes > LIMIT_BYTES && this.#looks.length > 2) {
      this.#bytes -= this.#looks.splice(1, 1)[0]?.bytes ?? 0;
      this.#looksLeftOut += 1;
    }
  }
}

/** Undefined for a text that somebody altered. */
function saidIn(text: string | undefined): { looks?: unknown; looksLeftOut?: unknown } | undefined {
  try {
    return text === undefined ? undefined : ((JSON.parse(text) as object | null) ?? undefined);
  } catch {
    return undefined;
  }
}
