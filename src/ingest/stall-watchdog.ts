/**
 * Ends a source that gives no media for too long: a CDN may keep a dead connection open for ever. Only the time that is
 * spent waiting for the source counts; a consumer that is slow to take the last item does not make a stall.
 */
import type { Clock } from '../kernel/clock.ts';
import type { MediaSource } from './source.ts';

export interface StallOptions {
  /** From the opening to the first media, and from media to media. HLS needs three target durations at least. */
  stallMs: number;
  clock: Clock;
  signal: AbortSignal;
}

/** As the source that `open` gives, but it may also return `stall`. Its sockets are closed by then. */
export async function* withStallWatchdog(
  open: (signal: AbortSignal) => MediaSource,
  { stallMs, clock, signal }: StallOptions,
): MediaSource {
  signal.throwIfAborted();
  const connection = new AbortController();
  const abort = () => connection.abort(signal.reason);
  signal.addEventListener('abort', abort, { once: true });

  let quietSinceMs = clock.monotonic();
  let waiting = true;
  let stalled = false;
  // One timer that looks when the time was last up, not one for each of a hundred reads a second.
  const check = () => {
    const leftMs = quietSinceMs + stallMs - clock.monotonic();
    if (waiting && leftMs <= 0) {
      stalled = true;
      connection.abort();
    } else {
      cancelCheck = clock.after(waiting ? leftMs : stallMs / 4, check);
    }
  };
  let cancelCheck = clock.after(stallMs, check);

  let source: MediaSource | undefined;
  try {
    source = open(connection.signal);
    for (;;) {
      const next = await source.next();
      if (next.done === true) return next.value;
      const givenAtMs = clock.monotonic();
      if (next.value.kind === 'media') quietSinceMs = givenAtMs;
      waiting = false;
      yield next.value;
      waiting = true;
      quietSinceMs += clock.monotonic() - givenAtMs;
    }
  } catch (error) {
    if (stalled) return { reason: 'stall' };
    throw error;
  } finally {
    cancelCheck();
    signal.removeEventListener('abort', abort);
    connection.abort();
    await source?.return({ reason: 'closed' });
  }
}
