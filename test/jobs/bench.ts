/** A runner on a clock that is stepped by hand, whose jobs do what a test tells them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import type { JobSettings, Jobs } from '../../src/config/jobs.ts';
import { JobLedger } from '../../src/jobs/job-ledger.ts';
import type { JobReport, RunContext } from '../../src/jobs/job-run.ts';
import { JobRunner } from '../../src/jobs/job-runner.ts';
import type { EventReport } from '../../src/model/event.ts';
import { lockFolder } from '../../src/spool/folder-lock.ts';
import { ManualClock } from '../manual-clock.ts';

export const silent = pino({ level: 'silent' });

/** A run that has begun, and goes on until the test ends it. */
export interface Begun {
  job: string;
  settings: JobSettings;
  context: RunContext;
  done: (report?: Partial<JobReport>) => void;
  fail: (error: Error) => void;
}

export class JobBench {
  readonly clock: ManualClock;
  readonly folder: string;
  readonly events: EventReport[] = [];
  readonly begun: Begun[] = [];
  ledger: JobLedger;
  runner: JobRunner;

  private constructor(folder: string, startMs: number) {
    this.folder = folder;
    this.clock = new ManualClock(startMs);
    this.ledger = JobLedger.open(join(folder, 'jobs.sqlite'));
    this.runner = this.#newRunner();
  }

  static async make(start: string): Promise<JobBench> {
    const folder = await mkdtemp(join(tmpdir(), 'livestow-jobs-'));
    const bench = new JobBench(folder, Date.parse(start));
    onTestFinished(async () => {
      await bench.runner.end();
      bench.ledger.close();
      await rm(folder, { recursive: true });
    });
    return bench;
  }

  #newRunner(): JobRunner {
    return new JobRunner({
      clock: this.clock,
      log: silent,
      ledger: this.ledger,
      timeZone: 'UTC',
      lock: (job) => this.lock(job),
      perform: (settings, context) => this.#perform(settings, context),
      report: (event) => void this.events.push(event),
    });
  }

  /** As another process would. */
  lock(job: string) {
    return lockFolder(join(this.folder, job), { message: 'held', hint: 'wait' });
  }

  start(jobs: Jobs): void {
    this.runner.apply(jobs);
    this.runner.start();
  }

  /** Another process on what this one leaves behind; runs that are under way are gone with it. */
  crash(): JobRunner {
    this.ledger = JobLedger.open(join(this.folder, 'jobs.sqlite'));
    this.runner = this.#newRunner();
    return this.runner;
  }

  /** `job outcome`, in order. */
  get told(): string[] {
    return this.events.flatMap((event) => (event.type === 'job' ? [`${event.job} ${event.outcome}`] : []));
  }

  async minutes(count: number): Promise<void> {
    await this.clock.advance(count * 60_000);
  }

  /** The newest run. */
  get last(): Begun {
    const begun = this.begun.at(-1);
    if (!begun) throw new Error('no job has begun');
    return begun;
  }

  #perform(settings: JobSettings, context: RunContext): Promise<JobReport> {
    return new Promise((resolve, reject) => {
      context.signal.addEventListener('abort', () => reject(new Error('broke off')), { once: true });
      this.begun.push({
        job: context.job,
        settings,
        context,
        done: (report = {}) => resolve({ message: 'all well', problems: [], ...report }),
        fail: reject,
      });
    });
  }
}

export const reindexAt = (cron: string, more: Partial<JobSettings> = {}): JobSettings =>
  ({ kind: 'reindex', cron, paused: false, ...more }) as JobSettings;
export const verifyAt = (cron: string): JobSettings => ({
  kind: 'verify',
  cron,
  paused: false,
  sample: { sessions: 1 },
  decode: false,
});
