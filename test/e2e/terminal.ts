/** The command on a real terminal (`script` makes it): keys that are typed, and a terminal that is closed. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { hasEnded, runningProcesses } from './processes.ts';
import { MAIN } from './livestow-process.ts';

const quoted = (word: string): string => `'${word}'`;

export class Terminal implements AsyncDisposable {
  said = '';
  readonly #script: ChildProcess;
  readonly #exited: Promise<unknown[]>;

  constructor(args: readonly string[], surroundings: { cwd: string; env: NodeJS.ProcessEnv }) {
    const command = [process.execPath, '--disable-warning=ExperimentalWarning', MAIN, ...args].map(quoted);
    this.#script = spawn('script', ['-qfec', `exec ${command.join(' ')}`, '/dev/null'], {
      ...surroundings,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#exited = once(this.#script, 'close');
    this.#script.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.said += text;
    });
  }

  /** Keys, as somebody presses them. */
  type(text: string): void {
    this.#script.stdin?.write(text);
  }

  /** Resolves when the terminal shows this. */
  async shows(text: string): Promise<void> {
    while (!this.said.includes(text)) await once(this.#script.stdout!, 'data');
  }

  /** Ctrl-C: the terminal sends SIGINT to its whole foreground process group. */
  interrupt(): void {
    this.#script.stdin?.write('\u0003');
  }

  /** Resolves with the command's exit code. */
  async exitCode(): Promise<number | null> {
    return (await this.#exited)[0] as number | null;
  }

  /** The window is closed: the system hangs up on whoever is there. Resolves when the command is gone. */
  async close(): Promise<void> {
    const own = (await runningProcesses()).filter(({ parent }) => parent === this.#script.pid);
    if (own.length === 0) throw new Error(`nobody is on the terminal: ${this.said}`);
    this.#script.kill('SIGKILL');
    await Promise.all(own.map(({ pid }) => hasEnded(pid)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#script.kill('SIGKILL');
    await this.#exited;
  }
}
