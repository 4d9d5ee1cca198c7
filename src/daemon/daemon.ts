/**
 * `livestow serve`, without what shows it: recorder, roster, planner and fleet put together, changed while they run, and
 * ended in good order.
 */
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Dispatcher } from 'undici';
import type { Config, SettingKey } from '../config/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LivestowError } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import { Places } from '../kernel/places.ts';
import { plain } from '../kernel/secret.ts';
import type { StopKind } from '../kernel/stop-request.ts';
import type { CreatorStatus } from '../model/creator-status.ts';
import type { JobOverview } from '../model/job.ts';
import { DAEMON_FOLDER } from '../spool/session-spool.ts';
import { Pace } from '../ship/pace.ts';
import { requireWritableSpool } from '../spool/writable-spool.ts';
import type { JobRunner } from '../jobs/job-runner.ts';
import { createOpenDispatcher } from '../net/dispatcher.ts';
import { Webhooks } from '../notify/webhooks.ts';
import { composeRecorder, type Recorder } from './compose.ts';
import { CreditFile } from './credit-file.ts';
import { CreditWatch } from './credit-watch.ts';
import { EventLog } from './event-log.ts';
import { Fleet, type RosterChange } from './fleet.ts';
import { LoadWatch, type Load, type LoadLimit } from './load-watch.ts';
import { PlannedLooks } from './planned-looks.ts';
import { recoverSpool } from './recover.ts';
import type { RoomDeps } from './record-room.ts';
import { Roster } from './roster.ts';
import { ScheduledJobs } from './scheduled-jobs.ts';
import { Vitals } from './vitals.ts';

/** What the daemon takes from its config once; another value waits for the next start. */
const FIXED = [
  'apiUrl',
  'spool',
  'diskReserveBytes',
  'mediaHosts',
  'proxy',
  'segmentDurationMs',
  'stallTimeoutMs',
  'engine',
  'uploads',
  'timeZone',
  'creditsPerDay',
  'pollFloorMs',
  'pollCeilingMs',
  'listen',
  'token',
  'viewerToken',
  'logLevel',
] as const satisfies readonly (keyof Config)[];

/** What is taken up at once, by its name in the config file; of what a creator is given, the creator is told. */
const AT_ONCE = {
  apiKey: 'apiKey',
  store: 'store',
  recordings: 'recordings',
  downloadBandwidth: 'downloadBytesPerSecond',
  cpu: 'cpuShare',
  uploadBandwidth: 'uploadBytesPerSecond',
  webhooks: 'webhooks',
} as const satisfies Partial<Record<SettingKey, keyof Config>>;

/** With so many objects that wait, a recording's shipping is behind, and jobs wait for it. */
const BEHIND_OBJECTS = 4;
const BEHIND_LOOK_MS = 1_000;

export interface DaemonOptions {
  config: Config;
  clock: Clock;
  log: Logger;
  version: string;
  /** What records; a simulated world has another. */
  compose?: typeof composeRecorder;
}

interface DaemonParts {
  recorder: Recorder;
  roster: Roster;
  events: EventLog;
  creditFile: CreditFile;
  vitals: Vitals;
}

export class Daemon {
  readonly events: EventLog;
  readonly vitals: Vitals;
  readonly #options: DaemonOptions;
  readonly #recorder: Recorder;
  readonly #roster: Roster;
  readonly #fleet: Fleet;
  readonly #looks: PlannedLooks;
  readonly #slots: Places<LoadLimit>;
  readonly #loadWatch: LoadWatch;
  readonly #jobs: ScheduledJobs;
  readonly #jobPace: Pace;
  readonly #webhooks: Webhooks;
  readonly #outbound: Dispatcher;
  readonly #credits: CreditWatch;
  readonly #creditFile: CreditFile;
  readonly #over = new AbortController();
  readonly #background = new Set<Promise<void>>();
  #config: Config;

