/**
 * A soak: creators of the sandbox broadcast, a livestow process each records them into one bucket of a real S3 server,
 * and a storm goes over all of them. When it is over, every picture is accounted for, and nothing may be left behind.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as after } from 'node:timers/promises';
import type { S3Server } from '../../bench/s3.ts';
import type { GapCause } from '../../src/model/causes.ts';
import { isMissing } from '../../src/kernel/files.ts';
import { createSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';
import { copyOfBucket, filesThatSay, leftInSpool } from '../e2e/archive-copy.ts';
import { LivestowProcess, type LogEntry } from '../e2e/livestow-process.ts';
import { processesOf } from '../e2e/processes.ts';
import { SettableClock } from '../e2e/settable-clock.ts';
import { CannotMount } from '../support/small-disk.ts';
import { growthOf } from './growth.ts';
import { Recorder } from './recorder.ts';
import { reckon, type CreatorReckoning, type Deed } from './reckoning.ts';
import { SpoolDisk, type DiskTrouble } from './spool-disk.ts';
import { CLOCK_OFF_MS, kindOf, nameOf, type StormAction, type StormPlan } from './storm.ts';
import { TroubledStore } from './troubled-store.ts';

/** What must never be written anywhere. */
const API_KEY = 'sfk_canary_soak_8d1e';
const SAMPLE_MS = 15_000;
/** For everything to be shipped and sealed when all broadcasts are over. */
const SEALING_MS = 180_000;
/** For a trouble to be found out and mended. */
const RECOVERY_MS = 20_000;

const WITHOUT_RECORDER: readonly GapCause[] = ['recorder-down', 'found-late'];
const WITHOUT_LOOKS: readonly GapCause[] = ['found-late', 'connection-lost', 'refused', 'no-media', 'stall'];
const WHILE_FROZEN: readonly GapCause[] = [
  'recorder-down',
  'connection-lost',
  'stall',
  'source-skip',
  'segment-missing',
];

/** What may be missing for want of room; where lower variants are taken, nothing is. */
const OF_THE_DISK: Record<DiskTrouble, Pick<Deed, 'causes' | 'losesReceived'>> = {
  lower: { causes: [] },
  out: { causes: ['disk-full'], losesReceived: true },
  full: { causes: ['disk-full'], losesReceived: true },
};
/** For room to be found again. */
const ROOM_SEEN_MS = 5_000;

export interface SoakReport {
  seed: number;
  creators: CreatorReckoning[];
  /** How often each thing was done, and had an effect where that can be told. */
  done: Record<string, number>;
  growth: ReturnType<typeof growthOf>[];
  lateMs: number;
  problems: string[];
}

export async function soak(
  plan: StormPlan,
  s3: S3Server,
  folder: string,
  tell: (line: string) => void,
): Promise<SoakReport> {
  await using world = await SoakWorld.open(plan, s3, folder, tell);
  await world.weather(tell);
  tell('the storm is over; shipping and sealing');
  const problems = await world.settle();
  tell('accounting for every picture');
  return await world.report(problems);
}

interface SoakParts {
  plan: StormPlan;
  folder: string;
  sandbox: Sandbox;
  store: TroubledStore;
  disk: SpoolDisk | null;
  clocks: ReadonlyMap<string, SettableClock>;
}

class SoakWorld implements AsyncDisposable {
  readonly #plan: StormPlan;
  readonly #folder: string;
  readonly #sandbox: Sandbox;
  readonly #store: TroubledStore;
  readonly #disk: SpoolDisk | null;
  /** Of those that have one of their own. */
  readonly #clocks: ReadonlyMap<string, SettableClock>;
  readonly #recorders = new Map<string, Recorder>();
  readonly #processes: LivestowProcess[] = [];
  readonly #deeds = new Map<string, Deed[]>();
  readonly #cuts = new Map<string, Deed[]>();
  readonly #done: Record<string, number> = {};
  readonly #beganAtMs: number;
  readonly #lateness = monitorEventLoopDelay({ resolution: 10 });
  #lateMs = 0;

