/**
 * One supervised ffmpeg process: started in a process group of its own (Ctrl-C in a terminal does not reach it), fed by
 * its standard input, stopped by the end of that input. Signals are for one that does not react: end the input, wait,
 * SIGTERM, wait, SIGKILL; and nothing is concluded before its exit was awaited. If livestow is killed, the kernel closes
 * the input, and ffmpeg finishes its segment and leaves by itself.
 */
import { execa } from 'execa';
import type { Readable, Writable } from 'node:stream';
import type { Clock } from '../../kernel/clock.ts';
import { messageOf } from '../../kernel/errors.ts';
import { LIST_FD } from './ffmpeg-arguments.ts';
import { type FfmpegLogLine, parseLogLine } from './ffmpeg-log.ts';
import { LineReader } from './segment-list.ts';

export interface ProcessOptions {
  binary: string;
  args: readonly string[];
  folder: string;
  clock: Clock;
  /** How long a write may wait for ffmpeg to read before it counts as hung. */
  stallMs: number;
  /** How long ffmpeg may take to finish once its input ended. */
  endMs: number;
  onLog(line: FfmpegLogLine): void;
  /** A line on the list descriptor. */
  onListLine(line: string): void;
  /** A piece of standard output; the next comes when it resolved. */
  onOutput(chunk: Buffer): Promise<void>;
}

export interface ProcessExit {
  /** Null when a signal ended it or it never ran. */
  code: number | null;
  signal: string | null;
  /** Why it could not run, or why its output could not be taken. */
  failure: string | undefined;
  /** The last lines of its log, oldest first. */
  log: readonly string[];
}

/** What is used of execa's result; it never rejects. */
interface RunResult {
  exitCode?: number | undefined;
  signal?: string | undefined;
  originalMessage?: string | undefined;
}

export class ProcessStalled extends Error {}
class ProcessGone extends Error {}

/** Log lines kept for the report of a failure. */
const LOG_LINES = 12;
const LOG_LINE_CHARACTERS = 300;
/** What goes out in one system call; each must be read within `stallMs`. */
const WRITE_BYTES = 256 * 1024;
/** How long SIGTERM is given. */
const TERM_MS = 2_000;

/** Nothing that ffmpeg needs is in the environment; livestow's has keys in it. */
const PASSED_ENVIRONMENT = ['PATH', 'LD_LIBRARY_PATH', 'DYLD_LIBRARY_PATH', 'TMPDIR', 'SystemRoot'];

function environment(): Record<string, string> {
  const passed: Record<string, string> = { AV_LOG_FORCE_NOCOLOR: '1' };
  for (const name of PASSED_ENVIRONMENT) {
    const value = process.env[name];
    if (value !== undefined) passed[name] = value;
  }
  return passed;
}

export class FfmpegProcess {
  /** Resolves when the process has exited and all of its output was taken. Never rejects. */
  readonly exited: Promise<ProcessExit>;
  readonly pid: number | undefined;
  readonly #options: ProcessOptions;
  readonly #stdin: Writable;
  readonly #kill: (signal: NodeJS.Signals) => void;
  readonly #log: string[] = [];
  #exit: ProcessExit | undefined;
  #stopping: Promise<ProcessExit> | undefined;