  private constructor(options: DaemonOptions, { recorder, roster, events, creditFile, vitals }: DaemonParts) {
    const { config, clock, log } = options;
    this.#options = options;
    this.#config = config;
    this.#recorder = recorder;
    this.#roster = roster;
    this.#creditFile = creditFile;
    this.events = events;
    this.vitals = vitals;
    this.#slots = new Places(config.recordings);
    this.#loadWatch = new LoadWatch(
      {
        clock,
        places: this.#slots,
        receivedBytes: () => vitals.receivedBytes,
        shippedBytes: () => vitals.shipped.bytes,
      },
      config,
    );
    this.#looks = new PlannedLooks(clock, config, creditFile.spentBefore);
    this.#credits = new CreditWatch({
      clock,
      perDay: config.creditsPerDay,
      spentToday: () => this.#looks.spentToday,
      report: (report) => events.report(report),
    });
    this.#outbound = createOpenDispatcher(config.proxy?.reveal() ?? null);
    this.#webhooks = new Webhooks({
      webhooks: config.webhooks,
      dispatcher: this.#outbound,
      logger: log,
      clock,
    });
    events.on('event', (event) => this.#webhooks.tell(event));
    vitals.onCharged = (handle, credits) => this.#charged(handle, credits);
    vitals.onKeyRefused = (error) => this.#keyRefused(error);
    this.#fleet = new Fleet({
      clock,
      log,
      events,
      slots: this.#slots,
      timeZone: config.timeZone,
      depsFor: (creator) => recorder.depsFor(creator),
      cadenceFor: (creator, windows) => this.#looks.cadenceFor(creator, windows),
      onRoom: (handle, { startedAt }) => this.#looks.foundLive(handle, startedAt),
      onLookFailed: (error) => this.#credits.lookFailed(error),
    });
    this.#jobPace = new Pace(clock, config.uploadBytesPerSecond);
    this.#jobs = new ScheduledJobs({
      config: () => this.#config,
      clock,
      log,
      env: process.env,
      watched: () => roster.all,
      report: (event) => events.report(event),
      giveWay: async (signal, bytes) => {
        while (this.#isBehind) await clock.delay(BEHIND_LOOK_MS, signal);
        // What recordings send is never held up by a job: it pays for itself.
        if (bytes > 0) {
          await recorder.deps.uploads.pace.turn(0, signal);
          await this.#jobPace.turn(bytes, signal);
        }
      },
    });
    events.on('event', (event) => {
      if (event.type === 'failed') this.#jobs.countFailure(event.code, clock.now());
    });
  }

  /** @throws SPOOL, CONFIG: nothing was begun then */
  static async open(options: DaemonOptions): Promise<Daemon> {
    const { config, clock, compose = composeRecorder } = options;
    await requireWritableSpool(config.spool);
    const roster = await Roster.open(config);
    const creditFile = await CreditFile.open(join(config.spool, DAEMON_FOLDER), options);
    const events = new EventLog(clock);
    const vitals = new Vitals(clock);
    const recorder = await compose({
      ...options,
      ...vitals.taps,
      onGap: (handle, session, { from, to, ms, cause }) =>
        events.report({ type: 'gap', handle, session, from, to, ms, cause }),
      onDiskLevel: (level, freeBytes) => events.report({ type: 'disk', level, freeBytes }),
    });
    const daemon = new Daemon(options, { recorder, roster, events, creditFile, vitals });
    daemon.#begin();
    return daemon;
  }

  get roster(): Roster {
    return this.#roster;
  }

  get fleet(): Fleet {
    return this.#fleet;
  }

  get config(): Config {
    return this.#config;
  }

  get jobs(): JobRunner {
    return this.#jobs.runner;
  }

  get jobOverview(): JobOverview[] {
    return this.#jobs.overview;
  }

  get webhooks(): Webhooks {
    return this.#webhooks;
  }

  get recorder(): Recorder {
    return this.#recorder;
  }

  get slots(): Places<LoadLimit> {
    return this.#slots;
  }

  get load(): Load {
    return this.#loadWatch.load;
  }

  /** It takes no orders any more. */
  get isEnding(): boolean {
    return this.#over.signal.aborted;
  }

  get credits(): { spentToday: number; perDay: number | null } {
    return { spentToday: this.#looks.spentToday, perDay: this.#config.creditsPerDay };
  }

  get statuses(): CreatorStatus[] {
    return this.#fleet.statuses;
  }

  /** Before many expectations are asked for: others may be let in at each step. */
  prepareExpectations(): Iterable<void> {
    return this.#looks.prepareExpectations();
  }

  /** Of a creator that is looked at by the plan: the mean delay until a broadcast is found, and what looking costs. */
  expectation(handle: string): { delayMs: number | null; creditsPerDay: number } | null {
    return this.#looks.expectation(handle);
  }

  /** Brings about what the roster says now; called after each change of it. */
  apply(): RosterChange {
    const listed = this.#roster.all.map(({ isConfigured: _, ...creator }) => creator);
    const change = this.#fleet.apply(listed);
    for (const handle of change.removed) this.#looks.forget(handle);
    return change;
  }

  /** @returns what changed, and settings that only the next start takes up */
  reload(config: Config): { change: RosterChange; jobs: string[]; settings: string[]; waiting: string[] } {
    const differsFrom = (other: Config) => (key: keyof Config) =>
      !isDeepStrictEqual(plain(config[key]), plain(other[key]));
    const waiting = FIXED.filter(differsFrom(this.#options.config)).map((key) =>
      key.replace(/(?:Ms|Bytes)$/, ''),
    );
    const isAnother = differsFrom(this.#config);
    const settings = Object.entries(AT_ONCE).flatMap(([name, key]) => (isAnother(key) ? [name] : []));
    const kept = Object.fromEntries(FIXED.map((key) => [key, this.#options.config[key]]));
    this.#config = { ...config, ...kept };
    this.#roster.config = this.#config;
    this.#limitRecordings();
    this.#recorder.deps.uploads.bytesPerSecond = this.#config.uploadBytesPerSecond;
    this.#jobPace.bytesPerSecond = this.#config.uploadBytesPerSecond;
    const jobs = this.#jobs.runner.apply(this.#config.jobs);
    this.#webhooks.configure(this.#config.webhooks);
    const change = this.apply();
    if (settings.includes('apiKey') || this.vitals.isKeyRefused) this.#useKey();
    return { change, jobs, settings, waiting };
  }

  /** Ends all recordings, or leaves them for the next start; resolves when everything is shipped that can be. */
  async end(kind: StopKind): Promise<void> {
    this.#over.abort();
    await Promise.all([this.#fleet.end(kind), this.#jobs.runner.end()]);
    await Promise.all(this.#background);
  }

  /** What is not shipped by now stays in the spool. */
  giveUp(): void {
    this.#recorder.giveUp();
  }

  async close(): Promise<void> {
    this.#over.abort();
    this.#loadWatch.close();
    await this.#jobs.runner.end();
    this.#jobs.close();
    await this.#creditFile.close();
    await this.#webhooks.close(new AbortController().signal);
    await this.#outbound.close();
    await this.#recorder.close();
  }

  #begin(): void {
    this.apply();
    this.#jobs.runner.start();
    this.#inBackground('reading what is left in the spool', () => this.#recover());
    this.#inBackground('reading the history of broadcasts', () => this.#learn());
  }

  /** Where one limit comes for another, nobody is let in between. */
  #limitRecordings(): void {
    const { recordings } = this.#config;
    const fewest = Math.min(recordings ?? Infinity, this.#slots.most ?? Infinity);
    this.#slots.most = Number.isFinite(fewest) ? fewest : null;
    this.#loadWatch.limits = this.#config;
    this.#slots.most = recordings;
  }

  /** Recordings close segments faster than the store takes them. */
  get #isBehind(): boolean {
    return this.#fleet.waitingObjects > BEHIND_OBJECTS;
  }

  #inBackground(what: string, step: () => Promise<void>): void {
    const going = step()
      .catch((error: unknown) => {
        if (!this.#over.signal.aborted) this.#options.log.warn({ err: error }, `${what} failed`);
      })
      .finally(() => this.#background.delete(going));
    this.#background.add(going);
  }

  /** Of creators that are not watched: whoever is sees to it, for the broadcast may go on. */
  async #recover(): Promise<void> {
    const { log } = this.#options;
    const depsOf = (handle: string): RoomDeps | null => {
      const listed = this.#roster.all.find((creator) => creator.handle === handle);
      if (listed === undefined) return this.#recorder.deps;
      return listed.paused ? this.#recorder.depsFor(listed) : null;
    };
    for await (const found of recoverSpool(this.#recorder.deps, this.#over.signal, depsOf)) {
      if (found.outcome === 'sealed') log.info({ handle: found.handle, session: found.session }, 'recovered');
      if (found.outcome === 'left')
        log.error({ err: found.error, ...found }, 'a session is left in the spool');
    }
  }

  async #learn(): Promise<void> {
    const locations = new Set(this.#roster.all.map(({ store }) => store));
    const stores = [...locations].map((location) => this.#recorder.storeAt(location));
    await this.#looks.learn(stores, this.#over.signal);
  }

  #charged(handle: string, credits: number): void {
    this.#looks.spent(handle, credits);
    this.#credits.looked();
    this.#creditFile.note(this.#looks.spentToday);
  }

  #keyRefused(error: LivestowError): void {
    const { code, message, hint = null } = error;
    this.#options.log.error({ err: error }, 'nobody is looked up any more: the lookup API refuses the key');
    this.events.report({ type: 'failed', handle: null, code, message, hint });
  }

  /** The one that is in force: another one, or the same once more. */
  #useKey(): void {
    this.#recorder.useKey(this.#config.apiKey);
    this.vitals.forgetKey();
    this.#inBackground('looking again', () => this.#fleet.lookAgain(this.#over.signal));
  }
}
