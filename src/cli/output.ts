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
  /** Of the terminal; a usual one's where nobody can say. */
  readonly size: { columns: number; rows: number };
  /** On a terminal, the line or lines at the bottom that are written over again and again; '' takes them away. */
  live(text: string): void;
  /** One JSON document, indented on a terminal. */
  json(value: unknown): void;
  /** One JSON document of a list: always one line. */
  jsonLine(value: unknown): void;
  /** Resolves when everything is written, or nobody reads any more. */
  flush(): Promise<void>;
}

const CLEAR_LINE = '\r\u001B[2K';
const SIZE_UNKNOWN = { columns: 80, rows: 24 };

export function createOutput(
  stream: Writable & { isTTY?: boolean; columns?: number; rows?: number },
): Output {
  let closed = false;
  let live = '';
  // EPIPE as a rule; whatever it is, there is nowhere left to say so.
  stream.on('error', () => {
    closed = true;
  });
  const isTerminal = stream.isTTY === true;
  const write = (text: string) => {
    if (closed) return;
    stream.write(live === '' ? `${text}\n` : `${clearing(live)}${text}\n${live}`);
  };
  const size = () => ({
    // 0, where a terminal was never told.
    columns: stream.columns || SIZE_UNKNOWN.columns,
    rows: stream.rows || SIZE_UNKNOWN.rows,
  });
  return {
    isTerminal,
    get closed() {
      return closed;
    },
    line: (text = '') => write(foreignLines(text)),
    coloured: write,
    get size() {
      return size();
    },
    live(text) {
      if (!isTerminal || closed) return;
      const before = live;
      const { columns, rows } = size();
      // A line that wraps could not be written over, nor one that scrolled away.
      live = text
        .split('\n', rows - 1)
        .map((line) => foreign(line).slice(0, columns - 1))
        .join('\n');
      if (live !== '' || before !== '') stream.write(`${clearing(before)}${live}`);
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

/** Back to where the live lines begin, with nothing behind. */
function clearing(live: string): string {
  const above = live.split('\n').length - 1;
  return above === 0 ? CLEAR_LINE : `\r\u001B[${above}A\u001B[J`;
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
