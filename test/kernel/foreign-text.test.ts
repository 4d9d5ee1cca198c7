/** What others wrote, on its way to people: it must not reach a terminal or a log as anything but text. */
import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { createOutput } from '../../src/cli/output.ts';
import { LivestowError } from '../../src/kernel/errors.ts';
import { shorten } from '../../src/kernel/foreign-text.ts';
import { createLogger, type LogLevel } from '../../src/kernel/logger.ts';

/** Clears the screen, colours, sets the title, C1's CSI, turns the line around, rings, begins a line of its own. */
const HOSTILE =
  'a\u001B[2J\u001B[31mb\u001B]0;owned\u0007c\u009B31md\u202Eexe.txt\u2066e\u061Cf\u2028g\r\n{"level":60}\u0000\u007F';
// oxlint-disable-next-line no-control-regex
const UNSAFE = /[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069]/;
/** What livestow itself says: clear the line, colours of pino-pretty. */
// oxlint-disable-next-line no-control-regex
const OURS = /\r?\u001B\[(?:2K|\d+m)/g;

test('the hostile text is hostile', () => {
  expect(HOSTILE).toMatch(UNSAFE);
  expect(`x${HOSTILE}`.replaceAll(OURS, '')).toMatch(UNSAFE);
});

function written(isTerminal: boolean): { output: ReturnType<typeof createOutput>; text: () => string } {
  const stream = Object.assign(new PassThrough(), { isTTY: isTerminal, columns: 200 });
  return { output: createOutput(stream), text: () => String(stream.read() ?? '') };
}

describe.each([true, false])('results, on a terminal: %s', { tags: 'hostile-text' }, (isTerminal) => {
  test('as text', () => {
    const { output, text } = written(isTerminal);
    output.line(`title ${HOSTILE}`);
    output.live(`@alice ${HOSTILE}`);
    const said = text();
    expect(said).toContain('owned');
    expect(said.replaceAll(OURS, '')).not.toMatch(UNSAFE);
  });

  test('as JSON, which says the same', () => {
    const { output, text } = written(isTerminal);
    output.json({ title: HOSTILE });
    const json = text();
    expect(json).not.toMatch(UNSAFE);
    expect(JSON.parse(json)).toEqual({ title: HOSTILE });
    output.jsonLine({ title: HOSTILE });
    const line = text();
    expect(line.trimEnd()).not.toMatch(/[\n\r]/);
    expect(JSON.parse(line)).toEqual({ title: HOSTILE });
  });
});

describe.each<LogLevel>(['info', 'trace'])('the log at %s', { tags: 'hostile-text' }, (level) => {
  function logged(pretty: boolean): string {
    let text = '';
    const destination = { write: (line: string) => void (text += line) };
    const log = createLogger({ level, pretty, destination });
    const cause = new Error(`cause ${HOSTILE}`);
    const err = new LivestowError('LOOKUP_FAILED', `said ${HOSTILE}`, {
      cause,
      hint: HOSTILE,
      context: { HOSTILE },
    });
    log.warn({ err, title: HOSTILE, deep: { er: [HOSTILE] } }, `msg ${HOSTILE}`);
    return text;
  }

  test('for programs: one line of JSON, which says the same', () => {
    const text = logged(false);
    expect(text).not.toMatch(UNSAFE);
    expect(text.split('\n')).toHaveLength(2);
    expect(JSON.parse(text)).toMatchObject({ title: HOSTILE, msg: `msg ${HOSTILE}` });
  });

  test('for people: no escape sequence but ours, no line that it did not begin', () => {
    const text = logged(true);
    expect(text).toContain('owned');
    expect(text.replaceAll(OURS, '')).not.toMatch(UNSAFE);
    expect(text).not.toMatch(/^\{"level":60/m);
  });

  test('a message without end is cut', () => {
    let bytes = 0;
    const log = createLogger({ level, destination: { write: (line) => void (bytes += line.length) } });
    log.warn({ err: new Error('x'.repeat(10_000_000)) }, 'it failed');
    expect(bytes).toBeGreaterThan(1_000);
    expect(bytes).toBeLessThan(20_000);
  });
});

test('text is cut between characters, says so, and is well formed', { tags: 'hostile-text' }, () => {
  expect(shorten('abc', 3)).toBe('abc');
  expect(shorten('abcd', 3)).toBe('ab…');
  expect(shorten('a😀bc', 3)).toBe('a…');
  expect(shorten('a\uD83D', 3)).toBe('a\uFFFD');
});
