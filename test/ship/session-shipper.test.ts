import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { encodeJournalEntry, decodeJournal } from '../../src/layout/journal.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import { diskAtRest } from '../record/disk-at-rest.ts';
import { limitFiles } from '../spool/full-disk.ts';
import { digest, PREFIX, SESSION, SessionBench } from './session-bench.ts';

/** Everything that a sealed manifest says is in the store, byte for byte. */
async function expectTrue(bench: SessionBench, manifest: Manifest): Promise<void> {
  expect(manifest.sealedAt).not.toBeNull();
  const inits = manifest.epochs.flatMap(({ init, initBytes, initSha256 }) =>
    init === null ? [] : [{ key: init, bytes: initBytes, sha256: initSha256 }],
  );
  for (const { key, bytes, sha256 } of [...manifest.segments, ...manifest.files, ...inits]) {
    const stored = await readFile(bench.storePath(key));
    expect({ key, bytes: stored.length, sha256: digest(stored) }).toEqual({ key, bytes, sha256 });
  }
  expect(await bench.manifest()).toEqual(manifest);
}

const keysOf = (manifest: Manifest): string[] => manifest.segments.map(({ key }) => key);
const own = (keys: readonly string[]): string[] =>
  keys.map((key) => (key.startsWith(PREFIX) ? key.slice(PREFIX.length) : key));

describe('the order of writes', () => {
  test('segment, journal, playlist, manifest, summary, index: nothing is named before it is there', async () => {
    const bench = await SessionBench.open();
    const { store, clock, spool, shipper } = bench;
    shipper.start();
    const there = new Set<string>();
    const early: string[] = [];
    store.onPut = async (fullKey) => {
      const key = own([fullKey])[0]!;
      const expectThere = (needed: string): void => {
        if (!there.has(needed)) early.push(`${key} before ${needed}`);
      };
      if (key.startsWith('journal/')) {
        const entries = decodeJournal(await readFile(spool.pathOf(key), 'utf8'), key);
        for (const entry of entries) if (entry.type === 'segment') expectThere(entry.segment.key);
      }
      there.add(key);
    };
    const named: string[][] = [];
    for (let epoch = 1; epoch <= 3; epoch += 1) {
      await bench.epoch(epoch);
      for (let n = 1; n <= 4; n += 1) {
        await bench.segment(epoch, n);
        await clock.advance(11_000);
      }
    }
    await bench.seal();
    expect(early).toEqual([]);
    // Between two manifests everything goes in one direction.
    const order = own(store.written);
    const rank = (key: string): number =>
      [/^epoch-|^index\.m3u8/, /^manifest/, /^summary/, /^index\/sessions/].findIndex((each) =>
        each.test(key),
      );
    const derived = order.filter((key) => rank(key) >= 0);
    const rounds = derived.join(' ').split(/(?<=index\/sessions\/\S+) /);
    // How many depends on how fast the disk is beside a clock that is stepped.
    expect(rounds.length).toBeGreaterThan(1);
    for (const round of rounds) {
      const ranks = round.split(' ').map(rank);
      expect(ranks).toEqual(ranks.toSorted((a, b) => a - b));
      expect(new Set(ranks)).toEqual(new Set([0, 1, 2, 3]));
      named.push(round.split(' '));
    }
    const firstManifest = order.indexOf('manifest.json');
    expect(order.slice(0, firstManifest).filter((key) => key.startsWith('journal/'))).not.toEqual([]);
    expect(order.at(-1)).toBe(`index/sessions/${SESSION}~alice.json`);
    await expectTrue(bench, await bench.manifest());
    expect(clock.pendingMs).toEqual([]);
  });

  test('a local segment goes only after the store has it', async () => {
    const bench = await SessionBench.open();
    const gone: string[] = [];
    bench.store.onPut = async (key) => {
      const local = own([key])[0]!;
      if (local.startsWith('segments/') && (await bench.spool.sizeOf(local)) === undefined) gone.push(local);
    };
    await bench.epoch(1);
    for (let n = 1; n <= 5; n += 1) await bench.segment(1, n);
    await bench.seal();
    expect(gone).toEqual([]);
    expect(await bench.spool.objectKeys()).toEqual(new Set());
  });
});

