/** What looking has cost today, kept over restarts: a budget of a day is one of the day, not of a process. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../kernel/clock.ts';
import { writeFileDurably } from '../kernel/files.ts';
import type { Logger } from '../kernel/logger.ts';

const fileSchema = z.object({ day: z.string(), spent: z.number().nonnegative() });

/** A crash forgets so much of it at most. */
const WRITES_APART_MS = 5_000;

export class CreditFile {
  /** By an earlier process, today. */
  readonly spentBefore: number;
  readonly #path: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  #due: { cancel: () => void; content: z.infer<typeof fileSchema> } | null = null;
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string, spentBefore: number, { clock, log }: { clock: Clock; log: Logger }) {
    this.#path = path;
    this.spentBefore = spentBefore;
    this.#clock = clock;
    this.#log = log;
  }

  /** @param folder has to be there */
  static async open(folder: string, deps: { clock: Clock; log: Logger }): Promise<CreditFile> {
    const path = join(folder, 'credits.json');
    const text = await readFile(path, 'utf8').catch(() => '');
    // What cannot be read is one that was never written: a day's credits are no reason not to record.
    const kept = fileSchema.safeParse(parsed(text)).data;
    return new CreditFile(path, kept?.day === dayOf(deps.clock) ? kept.spent : 0, deps);
  }

  note(spent: number): void {
    // Of the day on which it was spent, which may be over when it is written.
    const content = { day: dayOf(this.#clock), spent };
    if (this.#due) this.#due.content = content;
    else this.#due = { content, cancel: this.#clock.after(WRITES_APART_MS, () => this.#write()) };
  }

  async close(): Promise<void> {
    this.#due?.cancel();
    this.#write();
    await this.#writing;
  }

  #write(): void {
    const due = this.#due;
    this.#due = null;
    if (!due) return;
    this.#writing = this.#writing
      .then(() => writeFileDurably(this.#path, `${JSON.stringify(due.content)}\n`))
      .catch((error: unknown) => this.#log.warn({ err: error }, 'what was spent today cannot be kept'));
  }
}

const dayOf = (clock: Clock): string => new Date(clock.now()).toISOString().slice(0, 10);

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
