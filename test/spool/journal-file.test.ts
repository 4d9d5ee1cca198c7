import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { decodeJournal, encodeJournalEntry } from '../../src/layout/journal.ts';
import type { JournalEntry } from '../../src/model/manifest.ts';
import {
  findJournal,
  JournalWriter,
  listJournals,
  mendJournal,
  readJournals,
} from '../../src/spool/journal-file.ts';
import { limitFiles } from './full-disk.ts';
import { scratchFolder } from './scratch.ts';

const event = (n: number, words = ''): JournalEntry => ({
  type: 'event',
  at: '2026-11-22T14:00:00.000Z',
  event: `event ${n}`,
  detail: { words },
});

async function sessionFolder(): Promise<string> {
  const folder = await scratchFolder();
  await mkdir(join(folder, 'journal'));
  return folder;
}

const eventsIn = (entries: readonly JournalEntry[]): string[] =>
  entries.flatMap((entry) => (entry.type === 'event' ? [entry.event] : []));

describe('JournalWriter', () => {
  test('writes journal after journal; none for nothing', async () => {
    const folder = await sessionFolder();
    const writer = new JournalWriter(folder, 3);
    expect(await writer.cut()).toBeUndefined();
    await writer.append([event(1), event(2)]);
    const first = await writer.cut();
    expect(first).toEqual({ key: 'journal/0003-000001.ndjson', term: 3, n: 1 });
    expect(await writer.cut()).toBeUndefined();
    await writer.append([event(3)]);
    expect((await writer.cut())?.key).toBe('journal/0003-000002.ndjson');
    const refs = await listJournals(folder);
    expect(eventsIn(await readJournals(folder, refs))).toEqual(['event 1', 'event 2', 'event 3']);
  });

  test('appends and cuts that are not waited for keep their order', async () => {
    const folder = await sessionFolder();
    const writer = new JournalWriter(folder, 1);
    const all = Array.from({ length: 30 }, (_, n) =>
      n % 7 === 6 ? writer.cut() : writer.append([event(n)]),
    );
    await Promise.all([...all, writer.cut()]);
    const refs = await listJournals(folder);
    expect(refs.map(({ n }) => n)).toEqual([1, 2, 3, 4, 5]);
    const expected = Array.from({ length: 30 }, (_, n) => n).filter((n) => n % 7 !== 6);
    expect(eventsIn(await readJournals(folder, refs))).toEqual(expected.map((n) => `event ${n}`));
  });

  test('an append that a full disk tore is tried again: nothing is torn, nothing is there twice', async () => {
    const folder = await sessionFolder();
    const writer = new JournalWriter(folder, 1);
    await writer.append([event(1)]);
    const path = join(folder, 'journal/0001-000001.ndjson');
    const { length } = await readFile(path);
    const free = await limitFiles(length + 50);
    const long = [event(2), event(3, 'x'.repeat(5_000))];
    await expect(writer.append(long)).rejects.toMatchObject({ code: 'EFBIG' });
    await expect(writer.append(long)).rejects.toMatchObject({ code: 'EFBIG' });
    await free();
    await writer.append(long);
    const ref = await writer.cut();
    expect(eventsIn(decodeJournal(await readFile(path, 'utf8'), ref!.key))).toEqual([
      'event 1',
      'event 2',
      'event 3',
    ]);
  });

  test('a journal is whole when it is cut, though its last append was torn', async () => {
    const folder = await sessionFolder();
    const writer = new JournalWriter(folder, 1);
    await writer.append([event(1)]);
    const path = join(folder, 'journal/0001-000001.ndjson');
    const whole = await readFile(path, 'utf8');
    await limitFiles(whole.length + 10);
    await expect(writer.append([event(2)])).rejects.toMatchObject({ code: 'EFBIG' });
    await writer.cut();
    expect(await readFile(path, 'utf8')).toBe(whole);
  });

  test('a journal that could not be begun is begun later', async () => {
    const folder = await scratchFolder();
    const writer = new JournalWriter(folder, 1);
    await expect(writer.append([event(1)])).rejects.toMatchObject({ code: 'ENOENT' });
    await mkdir(join(folder, 'journal'));
    await writer.append([event(2)]);
    await writer.cut();
    expect(eventsIn(await readJournals(folder, await listJournals(folder)))).toEqual(['event 2']);
  });
});

describe('a crash', () => {
  test('that tore the journal at any byte leaves what was whole', async () => {
    const folder = await sessionFolder();
    const lines = [event(1), event(2, 'ünïcödé'), event(3)].map(encodeJournalEntry);
    const bytes = Buffer.from(lines.join(''));
    const ends = lines.map((_, i) => Buffer.byteLength(lines.slice(0, i + 1).join('')));
    const ref = { key: 'journal/0001-000001.ndjson', term: 1, n: 1 };
    for (let length = 0; length <= bytes.length; length += 1) {
      await writeFile(join(folder, ref.key), bytes.subarray(0, length));
      const found = await findJournal(folder, ref);
      expect(found.isDamaged).toBe(false);
      await mendJournal(folder, found);
      const whole = ends.filter((end) => end <= length).length;
      expect(eventsIn(await readJournals(folder, [ref]))).toEqual(
        [1, 2, 3].slice(0, whole).map((n) => `event ${n}`),
      );
      // What is shipped is what was read.
      expect(await readFile(join(folder, ref.key), 'utf8')).toBe(lines.slice(0, whole).join(''));
    }
  });

  test('journals come in order of term and number, whatever else lies there', async () => {
    const folder = await sessionFolder();
    for (const name of ['0002-000001', '0001-000010', '0001-000002', '10000-000001', '0001-1000000']) {
      await writeFile(join(folder, 'journal', `${name}.ndjson`), encodeJournalEntry(event(1)));
    }
    await writeFile(join(folder, 'journal', '0001-000003.ndjson.tmp-17'), 'half');
    expect((await readdir(join(folder, 'journal'))).length).toBe(6);
    expect((await listJournals(folder)).map(({ term, n }) => `${term}-${n}`)).toEqual([
      '1-2',
      '1-10',
      '1-1000000',
      '2-1',
      '10000-1',
    ]);
  });
});
