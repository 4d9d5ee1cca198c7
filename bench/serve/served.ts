/** A `livestow serve` of its own process, as the launcher starts it, asked through its HTTP API. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { AS_LAUNCHED } from '../recorders.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const ASKED_EACH_MS = 50;
const START_LIMIT_MS = 120_000;

export class Served {
  readonly #child: ChildProcess;
  readonly #url: string;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.#url = url;
  }

  /** @param port that nobody listens on */
  static start(config: string, folder: string, port: number, env: Record<string, string>): Served {
    const child = spawn(process.execPath, [...AS_LAUNCHED, MAIN, 'serve', '--config', config], {
      cwd: folder,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    return new Served(child, `http://127.0.0.1:${port}`);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** How long until it says that it can do its work. */
  async ready(): Promise<number> {
    const fromMs = performance.now();
    while (performance.now() - fromMs < START_LIMIT_MS) {
      const isReady = await fetch(`${this.#url}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      );
      if (isReady) return performance.now() - fromMs;
      if (this.#child.exitCode !== null) break;
      await setTimeout(ASKED_EACH_MS);
    }
    throw new Error('livestow serve did not become ready');
  }

  /** What its metrics are now: of one by its name, all its series added up. Delays of its event loop begin anew. */
  async metrics(): Promise<(name: string) => number> {
    const lines = (await (await fetch(`${this.#url}/metrics`)).text()).split('\n');
    return (name) =>
      lines
        .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
        .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }

  /** Resolves when the metric has reached this. */
  async reaches(name: string, least: number): Promise<void> {
    while ((await this.metrics())(name) < least) await setTimeout(1_000);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGINT');
    await exit;
  }
}