  constructor(options: ProcessOptions) {
    this.#options = options;
    const child = execa(options.binary, options.args, {
      cwd: options.folder,
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      detached: true,
      buffer: false,
      reject: false,
      extendEnv: false,
      env: environment(),
    });
    this.pid = child.pid;
    this.#stdin = child.stdin;
    // EPIPE says no more than the exit does, which is awaited.
    this.#stdin.on('error', () => {});
    this.#kill = (signal) => void child.kill(signal);
    const list: Readable = child.stdio[LIST_FD];
    const taken = Promise.allSettled([
      readLines(child.stderr, (line) => this.#onLogLine(line)),
      readLines(list, (line) => options.onListLine(line)),
      readChunks(child.stdout, (chunk) => options.onOutput(chunk)),
    ]);
    this.exited = Promise.all([child as PromiseLike<RunResult>, taken]).then((ends) =>
      this.#concluded(...ends),
    );
  }

  /** Writes all of it. Rejects with ProcessStalled when ffmpeg stops reading, with ProcessGone when it is no more. */
  async write(buffers: readonly Buffer[]): Promise<void> {
    let from = 0;
    while (from < buffers.length) {
      let bytes = 0;
      if (this.#exit || !this.#stdin.writable) throw new ProcessGone('ffmpeg is gone');
      this.#stdin.cork();
      while (from < buffers.length && (bytes === 0 || bytes + buffers[from]!.length <= WRITE_BYTES)) {
        bytes += buffers[from]!.length;
        this.#stdin.write(buffers[from]);
        from += 1;
      }
      this.#stdin.uncork();
      if (this.#stdin.writableNeedDrain) await this.#drained();
    }
  }

  /** Ends the input and waits until ffmpeg has finished; climbs the ladder when it does not. */
  stop(): Promise<ProcessExit> {
    this.#stopping ??= this.#climb();
    return this.#stopping;
  }

  /** Ends it at once. */
  kill(): Promise<ProcessExit> {
    if (!this.#exit) this.#kill('SIGKILL');
    this.#stdin.destroy();
    return this.exited;
  }

  #drained(): Promise<void> {
    const stdin = this.#stdin;
    return new Promise((resolve, reject) => {
      const settle = (error?: Error): void => {
        cancel();
        stdin.off('drain', onDrain).off('close', onClose);
        if (error) reject(error);
        else resolve();
      };
      const onDrain = (): void => settle();
      const onClose = (): void => settle(new ProcessGone('ffmpeg closed its input'));
      const cancel = this.#options.clock.after(this.#options.stallMs, () =>
        settle(new ProcessStalled(`ffmpeg read nothing for ${this.#options.stallMs} ms`)),
      );
      stdin.on('drain', onDrain).on('close', onClose);
    });
  }

  async #climb(): Promise<ProcessExit> {
    this.#stdin.end();
    if (!(await this.#exitsWithin(this.#options.endMs))) {
      this.#kill('SIGTERM');
      // A stopped process takes the signal when it goes on; this one is not waited for.
      if (!(await this.#exitsWithin(TERM_MS))) return this.kill();
    }
    return this.exited;
  }

  async #exitsWithin(ms: number): Promise<boolean> {
    const waiting = new AbortController();
    const late = this.#options.clock.delay(ms, waiting.signal).then(
      () => false,
      () => true,
    );
    const done = await Promise.race([this.exited.then(() => true), late]);
    waiting.abort();
    return done;
  }

  #concluded(result: RunResult, outputs: PromiseSettledResult<void>[]): ProcessExit {
    const refused = outputs.find((end) => end.status === 'rejected');
    this.#exit = {
      code: result.exitCode ?? null,
      signal: result.signal ?? null,
      failure: refused
        ? messageOf(refused.reason)
        : this.pid === undefined
          ? result.originalMessage
          : undefined,
      log: this.#log,
    };
    return this.#exit;
  }

  #onLogLine(text: string): void {
    const line = parseLogLine(text);
    if (!line) return;
    this.#log.push(line.text.slice(0, LOG_LINE_CHARACTERS));
    if (this.#log.length > LOG_LINES) this.#log.shift();
    this.#options.onLog(line);
  }
}

async function readLines(stream: Readable, onLine: (line: string) => void): Promise<void> {
  const lines = new LineReader();
  for await (const chunk of stream as AsyncIterable<Buffer>) lines.push(chunk).forEach(onLine);
  lines.end().forEach(onLine);
}

async function readChunks(stream: Readable, onChunk: (chunk: Buffer) => Promise<void>): Promise<void> {
  for await (const chunk of stream as AsyncIterable<Buffer>) await onChunk(chunk);
}
