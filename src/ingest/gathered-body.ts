/**
 * A response's body in a few pieces a second, in the beat that all connections share: what came since the last one,
 * chunk by chunk as the network gave it.
 */
import { finished, type Readable } from 'node:stream';
import type { Clock } from '../kernel/clock.ts';
import type { Beat } from './beat.ts';

/** With so much at once more is waiting: what a connection begins with, or a line that had been slow. */
const HASTE_BYTES = 64 * 1024;
/** So much is held while nobody takes it. */
const HELD_BYTES_MAX = 512 * 1024;

export interface Gathered {
  /** As the network gave them. */
  chunks: Buffer[];
  bytes: number;
  /** When the last of it came, monotonic. */
  arrivedAtMs: number;
}

const nothing = (): Gathered => ({ chunks: [], bytes: 0, arrivedAtMs: 0 });

/**
 * All that came is given before the end is told, or the body's own error thrown; what stands when either comes is given
 * without delay. Whoever stops before the end destroys the body.
 */
export async function* gatheredBody(
  body: Readable,
  { clock, beat }: { clock: Clock; beat: Beat },
): AsyncGenerator<Gathered, void, undefined> {
  let held = nothing();
  let end: { error: Error | null | undefined } | undefined;
  let wake = (): void => {};
  body.on('data', (chunk: Buffer) => {
    held.chunks.push(chunk);
    held.bytes += chunk.length;
    held.arrivedAtMs = clock.monotonic();
    if (held.bytes >= HELD_BYTES_MAX) body.pause();
    if (held.chunks.length === 1 || held.bytes >= HASTE_BYTES) wake();
  });
  finished(body, { writable: false }, (error) => {
    end = { error };
    wake();
  });
  const anything = (): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve;
    });
  for (;;) {
    if (held.bytes === 0 && !end) await anything();
    if (held.bytes > 0) {
      const taken = held;
      held = nothing();
      if (body.isPaused()) body.resume();
      yield taken;
      if (taken.bytes >= HASTE_BYTES) continue;
      await new Promise<void>((resolve) => {
        const cancel = beat.next(resolve);
        wake = () => {
          if (!end && held.bytes < HASTE_BYTES) return;
          cancel();
          resolve();
        };
        wake();
      });
    } else if (end) {
      if (end.error) throw end.error;
      return;
    }
  }
}
