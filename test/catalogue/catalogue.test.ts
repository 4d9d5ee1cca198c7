import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import { beforeEach, describe, expect, test } from 'vitest';
import { listSessions } from '../../src/archive/catalogue.ts';
import { Catalogue } from '../../src/catalogue/catalogue.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import { INDEX } from '../../src/layout/keys.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { Store } from '../../src/store/store.ts';
import { CannotMount, SmallDisk } from '../support/small-disk.ts';
import { ManualClock } from '../manual-clock.ts';
import { CountingStore, DAY, HOUR, idsOf, nameOf, NOW, open, write, type OpenCatalogue } from './archive.ts';
import { catalogueContract } from './contract.ts';

catalogueContract('a folder', async () => {
  const root = await mkdtemp(join(tmpdir(), 'livestow-catalogue-'));
  return { store: openStore(root), end: () => rm(root, { recursive: true, force: true }) };
});

let folder: string;
let store: Store;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'livestow-catalogue-'));
  store = openStore(join(folder, 'archive'));
  return () => rm(folder, { recursive: true, force: true });
});

async function filled(count: number): Promise<void> {
  for (let n = 0; n < count; n += 1)
    await write(store, { handle: `c${n % 3}`, foundAtMs: NOW - n * HOUR, roomId: String(n) });
}

describe('the cache file', () => {
  const path = (): string => join(folder, 'cache', 'catalogue.sqlite');
  const openCached = (): OpenCatalogue => open(store, join(folder, 'cache'));

  test('a process that was stopped as it wrote holds nobody up for longer than they said', async () => {
    await filled(2);
    await using first = openCached();
    await first.catalogue.refresh();
    using stopped = new DatabaseSync(path());
    stopped.exec('BEGIN IMMEDIATE');
    await using it = {
      catalogue: Catalogue.open(store, { path: path(), clock: first.clock, log: silentLogger(), busyMs: 50 }),
      clock: first.clock,
      [Symbol.asyncDispose]: () => it.catalogue.close(),
    };
    await it.catalogue.refresh();
    expect(idsOf(it)).toHaveLength(2);
  });

  test('is used by the next process: nothing is read again', async () => {
    await filled(4);
    {
      await using first = openCached();
      expect(await first.catalogue.refresh()).toMatchObject({ full: true, read: 4 });
    }
    await using second = openCached();
    expect(idsOf(second)).toHaveLength(4);
    expect(await second.catalogue.refresh()).toMatchObject({ full: false, read: 0 });
  });

  test.each<[what: string, spoil: () => Promise<void>]>([
    ['was deleted', () => rm(path())],
    ['is no database', () => writeFile(path(), 'not a database '.repeat(1000))],
    ['is empty', () => writeFile(path(), '')],
    [
      'is another livestow’s',
      async () => {
        const database = new DatabaseSync(path());
        database.exec('PRAGMA user_version = 999');
        database.close();
      },
    ],
    [
      'is of another bucket',
      async () => {
        const database = new DatabaseSync(path());
        database.exec("UPDATE fact SET value = 'another' WHERE name = 'store'");
        database.close();
      },
    ],
  ])('that %s is made anew', async (_, spoil) => {
    await filled(3);
    {
      await using first = openCached();
      await first.catalogue.refresh();
    }
    await spoil();
    await using second = openCached();
    await second.catalogue.refresh();
    expect(second.catalogue.search().entries).toEqual(await listSessions(store));
  });

  test('that is damaged in the middle is made anew by the next refresh', async () => {
    await filled(300);
    {
      await using first = openCached();
      await first.catalogue.refresh();
    }
    const database = new DatabaseSync(path());
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    const pages = Number(database.prepare('PRAGMA page_count').get()?.['page_count']);
    database.close();
    const { open: openFile } = await import('node:fs/promises');
    const file = await openFile(path(), 'r+');
    // All but the first page, which says that it is ours, and those of the tables that are read at once.
    for (let page = 4; page < pages; page += 1)
      await file.write(Buffer.alloc(2048, 0xa5), 0, 2048, page * 4096);
    await file.close();
    await using second = openCached();
    await second.catalogue.refresh({ full: true });
    expect(second.catalogue.search({ limit: 1000 }).entries).toEqual(await listSessions(store));
  });

  test('that cannot be written is done without', async () => {
    await filled(2);
    await mkdir(join(folder, 'cache'));
    await mkdir(path());
    await using it = openCached();
    await it.catalogue.refresh();
    expect(idsOf(it)).toHaveLength(2);
  });

  test('on a disk that fills up meanwhile is done without', { tags: 'disk-full' }, async (context) => {
    await filled(400);
    const disk = await SmallDisk.mount(join(folder, 'disk'), 2).catch((error: unknown) => {
      if (error instanceof CannotMount) context.skip(error.message);
      throw error;
    });
    await using _ = disk;
    await disk.fill(0.2);
    await using it = open(store, disk.folder);
    await it.catalogue.refresh();
    expect(it.catalogue.search({ limit: 1000 }).entries).toEqual(await listSessions(store));
  });

  test('is shared by several processes that fill it at once', async () => {
    await filled(60);
    const here = new URL('.', import.meta.url);
    const source = `
      const { openStore } = await import('${new URL('../../src/store/open-store.ts', here).href}');
      const { open } = await import('${new URL('archive.ts', here).href}');
      const it = open(openStore(${JSON.stringify(join(folder, 'archive'))}), ${JSON.stringify(join(folder, 'cache'))});
      for (let n = 0; n < 5; n += 1) await it.catalogue.refresh({ full: true });
      await it.catalogue.close();`;
    const url = new URL(`data:text/javascript,${encodeURIComponent(source)}`);
    await Promise.all(
      Array.from({ length: 3 }, async () => {
        const worker = new Worker(url);
        const { promise, resolve, reject } = Promise.withResolvers<void>();
        worker
          .once('error', reject)
          .once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`exit ${code}`))));
        await promise;
      }),
    );
    await using it = openCached();
    expect(it.catalogue.search({ limit: 1000 }).entries).toEqual(await listSessions(store));
    expect(it.catalogue.search({ text: 'tea' }).total).toBe(60);
  });
});