describe('a store in trouble', () => {
  test('is waited for', { tags: 'store-error' }, async () => {
    const bench = await SessionBench.open();
    let outage = 40;
    bench.store.fails = () => outage-- > 0;
    await bench.epoch(1, 'fmp4');
    for (let n = 1; n <= 5; n += 1) await bench.segment(1, n, 'm4s');
    const manifest = await bench.seal();
    expect(bench.store.failed).toBe(40);
    expect(manifest.segments).toHaveLength(5);
    expect(manifest.gaps).toEqual([]);
    await expectTrue(bench, manifest);
    expect(bench.shipper.progress).toMatchObject({ shippedObjects: 6, waitingObjects: 0 });
  });

  test('for one object does not hold up the others, but for the journals behind it', async () => {
    const bench = await SessionBench.open();
    let isDown = true;
    bench.store.fails = (_, key) => isDown && key.endsWith('000002.ts');
    await bench.epoch(1);
    for (let n = 1; n <= 5; n += 1) await bench.segment(1, n);
    await bench.spool.cutJournal();
    await bench.until(() => bench.store.written.length === 4);
    await bench.clock.waiting();
    for (let i = 0; i < 5; i += 1) await bench.clock.advance(1_000);
    expect(bench.shipper.progress.waitingObjects).toBeGreaterThan(0);
    expect(bench.store.written.filter((key) => key.includes('/journal/'))).toEqual([]);
    isDown = false;
    const manifest = await bench.seal();
    expect(manifest.segments).toHaveLength(5);
    await expectTrue(bench, manifest);
  });

  test('for one journal does not hold up any object, but for the journals behind it', async () => {
    const bench = await SessionBench.open();
    let isDown = true;
    bench.store.fails = (operation, key) =>
      isDown && operation === 'put' && key.endsWith('journal/0001-000001.ndjson');
    await bench.epoch(1);
    for (let n = 1; n <= 6; n += 1) {
      await bench.segment(1, n);
      await bench.spool.cutJournal();
    }
    await bench.until(() => bench.store.written.length === 6);
    for (let i = 0; i < 60; i += 1) {
      await bench.clock.advance(1_000);
      await diskAtRest();
    }
    expect(bench.store.failed).toBeGreaterThan(3);
    expect(bench.shipper.progress).toMatchObject({ shippedObjects: 6, waitingObjects: 0 });
    // A reader of the bucket never sees a later one without an earlier one.
    expect(bench.store.written.filter((key) => key.includes('/journal/'))).toEqual([]);
    isDown = false;
    const manifest = await bench.seal();
    expect(manifest.segments).toHaveLength(6);
    const journals = bench.store.written.filter((key) => key.includes('/journal/'));
    expect(journals).toEqual(journals.toSorted());
    await expectTrue(bench, manifest);
  });

  test('until it is given up: what is not there stays', async () => {
    const bench = await SessionBench.open();
    bench.store.fails = (operation, key) => operation === 'put' && key.endsWith('2.ts');
    await bench.epoch(1);
    for (let n = 1; n <= 3; n += 1) await bench.segment(1, n);
    const sealing = bench.shipper.seal(bench.endEntry(), []);
    await bench.clock.advance(20_000);
    const reason = new Error('given up');
    bench.giveUp.abort(reason);
    await expect(sealing).rejects.toBe(reason);
    expect(await bench.spool.sizeOf('segments/0001-0001-000002.ts')).toBeGreaterThan(0);
    await expect(bench.manifest()).rejects.toThrow();
    expect(bench.clock.pendingMs).toEqual([]);
  });
});

describe('a local object that is not what the journal says', () => {
  const harms: [string, (path: string) => Promise<unknown>][] = [
    ['deleted', (path) => rm(path)],
    ['altered', (path) => writeFile(path, 'other words')],
    ['cut', async (path) => writeFile(path, (await readFile(path)).subarray(0, 10))],
    ['a folder', (path) => rm(path).then(() => mkdir(path))],
  ];

  test.each(harms)('%s: it becomes a gap, and the session is sealed', async (_what, harm) => {
    const bench = await SessionBench.open();
    let isDown = true;
    bench.store.fails = (operation) => operation === 'put' && isDown;
    await bench.epoch(1);
    for (let n = 1; n <= 3; n += 1) await bench.segment(1, n);
    await bench.clock.advance(1_000);
    await harm(bench.spool.pathOf('segments/0001-0001-000002.ts'));
    isDown = false;
    const manifest = await bench.seal();
    expect(keysOf(manifest)).toEqual(['segments/0001-0001-000001.ts', 'segments/0001-0001-000003.ts']);
    expect(manifest.gaps).toEqual([
      {
        after: 'segments/0001-0001-000001.ts',
        from: '2026-11-22T00:00:06.000Z',
        to: '2026-11-22T00:00:12.000Z',
        ms: 6_000,
        cause: 'lost-locally',
      },
    ]);
    expect(manifest.coverage).toEqual({ liveMs: 18_000, recordedMs: 12_000, ratio: 0.6666 });
    await expectTrue(bench, manifest);
    expect(await bench.spool.objectKeys()).toEqual(new Set());
  });

  test('the init segment: nothing of its epoch can be decoded', async () => {
    const bench = await SessionBench.open();
    let isDown = true;
    bench.store.fails = (operation) => operation === 'put' && isDown;
    await bench.epoch(1, 'fmp4');
    await bench.segment(1, 1, 'm4s');
    await bench.epoch(2, 'fmp4');
    await bench.segment(2, 1, 'm4s');
    await rm(bench.spool.pathOf('segments/0001-0001-init.mp4'));
    isDown = false;
    const manifest = await bench.seal();
    expect(keysOf(manifest)).toEqual(['segments/0001-0002-000001.m4s']);
    expect(manifest.gaps).toMatchObject([{ after: null, ms: 6_000, cause: 'lost-locally' }]);
    await expectTrue(bench, manifest);
  });
});

