/**
 * Decodes the segments of one epoch, one after the other, with one ffmpeg process on a pipe, and says whether a decoder
 * takes them: ffmpeg's exit code under `-xerror`, and how many pictures came out. What it writes to standard error is
 * only quoted.
 */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { LivestowError } from '../kernel/errors.ts';
import type { Container } from '../model/manifest.ts';
import { transportJoint } from './transport-joint.ts';

export interface DecoderSpec {
  /** The ffmpeg executable. */
  ffmpeg: string;
  container: Container;
  /** Before the first segment, for fMP4. */
  init: Uint8Array | null;
  signal?: AbortSignal | undefined;
}

export interface DecodeOutcome {
  /** The decoder took everything that it was given. */
  completed: boolean;
  pictures: number;
  /** The first lines of what it complained of; null when it did not. */
  complaint: string | null;
}

const QUOTED_LINES = 3;

export class EpochDecoder {
  readonly #process;
  readonly #container: Container;
  readonly #complaints: string[] = [];
  readonly #readers: Promise<unknown>[];
  #pictures = 0;
  #isFirst = true;

  constructor({ ffmpeg, container, init, signal }: DecoderSpec) {
    this.#container = container;
    this.#process = execa(ffmpeg, decodeArguments(container), {
      reject: false,
      buffer: false,
      killSignal: 'SIGKILL',
      ...(signal ? { cancelSignal: signal } : {}),
    });
    // A decoder that gave up closes its input; that is an outcome, and `end` tells it.
    this.#process.stdin.on('error', () => {});
    this.#readers = [
      eachLine(this.#process.stdout, (line) => {
        if (line.startsWith('frame=')) this.#pictures = Number(line.slice('frame='.length));
      }),
      eachLine(this.#process.stderr, (line) => {
        if (this.#complaints.length < QUOTED_LINES) this.#complaints.push(line);
      }),
    ];
    if (init) this.#process.stdin.write(init);
  }

  /** Resolves when more may be written; after the decoder gave up, at once. */
  async write(segment: Uint8Array): Promise<void> {
    if (!this.#isFirst && this.#container === 'mpegts') await this.#feed(transportJoint(segment));
    this.#isFirst = false;
    await this.#feed(segment);
  }

  /** Throws FFMPEG_MISSING, or the signal's reason. */
  async end(): Promise<DecodeOutcome> {
    this.#process.stdin.end();
    const result = await this.#process;
    await Promise.all(this.#readers);
    if (result.isCanceled) throw result.cause;
    if (result.exitCode === undefined && !result.isTerminated) {
      throw new LivestowError('FFMPEG_MISSING', 'ffmpeg could not be started', {
        cause: result.cause,
        hint: '`livestow doctor` says how to install it; `verify --no-decode` does without',
      });
    }
    return {
      completed: result.exitCode === 0,
      pictures: this.#pictures,
      complaint: this.#complaints.length === 0 ? null : this.#complaints.join('; '),
    };
  }

  /** Ends the process without asking what came of it. Never rejects. */
  async abandon(): Promise<void> {
    this.#process.kill('SIGKILL');
    await Promise.allSettled([this.#process, ...this.#readers]);
  }

  async #feed(bytes: Uint8Array): Promise<void> {
    const { stdin } = this.#process;
    if (!stdin.writable || stdin.write(bytes) || !stdin.writable) return;
    const settled = new AbortController();
    const { signal } = settled;
    try {
      await Promise.race([once(stdin, 'drain', { signal }), once(stdin, 'close', { signal })]);
    } finally {
      settled.abort();
    }
  }
}

const decodeArguments = (container: Container): string[] => [
  ...'-hide_banner -nostdin -nostats -loglevel error -xerror -max_error_rate 0 -protocol_whitelist pipe'.split(
    ' ',
  ),
  ...`-f ${container === 'mpegts' ? 'mpegts' : 'mp4'} -i pipe:0 -map 0:v? -map 0:a?`.split(' '),
  ...'-fps_mode passthrough -enc_time_base:v 1:90000 -progress pipe:1 -f null -'.split(' '),
];

async function eachLine(stream: NodeJS.ReadableStream, take: (line: string) => void): Promise<void> {
  for await (const line of createInterface({ input: stream })) take(line);
}
