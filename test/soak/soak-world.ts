/**
 * The world of a soak: the sandbox with all creators, the store, the disk of the spools, the clocks, and the livestow
 * processes in it.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { S3Server } from '../../bench/s3.ts';
import { isMissing } from '../../src/kernel/files.ts';
import { createSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';
import { copyOfBucket, filesThatSay, leftInSpool, type ArchiveCopy } from '../e2e/archive-copy.ts';
import { LivestowProcess } from '../e2e/livestow-process.ts';
import { processesOf, type RunningProcess } from '../e2e/processes.ts';
import { SettableClock } from '../e2e/settable-clock.ts';
import { CannotMount } from '../support/small-disk.ts';
import { SpoolDisk } from './spool-disk.ts';
import type { StormPlan } from './storm.ts';
import { TroubledStore } from './troubled-store.ts';

/** What must never be written anywhere. */
const API_KEY = 'sfk_canary_soak_8d1e';
/** What a segment is to last. */
const SEGMENT_MS = 4_000;

interface Parts {
  folder: string;
  sandbox: Sandbox;
  store: TroubledStore;
  disk: SpoolDisk | null;
  clocks: ReadonlyMap<string, SettableClock>;
}

export class SoakWorld implements AsyncDisposable {
  readonly sandbox: Sandbox;
  readonly store: TroubledStore;
  /** Null where nothing can be mounted. */
  readonly disk: SpoolDisk | null;
  /** Of those that have one of their own. */
  readonly clocks: ReadonlyMap<string, SettableClock>;
  readonly processes: LivestowProcess[] = [];
  /** Wall clock at which the sandbox's own began. */
  readonly beganAtMs: number;
  readonly #folder: string;

  private constructor({ folder, sandbox, store, disk, clocks }: Parts) {
    this.#folder = folder;
    this.sandbox = sandbox;
    this.store = store;
    this.disk = disk;
    this.clocks = clocks;
    this.beganAtMs = Date.now() - sandbox.state().nowMs;
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
    return new SoakWorld({ folder, sandbox, store, disk, clocks });
  }

  livestow(args: readonly string[], clock: Record<string, string> = {}): LivestowProcess {
    const { PATH, HOME } = process.env;
    const run = new LivestowProcess([...args], {
      cwd: this.#folder,
      patienceMs: 24 * 3_600_000,
      env: {
        PATH,
        HOME,
        NODE_OPTIONS: '--inspect=127.0.0.1:0',
        LIVESTOW_API_KEY: API_KEY,
        LIVESTOW_API_URL: this.sandbox.apiUrl,
        LIVESTOW_STORE: this.store.bucket.location,
        LIVESTOW_SPOOL: this.#spool,
        LIVESTOW_MEDIA_HOSTS: '127.0.0.1',
        LIVESTOW_POLL_INTERVAL: '1s',
        LIVESTOW_SAMPLE_INTERVAL: '20s',
        LIVESTOW_SEGMENT_DURATION: `${SEGMENT_MS}ms`,
        ...this.disk?.env,
        ...this.store.bucket.env,
        ...clock,
      },
    });
    this.processes.push(run);
    return run;
  }

  /** Everything that the bucket has. */
  async fetchArchive(): Promise<ArchiveCopy> {
    const fetched = join(this.#folder, 'fetched');
    await rm(fetched, { recursive: true, force: true });
    await mkdir(fetched);
    return copyOfBucket(
      { url: this.store.bucket.location, env: this.store.bucket.env, credentials: this.#credentials },
      fetched,
    );
  }

  /** Places where something stands that must not: the key, a signed URL, the S3 secret. */
  async leaks(archive: ArchiveCopy): Promise<string[]> {
    const secrets = [API_KEY, 'sign=', this.#credentials.secretAccessKey];
    const said = this.processes.map(({ stdout, stderr }) => stdout + stderr).join('\n');
    return [
      ...secrets.filter((secret) => said.includes(secret)).map((secret) => `said: ${secret}`),
      ...(await filesThatSay(archive.folder, secrets)),
    ];
  }

  leftInSpool(): Promise<string[]> {
    return leftInSpool(this.#spool);
  }

  leftRunning(): Promise<RunningProcess[]> {
    return processesOf(
      this.processes.map(({ pid }) => pid),
      this.#folder,
    );
  }

  /** For whoever looks into what went wrong. */
  async keepLogs(): Promise<void> {
    const logs = join(this.#folder, 'logs');
    await mkdir(logs);
    for (const [i, { stdout, stderr }] of this.processes.entries()) {
      await writeFile(join(logs, `${String(i).padStart(3, '0')}.log`), stdout + stderr);
    }
  }

  get #credentials(): { accessKeyId: string; secretAccessKey: string } {
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = this.store.bucket.env;
    return { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY };
  }

  get #spool(): string {
    return this.disk?.spool ?? join(this.#folder, 'spool');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const run of this.processes) await run[Symbol.asyncDispose]();
    await this.sandbox.close();
    await this.store[Symbol.asyncDispose]();
    await this.disk?.[Symbol.asyncDispose]();
    for (const clock of this.clocks.values()) await clock[Symbol.asyncDispose]();
  }
}

async function clocksOf({ creators }: StormPlan): Promise<Map<string, SettableClock>> {
  const clocks = new Map<string, SettableClock>();
  for (const { handle, ownClock } of creators) {
    if (ownClock) clocks.set(handle, await SettableClock.open());
  }
  return clocks;
}
