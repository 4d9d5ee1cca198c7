/** Removes what is beyond the job's limits, as `livestow prune` does, in each archive by itself. */
import { sweepChanges } from '../archive/change-notes.ts';
import { planPrune } from '../archive/prune.ts';
import { finishRemoval, removeSession } from '../archive/remove-session.ts';
import type { Limits, RetentionPolicy } from '../archive/retention.ts';
import type { JobOf } from '../config/jobs.ts';
import { counted } from '../kernel/amounts.ts';
import { formatBytes } from '../kernel/byte-size.ts';
import type { Clock } from '../kernel/clock.ts';
import { isLivestowError } from '../kernel/errors.ts';
import type { Store } from '../store/store.ts';
import { nameOf, type JobArchive } from './job-archives.ts';
import type { JobReport, RunContext } from './job-run.ts';

const NONE: Limits = { maxAgeMs: null, maxBytes: null, maxSessions: null };

export async function pruneJob(
  settings: JobOf<'prune'>,
  { job, signal, progress, tell }: RunContext,
  deps: { archives: readonly JobArchive[]; storeAt: (location: string) => Store; clock: Clock },
): Promise<JobReport> {
  const { archives, storeAt, clock } = deps;
  const policy = policyOf(settings);
  const problems: string[] = [];
  let removed = 0;
  let bytes = 0;
  for (const { location, handles } of archives) {
    const store = storeAt(location);
    const plan = await planPrune(store, {
      handles: handles ?? [],
      mayBeNobody: true,
      policy,
      clock,
      signal,
      onProgress: (done, of) => progress(of === 0 ? 0 : done / of / 2, 'checking'),
    });
    problems.push(...plan.refused.map((ref) => `${nameOf(ref)} stays: ${ref.refusal.detail}`));
    for (const ref of plan.unfinished) {
      const done = await finishRemoval(store, ref, { reason: `job ${job}`, clock, signal });
      if (done) tell(`${nameOf(ref)}: a removal that had broken off is finished`);
    }
    for (const [index, { reason, ...ref }] of plan.remove.entries()) {
      progress(0.5 + index / plan.remove.length / 2, nameOf(ref));
      const options = { reason: `job ${job}: ${reason}`, clock, signal };
      const done = await removeSession(store, ref, options).catch((error: unknown) => {
        // Somebody else removed it meanwhile.
        if (isLivestowError(error, 'NOT_FOUND')) return undefined;
        throw error;
      });
      if (done?.outcome === 'refused') problems.push(`${nameOf(ref)} stays: ${done.refusal.detail}`);
      if (!done || done.outcome === 'refused') continue;
      removed += 1;
      bytes += ref.bytes;
      tell(`${nameOf(ref)}: removed (${formatBytes(ref.bytes)}, ${reason})`);
    }
    await sweepChanges(store, clock.now(), signal);
  }
  const what = removed === 0 ? 'nothing' : `${counted(removed, 'session')}, ${formatBytes(bytes)}`;
  return { message: `${what} removed`, problems };
}

const policyOf = (settings: JobOf<'prune'>): RetentionPolicy => ({
  each: {
    maxAgeMs: settings.olderThan ?? null,
    maxBytes: settings.maxSize ?? null,
    maxSessions: settings.maxSessions ?? null,
  },
  all: { ...NONE, maxBytes: settings.maxTotalSize ?? null },
  keepAtLeast: settings.keepAtLeast,
});