test('another object under the key is never overwritten; ours is set aside and outlives the seal', async () => {
  const bench = await SessionBench.open();
  const key = 'segments/0001-0001-000002.ts';
  await mkdir(dirname(bench.storePath(key)), { recursive: true });
  await writeFile(bench.storePath(key), 'somebody else was here');
  await bench.epoch(1);
  for (let n = 1; n <= 3; n += 1) await bench.segment(1, n);
  const manifest = await bench.seal();
  expect(await bench.inStore(key)).toBe('somebody else was here');
  expect(keysOf(manifest)).not.toContain(key);
  expect(manifest.gaps).toMatchObject([{ after: 'segments/0001-0001-000001.ts', cause: 'lost-locally' }]);
  await expectTrue(bench, manifest);
  await bench.spool.remove();
  const aside = join(bench.root, 'spool', 'alice', `${SESSION}.set-aside`);
  expect(await readdir(aside, { recursive: true })).toEqual(['segments', key]);
});

test('what the store lost behind our back is no part of a sealed manifest', async () => {
  const bench = await SessionBench.open();
  await bench.epoch(1);
  const keys = [await bench.segment(1, 1), await bench.segment(1, 2), await bench.segment(1, 3)];
  await bench.passing(bench.shipper.drain());
  await rm(bench.storePath(keys[1]!));
  await writeFile(bench.storePath(keys[2]!), 'shorter');
  const manifest = await bench.seal();
  expect(keysOf(manifest)).toEqual([keys[0]]);
  expect(manifest.gaps.map(({ ms }) => ms)).toEqual([6_000, 6_000]);
  await expectTrue(bench, manifest);
});

describe('another process takes over', () => {
  test('what the store lacks is shipped, and nothing twice', async () => {
    const bench = await SessionBench.open();
    bench.store.fails = (operation, key) => operation === 'put' && /00000[35]\.ts$|journal/.test(key);
    await bench.epoch(1);
    for (let n = 1; n <= 5; n += 1) {
      await bench.segment(1, n);
      if (n === 4) await bench.spool.cutJournal();
    }
    await bench.clock.advance(3_000);
    // Killed: nothing of the process goes on. One had been shipped and not yet dropped.
    const again = await readFile(bench.storePath('segments/0001-0001-000002.ts'));
    bench.giveUp.abort();
    await writeFile(bench.spool.pathOf('segments/0001-0001-000002.ts'), again);
    bench.store.fails = () => false;

    const next = await SessionBench.open({ store: bench.store });
    Object.assign(next, { root: bench.root });
    onTestFinished(() => rm(next.root, { recursive: true, force: true }));
    await next.beginTerm(2);
    await next.epoch(1);
    await next.segment(1, 1);
    const manifest = await next.seal();
    expect(keysOf(manifest)).toEqual([
      ...[1, 2, 3, 4, 5].map((n) => `segments/0001-0001-00000${n}.ts`),
      'segments/0002-0001-000001.ts',
    ]);
    expect(manifest.gaps).toEqual([]);
    await expectTrue(next, manifest);
    const twice = [...bench.store.times].filter(
      ([key, times]) => times > 1 && /segments|journal\/000/.test(key),
    );
    expect(twice).toEqual([]);
  });

  test('journals of a recorder that nobody knew of are in the sealed manifest', async () => {
    const bench = await SessionBench.open();
    await bench.epoch(1);
    const mine = await bench.segment(1, 1);
    // Another worker's term 7, known to the store alone.
    const words = 'a segment of another machine';
    const segment = {
      key: 'segments/0007-0001-000001.ts',
      term: 7,
      epoch: 1,
      bytes: words.length,
      sha256: digest(words),
      durationMs: 4_000,
      startsAt: '2026-11-22T01:00:00.000Z',
      pictures: 120,
      audioFrames: 170,
      firstDtsMs: 3_660_000,
      lastDtsMs: 3_663_967,
    };
    const journal = [bench.termEntry(7), { type: 'segment' as const, at: bench.now(), segment }].map(
      encodeJournalEntry,
    );
    await bench.store.put(`${PREFIX}${segment.key}`, { bytes: Buffer.from(words) });
    await bench.store.put(`${PREFIX}journal/0007-000001.ndjson`, { bytes: Buffer.from(journal.join('')) });
    const manifest = await bench.seal();
    expect(keysOf(manifest)).toEqual([mine, segment.key]);
    await expectTrue(bench, manifest);
  });
});