describe('what a refresh costs', () => {
  test('the newest part of the index is listed, and one object read for one that came', async () => {
    await filled(20);
    const counting = new CountingStore(join(folder, 'archive'));
    await write(store, { handle: 'old', foundAtMs: NOW - 900 * DAY });
    await using it = open(counting);
    await it.catalogue.refresh();
    await write(store, { handle: 'alice', foundAtMs: NOW - 1000 });
    counting.gets = 0;
    counting.listed = [];
    expect(await it.catalogue.refresh()).toMatchObject({ full: false, read: 1 });
    expect(counting.gets).toBe(1);
    expect(counting.listed.find((listed) => listed.startsWith(`${INDEX}sessions/`))).toMatch(
      /after index\/sessions\/2/,
    );
  });

  test('after some hours everything is listed again: what was deleted by hand is gone', async () => {
    await filled(3);
    const old = await write(store, { handle: 'old', foundAtMs: NOW - 900 * DAY });
    await using it = open(store);
    await it.catalogue.refresh();
    await rm(join(folder, 'archive', 'creators', 'old'), { recursive: true });
    await it.catalogue.refresh();
    expect(idsOf(it)).toContain(nameOf(old));
    it.clock.set(7 * HOUR);
    expect(await it.catalogue.refresh()).toMatchObject({ full: true, removed: 1 });
    expect(idsOf(it)).not.toContain(nameOf(old));
  });

  test('those who ask at once share a run; who asks while one runs is shown what happened since it began', async () => {
    await filled(3);
    const counting = new CountingStore(join(folder, 'archive'));
    await using it = open(counting);
    const lists = (): number =>
      counting.listed.filter((listed) => listed.startsWith(`${INDEX}sessions/`)).length;
    await Promise.all([it.catalogue.refresh(), it.catalogue.refresh(), it.catalogue.refresh()]);
    expect(lists()).toBe(1);
    const { promise: underWay, resolve } = Promise.withResolvers<void>();
    const first = it.catalogue.refresh({ full: true, onProgress: () => resolve() });
    await underWay;
    const ref = await write(store, { foundAtMs: NOW });
    await Promise.all([first, it.catalogue.refresh(), it.catalogue.refresh()]);
    expect(idsOf(it)).toContain(nameOf(ref));
    expect(lists()).toBe(3);
  });

  test('who gives up is let go at once; what was learned until then is kept', async () => {
    await filled(40);
    const controller = new AbortController();
    await using it = open(store);
    const reason = new Error('enough');
    const onProgress = (done: number): void => {
      if (done === 10) controller.abort(reason);
    };
    await expect(it.catalogue.refresh({ signal: controller.signal, onProgress })).rejects.toBe(reason);
    const { read } = await it.catalogue.refresh();
    expect(read).toBeLessThan(40);
    expect(idsOf(it)).toHaveLength(40);
  });
});

