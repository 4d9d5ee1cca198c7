/**
 * Runs jobs when they are due (`schedule/due.ts` decides that), and by hand. One job never runs twice at once, in this
 * process or another: each run holds the job's lock. Jobs that read media run one at a time, others two at once. How each
 * ended is in the ledger; what a crash cut off is noted as interrupted by whoever comes next.
 */
import { isDeepStrictEqual } from 'node:util';
import type { JobKind, Jobs, JobSettings } from '../config/jobs.ts';
import { isoUtc, type Clock } from '../kernel/clock.ts';
import { isLivestowError, LivestowError, messageOf } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import { Places, type Place } from '../kernel/places.ts';
import type { EventReport } from '../model/event.ts';
import type { JobOverview, JobRun, JobStatus } from '../model/job.ts';
import { parseCron, type CronSchedule } from '../schedule/cron.ts';
import { decideDue } from '../schedule/due.ts';
import type { Ending, JobLedger } from './job-ledger.ts';
import type { JobReport, RunContext } from './job-run.ts';

/** Somebody may set the clock, or the machine sleep: it is looked at least so often. */
const LOOK_MS = 60_000;
/** They read media, and take hours. */
const HEAVY = new Set<JobKind>(['verify', 'export', 'mirror']);
const LIGHT_AT_ONCE = 2;

export interface JobRunnerDeps {
  clock: Clock;
  log: Logger;
  ledger: JobLedger;
  /** Of jobs that name none. */
  timeZone: string;
  /** @throws HELD when another process runs the job */
  lock: (job: string) => { release(): void };
  perform: (settings: JobSettings, context: RunContext) => Promise<JobReport>;
  report: (event: EventReport) => void;
}

/** Told to whoever started a run by hand. */
export type RunListener = Partial<Pick<RunContext, 'progress' | 'tell'>>;

interface Scheduled {
  settings: JobSettings;
  cron: CronSchedule;
  /** With another one, what is accounted for says nothing. */
  schedule: string;
  nextMs: number | null;
}

interface Running {
  settings: JobSettings;
  stop: AbortController;
  startedMs: number;
  waits: boolean;
  done: number | null;
  note: string;
  ended: Promise<JobRun>;
}

interface Cause {
  by: JobRun['by'];
  scheduledMs: number | null;
  missedSinceMs: number | null;
}

const BY_HAND: Cause = { by: 'hand', scheduledMs: null, missedSinceMs: null };

export class JobRunner {
  readonly #deps: JobRunnerDeps;
  readonly #heavy = new Places(1);
  readonly #light = new Places(LIGHT_AT_ONCE);
  readonly #scheduled = new Map<string, Scheduled>();
  readonly #running = new Map<string, Running>();
  #isStarted = false;
  #isOver = false;
  #cancelTimer = (): void => {};

  constructor(deps: JobRunnerDeps) {
    this.#deps = deps;
  }

  /** From now on jobs run when they are due. */
  start(): void {
    this.#isStarted = true;
    this.settle();
    this.#look();
  }

