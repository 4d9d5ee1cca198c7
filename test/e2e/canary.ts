/**
 * A word that stands in every secret, and the search for it: in what a command says, in files while they are written, and
 * in the command lines of all processes, in any spelling that a program may give it.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';

export const CANARY = 'c4n4ry5ecretB1rd';

/** Base64 in each of its three alignments, without what its neighbours have a part in. */
const inBase64 = [0, 1, 2].map((offset) => {
  const encoded = Buffer.concat([Buffer.alloc(offset), Buffer.from(CANARY)])
    .toString('base64')
    .replaceAll('=', '');
  const clean = offset === 0 ? encoded : encoded.slice(offset + 1);
  return clean.slice(0, -2);
});

const SPELLINGS = [
  CANARY,
  CANARY.toUpperCase(),
  CANARY.toLowerCase(),
  Buffer.from(CANARY).toString('hex'),
  Buffer.from(CANARY).toString('hex').toUpperCase(),
  Buffer.from(CANARY).toString('hex').replaceAll(/../g, '%$&'),
  ...inBase64,
];

/** Where it stands, with what is around it. */
export function findCanary(bytes: Buffer | string, where: string): string[] {
  const all = Buffer.from(bytes);
  return SPELLINGS.flatMap((spelling) => {
    const at = all.indexOf(spelling);
    return at < 0
      ? []
      : [`${where}: ${all.toString('utf8', Math.max(0, at - 200), at + spelling.length + 40)}`];
  });
}

/** In the names and contents of all files below the folders. */
export async function findCanaryInFiles(
  folders: readonly string[],
): Promise<{ found: string[]; files: string[] }> {
  const found: string[] = [];
  const files: string[] = [];
  for (const folder of folders) {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      const path = join(entry.parentPath, entry.name);
      found.push(...findCanary(entry.name, 'the name of a file'));
      if (!entry.isFile()) continue;
      // What is shipped meanwhile is gone.
      const bytes = await readFile(path).catch(() => Buffer.alloc(0));
      files.push(path);
      found.push(...findCanary(bytes, path));
    }
  }
  return { found, files };
}

async function commandLines(): Promise<string[]> {
  const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    processes.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  return lines.filter((line) => line !== '').map((line) => line.replaceAll('\0', ' '));
}

/** Looks again and again, as fast as it goes, until it is stopped. */
export class CanaryWatch {
  readonly found = new Set<string>();
  /** Every command line and every file that was there at some time. */
  readonly commands = new Set<string>();
  readonly files = new Set<string>();
  readonly #over = new AbortController();
  readonly #watching: Promise<unknown>;

  constructor(folders: readonly string[]) {
    this.#watching = Promise.all([
      this.#again(20, async () => {
        for (const line of await commandLines()) {
          if (this.commands.has(line)) continue;
          this.commands.add(line);
          for (const place of findCanary(line, 'a command line')) this.found.add(place);
        }
      }),
      this.#again(250, async () => {
        const { found, files } = await findCanaryInFiles(folders);
        for (const place of found) this.found.add(place);
        for (const file of files) this.files.add(file);
      }),
    ]);
  }

  async stop(): Promise<void> {
    this.#over.abort();
    await this.#watching;
  }

  async #again(pauseMs: number, look: () => Promise<void>): Promise<void> {
    do {
      await look();
      await after(pauseMs, undefined, { signal: this.#over.signal }).catch(() => {});
    } while (!this.#over.signal.aborted);
    await look();
  }
}
