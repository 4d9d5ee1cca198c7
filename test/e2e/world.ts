/**
 * A simulated world and the real command in it: the sandbox in this process, livestow in a process of its own, with an
 * archive (a folder, or a bucket of a real S3 server) and a spool that are gone when the test is over.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';
import type { FaultInput } from '../../src/sandbox/faults.ts';
import { GOP_PICTURES } from '../../src/sandbox/media/grid.ts';
import type { SandboxEvent } from '../../src/sandbox/ledger.ts';
import type { ScenarioInput } from '../../src/sandbox/scenario.ts';
import type { S3Bucket } from '../support/s3-servers.ts';
import { accountSession, type SessionAccount } from './account.ts';
import { copyOfBucket, copyOfFolder, filesThatSay, leftInSpool, type ArchiveCopy } from './archive-copy.ts';
import { LivestowProcess } from './livestow-process.ts';
import { processesOf, type RunningProcess } from './processes.ts';

/** A broadcast, what it takes to be sure that it is over, and the accounting, on a machine with other work. */
export const WORLD_TIMEOUT_MS = 150_000;

/** The CDN's cache reaches back to the beginning for a while, so that a slow machine finds her in time too. */
const FOUND_IN_TIME: FaultInput = { type: 'join', gops: 3, forMs: 3_500, atMs: 0 };

/** What must never be written anywhere. */
export const API_KEY = 'sfk_canary_4f1d0c7b';

type CreatorInput = NonNullable<ScenarioInput['creators']>[string];

export interface WorldPlan {
  /** Alice, who goes live when the test says so. */
  alice?: CreatorInput;
  scenario?: ScenarioInput;
  bucket?: S3Bucket;
  /** Folders elsewhere than in the world's own, on a disk of theirs. */
  spool?: string;
  store?: string;
  env?: Record<string, string>;
}

export class World implements AsyncDisposable {
  readonly sandbox: Sandbox;
  readonly folder: string;
  readonly runs: LivestowProcess[] = [];
  readonly #plan: WorldPlan;
  readonly #lateness = monitorEventLoopDelay({ resolution: 10 });
  /** Wall-clock time at which the scenario began. */
  readonly #beganAtMs: number;

  private constructor(plan: WorldPlan, sandbox: Sandbox, folder: string) {
    this.#plan = plan;
    this.sandbox = sandbox;
    this.folder = folder;
    this.#beganAtMs = Date.now() - sandbox.state().nowMs;
    this.#lateness.enable();
  }

  static async open(plan: WorldPlan = {}): Promise<World> {
    const folder = await mkdtemp(join(tmpdir(), 'livestow-e2e-'));
    const alice = {
      variants: [{ media: 'small' as const }],
      ...plan.alice,
      faults: [FOUND_IN_TIME, ...(plan.alice?.faults ?? [])],
    };
    const sandbox = await createSandbox({
      scenario: { apiKey: API_KEY, ...plan.scenario, creators: { alice, ...plan.scenario?.creators } },
    });
    return new World(plan, sandbox, folder);
  }

  get spool(): string {
    return this.#plan.spool ?? join(this.folder, 'spool');
  }

