/**
 * What one answered look at the lookup API says, narrowed to what the product uses. An error is not a look: it says
 * nothing about whether a creator is live.
 */

export interface CreatorProfile {
  /** Lower case, as the API spells it today; it can change while platformUserId stays. */
  handle: string;
  platformUserId: string | null;
  displayName: string | null;
  avatarUrl: string | null;
}

export type CodecFamily = 'h264' | 'h265';

/** One entry of `streams[]` as offered; a variant per protocol is made of it in `variant/`. */
export interface OfferedStream {
  codecFamily: CodecFamily;
  source: 'primary' | 'hevc';
  qualityKey: string;
  qualityLabel: string | null;
  flvUrl: string | null;
  hlsUrl: string | null;
  cmafUrl: string | null;
  resolution: string | null;
  /** Bits per second; null where absent or 0. */
  bitrateBps: number | null;
}

export interface LiveRoom {
  roomId: string;
  title: string | null;
  coverUrl: string | null;
  /** ISO-8601. */
  startedAt: string | null;
  viewerCount: number;
  enterCount: number;
  streams: OfferedStream[];
}

export interface LookMeta {
  requestId: string;
  creditsCharged: number;
  /** Served from a shared cache: stale in both directions, so it never confirms an end. */
  cached: boolean;
}

export type Look =
  | { status: 'not-found'; meta: LookMeta }
  | { status: 'offline'; profile: CreatorProfile; meta: LookMeta }
  | { status: 'live'; profile: CreatorProfile; room: LiveRoom; meta: LookMeta };
