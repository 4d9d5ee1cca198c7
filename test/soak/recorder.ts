/**
 * One creator's `livestow record`, started again whenever it ends, as a service manager does: killed, drained and frozen
 * by the storm, and looked into from outside.
 */
import { setTimeout as after } from 'node:timers/promises';
import type { LivestowProcess } from '../e2e/livestow-process.ts';
import { hasEnded } from '../e2e/processes.ts';
import { sampleProcess, type ProcessSample } from './inspected-process.ts';

/** What was done, from when to when, wall clock. */
export interface Done {
  fromMs: number;
  toMs: number;
}

export class Recorder {
  readonly samples: ProcessSample[] = [];
  /** Ends that nobody asked for. */
  readonly surprises: string[] = [];
  readonly #start: () => LivestowProcess;
  #process: LivestowProcess;
  /** One thing at a time is done to it. */
  #chain: Promise<unknown> = Promise.resolve();
  #expected = new WeakSet<LivestowProcess>();
  #over = false;

  constructor(start: () => LivestowProcess) {
    this.#start = start;
    this.#process = this.#begin();
  }

  kill(victim: 'livestow' | 'ffmpeg' | 'both', downMs: number): Promise<Done> {
    return this.#next(async (process) => {
      const engines = await process.recordingProcesses();
      const fromMs = Date.now();
      if (victim !== 'livestow') for (const pid of engines) killIfThere(pid);
      if (victim === 'ffmpeg') return fromMs;
      this.#expected.add(process);
      await process.killHard();
      await Promise.all(engines.map(hasEnded));
      await this.#restart(downMs);
      return fromMs;
    });
  }

  drain(downMs: number): Promise<Done> {
    return this.#next(async (process) => {
      const fromMs = Date.now();
      await this.#stop(process, 'SIGTERM', [0]);
      await this.#restart(downMs);
      return fromMs;
    });
  }

  freeze(forMs: number): Promise<Done> {
    return this.#next(async (process) => {
      const fromMs = Date.now();
      process.kill('SIGSTOP');
      await after(forMs);
      process.kill('SIGCONT');
      return fromMs;
    });
  }

  sample(): Promise<unknown> {
    return this.#next(async (process) => {
      const url = /Debugger listening on (ws:\S+)/.exec(process.stderr)?.[1];
      if (url !== undefined) this.samples.push(await sampleProcess(process.pid, url));
      return Date.now();
    });
  }

  /** Ends it for good. */
  async finish(): Promise<void> {
    await this.#next(async (process) => {
      this.#over = true;
      await this.#stop(process, 'SIGINT', [130]);
      return Date.now();
    });
  }

  /** What the last process said. */
  tellAll(): string {
    return this.#process.tellAll();
  }

  async #stop(process: LivestowProcess, signal: NodeJS.Signals, codes: readonly number[]): Promise<void> {
    this.#expected.add(process);
    process.kill(signal);
    const { code, signal: by } = await process.exited;
    if (!codes.includes(code ?? -1)) this.surprises.push(`after ${signal} it ended with ${code ?? by}`);
  }

  #next(step: (process: LivestowProcess) => Promise<number>): Promise<Done> {
    const done = this.#chain.then(async () => ({ fromMs: await step(this.#process), toMs: Date.now() }));
    this.#chain = done.catch(() => {});
    return done;
  }

  async #restart(downMs: number): Promise<void> {
    await after(downMs);
    this.#process = this.#begin();
    await this.#process.until('it has begun', ({ entries }) => entries.some(({ msg }) => msg === 'watching'));
  }

  #begin(): LivestowProcess {
    const process = this.#start();
    void process.exited.then(({ code, signal }) => {
      if (this.#expected.has(process) || this.#over) return;
      this.surprises.push(`it ended by itself with ${code ?? signal}: ${process.tellAll().slice(-600)}`);
      this.#process = this.#begin();
    });
    return process;
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