  private constructor({ plan, folder, sandbox, store, disk, clocks }: SoakParts) {
    this.#plan = plan;
    this.#folder = folder;
    this.#sandbox = sandbox;
    this.#store = store;
    this.#disk = disk;
    this.#clocks = clocks;
    this.#beganAtMs = Date.now() - sandbox.state().nowMs;
    this.#lateness.enable();
  }

  static async open(
    plan: StormPlan,
    s3: S3Server,
    folder: string,
    tell: (line: string) => void,
  ): Promise<SoakWorld> {
    await mkdir(folder, { recursive: true });
    const creators = Object.fromEntries(plan.creators.map(({ handle, scenario }) => [handle, scenario]));
    const sandbox = await createSandbox({ scenario: { apiKey: API_KEY, creators } });
    const store = await TroubledStore.on(s3);
    const disk = await SpoolDisk.mount(folder, plan.creators.length).catch((error: unknown) => {
      if (!(error instanceof CannotMount)) throw error;
      tell(`without disk troubles: nothing can be mounted here: ${error.message}`);
      return null;
    });
    const clocks = await clocksOf(plan).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
      tell('without clocks of their own: there is no faketime here');
      return new Map<string, SettableClock>();
    });
    return new SoakWorld({ plan, folder, sandbox, store, disk, clocks });
  }

  /** Lets the storm go over all creators. Resolves when every broadcast is over. */
  async weather(tell: (line: string) => void): Promise<void> {
    const beganAtMs = Date.now();
    for (const { handle, engine } of this.#plan.creators) {
      const args = ['record', handle, '--engine', engine];
      this.#recorders.set(handle, new Recorder(() => this.#livestow(args, this.#clocks.get(handle)?.env)));
    }
    const samples = setInterval(() => this.#sampleSteady(), SAMPLE_MS);
    const doing: Promise<void>[] = [];
    try {
      for (const action of this.#plan.actions) {
        await after(Math.max(0, beganAtMs + action.atMs - Date.now()));
        tell(`${(action.atMs / 1_000).toFixed(1)} s ${nameOf(action)}`);
        doing.push(this.#do(action));
      }
      await Promise.all(doing);
    } finally {
      clearInterval(samples);
    }
    this.#lateMs = this.#lateness.max / 1e6;
    this.#lateness.disable();
  }

  /** Waits until everything is sealed, ends all recorders, and says what went wrong with that. */
  async settle(): Promise<string[]> {
    const problems: string[] = [];
    const limit = AbortSignal.timeout(SEALING_MS);
    while ((await this.#leftInSpool()).length > 0 && !limit.aborted) await after(500);
    const left = await this.#leftInSpool();
    if (left.length > 0) {
      problems.push(`not sealed after ${SEALING_MS / 1_000} s: ${left.slice(0, 5).join(', ')}`);
    }
    for (const [handle, recorder] of this.#recorders) {
      await recorder.sample().catch(() => {});
      await recorder.finish();
      problems.push(...recorder.surprises.map((surprise) => `${handle}: ${surprise}`));
    }
    for (const command of ['recover', 'verify']) {
      const run = this.#livestow([command]);
      const { code } = await run.exited;
      if (code !== 0) problems.push(`${command} ended with ${code}: ${run.tellAll()}`);
    }
    const still = await this.#leftInSpool();
    if (still.length > 0) problems.push(`left in the spool: ${still.slice(0, 5).join(', ')}`);
    const running = await processesOf(
      this.#processes.map(({ pid }) => pid),
      this.#folder,
    );
    problems.push(...running.map(({ pid, args }) => `still running: ${pid} ${args}`));
    return problems;
  }

  async report(before: readonly string[]): Promise<SoakReport> {
    const fetched = join(this.#folder, 'fetched');
    await rm(fetched, { recursive: true, force: true });
    await mkdir(fetched);
    const { location: url, env } = this.#store.bucket;
    const credentials = { accessKeyId: env.AWS_ACCESS_KEY_ID, secretAccessKey: env.AWS_SECRET_ACCESS_KEY };
    const archive = await copyOfBucket({ url, env, credentials }, fetched);
    const secrets = [API_KEY, 'sign=', credentials.secretAccessKey];
    const said = this.#processes.map(({ stdout, stderr }) => stdout + stderr).join('\n');
    const leaks = [
      ...secrets.filter((secret) => said.includes(secret)).map((secret) => `said: ${secret}`),
      ...(await filesThatSay(fetched, secrets)),
    ];
    await this.#keepLogs();
    const creators: CreatorReckoning[] = [];
    for (const { handle } of this.#plan.creators) {
      creators.push(
        await reckon(archive, {
          handle,
          truth: this.#sandbox.truth(handle),
          events: this.#sandbox.events,
          beganAtMs: this.#beganAtMs,
          deeds: this.#deeds.get(handle) ?? [],
          cutsMs: this.#cuts.get(handle) ?? [],
          lateMs: this.#lateMs,
          clockOffMs: this.#clocks.has(handle) ? CLOCK_OFF_MS : 0,
        }),
      );
    }
    const growth = this.#plan.creators
      .filter(({ steady }) => steady)
      .map(({ handle }) => growthOf(handle, this.#recorders.get(handle)?.samples ?? []));
    const problems = [
      ...before,
      ...leaks,
      ...creators.flatMap((creator) => creator.problems),
      ...growth.flatMap((each) => each.problems),
    ];
    return { seed: this.#plan.seed, creators, done: this.#done, growth, lateMs: this.#lateMs, problems };
  }

  async #do(action: StormAction): Promise<void> {
    const sandbox = this.#sandbox;
    const fromMs = Date.now();
    switch (action.kind) {
      case 'live':
        sandbox.goLive(action.handle);
        this.#note(action.handle, {
          what: 'live',
          fromMs,
          toMs: fromMs + RECOVERY_MS,
          causes: ['found-late'],
        });
        break;
      case 'end':
        sandbox.end(action.handle, action.media);
        break;
      case 'media': {
        const { handle, fault, causes, lastsMs } = action;
        const mistimed = fault.type === 'loop';
        this.#note(handle, { what: nameOf(action), fromMs, toMs: fromMs + lastsMs, causes, mistimed });
        await sandbox.inject(handle, fault);
        break;
      }
      case 'api': {
        const { handle, forMs, answer } = action;
        const nowMs = sandbox.state().nowMs;
        sandbox.answer({ fromMs: nowMs, toMs: nowMs + forMs, handle, answer });
        const toMs = fromMs + forMs + RECOVERY_MS;
        this.#note(handle, { what: nameOf(action), fromMs, toMs, causes: WITHOUT_LOOKS });
        break;
      }
      case 'kill': {
        const { handle, victim, downMs } = action;
        const done = await this.#recorders.get(handle)!.kill(victim, downMs);
        if (victim !== 'ffmpeg') this.#cut(handle, nameOf(action), done, WITHOUT_RECORDER);
        break;
      }
      case 'drain': {
        const done = await this.#recorders.get(action.handle)!.drain(action.downMs);
        this.#cut(action.handle, nameOf(action), done, WITHOUT_RECORDER);
        break;
      }
      case 'freeze': {
        const { fromMs: from, toMs: to } = await this.#recorders.get(action.handle)!.freeze(action.forMs);
        const toMs = to + RECOVERY_MS;
        this.#note(action.handle, { what: nameOf(action), fromMs: from, toMs, causes: WHILE_FROZEN });
        break;
      }
      case 'clock': {
        const clock = this.#clocks.get(action.handle);
        if (!clock) return;
        await clock.set(action.aheadMs / 1_000);
        break;
      }
      case 'store':
        if (!(await this.#store.trouble(action.how, action.forMs))) return;
        break;
      case 'disk':
        if (!(await this.#troubleDisk(action))) return;
        break;
    }
    this.#count(kindOf(action));
  }

  /** Told of everybody's: it is the disk of all. */
  async #troubleDisk({ how, forMs }: Extract<StormAction, { kind: 'disk' }>): Promise<boolean> {
    if (!this.#disk) return false;
    const { fromMs, toMs } = await this.#disk.leave(how, forMs);
    const deed = { what: `disk ${how}`, fromMs, toMs: toMs + ROOM_SEEN_MS, ...OF_THE_DISK[how] };
    for (const { handle } of this.#plan.creators) this.#note(handle, deed);
    return this.#processes.some(({ entries }) =>
      entries.some((entry) => Date.parse(entry.time) >= fromMs && isOfTheDisk(how, entry)),
    );
  }

  #note(handle: string, deed: Deed): void {
    this.#deeds.set(handle, [...(this.#deeds.get(handle) ?? []), deed]);
  }

  /** A recorder that was gone for a while. */
  #cut(
    handle: string,
    what: string,
    { fromMs, toMs }: { fromMs: number; toMs: number },
    causes: readonly GapCause[],
  ): void {
    this.#note(handle, { what, fromMs, toMs: toMs + RECOVERY_MS, causes });
    this.#cuts.set(handle, [...(this.#cuts.get(handle) ?? []), { what, fromMs, toMs, causes }]);
  }

  #count(what: string): void {
    this.#done[what] = (this.#done[what] ?? 0) + 1;
  }

  #sampleSteady(): void {
    for (const { handle, steady } of this.#plan.creators) {
      if (steady)
        void this.#recorders
          .get(handle)
          ?.sample()
          .catch(() => {});
    }
  }

  #livestow(args: readonly string[], clock: Record<string, string> = {}): LivestowProcess {
    const { PATH, HOME } = process.env;
    const run = new LivestowProcess([...args], {
      cwd: this.#folder,
      patienceMs: 24 * 3_600_000,
      env: {
        PATH,
        HOME,
        NODE_OPTIONS: '--inspect=127.0.0.1:0',
        LIVESTOW_API_KEY: API_KEY,
        LIVESTOW_API_URL: this.#sandbox.apiUrl,
        LIVESTOW_STORE: this.#store.bucket.location,
        LIVESTOW_SPOOL: this.#spool,
        LIVESTOW_MEDIA_HOSTS: '127.0.0.1',
        LIVESTOW_POLL_INTERVAL: '1s',
        LIVESTOW_SAMPLE_INTERVAL: '20s',
        LIVESTOW_SEGMENT_DURATION: '4s',
        ...this.#disk?.env,
        ...this.#store.bucket.env,
        ...clock,
      },
    });
    this.#processes.push(run);
    return run;
  }

  /** For whoever looks into what went wrong. */
  async #keepLogs(): Promise<void> {
    const logs = join(this.#folder, 'logs');
    await mkdir(logs);
    for (const [i, { stdout, stderr }] of this.#processes.entries()) {
      await writeFile(join(logs, `${String(i).padStart(3, '0')}.log`), stdout + stderr);
    }
  }

  get #spool(): string {
    return this.#disk?.spool ?? join(this.#folder, 'spool');
  }

  #leftInSpool(): Promise<string[]> {
    return leftInSpool(this.#spool);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const run of this.#processes) await run[Symbol.asyncDispose]();
    this.#lateness.disable();
    await this.#sandbox.close();
    await this.#store[Symbol.asyncDispose]();
    await this.#disk?.[Symbol.asyncDispose]();
    for (const clock of this.#clocks.values()) await clock[Symbol.asyncDispose]();
  }
}

async function clocksOf({ creators }: StormPlan): Promise<Map<string, SettableClock>> {
  const clocks = new Map<string, SettableClock>();
  for (const { handle, ownClock } of creators) {
    if (ownClock) clocks.set(handle, await SettableClock.open());
  }
  return clocks;
}

/** Whether a recorder says what it does about it. */
const isOfTheDisk = (how: DiskTrouble, entry: LogEntry): boolean =>
  how === 'full'
    ? JSON.stringify(entry).includes('ENOSPC')
    : entry.event === 'disk' && entry['level'] === how;