describe('sealing', () => {
  test('writes what is folded, and leaves out what is not there', async () => {
    const bench = await SessionBench.open();
    await bench.epoch(1);
    await bench.segment(1, 1);
    await bench.spool.writeFile('room.json', '{}\n');
    const manifest = await bench.seal(['room.json', 'cover.jpg']);
    expect(manifest.files.map(({ key }) => key)).toEqual(['events.ndjson', 'room.json', 'samples.ndjson']);
    expect(manifest).toMatchObject({ endCause: 'room-ended' });
    await expectTrue(bench, manifest);
  });

  test('does not name a storyboard of before the recording went on', async () => {
    const bench = await SessionBench.open();
    await bench.epoch(1);
    await bench.segment(1, 1);
    const earlier = ['storyboard.jpg', 'storyboard.vtt'];
    for (const key of earlier) {
      await bench.store.put(`${PREFIX}${key}`, { bytes: Buffer.from(key) });
      const file = { key, bytes: key.length, sha256: digest(key) };
      await bench.spool.append({ type: 'file', at: bench.now(), file });
    }
    const manifest = await bench.seal();
    expect(manifest.files.map(({ key }) => key).filter((key) => earlier.includes(key))).toEqual([]);
    for (const key of earlier) expect(await bench.store.head(`${PREFIX}${key}`)).toBeUndefined();
    await expectTrue(bench, manifest);
  });

  test('of a session without media', async () => {
    const bench = await SessionBench.open();
    const manifest = await bench.seal();
    expect(manifest).toMatchObject({ segments: [], epochs: [], coverage: { recordedMs: 0, ratio: 0 } });
    await expectTrue(bench, manifest);
  });

  test('goes on when the spool’s disk has room again', async () => {
    const bench = await SessionBench.open();
    await bench.epoch(1);
    await bench.segment(1, 1);
    // Everything but what the store writes for the segment is longer than this.
    const free = await limitFiles(10);
    const sealing = bench.seal();
    for (let i = 0; i < 3; i += 1) await bench.clock.advance(1_000);
    await free();
    const manifest = await sealing;
    expect(manifest.segments).toHaveLength(1);
    expect(manifest.gaps).toEqual([]);
    await expectTrue(bench, manifest);
  });
});

describe('a long session', () => {
  test('costs some hundred manifests, not one a segment; playlists of closed epochs are written once', async () => {
    const bench = await SessionBench.open();
    const { clock, store, shipper } = bench;
    shipper.start();
    // Three hours, a segment a minute, a guest every half an hour.
    for (let minute = 0; minute < 180; minute += 1) {
      const epoch = 1 + Math.floor(minute / 30);
      if (minute % 30 === 0) await bench.epoch(epoch);
      await bench.segment(epoch, 1 + (minute % 30));
      await clock.advance(60_000);
      await bench.until(() => bench.journalsShipped > minute);
    }
    const before = store.times.get(`${PREFIX}manifest.json`)!;
    const manifest = await bench.seal();
    expect(manifest.segments).toHaveLength(180);
    await expectTrue(bench, manifest);
    expect(before).toBeGreaterThan(60);
    expect(before).toBeLessThan(130);
    const first = store.times.get(`${PREFIX}epoch-0001-0001.m3u8`)!;
    expect(first).toBe(31);
    // The later, the rarer.
    expect(store.times.get(`${PREFIX}epoch-0001-0006.m3u8`)!).toBeLessThan(12);
    expect(clock.pendingMs).toEqual([]);
  });

  test('that is drained leaves a manifest that knows all', async () => {
    const bench = await SessionBench.open();
    bench.shipper.start();
    await bench.epoch(1);
    await bench.segment(1, 1);
    await bench.clock.advance(40_000);
    await bench.segment(1, 2);
    await bench.segment(1, 3);
    await bench.passing(bench.shipper.drain());
    expect((await bench.manifest()).segments).toHaveLength(3);
    expect((await bench.manifest()).sealedAt).toBeNull();
    expect(bench.clock.pendingMs).toEqual([]);
  });
});