  get #store(): string {
    return this.#plan.store ?? join(this.folder, 'archive');
  }

  /** The command, with the settings of this world in its environment and nothing else of ours. */
  livestow(...args: string[]): LivestowProcess {
    const run = new LivestowProcess(args, this.surroundings);
    this.runs.push(run);
    return run;
  }

  get surroundings(): { cwd: string; env: NodeJS.ProcessEnv } {
    const { bucket, env } = this.#plan;
    const { PATH, HOME, TMPDIR, NODE_COMPILE_CACHE } = process.env;
    return {
      cwd: this.folder,
      env: {
        PATH,
        NODE_COMPILE_CACHE,
        HOME,
        ...(TMPDIR === undefined ? {} : { TMPDIR }),
        LIVESTOW_API_KEY: API_KEY,
        LIVESTOW_API_URL: this.sandbox.apiUrl,
        LIVESTOW_STORE: bucket?.url ?? `file://${this.#store}`,
        LIVESTOW_SPOOL: this.spool,
        LIVESTOW_MEDIA_HOSTS: '127.0.0.1',
        LIVESTOW_POLL_INTERVAL: '500ms',
        LIVESTOW_SEGMENT_DURATION: '2s',
        // Several daemons run side by side.
        LIVESTOW_LISTEN: '127.0.0.1:0',
        ...bucket?.env,
        ...env,
      },
    };
  }

  /** Records Alice's next broadcast, which begins as soon as the command has looked for the first time. */
  async record(...args: string[]): Promise<LivestowProcess> {
    const run = this.livestow('record', 'alice', '--once', ...args);
    await this.#whileSomeoneRuns(this.lookups(1));
    this.sandbox.goLive('alice');
    return run;
  }

  /** The `count`th look of this handle, past or to come. */
  async lookups(count: number, handle = 'alice'): Promise<void> {
    let seen = 0;
    await this.happens(
      `look ${count}`,
      (event) => event.type === 'lookup' && event.handle === handle && ++seen >= count,
    );
  }

  /** How many GOPs of Alice's went out so far. */
  get gopsSent(): number {
    const pictures = this.sandbox.events.flatMap((event) => (event.type === 'gop' ? event.picture : []));
    return pictures.length === 0 ? 0 : 1 + Math.max(...pictures) / GOP_PICTURES;
  }

  /** The keyframe of this GOP (or a later one) went out to Alice's audience. */
  async gopSent(gop: number): Promise<void> {
    const isIt = (event: SandboxEvent) => event.type === 'gop' && event.picture >= gop * GOP_PICTURES;
    await this.#whileSomeoneRuns(this.happens(`GOP ${gop}`, isIt));
  }

  /** The first event, past or to come, that the predicate is true of. */
  happens(what: string, predicate: (event: SandboxEvent) => boolean): Promise<SandboxEvent> {
    const limit = AbortSignal.timeout(120_000);
    return this.sandbox.waitFor(predicate, limit).catch(() => {
      throw new Error(`${what} never came:\n${this.runs.map((run) => run.tellAll()).join('\n')}`);
    });
  }

  /** How late the sandbox was at worst, on a machine that had no time for it. */
  get latestMs(): number {
    return this.#lateness.max / 1e6;
  }

  /** When Alice's first broadcast began, wall clock. */
  get wentLiveAtMs(): number {
    const live = this.sandbox.events.find(({ type }) => type === 'live');
    if (!live) throw new Error('Alice has not been live');
    return this.wallMs(live.atMs);
  }

  /** Wall clock of a time since the scenario began. */
  wallMs(scenarioMs: number): number {
    return this.#beganAtMs + scenarioMs;
  }

  async archive(): Promise<ArchiveCopy> {
    const { bucket } = this.#plan;
    if (!bucket) return copyOfFolder(this.#store);
    const copy = join(this.folder, 'fetched');
    await rm(copy, { recursive: true, force: true });
    await mkdir(copy);
    return copyOfBucket(bucket, copy);
  }

  /** All of Alice's sessions, oldest first, each accounted for against what the sandbox sent. */
  async sessions(): Promise<SessionAccount[]> {
    const archive = await this.archive();
    const manifests = archive.keys.filter((key) => /^creators\/alice\/[^/]+\/manifest\.json$/.test(key));
    const aired = {
      truth: this.sandbox.truth('alice'),
      wentLiveAtMs: this.wentLiveAtMs,
      roomsBegan: this.#roomsBegan(),
    };
    return Promise.all(
      manifests.map((key) => accountSession(archive, key.slice(0, -'/manifest.json'.length), aired)),
    );
  }

  /** The only session there is. */
  async session(): Promise<SessionAccount> {
    const sessions = await this.sessions();
    if (sessions.length !== 1) {
      throw new Error(`${sessions.length} sessions:\n${this.runs.map((run) => run.tellAll()).join('\n')}`);
    }
    return sessions[0]!;
  }

  /** Places where something stands that must not: the key, a signed URL, the S3 secret. */
  async leaks(): Promise<string[]> {
    const { bucket } = this.#plan;
    const secrets = [API_KEY, 'sign=', ...(bucket ? [bucket.credentials.secretAccessKey] : [])];
    const said = this.runs.map(({ stdout, stderr }) => stdout + stderr).join('\n');
    return [
      ...secrets.filter((secret) => said.includes(secret)).map((secret) => `said: ${secret}`),
      ...(await filesThatSay((await this.archive()).folder, secrets)),
      ...(await filesThatSay(this.spool, secrets)),
    ];
  }

  /** What is left in the spool beside locks. */
  async leftInSpool(): Promise<string[]> {
    return leftInSpool(this.spool);
  }

  /** Processes that have to do with this world. */
  async leftRunning(): Promise<RunningProcess[]> {
    return processesOf(
      this.runs.map(({ pid }) => pid),
      this.folder,
    );
  }

  /** For what can't come any more when no recorder is left. */
  async #whileSomeoneRuns(what: Promise<unknown>): Promise<void> {
    const ended = Promise.all(this.runs.map(({ exited }) => exited)).then(() => {
      throw new Error(`livestow ended:\n${this.runs.map((run) => run.tellAll()).join('\n')}`);
    });
    await Promise.race([what, ended]);
  }

  #roomsBegan(): Map<string, number> {
    const began = new Map<string, number>();
    for (const event of this.sandbox.events) {
      if (event.type === 'live' || event.type === 'room') began.set(event.roomId, event.positionMs);
    }
    return began;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const run of this.runs) await run[Symbol.asyncDispose]();
    this.#lateness.disable();
    await this.sandbox.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}
