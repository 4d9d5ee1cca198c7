/** A child process that talks in lines of JSON: what the source, the recorder and a server in a bench have in common. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';

export interface ChildOptions {
  env?: Record<string, string>;
  cwd?: string;
}

export class TalkingChild {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #exit: Promise<unknown>;

  constructor(command: string, args: readonly string[], { env, cwd }: ChildOptions = {}) {
    this.#child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
      cwd,
    });
    this.#exit = once(this.#child, 'exit');
    const lines: Interface = createInterface({ input: this.#child.stdout! });
    this.#lines = lines[Symbol.asyncIterator]();
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  say(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** The next line that it says. */
  async hear<T>(): Promise<T> {
    const { value, done } = await this.#lines.next();
    if (done === true)
      throw new Error(`a process of the bench ended: ${this.#child.spawnargs.slice(0, 3).join(' ')}`);
    return JSON.parse(value) as T;
  }

  /** All of them end with their standard input. */
  endInput(): void {
    this.#child.stdin?.end();
  }

  async ended(): Promise<void> {
    this.endInput();
    await this.#exit;
  }
}
