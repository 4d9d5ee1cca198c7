/** What stands on a terminal: lines that stay, and live ones below them. */
import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { createOutput } from '../../src/cli/output.ts';

const ESCAPE = '\u001B';
const PARTS = new RegExp(`${ESCAPE}\\[(?:\\d+A|2K|J)|\\r|\\n|[^${ESCAPE}\\r\\n]+`, 'g');
const UP = new RegExp(`^${ESCAPE}\\[(\\d+)A$`);

/** As much of a terminal as output uses: text, line ends, back to the line's start, up, and clearing. */
class Screen extends Writable {
  isTTY = true;
  columns = 20;
  rows = 6;
  #lines = [''];
  #row = 0;
  #column = 0;

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    for (const [part] of chunk.toString().matchAll(PARTS)) this.#take(part);
    done();
  }

  #take(part: string): void {
    const up = UP.exec(part)?.[1];
    if (up !== undefined) this.#row = Math.max(0, this.#row - Number(up));
    else if (part === '\u001B[2K') this.#lines[this.#row] = '';
    else if (part === '\u001B[J') {
      this.#lines = this.#lines.slice(0, this.#row + 1);
      this.#lines[this.#row] = this.#line.slice(0, this.#column);
    } else if (part === '\r') this.#column = 0;
    else if (part === '\n') {
      this.#row += 1;
      this.#column = 0;
      this.#lines[this.#row] ??= '';
    } else {
      this.#lines[this.#row] = this.#line.slice(0, this.#column) + part;
      this.#column += part.length;
    }
  }

  get #line(): string {
    return this.#lines[this.#row] ?? '';
  }

  get text(): string {
    return this.#lines.join('\n');
  }
}

test('what is said stands above live lines, however many there are from time to time', () => {
  const screen = new Screen();
  const output = createOutput(screen);
  output.live('a table\nof three\nlines');
  output.line('first');
  expect(screen.text).toBe('first\na table\nof three\nlines');
  output.live('of one');
  expect(screen.text).toBe('first\nof one');
  output.line('second\nand third');
  output.live('of\ntwo');
  expect(screen.text).toBe('first\nsecond\nand third\nof\ntwo');
  output.live('');
  output.line('last');
  expect(screen.text).toBe('first\nsecond\nand third\nlast\n');
});

test('no live line is wider or longer than the terminal: those could not be written over', () => {
  const screen = new Screen();
  const output = createOutput(screen);
  output.live(Array.from({ length: 9 }, (_, at) => `${at}`.repeat(30)).join('\n'));
  expect(screen.text).toBe(['0', '1', '2', '3', '4'].map((digit) => digit.repeat(19)).join('\n'));
  output.live('\u001B[31mred\n\u001B[Aup');
  expect(screen.text).toBe(' [31mred\n [Aup');
});
