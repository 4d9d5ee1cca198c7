/** The documentation says what the code does, wherever that can be compared. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { createContext } from '../../src/cli/context.ts';
import { createProgram } from '../../src/cli/program.ts';
import { ERROR_CODES } from '../../src/kernel/errors.ts';
import { FAULTS } from '../faults.ts';
import { metricsSection, operationsSection } from './api-sections.ts';
import { settingsSection } from './settings-section.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const pages = [
  'README.md',
  'CHANGELOG.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const read = (page: string): string => readFileSync(join(ROOT, page), 'utf8');

/** `vitest run test/docs -u` writes it. */
test('docs/configuration.md has every setting as the schema has it', async () => {
  const page = read('docs/configuration.md');
  const [before, after] = [page.split('<!-- settings -->')[0], page.split('<!-- end of settings -->')[1]];
  const made = `${before}<!-- settings -->\n\n${settingsSection()}\n\n<!-- end of settings -->${after}`;
  await expect(made).toMatchFileSnapshot(join(ROOT, 'docs/configuration.md'));
});

/** `vitest run test/docs -u` writes it. */
test('docs/api.md has every operation and metric as the server has them', async () => {
  let made = read('docs/api.md');
  const sections = { operations: await operationsSection(), metrics: await metricsSection() };
  for (const [name, section] of Object.entries(sections)) {
    const [before = ''] = made.split(`<!-- ${name} -->`);
    const after = made.split(`<!-- end of ${name} -->`)[1] ?? '';
    made = `${before}<!-- ${name} -->\n\n${section}\n\n<!-- end of ${name} -->${after}`;
  }
  await expect(made).toMatchFileSnapshot(join(ROOT, 'docs/api.md'));
});

test.each(pages)('every link of %s leads to a file', (page) => {
  const links = Array.from(read(page).matchAll(/\]\((?!https?:)([^)#]+)/g), ([, link = '']) => link);
  expect(links.filter((link) => !existsSync(resolve(ROOT, dirname(page), link)))).toEqual([]);
});

describe('commands in the documentation', async () => {
  const program = await createProgram(createContext(process), []);

  /** Of code blocks and inline code: what follows `livestow`, up to what belongs to the shell. */
  function linesOf(page: string): string[] {
    const blocks = Array.from(read(page).matchAll(/^```sh\n([\s\S]*?)^```/gm), ([, block = '']) => block);
    const inline = Array.from(read(page).matchAll(/(?<!`)`([^`\n]+)`(?!`)/g), ([, text = '']) => text);
    return [...blocks.flatMap((block) => block.replaceAll('\\\n', ' ').split('\n')), ...inline].flatMap(
      (line) => {
        const [, rest] = /(?:^|\s)(?:scripts\/)?livestow ((?!-set-up)[a-z@-][^|>&;#]*)/.exec(line) ?? [];
        return rest === undefined ? [] : [rest.trim()];
      },
    );
  }

  function unknownIn(line: string): string[] {
    const words = line.split(/\s+/);
    let command: Command = program;
    const known: Command[] = [program];
    while (words[0] !== undefined && command.commands.some((each) => each.name() === words[0])) {
      command = command.commands.find((each) => each.name() === words[0]) ?? command;
      known.push(command);
      words.shift();
    }
    const flags = new Set(
      known.flatMap(({ options }) => options.flatMap(({ long, short }) => [long, short])),
    );
    const strangers = words.filter((word) => /^--?[a-z]/.test(word) && !flags.has(word) && word !== '--help');
    return command === program && !line.startsWith('-') ? [line] : strangers;
  }

  test.each(pages)('%s names only commands and flags that there are', (page) => {
    expect(linesOf(page).flatMap(unknownIn)).toEqual([]);
  });

  test('and would notice others', () => {
    expect(['recrod alice', 'record alice --onec'].flatMap(unknownIn)).toHaveLength(2);
  });
});

test('docs/operations.md explains every event that a recording writes', () => {
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter((path) =>
    /^(?:daemon|ingest|record)\/.*\.ts$/.test(path),
  );
  const text = sources.map((path) => readFileSync(join(ROOT, 'src', path), 'utf8')).join('\n');
  const written = text.matchAll(/\bevent(?:: |\(\s*)'([a-z-]+)'|'((?:script-data|unsupported)-dropped)'/gi);
  const names = new Set(Array.from(written, ([, name, other]) => name ?? other ?? ''));
  const told = new Set(
    Array.from(read('docs/operations.md').matchAll(/^\| `([a-z-]+)` \|/gm), ([, name]) => name),
  );
  expect(names.size).toBeGreaterThan(15);
  expect([...names].filter((name) => !told.has(name))).toEqual([]);
});

test('docs/operations.md explains every error that ends a command', () => {
  const told = new Set(Array.from(read('docs/operations.md').matchAll(/`([A-Z_]+)`/g), ([, code]) => code));
  const ending = Object.keys(ERROR_CODES).filter((code) =>
    /^(?:LOOKUP|STORE|MEDIA|HELD|ENGINE|SPOOL|FFMPEG)/.test(code),
  );
  expect(ending.filter((code) => !told.has(code))).toEqual([]);
});

describe('the faults', () => {
  const [, table = ''] = /^\| fault \|[^\n]*\n\|[-|]+\n((?:\|.*\n)+)/m.exec(read('docs/operations.md')) ?? [];
  const rows = table.trimEnd().split('\n');
  const namesIn = (row: string): string[] =>
    Array.from((row.split(' | ').at(-1) ?? '').matchAll(/`([a-z-]+)`/g), ([, name = '']) => name);
  const files = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.test.ts'),
  );
  const tags = files.flatMap((path) =>
    Array.from(
      readFileSync(join(ROOT, 'test', path), 'utf8').matchAll(/\btags: (\[[^\]]*\]|'[a-z-]+')/g),
      ([, tag = '']) => Array.from(tag.matchAll(/'([a-z-]+)'/g), ([, name = '']) => name),
    ).flat(),
  );

  test('of docs/operations.md are those that tests inject, each of them', () => {
    expect(rows.length).toBeGreaterThan(40);
    expect(rows.filter((row) => namesIn(row).length === 0)).toEqual([]);
    expect([...new Set(rows.flatMap(namesIn))].sort()).toEqual([...FAULTS].sort());
  });

  test.each(FAULTS)('%s has tests', (name) => {
    expect(tags).toContain(name);
  });
});
