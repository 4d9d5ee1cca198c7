/**
 * Where a command's results go: standard output, as text for people or as JSON for programs. A reader that went away
 * (`| head`) ends the writing, not the command: a recording goes on.
 */
import type { Writable } from 'node:stream';
import { inspect } from 'node:util';
import { LivestowError, messageOf } from '../kernel/errors.ts';
import { scrub } from '../kernel/redact.ts';

export interface Output {
  /** A person may be reading, so that widths and colours make sense. */
  readonly isTerminal: boolean;
  /** Nobody reads any more; a long list may end early. */
  readonly closed: boolean;
  /** One line, or several in one text. */
  line(text?: string): void;
  /** One JSON document, indented on a terminal. */
  json(value: unknown): void;
  /** One JSON document of a list: always one line. */
  jsonLine(value: unknown): void;
  /** Resolves when everything is written, or nobody reads any more. */
  flush(): Promise<void>;
}

export function createOutput(stream: Writable & { isTTY?: boolean }): Output {
  let closed = false;
  // EPIPE as a rule; whatever it is, there is nowhere left to say so.
  stream.on('error', () => {
    closed = true;
  });
  const write = (text: string) => {
    if (!closed) stream.write(`${text}\n`);
  };
  const isTerminal = stream.isTTY === true;
  return {
    isTerminal,
    get closed() {
      return closed;
    },
    line: (text = '') => write(text),
    json: (value) => write(JSON.stringify(value, null, isTerminal ? 2 : undefined)),
    jsonLine: (value) => write(JSON.stringify(value)),
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
  if (withStack) lines.push(inspect(error));
  return scrub(lines.join('\n'));
}
