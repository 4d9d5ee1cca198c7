/**
 * The jobs of the config file, put together: for the daemon, which runs them when they are due, and for the command line,
 * which runs one by hand, with or without a daemon beside it. Jobs have stores of their own, so that what they send never
 * takes a recording's place.
 */
import { join } from 'node:path';
import { cataloguePath } from '../catalogue/cache-path.ts';
import type { Config } from '../config/schema.ts';
import { findFfmpeg } from '../ffmpeg/capabilities.ts';
import type { WatchedCreator } from '../jobs/job-archives.ts';
import { JobLedger } from '../jobs/job-ledger.ts';
import { JobRunner } from '../jobs/job-runner.ts';
import { performJob } from '../jobs/perform-job.ts';
import { yieldingStore, type GiveWay } from '../jobs/yielding-store.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import type { EventReport } from '../model/event.ts';
import type { JobOverview } from '../model/job.ts';
import { lockFolder } from '../spool/folder-lock.ts';
import { DAEMON_FOLDER } from '../spool/session-spool.ts';
import { openStore } from '../store/open-store.ts';
import type { Store } from '../store/store.ts';
import { reindexArchive, type ReindexProgress } from './reindex.ts';

/** A job puts few objects at once: each is held in memory. */
const PUTS_AT_ONCE = 4;

export interface ScheduledJobsOptions {
  /** What is in force when a run begins. */
  config: () => Config;
  clock: Clock;
  log: Logger;
  env: Readonly<Record<string, string | undefined>>;
  watched: () => readonly WatchedCreator[];
  report: (event: EventReport) => void;
  giveWay?: GiveWay;
  /** Nothing is to be run: what is not there is not made. */
  onlyToLook?: boolean;
}

export class ScheduledJobs {
  readonly runner: JobRunner;
  readonly #ledger: JobLedger;
  readonly #stores = new Map<string, Store>();
  readonly #log: Logger;
  #isClosed = false;

  /** @throws SPOOL */
  constructor({ config, clock, log, env, onlyToLook = false, ...options }: ScheduledJobsOptions) {
    const { giveWay = () => Promise.resolve(), report, watched } = options;
    const { spool, timeZone, diskReserveBytes, jobs } = config();
    this.#log = log;
    const path = join(spool, DAEMON_FOLDER, 'jobs.sqlite');
    const folderOf = (job: string): string => join(spool, DAEMON_FOLDER, 'jobs', job);
    const storeAt = (location: string): Store => {
      const store =
        this.#stores.get(location) ??
        yieldingStore(openStore(location, { logger: log, clock, putsAtOnce: PUTS_AT_ONCE }), giveWay);
      this.#stores.set(location, store);
      return store;
    };
    this.#ledger = onlyToLook ? JobLedger.peek(path) : JobLedger.open(path);
    const deps = {
      clock,
      ledger: this.#ledger,
      commonStore: () => config().store,
      watched,
      storeAt,
      ffmpegPath: async (signal: AbortSignal) => (await findFfmpeg(env, signal)).path,
      reindex: (store: Store, signal: AbortSignal, onProgress: ReindexProgress) => {
        const cachePath = cataloguePath(config().cache, store.description, env);
        return reindexArchive({ store, clock, signal, onProgress, cachePath, log });
      },
      report,
      workFolder: (job: string) => join(folderOf(job), 'work'),
      reserveBytes: diskReserveBytes,
    };
    this.runner = new JobRunner({
      clock,
      log,
      ledger: this.#ledger,
      timeZone,
      lock: (job) =>
        lockFolder(folderOf(job), {
          message: `another livestow runs the job ${job}`,
          hint: 'wait for its end; `livestow jobs` shows it',
        }),
      perform: (settings, context) => performJob(settings, context, deps),
      report,
    });
    this.runner.apply(jobs);
  }

  get overview(): JobOverview[] {
    return this.#isClosed ? [] : this.runner.overview;
  }

  /** For the next digest. */
  countFailure(code: string, atMs: number): void {
    if (this.#isClosed) return;
    try {
      this.#ledger.countFailure(code, atMs);
    } catch (error) {
      this.#log.warn({ err: error }, 'a failure is not counted for the digest');
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const store of this.#stores.values()) store.close();
    this.#ledger.close();
  }
}
