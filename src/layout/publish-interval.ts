/** How often a session's manifest and playlists are written anew while it is recorded: what a reader sees is so old. */

/** At most this often, and journals are cut this often ... */
export const PUBLISH_LEAST_MS = 30_000;
/** ... and at most this many times per length of the recording, so that a day of it costs megabytes, not gigabytes. */
const PUBLISH_SHARE = 1 / 40;

export const publishIntervalMs = (elapsedMs: number): number =>
  Math.max(PUBLISH_LEAST_MS, elapsedMs * PUBLISH_SHARE);
