/** The daemon as its web server sees it: what it is asked becomes an answer, what it is ordered a change of the roster. */
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { settingsInForce } from '../config/describe.ts';
import type { CreatorInForce } from '../config/creator-in-force.ts';
import type { LoadedConfig } from '../config/load.ts';
import { isoUtc, type Clock } from '../kernel/clock.ts';
import { Deadline } from '../kernel/deadline.ts';
import { LivestowError } from '../kernel/errors.ts';
import { freeBytes } from '../kernel/files.ts';
import { INDEX } from '../layout/keys.ts';
import type { CreatorStatus } from '../model/creator-status.ts';
import type { JobRun, JobStatus } from '../model/job.ts';
import { DAEMON_FOLDER } from '../spool/session-spool.ts';
import { spoolBytes } from '../spool/spool-size.ts';
import { requireWritableSpool } from '../spool/writable-spool.ts';
import type { DaemonView, Readiness } from '../web/daemon-view.ts';
import type { ConfigInForce, Creator, NewCreator, Removed, Status } from '../web/schemas.ts';
import type { CreatorTask } from './creator-task.ts';
import type { Daemon } from './daemon.ts';
import { heldAnswer } from './held-answer.ts';

/** Whoever asks whether all is well asks often, and may be anybody: store and disk are asked this often at most. */
const HELD_MS = 30_000;
/** To add up what lies in the spool takes a look at every file there. */
const SPOOL_HELD_MS = 10_000;
/** An answer of the store that is younger needs no question. */
const STORE_RECENT_MS = 60_000;
const STORE_PATIENCE_MS = 5_000;
/** Plans are made anew as often. */
const EXPECTED_MS = 5 * 60_000;
/** Reckoning with a week takes milliseconds a creator: others are let in between. */
const EXPECTED_AT_ONCE = 5;

export interface WebViewOptions {
  clock: Clock;
  version: string;
  /** What the daemon began with, what was read last, and what of that the next start takes up. */
  config: () => { first: LoadedConfig; latest: LoadedConfig; waiting: string[] };
}

export class WebView implements DaemonView {
  readonly #daemon: Daemon;
  readonly #options: WebViewOptions;
  readonly #beganMs: number;
  readonly #startedAt: string;
  readonly #expected = new Map<string, { of: CreatorInForce; value: Creator['expectation']; atMs: number }>();
  readonly #spoolBytes: () => Promise<number>;
  readonly #isSpoolWritable: () => Promise<boolean>;
  readonly #storeAnswers: () => Promise<boolean>;

