/** An answer that is good for a while: whoever asks meanwhile is given it, and many who ask at once ask once. */
import type { Clock } from '../kernel/clock.ts';

export function heldAnswer<T>(
  goodForMs: number,
  clock: Pick<Clock, 'monotonic'>,
  ask: () => Promise<T>,
): () => Promise<T> {
  let held: { answer: Promise<T>; atMs: number } | null = null;
  return () => {
    if (held === null || clock.monotonic() - held.atMs >= goodForMs) {
      held = { answer: ask(), atMs: clock.monotonic() };
    }
    return held.answer;
  };
}