  /** Runs that had begun and not ended, of jobs that nobody runs now, were interrupted: notes that. */
  settle(): void {
    for (const job of this.#deps.ledger.unfinished()) this.#settle(job);
  }

  /**
   * Takes these in place of what there was. What runs goes on as it began.
   * @returns jobs that are new, gone, or others than before
   */
  apply(jobs: Jobs): string[] {
    const before = new Map(this.#scheduled);
    this.#scheduled.clear();
    for (const [job, settings] of Object.entries(jobs)) {
      const cron = parseCron(settings.cron, settings.timeZone ?? this.#deps.timeZone);
      const schedule = settings.paused ? 'paused' : `${cron.expression} ${cron.timeZone}`;
      this.#scheduled.set(job, { settings, cron, schedule, nextMs: null });
    }
    if (this.#isStarted) this.#look();
    return [...new Set([...before.keys(), ...this.#scheduled.keys()])].filter(
      (job) => !isDeepStrictEqual(before.get(job)?.settings, this.#scheduled.get(job)?.settings),
    );
  }

  get statuses(): JobStatus[] {
    return [...this.#scheduled].map(([job, scheduled]) => this.#statusOf(job, scheduled));
  }

  /** Those of the config, and those that were in it when they began and go on. */
  get overview(): JobOverview[] {
    const jobs = new Map<string, { settings: JobSettings }>([...this.#running, ...this.#scheduled]);
    return [...jobs].map(([job, { settings }]) => ({
      job,
      kind: settings.kind,
      isRunning: this.#running.get(job)?.waits === false,
      lastDoneAt: this.#deps.ledger.lastDoneAt(job),
    }));
  }

  /** Newest first; also of jobs that are in the config no more. */
  history(wanted: { job?: string | undefined; most: number }): JobRun[] {
    return this.#deps.ledger.history(wanted);
  }

  /**
   * Runs a job now.
   * @returns a run that has begun: how it ended, whatever that is
   * @throws NOT_FOUND, HELD when it runs already
   */
  run(job: string, listener: RunListener = {}): Promise<JobRun> {
    const scheduled = this.#scheduled.get(job);
    if (!scheduled) {
      throw new LivestowError('NOT_FOUND', `there is no job ${JSON.stringify(job)} in the config file`, {
        hint: '`livestow jobs` lists those that there are',
      });
    }
    if (this.#running.has(job)) throw runsAlready(job);
    return this.#begin(job, scheduled.settings, BY_HAND, listener).ended;
  }

  /** Asks a job's run to stop. False: it does not run. */
  stop(job: string): boolean {
    const running = this.#running.get(job);
    running?.stop.abort(new Error('stopped by hand'));
    return running !== undefined;
  }

  /** Stops all runs and begins none; resolves when all have ended. */
  async end(): Promise<void> {
    this.#isOver = true;
    this.#cancelTimer();
    const running = [...this.#running.values()];
    for (const { stop } of running) stop.abort(new Error('livestow ended'));
    await Promise.allSettled(running.map(({ ended }) => ended));
  }

  #statusOf(job: string, { settings, cron, schedule }: Scheduled): JobStatus {
    const { clock, ledger } = this.#deps;
    const accountedMs = ledger.accountedMs(job, schedule);
    const running = this.#running.get(job);
    const nowMs = clock.now();
    const due = decideDue(cron, { nowMs, accountedMs, isRunning: running !== undefined });
    const nextMs = settings.paused ? null : due.action === 'run' ? nowMs : due.nextMs;
    return {
      job,
      kind: settings.kind,
      cron: settings.cron,
      timeZone: cron.timeZone,
      paused: settings.paused,
      nextAt: nextMs === null ? null : isoUtc(nextMs),
      running: running
        ? {
            startedAt: isoUtc(running.startedMs),
            waits: running.waits,
            done: running.done,
            note: running.note,
          }
        : elsewhere(ledger.underWay(job)),
      last: ledger.last(job),
    };
  }

  /** Begins what is due, and looks again when the next is. */
  #look(): void {
    if (this.#isOver) return;
    this.#cancelTimer();
    const nowMs = this.#deps.clock.now();
    let inMs = LOOK_MS;
    for (const [job, scheduled] of this.#scheduled) {
      try {
        this.#consider(job, scheduled, nowMs);
        if (scheduled.nextMs !== null) inMs = Math.min(inMs, scheduled.nextMs - nowMs);
      } catch (error) {
        // A full disk, say: it is due still.
        this.#deps.log.error({ err: error, job }, 'a job cannot be begun; it is tried again');
      }
    }
    this.#cancelTimer = this.#deps.clock.after(Math.max(1, inMs), () => this.#look());
  }

  #consider(job: string, scheduled: Scheduled, nowMs: number): void {
    const { ledger } = this.#deps;
    const { schedule, settings } = scheduled;
    const accountedMs = ledger.accountedMs(job, schedule);
    if (settings.paused) {
      if (accountedMs === null) ledger.account(job, schedule, nowMs, nowMs);
      return;
    }
    const due = decideDue(scheduled.cron, { nowMs, accountedMs, isRunning: this.#running.has(job) });
    const account = (): void => ledger.account(job, schedule, due.accountedMs, nowMs);
    if (due.action === 'wait') {
      if (due.accountedMs !== accountedMs) account();
    } else {
      const { scheduledMs, missedSinceMs } = due;
      const cause: Cause = { by: 'schedule', scheduledMs, missedSinceMs };
      const isBegun = due.action === 'run' && this.#tryToBegin(job, settings, cause, account);
      if (!isBegun) this.#skip(job, settings, cause, account);
    }
    scheduled.nextMs = due.nextMs;
  }

  /** False: another process runs it. That the run is accounted for and that it began is kept in one, or neither is. */
  #tryToBegin(job: string, settings: JobSettings, cause: Cause, account: () => void): boolean {
    try {
      this.#deps.ledger.atOnce(() => {
        account();
        this.#begin(job, settings, cause, {});
      });
      return true;
    } catch (error) {
      if (isLivestowError(error, 'HELD')) return false;
      throw error;
    }
  }

  #skip(job: string, { kind }: JobSettings, cause: Cause, account: () => void): void {
    const { clock, ledger, log } = this.#deps;
    const nowMs = clock.now();
    const message = 'it was still running when it was due';
    ledger.atOnce(() => {
      account();
      const id = ledger.begin({ job, kind, ...cause, startedMs: nowMs });
      ledger.end(id, { outcome: 'skipped', message, problems: [] }, nowMs);
    });
    log.warn({ job }, `the job ${job} is left out once: ${message}`);
    this.#deps.report({ type: 'job', job, kind, outcome: 'skipped', message });
  }

  #settle(job: string): void {
    try {
      const lock = this.#deps.lock(job);
      try {
        this.#noteInterrupted(job);
      } finally {
        lock.release();
      }
    } catch (error) {
      if (!isLivestowError(error, 'HELD')) throw error;
    }
  }

  #noteInterrupted(job: string): void {
    for (const { kind, startedAt, message } of this.#deps.ledger.interrupted(job)) {
      this.#deps.log.warn({ job, startedAt }, `a run of the job ${job} was interrupted: ${message}`);
      this.#deps.report({ type: 'job', job, kind, outcome: 'interrupted', message });
    }
  }

  #begin(job: string, settings: JobSettings, cause: Cause, listener: RunListener): Running {
    const { clock, ledger } = this.#deps;
    const lock = this.#deps.lock(job);
    try {
      this.#noteInterrupted(job);
      const startedMs = clock.now();
      const id = ledger.begin({ job, kind: settings.kind, ...cause, startedMs });
      const stop = new AbortController();
      const running: Running = {
        settings,
        stop,
        startedMs,
        waits: true,
        done: null,
        note: '',
        ended: Promise.resolve() as Promise<never>,
      };
      this.#running.set(job, running);
      running.ended = this.#perform(job, running, cause, listener)
        .then((ending) => this.#end(job, settings.kind, id, ending))
        .finally(() => {
          this.#running.delete(job);
          lock.release();
        });
      running.ended.catch((error: unknown) =>
        this.#deps.log.error({ err: error, job }, 'how a job ended cannot be noted'),
      );
      return running;
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  async #perform(job: string, running: Running, cause: Cause, listener: RunListener): Promise<Ending> {
    const { perform, report, log } = this.#deps;
    const { settings, startedMs } = running;
    const { signal } = running.stop;
    let place: Place | null = null;
    try {
      place = await (HEAVY.has(settings.kind) ? this.#heavy : this.#light).take(signal);
      running.waits = false;
      const missed =
        cause.missedSinceMs === null ? '' : `, for all that were missed since ${isoUtc(cause.missedSinceMs)}`;
      const { kind } = settings;
      log.info({ job, kind }, `the job ${job} begins${missed}`);
      report({ type: 'job', job, kind, outcome: 'started', message: `${kind}${missed}` });
      const { message, problems } = await perform(settings, {
        job,
        dueMs: cause.scheduledMs ?? startedMs,
        signal,
        progress: (done, note) => {
          running.done = done;
          running.note = note;
          listener.progress?.(done, note);
        },
        tell: (line) => {
          log.info({ job }, line);
          listener.tell?.(line);
        },
      });
      return { outcome: problems.length > 0 ? 'partly' : 'done', message, problems };
    } catch (error) {
      if (signal.aborted) return { outcome: 'stopped', message: messageOf(signal.reason), problems: [] };
      log.error({ err: error, job }, `the job ${job} failed`);
      const hint = isLivestowError(error) && error.hint !== undefined ? `; ${error.hint}` : '';
      return { outcome: 'failed', message: `${messageOf(error)}${hint}`, problems: [] };
    } finally {
      place?.release();
    }
  }

  #end(job: string, kind: JobKind, id: number, ending: Ending): JobRun {
    const { clock, ledger, log, report } = this.#deps;
    const { outcome, message, problems } = ending;
    for (const problem of problems) log.warn({ job }, problem);
    log.info({ job, outcome }, `the job ${job} ended: ${message}`);
    report({ type: 'job', job, kind, outcome, message });
    return ledger.end(id, ending, clock.now());
  }
}

/** Nobody knows how far another process is. */
const elsewhere = (run: JobRun | null): JobStatus['running'] =>
  run && { startedAt: run.startedAt, waits: false, done: null, note: 'in another process' };

const runsAlready = (job: string): LivestowError =>
  new LivestowError('HELD', `the job ${job} runs already`, {
    hint: 'wait for its end; `livestow jobs` shows how far it is',
  });