  constructor(daemon: Daemon, options: WebViewOptions) {
    const { clock } = options;
    const { spool } = daemon.config;
    this.#daemon = daemon;
    this.#options = options;
    this.#beganMs = clock.monotonic();
    this.#startedAt = isoUtc(clock.now());
    this.#spoolBytes = heldAnswer(SPOOL_HELD_MS, clock, () => spoolBytes(spool));
    this.#isSpoolWritable = heldAnswer(HELD_MS, clock, () =>
      requireWritableSpool(join(spool, DAEMON_FOLDER)).then(
        () => true,
        () => false,
      ),
    );
    this.#storeAnswers = heldAnswer(HELD_MS, clock, () => this.#askStore());
  }

  get isEnding(): boolean {
    return this.#daemon.isEnding;
  }

  get events(): DaemonView['events'] {
    return this.#daemon.events;
  }

  async status(): Promise<Status> {
    const { credits, slots, load, vitals, recorder, config, webhooks, isEnding } = this.#daemon;
    const { 'given-up': givenUp, ...ended } = webhooks.ended;
    const { clock, version } = this.#options;
    const { uploads } = recorder.deps;
    const creators: Status['creators'] = {};
    for (const { state } of this.#daemon.statuses) creators[state] = (creators[state] ?? 0) + 1;
    return {
      version,
      startedAt: this.#startedAt,
      uptimeMs: clock.monotonic() - this.#beganMs,
      isEnding,
      creators,
      credits: { ...credits, charged: recorder.ledger.total.charged },
      looks: { ...vitals.looks },
      recordings: {
        running: slots.taken,
        waiting: slots.waiting,
        most: slots.most,
        heldBy: slots.heldBy,
        receivedBytes: vitals.receivedBytes,
      },
      load,
      uploads: {
        running: uploads.running,
        waiting: uploads.waiting,
        storeTakes: !uploads.isAway,
        shippedObjects: vitals.shipped.objects,
        shippedBytes: vitals.shipped.bytes,
      },
      spool: {
        bytes: await this.#spoolBytes(),
        freeBytes: await freeBytes(config.spool).catch(() => null),
        reserveBytes: config.diskReserveBytes,
      },
      jobs: this.#daemon.jobOverview,
      webhooks: {
        waiting: webhooks.states().reduce((sum, { waiting }) => sum + waiting, 0),
        ...ended,
        givenUp,
      },
    };
  }

  creatorStatuses(): CreatorStatus[] {
    return this.#daemon.statuses;
  }

  async creators(): Promise<Creator[]> {
    const { statuses } = this.#daemon;
    if (statuses.some(({ handle }) => this.#knownExpectation(handle) === undefined))
      for (const _ of this.#daemon.prepareExpectations()) await turn();
    const configured = this.#configured();
    const creators: Creator[] = [];
    for (const status of statuses) {
      if (creators.length % EXPECTED_AT_ONCE === 0) await turn();
      creators.push(this.#withRoster(status, configured));
    }
    return creators;
  }

  async creator(handle: string): Promise<Creator> {
    return this.#withRoster(this.#task(handle).status, this.#configured());
  }

  config(): ConfigInForce {
    const { first, latest, waiting } = this.#options.config();
    const asBegun = new Map(settingsInForce(first).map((setting) => [setting.key as string, setting]));
    const settings = settingsInForce(latest).map((setting) =>
      waiting.includes(setting.key) ? (asBegun.get(setting.key) ?? setting) : setting,
    );
    return { file: latest.file, settings, waiting };
  }

  async readiness(): Promise<Readiness> {
    const { vitals, config, isEnding } = this.#daemon;
    const isRecent = vitals.silentMs(config.store) < STORE_RECENT_MS;
    const [store, spool] = await Promise.all([isRecent || this.#storeAnswers(), this.#isSpoolWritable()]);
    return { store, key: !vitals.isKeyRefused, spool, notEnding: !isEnding };
  }

  async add(input: NewCreator): Promise<Creator> {
    const { handle } = await this.#daemon.roster.add(input);
    this.#daemon.apply();
    return this.creator(handle);
  }

  async remove(handle: string): Promise<Removed> {
    await this.#daemon.roster.remove(handle);
    this.#daemon.apply();
    // Whatever else it does ends at once.
    return { handle, isLeaving: this.#daemon.fleet.task(handle)?.status.recording != null };
  }

  setPaused(handle: string, paused: boolean): Promise<Creator> {
    return this.#say(handle, { paused });
  }

  setNote(handle: string, note: string | null): Promise<Creator> {
    return this.#say(handle, { note });
  }

  recordNow(handle: string): Promise<Creator> {
    const task = this.#task(handle);
    if (task.status.state === 'leaving') {
      throw new LivestowError('CONFLICT', `@${handle} is removed; its last recording goes on`);
    }
    task.recordNow();
    return this.creator(handle);
  }

  stopRecording(handle: string): Promise<Creator> {
    if (this.#task(handle).stopRecording()) return this.creator(handle);
    throw new LivestowError('CONFLICT', `@${handle} is not being recorded`);
  }

  jobs(): JobStatus[] {
    return this.#daemon.jobs.statuses;
  }

  jobHistory(wanted: { job?: string | undefined; most: number }): JobRun[] {
    return this.#daemon.jobs.history(wanted);
  }

  runJob(job: string): JobStatus {
    // How it ended is in the history, whatever that is.
    void this.#daemon.jobs.run(job);
    return this.#job(job);
  }

  stopJob(job: string): JobStatus {
    this.#job(job);
    if (this.#daemon.jobs.stop(job)) return this.#job(job);
    throw new LivestowError('CONFLICT', `the job ${JSON.stringify(job)} does not run`);
  }

  #job(job: string): JobStatus {
    const known = this.jobs().find((each) => each.job === job);
    if (known) return known;
    throw new LivestowError('NOT_FOUND', `there is no job ${JSON.stringify(job)} in the config file`);
  }

  async #say(handle: string, remark: { paused?: boolean; note?: string | null }): Promise<Creator> {
    await this.#daemon.roster.say(handle, remark);
    this.#daemon.apply();
    return this.creator(handle);
  }

  #task(handle: string): CreatorTask {
    const task = this.#daemon.fleet.task(handle);
    if (task) return task;
    throw new LivestowError('NOT_FOUND', `@${handle} is not watched`, {
      hint: 'livestow creators lists those that are',
    });
  }

  #configured(): Map<string, { isConfigured: boolean; paused: boolean }> {
    return new Map(this.#daemon.roster.all.map((listed) => [listed.handle, listed]));
  }

  #withRoster(
    status: CreatorStatus,
    listed: ReadonlyMap<string, { isConfigured: boolean; paused: boolean }>,
  ): Creator {
    const { isConfigured = false, paused = false } = listed.get(status.handle) ?? {};
    return { ...status, isConfigured, paused, expectation: this.#expectation(status.handle) };
  }

  #knownExpectation(handle: string): Creator['expectation'] | undefined {
    const known = this.#expected.get(handle);
    const isCurrent = known && this.#options.clock.monotonic() - known.atMs < EXPECTED_MS;
    return isCurrent && known.of === this.#daemon.fleet.task(handle)?.creator ? known.value : undefined;
  }

  #expectation(handle: string): Creator['expectation'] {
    const task = this.#daemon.fleet.task(handle);
    if (!task) return null;
    const nowMs = this.#options.clock.monotonic();
    const known = this.#knownExpectation(handle);
    if (known !== undefined) return known;
    const value = this.#daemon.expectation(handle);
    this.#expected.set(handle, { of: task.creator, value, atMs: nowMs });
    return value;
  }

  /** That something is not there is an answer too. */
  async #askStore(): Promise<boolean> {
    using patience = new Deadline(this.#options.clock, STORE_PATIENCE_MS);
    try {
      await this.#daemon.recorder.store.head(`${INDEX}nothing`, patience.signal);
      return true;
    } catch {
      return false;
    }
  }
}
