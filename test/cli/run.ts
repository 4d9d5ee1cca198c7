/** The real command in a folder of its own, with an environment that holds nothing of whoever runs the tests. */
import { execa } from 'execa';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

export class CliFolder implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<CliFolder> {
    return new CliFolder(await mkdtemp(join(tmpdir(), 'livestow-cli-')));
  }

  environment(more: Record<string, string> = {}): Record<string, string> {
    const { PATH = '', NODE_COMPILE_CACHE = '' } = process.env;
    return { PATH, NODE_COMPILE_CACHE, HOME: this.path, ...more };
  }

  /** Runs `livestow` with these arguments to its end, whatever that is. */
  async run(
    args: readonly string[],
    env: Record<string, string> = {},
  ): Promise<{ exitCode?: number | undefined; stdout: string; stderr: string }> {
    return execa(process.execPath, [MAIN, ...args], {
      cwd: this.path,
      env: this.environment(env),
      extendEnv: false,
      reject: false,
      stdin: 'ignore',
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}
