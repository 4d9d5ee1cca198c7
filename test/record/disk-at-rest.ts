/** For tests that step time beside real files: a step ends when what it set off on the disk is done. */
import { setImmediate as turn } from 'node:timers/promises';
import type { ManualClock } from '../manual-clock.ts';

export async function diskAtRest(): Promise<void> {
  for (let quiet = 0; quiet < 3; quiet += 1) {
    await turn();
    if (process.getActiveResourcesInfo().some((name) => /^(FSReq|CloseReq)/.test(name))) quiet = -1;
  }
}

/** Time passes in such steps, each with time for what it sets off; the signal ends it early. */
export async function passInSteps(
  clock: ManualClock,
  stepMs: number,
  ms: number,
  until?: AbortSignal,
): Promise<void> {
  for (const endMs = clock.monotonic() + ms; ;) {
    const leftMs = endMs - clock.monotonic();
    if (leftMs <= 0 || until?.aborted === true) return;
    await clock.advance(Math.min(stepMs, leftMs));
    await diskAtRest();
  }
}
