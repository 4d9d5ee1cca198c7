/**
 * The seam between the network and the time line: one connection to a broadcast, as media units in the order of arrival.
 * A source knows nothing of retry, epochs or sessions. It is cancelled by its signal alone, which drops its sockets at
 * once; whoever stops reading before the end must abort it.
 */
import type { Clock } from '../kernel/clock.ts';
import type { MediaUnit } from '../media/packet.ts';
import type { Beat } from './beat.ts';
import type { MediaClient } from '../net/media-client.ts';

/** What may stand in an event: never a URL with its query. */
export type NoteDetail = Record<string, string | number | boolean | null>;

export type SourceItem =
  /**
   * What one read of the network gave; never empty. `arrivedAtMs` is monotonic: it was made no later, which of a
   * playlist's window may be long before it really came.
   */
  | { kind: 'media'; units: MediaUnit[]; arrivedAtMs: number; bytes: number }
  /** What comes next has timestamps that do not go on from what came before: the playlist says so. */
  | { kind: 'discontinuity' }
  /** The playlist named media that could not be had. `partial`: some of it did come. */
  | { kind: 'missing'; cause: 'segment-missing'; durationMs: number; partial: boolean }
  /**
   * The playlist was complete when it was opened: what follows is what it still holds of a broadcast that is over, up to
   * the segment of this name.
   */
  | { kind: 'complete'; upTo: string }
  /** For the log of events. */
  | { kind: 'note'; event: string; detail: NoteDetail };

export const SOURCE_ENDS = {
  closed: 'the CDN closed the connection',
  'end-tag': 'the encoder said that the stream is over, and the connection closed',
  endlist: 'the playlist says that it is complete',
  frozen: 'the playlist does not change any more',
} as const;

export type SourceEnd =
  | { reason: Exclude<keyof typeof SOURCE_ENDS, 'endlist'> }
  /** `upTo`: the last segment's name. */
  | { reason: 'endlist'; upTo: string };

/**
 * Returns how it ended. Throws MEDIA_* (a connection that breaks in the middle is MEDIA_NETWORK), or the signal's reason
 * when it aborts.
 */
export type MediaSource = AsyncGenerator<SourceItem, SourceEnd, undefined>;

export interface SourceDeps {
  media: MediaClient;
  clock: Clock;
  beat: Beat;
}
