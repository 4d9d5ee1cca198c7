/** Runs jobs on real stores, each to its end, and keeps what they say. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jobsSchema, type JobSettings } from '../../src/config/jobs.ts';
import { reindex } from '../../src/daemon/reindex.ts';
import type { WatchedCreator } from '../../src/jobs/job-archives.ts';
import { JobLedger } from '../../src/jobs/job-ledger.ts';
import type { JobReport } from '../../src/jobs/job-run.ts';
import { performJob, type PerformDeps } from '../../src/jobs/perform-job.ts';
import type { EventReport } from '../../src/model/event.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { Store } from '../../src/store/store.ts';
import { ManualClock } from '../manual-clock.ts';

/** As the config file has it. */
export function jobOf(written: Record<string, unknown>): JobSettings {
  const { job } = jobsSchema.parse({ job: { cron: '@daily', ...written } });
  if (!job) throw new Error('no job');
  return job;
}

export class Performing implements AsyncDisposable {
  readonly folder: string;
  readonly clock = new ManualClock(Date.UTC(2026, 10, 24));
  readonly events: EventReport[] = [];
  readonly told: string[] = [];
  watched: WatchedCreator[] = [];
  /** Called with each progress. */
  onProgress = (_done: number, _note: string): void => {};
  ledger: JobLedger;
  reserveBytes = 0;
  readonly #stores = new Map<string, Store>();

  private constructor(folder: string) {
    this.folder = folder;
    this.ledger = JobLedger.open(join(folder, 'jobs.sqlite'));
  }

  static async make(): Promise<Performing> {
    return new Performing(await mkdtemp(join(tmpdir(), 'livestow-jobs-')));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.ledger.close();
    for (const store of this.#stores.values()) store.close();
    await rm(this.folder, { recursive: true });
  }

  /** The common archive. */
  get archive(): string {
    return join(this.folder, 'archive');
  }

  storeAt(location: string): Store {
    const store = this.#stores.get(location) ?? openStore(location);
    this.#stores.set(location, store);
    return store;
  }

  /** In place of the store that is at a location. */
  put(location: string, store: Store): void {
    this.#stores.set(location, store);
  }

  async run(
    written: Record<string, unknown>,
    { job = 'job', signal = new AbortController().signal, dueMs = this.clock.now() } = {},
  ): Promise<JobReport> {
    this.told.splice(0);
    const deps: PerformDeps = {
      clock: this.clock,
      ledger: this.ledger,
      commonStore: () => this.archive,
      watched: () => this.watched,
      storeAt: (location) => this.storeAt(location),
      ffmpegPath: () => Promise.resolve('ffmpeg'),
      reindex: (store, signalOf, onProgress) =>
        reindex({ store, clock: this.clock, signal: signalOf, onProgress }),
      report: (event) => void this.events.push(event),
      workFolder: (name) => join(this.folder, 'work', name),
      reserveBytes: this.reserveBytes,
    };
    const context = {
      job,
      dueMs,
      signal,
      progress: (done: number, note: string) => this.onProgress(done, note),
      tell: (line: string) => void this.told.push(line),
    };
    return performJob(jobOf(written), context, deps);
  }
}

export async function keysIn(store: Store, prefix = ''): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys;
}
