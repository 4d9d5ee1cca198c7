/** One timer for everything that happens in real time, however many connections there are. */
import type { Clock } from '../../kernel/clock.ts';

/** A picture and a bit: real CDNs send in bursts as well. */
export const TICK_MS = 40;

export function startTicker(clock: Clock, tickMs: number, tick: () => void): () => void {
  let cancel = () => {};
  const next = () => {
    tick();
    cancel = clock.after(tickMs, next);
  };
  cancel = clock.after(0, next);
  return () => cancel();
}
