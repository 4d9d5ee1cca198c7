/** The real command as a child process: what it says, how it ends, and who runs below it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { runningProcesses } from './processes.ts';

export const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
/** No command of a test takes longer, unless it says so. */
const PATIENCE_MS = 240_000;

export interface RunOptions {
  env: NodeJS.ProcessEnv;
  cwd: string;
  /** Then it is killed. */
  patienceMs?: number;
}

/** A test that timed out never gets to dispose of them: the end of its worker does. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** One line of the log. */
export type LogEntry = Record<string, unknown> & { time: string; msg?: string; event?: string };

export class LivestowProcess implements AsyncDisposable {
  readonly pid: number;
  readonly exited: Promise<Exit>;
  stdout = '';
  stderr = '';
  readonly #child: ChildProcess;
  readonly #entries: LogEntry[] = [];
  #torn = '';
  #ended = false;
  #listeners = new Set<() => void>();

  constructor(args: readonly string[], { patienceMs = PATIENCE_MS, ...options }: RunOptions) {
    this.#child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...args], {
      ...options,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    if (this.#child.pid === undefined) throw new Error('livestow did not start');
    this.pid = this.#child.pid;
    running.add(this.#child);
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      this.#heard();
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      this.#log(text);
      this.#heard();
    });
    this.exited = this.#exit(patienceMs);
  }

  /** Every line of the log so far. */
  get entries(): readonly LogEntry[] {
    return this.#entries;
  }

  /** The events of the session, as the log tells them. */
  events(name: string): LogEntry[] {
    return this.#entries.filter(({ event }) => event === name);
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Nobody reads any more what it says, as behind `| head`. */
  hangUp(): void {
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
  }

  /** Kills it the hard way and waits until it is gone. */
  async killHard(): Promise<void> {
    this.kill('SIGKILL');
    await this.exited;
  }

  /** Resolves when `look` gives something, asked whenever the command has said something. Rejects when it ends first. */
  async until<T>(what: string, look: (process: this) => T | undefined | false | null): Promise<T> {
    for (;;) {
      const found = look(this);
      if (found !== undefined && found !== false && found !== null) return found;
      if (this.#ended) throw new Error(`livestow ended before ${what}:\n${this.tellAll()}`);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#listeners.add(resolve);
      await promise;
      this.#listeners.delete(resolve);
    }
  }

  /** Process ids of the ffmpeg processes that write segments now: they alone are fed by a pipe. */
  async recordingProcesses(): Promise<number[]> {
    return (await runningProcesses())
      .filter(({ parent, args }) => parent === this.pid && /ffmpeg .*-i pipe:0/.test(args))
      .map(({ pid }) => pid);
  }

  tellAll(): string {
    return `${this.stdout}\n${this.stderr}`.slice(-6_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) await this.killHard();
  }

  async #exit(patienceMs: number): Promise<Exit> {
    const limit = setTimeout(() => this.kill('SIGKILL'), patienceMs);
    const [code, signal] = (await once(this.#child, 'close')) as [number | null, NodeJS.Signals | null];
    clearTimeout(limit);
    running.delete(this.#child);
    this.#ended = true;
    this.#heard();
    return { code, signal };
  }

  #log(text: string): void {
    const lines = (this.#torn + text).split('\n');
    this.#torn = lines.pop() ?? '';
    for (const line of lines) {
      if (line.startsWith('{')) this.#entries.push(JSON.parse(line) as LogEntry);
    }
  }

  #heard(): void {
    for (const listener of this.#listeners) listener();
  }
}
