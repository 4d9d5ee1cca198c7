import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { JournalEntry } from '../../src/model/manifest.ts';
import { SessionSpool, spooledSessions, type SpooledObject } from '../../src/spool/session-spool.ts';
import { limitFiles } from './full-disk.ts';
import { scratchFolder } from './scratch.ts';

const SESSION = '20261122T140000Z-7300000000000000001';

async function spoolIn(root: string): Promise<{ spool: SessionSpool; told: SpooledObject[] }> {
  const spool = await SessionSpool.open(root, 'alice', SESSION);
  spool.beginTerm(1);
  const told: SpooledObject[] = [];
  spool.on('object', (object) => told.push(object));
  return { spool, told };
}

async function engineFile(spool: SessionSpool, n: number, words = `segment ${n}`) {
  const path = join(await spool.engineFolder(1, 1), `0001-0001-00000${n}.ts`);
  await writeFile(path, words);
  const object: SpooledObject = {
    key: `segments/0001-0001-00000${n}.ts`,
    bytes: words.length,
    sha256: createHash('sha256').update(words).digest('hex'),
  };
  const entry: JournalEntry = {
    type: 'event',
    at: '2026-11-22T14:00:00.000Z',
    event: object.key,
    detail: {},
  };
  return { path, object, entry };
}

const journaled = async (spool: SessionSpool): Promise<string[]> =>
  (await spool.earlier()).entries.flatMap((entry) => (entry.type === 'event' ? [entry.event] : []));

describe('a closed file', () => {
  test('is moved, journaled, told; then dropped', async () => {
    const { spool, told } = await spoolIn(await scratchFolder());
    const { path, object, entry } = await engineFile(spool, 1);
    expect(await spool.addObject(path, object, entry)).toBe(true);
    await spool.cutJournal();
    expect(await readFile(spool.pathOf(object.key), 'utf8')).toBe('segment 1');
    expect(await readdir(join(spool.folder, 'engine', '1-1'))).toEqual([]);
    expect(await journaled(spool)).toEqual([object.key]);
    expect(told).toEqual([object]);
    expect(await spool.sizeOf(object.key)).toBe(9);
    expect((await spool.objectKeys()).size).toBeGreaterThan(0);
    await spool.dropObject(object.key);
    expect(await spool.sizeOf(object.key)).toBeUndefined();
    expect(await spool.objectKeys()).toEqual(new Set());
    await spool.dropObject(object.key);
  });

  test('that could be moved and not journaled: the next try journals it once and tells of it once', async () => {
    const { spool, told } = await spoolIn(await scratchFolder());
    const first = await engineFile(spool, 1);
    await spool.addObject(first.path, first.object, first.entry);
    const { path, object, entry } = await engineFile(spool, 2);
    const free = await limitFiles(20);
    for (let i = 0; i < 3; i += 1) {
      await expect(spool.addObject(path, object, entry)).rejects.toMatchObject({
        code: 'SPOOL',
        retryable: true,
      });
    }
    expect(told).toHaveLength(1);
    await free();
    expect(await spool.addObject(path, object, entry)).toBe(true);
    await spool.cutJournal();
    expect(await journaled(spool)).toEqual([first.object.key, object.key]);
    expect(told).toEqual([first.object, object]);
  });

  test('that could not be moved, for its folder was a file', async () => {
    const { spool, told } = await spoolIn(await scratchFolder());
    const { path, object, entry } = await engineFile(spool, 1);
    const segments = join(spool.folder, 'segments');
    await rm(segments, { recursive: true });
    await writeFile(segments, 'no folder');
    await expect(spool.addObject(path, object, entry)).rejects.toMatchObject({ code: 'ENOTDIR' });
    expect(told).toEqual([]);
    await rm(segments);
    await mkdir(segments);
    expect(await spool.addObject(path, object, entry)).toBe(true);
    await spool.cutJournal();
    expect(await journaled(spool)).toEqual([object.key]);
  });

  test('that is gone is no reason to wait', async () => {
    const { spool, told } = await spoolIn(await scratchFolder());
    const { path, object, entry } = await engineFile(spool, 1);
    await rm(path);
    expect(await spool.addObject(path, object, entry)).toBe(false);
    expect(told).toEqual([]);
    expect(await journaled(spool)).toEqual([]);
  });
});

describe('a session that is over', () => {
  test('leaves nothing', async () => {
    const root = await scratchFolder();
    const { spool } = await spoolIn(root);
    expect(await spooledSessions(root, 'alice')).toEqual([SESSION]);
    await spool.remove();
    await spool.remove();
    expect(await readdir(join(root, 'alice'))).toEqual([]);
    expect(await spooledSessions(root, 'alice')).toEqual([]);
    expect(await spooledSessions(root, 'nobody')).toEqual([]);
  });

  test('but for what was set aside', async () => {
    const root = await scratchFolder();
    const { spool } = await spoolIn(root);
    const { path, object, entry } = await engineFile(spool, 1);
    await spool.addObject(path, object, entry);
    await spool.setAside(object.key);
    await spool.setAside(object.key);
    expect(await spool.objectKeys()).toEqual(new Set());
    await spool.cutJournal();
    await spool.remove();
    expect(await readdir(root, { recursive: true })).toEqual([
      'alice',
      `alice/${SESSION}.set-aside`,
      `alice/${SESSION}.set-aside/segments`,
      `alice/${SESSION}.set-aside/segments/0001-0001-000001.ts`,
    ]);
  });

  test('a removal that a crash cut short is finished by the next start', async () => {
    const root = await scratchFolder();
    const { spool } = await spoolIn(root);
    await rename(spool.folder, `${spool.folder}.sealed`);
    await writeFile(join(root, 'alice', 'lock.sqlite'), '');
    await mkdir(join(root, 'alice', 'something else'));
    expect(await spooledSessions(root, 'alice')).toEqual([]);
    expect((await readdir(join(root, 'alice'))).sort()).toEqual(['lock.sqlite', 'something else']);
  });
});

test('a folder in which nothing was recorded is told from one that has something', async () => {
  const { spool } = await spoolIn(await scratchFolder());
  expect(await spool.isBlank()).toBe(true);
  await spool.append({ type: 'event', at: '2026-11-22T14:00:00.000Z', event: 'x', detail: {} });
  expect(await spool.isBlank()).toBe(false);
  await spool.cutJournal();
});
