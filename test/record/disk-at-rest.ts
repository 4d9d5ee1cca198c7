/** For tests that step time beside real files: a step ends when what it set off on the disk is done. */
import { setImmediate as turn } from 'node:timers/promises';

export async function diskAtRest(): Promise<void> {
  for (let quiet = 0; quiet < 3; quiet += 1) {
    await turn();
    if (process.getActiveResourcesInfo().some((name) => /^(FSReq|CloseReq)/.test(name))) quiet = -1;
  }
}
