/** One run of a job of whichever kind: gathers what its kind needs, and does it. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { JobSettings } from '../config/jobs.ts';
import type { Clock } from '../kernel/clock.ts';
import type { EventReport } from '../model/event.ts';
import type { Store } from '../store/store.ts';
import { digestJob } from './digest-job.ts';
import { exportJob } from './export-job.ts';
import { archivesOf, sealedSessions, type SealedSession, type WatchedCreator } from './job-archives.ts';
import type { JobLedger } from './job-ledger.ts';
import type { JobReport, RunContext } from './job-run.ts';
import { mirrorJob, requireOther } from './mirror-job.ts';
import { pruneJob } from './prune-job.ts';
import { reindexJob, type Reindex } from './reindex-job.ts';
import { verifyJob } from './verify-job.ts';

export interface PerformDeps {
  clock: Clock;
  ledger: JobLedger;
  /** Of creators that have none of their own. */
  commonStore: () => string;
  watched: () => readonly WatchedCreator[];
  storeAt: (location: string) => Store;
  ffmpegPath: (signal: AbortSignal) => Promise<string>;
  reindex: Reindex;
  report: (event: EventReport) => void;
  /** A folder for each job. */
  workFolder: (job: string) => string;
  /** Of the disk that a job makes files on, so much stays free. */
  reserveBytes: number;
}

export async function performJob(
  settings: JobSettings,
  context: RunContext,
  deps: PerformDeps,
): Promise<JobReport> {
  const { storeAt } = deps;
  const archives = archivesOf(settings, deps.commonStore(), deps.watched());
  const sessions = (): Promise<SealedSession[]> => sealedSessions(archives, storeAt, context.signal);
  switch (settings.kind) {
    case 'prune':
      return pruneJob(settings, context, { ...deps, archives });
    case 'verify':
      return verifyJob(settings, context, { ...deps, sessions: await sessions() });
    case 'export': {
      const workFolder = besideOf(settings.to, context.job) ?? deps.workFolder(context.job);
      const target = storeAt(settings.to);
      return exportJob(settings, context, { ...deps, sessions: await sessions(), target, workFolder });
    }
    case 'mirror':
      requireOther(
        settings.to,
        archives.map(({ location }) => location),
      );
      return mirrorJob(context, { ...deps, sessions: await sessions(), target: storeAt(settings.to) });
    case 'reindex':
      return reindexJob(context, { ...deps, archives });
    case 'digest':
      return digestJob(settings, context, { ...deps, sessions: await sessions() });
  }
}

/** In a store that is a folder, under a name that no object has: what is made there need not be copied. */
function besideOf(location: string, job: string): string | undefined {
  if (location.startsWith('file:')) return join(fileURLToPath(location), `~export-${job}`);
  return /^[a-z][a-z0-9+.-]*:/i.test(location) ? undefined : join(location, `~export-${job}`);
}
