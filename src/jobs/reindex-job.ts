/** Rebuilds what is derived in each archive, as `livestow reindex` does. */
import { counted } from '../kernel/amounts.ts';
import type { SessionRef } from '../archive/session-reader.ts';
import type { Store } from '../store/store.ts';
import { nameOf, type JobArchive } from './job-archives.ts';
import type { JobReport, RunContext } from './job-run.ts';

export interface ReindexedSession extends SessionRef {
  outcome: 'kept' | 'mended' | 'rebuilt' | 'unreadable';
  problem: string | null;
}

/** Gives what was done, session by session. */
export type Reindex = (
  store: Store,
  signal: AbortSignal,
  onProgress: (done: number, total: number, ref: SessionRef) => void,
) => AsyncIterable<ReindexedSession>;

export async function reindexJob(
  { signal, progress, tell }: RunContext,
  deps: { archives: readonly JobArchive[]; storeAt: (location: string) => Store; reindex: Reindex },
): Promise<JobReport> {
  const { archives, storeAt, reindex } = deps;
  const problems: string[] = [];
  let all = 0;
  let changed = 0;
  for (const [index, { location }] of archives.entries()) {
    const onProgress = (done: number, total: number, ref: SessionRef): void =>
      progress((index + done / total) / archives.length, nameOf(ref));
    for await (const { outcome, problem, ...ref } of reindex(storeAt(location), signal, onProgress)) {
      all += 1;
      if (outcome === 'unreadable') problems.push(`${nameOf(ref)}: ${problem ?? 'cannot be read'}`);
      if (outcome !== 'mended' && outcome !== 'rebuilt') continue;
      changed += 1;
      tell(`${nameOf(ref)}: ${outcome}`);
    }
  }
  return { message: `${changed} of ${counted(all, 'session')} mended`, problems };
}