describe('pages', () => {
  test.each(['found', 'length', 'size', 'coverage', 'gaps'] as const)(
    'by %s: sessions that come in meanwhile make none of the others come twice or not at all',
    async (sort) => {
      for (let n = 0; n < 12; n += 1)
        await write(store, {
          foundAtMs: NOW - n * HOUR,
          roomId: String(n),
          recordedMs: 1000 * (1 + (n % 3)),
          bytes: n % 4,
          gaps: n % 2,
        });
      await using it = open(store);
      await it.catalogue.refresh();
      const before = idsOf(it);
      const seen: string[] = [];
      let page = it.catalogue.search({ sort, limit: 5 });
      for (let n = 0; ; n += 1) {
        seen.push(...page.entries.map(nameOf));
        if (page.next === null) break;
        await write(store, {
          foundAtMs: NOW - n * HOUR + 60_000,
          roomId: `new${n}`,
          recordedMs: 2000,
          gaps: 1,
        });
        await it.catalogue.refresh();
        page = it.catalogue.search({ sort, limit: 5, cursor: page.next });
      }
      expect(new Set(seen).size).toBe(seen.length);
      expect(seen).toEqual(expect.arrayContaining(before));
    },
  );

  test('a cursor of another list, or of nobody, is refused', async () => {
    await filled(3);
    await using it = open(store);
    await it.catalogue.refresh();
    const { next } = it.catalogue.search({ limit: 1 });
    expect(next).not.toBeNull();
    for (const query of [
      { cursor: next ?? '', sort: 'size' as const },
      { cursor: next ?? '', order: 'asc' as const },
      { cursor: 'nonsense' },
    ])
      expect(() => it.catalogue.search(query)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});

describe('what it says of all', () => {
  test('a renamed creator is one, by account; one that no account is known of is its handle’s', async () => {
    await write(store, { handle: 'alice', account: '42', foundAtMs: NOW - 3 * HOUR, displayName: 'Alice' });
    await write(store, { handle: 'alicia', account: '42', foundAtMs: NOW - 2 * HOUR, displayName: 'Alicia' });
    await write(store, { handle: 'alicia', account: null, foundAtMs: NOW - 4 * HOUR });
    await write(store, { handle: 'bob', account: null, foundAtMs: NOW - HOUR });
    await using it = open(store);
    await it.catalogue.refresh();
    expect(it.catalogue.creators()).toMatchObject([
      { handle: 'bob', platformUserId: null, sessions: 1 },
      {
        handle: 'alicia',
        handles: ['alice', 'alicia'],
        platformUserId: '42',
        displayName: 'Alicia',
        sessions: 3,
        bytes: 3000,
        recordedMs: 180_000,
      },
    ]);
    expect(it.catalogue.totals()).toEqual({ sessions: 4, bytes: 4000, recordedMs: 240_000, creators: 2 });
    await write(store, { handle: 'bob', account: null, foundAtMs: NOW, bytes: 5 });
    await it.catalogue.refresh();
    expect(it.catalogue.totals()).toMatchObject({ sessions: 5, bytes: 4005 });
  });

  test('days are those of UTC, of one creator or of all', async () => {
    const midnight = Date.UTC(2026, 4, 2);
    for (const [n, atMs] of [midnight - 1000, midnight, midnight + DAY - 1000].entries())
      await write(store, { handle: n === 0 ? 'bob' : 'alice', foundAtMs: atMs });
    await using it = open(store);
    await it.catalogue.refresh();
    const all = { sessions: 1, recordedMs: 60_000 };
    expect(it.catalogue.days(undefined, midnight - DAY, midnight + DAY)).toEqual([
      { ...all, day: '2026-05-01' },
      { day: '2026-05-02', sessions: 2, recordedMs: 120_000 },
    ]);
    expect(it.catalogue.days('bob', 0, midnight + DAY)).toEqual([{ ...all, day: '2026-05-01' }]);
    expect(it.catalogue.days(undefined, midnight, midnight + 1)).toEqual([{ ...all, day: '2026-05-02' }]);
    expect(it.catalogue.days('nobody', 0, midnight + DAY)).toEqual([]);
  });

  test('two creators of one session id are told apart', async () => {
    const [one, other] = [
      await write(store, { handle: 'alice', foundAtMs: NOW }),
      await write(store, { handle: 'bob', foundAtMs: NOW }),
    ];
    await using it = open(store, null, new ManualClock(NOW));
    await it.catalogue.refresh();
    expect(it.catalogue.get(one.session)).toBeUndefined();
    expect(it.catalogue.get(other.session, 'bob')?.handle).toBe('bob');
  });
});
