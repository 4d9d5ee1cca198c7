/**
 * A response's body in a few pieces a second, in the beat that all connections share. Between two beats nothing is read:
 * what comes waits in the system's buffer of the connection, and wakes nobody.
 */
import { finished, type Readable } from 'node:stream';
import type { Clock } from '../kernel/clock.ts';
import type { Beat } from './beat.ts';
import { setImmediate as turn } from 'node:timers/promises';

/** A read brings 64 KiB at most, headers included: behind so much, more may wait. */
const FULL_READ_BYTES = 60 * 1024;

export interface Gathered {
  /** As the network gave them. */
  chunks: Buffer[];
  bytes: number;
  /** When the last of it was there, monotonic. */
  arrivedAtMs: number;
}

const nothing = (): Gathered => ({ chunks: [], bytes: 0, arrivedAtMs: 0 });

/**
 * All that came is given before the end is told, or the body's own error thrown. What comes first after a silence is
 * given without delay. Whoever stops before the end destroys the body.
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
    wake();
  });
  finished(body, { writable: false }, (error) => {
    end = { error };
    wake();
  });
  for (;;) {
    if (held.bytes === 0 && !end) await new Promise<void>((resolve) => (wake = resolve));
    if (held.bytes > 0) {
      const taken = held;
      held = nothing();
      const isFull = taken.bytes >= FULL_READ_BYTES;
      if (!isFull) body.pause();
      yield taken;
      if (isFull) await nextRead();
      if (held.bytes > 0 || end) continue;
      body.pause();
      await nextBeat();
      body.resume();
    } else if (end) {
      if (end.error) throw end.error;
      return;
    }
  }

  function nextBeat(): Promise<void> {
    return new Promise<void>((resolve) => {
      const cancel = beat.next(resolve);
      wake = () => {
        cancel();
        resolve();
      };
    });
  }
}

/** What waited behind a read is there: the event loop asks the network between two turns. */
async function nextRead(): Promise<void> {
  await turn();
  await turn();
}
