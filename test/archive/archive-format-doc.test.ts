import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { END_CAUSES, GAP_CAUSES } from '../../src/model/causes.ts';
import {
  epochSchema,
  FORMAT,
  gapSchema,
  journalEntrySchema,
  manifestSchema,
  segmentSchema,
  summarySchema,
} from '../../src/model/manifest.ts';

const doc = await readFile(new URL('../../docs/archive-format.md', import.meta.url), 'utf8');

/** The rows of the table below a heading: their first two cells, without the backquotes. */
function tableBelow(heading: string): [string, string][] {
  const section = doc.slice(doc.indexOf(`${heading}\n`)).split(/\n#+ /)[0] ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('| `'));
  return rows.map((line) => {
    const [, name = '', meaning = ''] = line.split('|').map((cell) => cell.trim());
    return [name.replaceAll('`', ''), meaning];
  });
}

test('the causes of gaps and ends are those of the code, in its words', () => {
  expect(tableBelow('### Why media is missing (`gaps[].cause`)')).toEqual(Object.entries(GAP_CAUSES));
  expect(tableBelow('### Why a session ended (`endCause`)')).toEqual(
    Object.entries(END_CAUSES).map(([cause, { meaning }]) => [cause, meaning]),
  );
});

test('every type of journal entry is there, and no other', () => {
  const types = journalEntrySchema.options.map((option) => option.shape.type.value);
  expect(tableBelow('## Journals').map(([type]) => type)).toEqual(types);
});

test('every field of the manifest is there, in order', () => {
  const fields = tableBelow('## manifest.json').map(([field]) => field.replace('[]', ''));
  expect(fields).toEqual(Object.keys(manifestSchema.shape));
});

test.each([
  ['epochs[]', epochSchema],
  ['segments[]', segmentSchema],
  ['gaps[]', gapSchema],
])('every field of %s is there', (name, schema) => {
  const [, text = ''] = tableBelow('## manifest.json').find(([field]) => field === name) ?? [];
  for (const field of Object.keys(schema.shape)) expect(text).toContain(`\`${field}\``);
});

test('every field of the summary is there, by its own name or the manifest’s', () => {
  const own = Object.keys(summarySchema.shape).filter((field) => !(field in manifestSchema.shape));
  const paragraph = /- \*\*`summary\.json`\*\*[\s\S]*?(?=\n- )/.exec(doc)?.[0] ?? '';
  for (const field of own) expect(paragraph).toContain(`\`${field}\``);
});

test('the format', () => {
  expect(doc).toContain(`The format is \`${FORMAT}\`.`);
});
