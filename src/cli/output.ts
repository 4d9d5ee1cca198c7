/**
 * Where a command's results go: standard output, as text for people or as JSON for programs. A reader that went away
 * (`| head`) ends the writing, not the command: a recording goes on.
 */
import type { Writable } from 'node:stream';
import { errorChain, LivestowError, messageOf } from '../kernel/errors.ts';
import { escapeJson, foreign, foreignLines } from '../kernel/foreign-text.ts';
import { scrub } from '../kernel/redact.ts';

export interface Output {
  /** A person may be reading, so that widths and colours make sense. */
  readonly isTerminal: boolean;
  /** Nobody reads any more; a long list may end early. */
  readonly closed: boolean;
  /**
   * One line, or several in one text; above the live line, where there is one. Whoever wrote it, it cannot move the
   * cursor or turn a line around.
   */
  line(text?: string): void;
  /** As `line`, for what was made harmless already and has colours of ours. */
  coloured(text: string): void;
  /** On a terminal, the line at the bottom that is written over again and again; '' takes it away. */
  live(text: string): void;
  /** One JSON document, indented on a terminal. */
  json(value: unknown): void;
  /** One JSON document of a list: always one line. */
  jsonLine(value: unknown): void;
  /** Resolves when everything is written, or nobody reads any more. */
  flush(): Promise<void>;
}

const CLEAR_LINE = '\r\u001B[2K';
const WIDTH_UNKNOWN = 80;

export function createOutput(stream: Writable & { isTTY?: boolean; columns?: number }): Output {
  let closed = false;
  let live = '';
  // EPIPE as a rule; whatever it is, there is nowhere left to say so.
  stream.on('error', () => {
    closed = true;
  });
  const isTerminal = stream.isTTY === true;
  const write = (text: string) => {
    if (closed) return;
    stream.write(live === '' ? `${text}\n` : `${CLEAR_LINE}${text}\n${live}`);
  };
  return {
    isTerminal,
    get closed() {
      return closed;
    },
    line: (text = '') => write(foreignLines(text)),
    coloured: write,
    live(text) {
      if (!isTerminal || closed) return;
      const before = live;
      // A line that wraps could not be written over.
      live = foreign(text).slice(0, (stream.columns ?? WIDTH_UNKNOWN) - 1);
      if (live !== '' || before !== '') stream.write(`${CLEAR_LINE}${live}`);
    },
    json: (value) => write(escapeJson(JSON.stringify(value, null, isTerminal ? 2 : undefined))),
    jsonLine: (value) => write(escapeJson(JSON.stringify(value))),
    flush: () =>
      new Promise((resolve) => {
        if (closed || stream.writableLength === 0) return resolve();
        stream.once('error', () => resolve());
        stream.write('', () => resolve());
      }),
  };
}

/** What a person is told of an error: what happened and what to do about it; the stack only where it is wanted. */
export function errorText(error: unknown, withStack: boolean): string {
  const lines = [`livestow: ${messageOf(error)}`];
  if (error instanceof LivestowError) {
    if (error.hint !== undefined) lines.push(`  ${error.hint}`);
  } else if (!withStack) {
    lines.push('  This should not happen. Run it again with --log-level debug to see where it comes from.');
  }
  if (withStack) lines.push(...errorChain(error));
  return scrub(lines.join('\n'));
}
