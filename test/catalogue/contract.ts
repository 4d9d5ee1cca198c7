/** What a catalogue promises of any store: it says what `listSessions` says, whoever wrote or removed something meanwhile. */
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { listSessions } from '../../src/archive/catalogue.ts';
import { removeSession } from '../../src/archive/remove-session.ts';
import { reindexArchive } from '../../src/daemon/reindex.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import { INDEX, indexKey, sessionPrefix, SNAPSHOT } from '../../src/layout/keys.ts';
import type { Store } from '../../src/store/store.ts';
import { ManualClock } from '../manual-clock.ts';
import { DAY, HOUR, idsOf, nameOf, NOW, open, write, type OpenCatalogue } from './archive.ts';

const { signal } = new AbortController();

export function catalogueContract(
  name: string,
  make: () => Promise<{ store: Store; end: () => Promise<void> }>,
): void {
  describe(`catalogue of ${name}`, () => {
    let store: Store;
    beforeEach(async () => {
      const made = await make();
      store = made.store;
      return made.end;
    });

    /** Filled with old sessions and read once. */
    async function opened(): Promise<OpenCatalogue> {
      for (let n = 0; n < 5; n += 1)
        await write(store, { handle: n % 2 === 0 ? 'alice' : 'bob', foundAtMs: NOW - (100 + n) * DAY });
      const it = open(store);
      onTestFinished(() => it[Symbol.asyncDispose]());
      expect(await it.catalogue.refresh()).toMatchObject({ full: true, read: 5 });
      return it;
    }

    async function saysWhatTheBucketSays(it: OpenCatalogue): Promise<void> {
      const entries = await listSessions(store);
      expect(it.catalogue.search({ limit: 1000 }).entries).toEqual(entries);
    }

    const refreshes: [how: string, options: object, isFull: boolean][] = [
      ['a short look', {}, false],
      ['a full one', { full: true }, true],
    ];
    describe.each(refreshes)('%s shows', (_, options, isFull) => {
      test('a session that began, that it goes on, and that it was sealed', async () => {
        const it = await opened();
        const spec = { foundAtMs: NOW - HOUR, isSealed: false };
        const begun = await write(store, spec);
        expect(await it.catalogue.refresh(options)).toMatchObject({ full: isFull });
        expect(it.catalogue.get(begun.session)?.summary).toMatchObject({
          sealedAt: null,
          recordedMs: 60_000,
        });
        // As long in bytes as it was.
        await write(store, { ...spec, recordedMs: 70_000 });
        await it.catalogue.refresh(options);
        expect(it.catalogue.get(begun.session)?.summary).toMatchObject({
          sealedAt: null,
          recordedMs: 70_000,
        });
        await write(store, { ...spec, isSealed: true });
        await it.catalogue.refresh(options);
        expect(it.catalogue.search({ sealed: false }).total).toBe(0);
        await saysWhatTheBucketSays(it);
      });

      test.each([
        ['a new one', NOW - HOUR],
        ['one of long ago', NOW - 102 * DAY],
      ])('that %s was removed', async (_name, foundAtMs) => {
        const it = await opened();
        const ref = await write(store, { foundAtMs });
        await it.catalogue.refresh({ full: true });
        await removeSession(store, ref, { reason: 'rm', clock: new ManualClock(NOW), signal });
        await it.catalogue.refresh(options);
        expect(it.catalogue.get(ref.session, ref.handle)).toBeUndefined();
        await saysWhatTheBucketSays(it);
      });

      test('that one of long ago, which was never sealed, is sealed now', async () => {
        const it = await opened();
        const spec = { foundAtMs: NOW - 300 * DAY, isSealed: false };
        const ref = await write(store, spec);
        await it.catalogue.refresh({ full: true });
        await write(store, { ...spec, isSealed: true });
        await it.catalogue.refresh(options);
        expect(it.catalogue.get(ref.session)?.summary?.sealedAt).not.toBeNull();
      });

      test('what somebody else’s reindex put back', async () => {
        const it = await opened();
        const ref = await write(store, { foundAtMs: NOW - 200 * DAY });
        await store.delete(indexKey(ref.session, ref.handle));
        const cached = { cachePath: null, log: silentLogger() };
        const deps = { store, clock: new ManualClock(NOW), signal, onProgress: () => {}, ...cached };
        for await (const done of reindexArchive(deps)) expect(done.outcome).not.toBe('unreadable');
        await it.catalogue.refresh(options);
        expect(idsOf(it)).toContain(nameOf(ref));
        await saysWhatTheBucketSays(it);
      });
    });

    test('nothing is read a second time, and the second look lists the end of the index alone', async () => {
      const it = await opened();
      expect(await it.catalogue.refresh()).toEqual({ full: false, read: 0, fromSnapshot: 0, removed: 0 });
      expect(await it.catalogue.refresh({ full: true })).toMatchObject({ full: true, read: 0 });
    });

    test('without an index it says the same, read from the sessions themselves', async () => {
      const it = await opened();
      for await (const { key } of store.list(INDEX)) await store.delete(key);
      await it.catalogue.refresh({ full: true });
      await saysWhatTheBucketSays(it);
      expect(idsOf(it)).toHaveLength(5);
    });

    test('what has begun and is not in the index yet is there when folders are asked for', async () => {
      const it = await opened();
      const session = '20991122T140307Z-1';
      const key = `${sessionPrefix('carol', session)}segments/0001-0001-000001.ts`;
      await store.put(key, { bytes: Buffer.from('x') });
      await it.catalogue.refresh({ folders: true });
      expect(it.catalogue.get(session)).toEqual({ handle: 'carol', session, summary: null, problem: null });
      await saysWhatTheBucketSays(it);
    });

    test('an index entry that cannot be read, or has no session, changes nothing', async () => {
      const it = await opened();
      const ref = await write(store, { foundAtMs: NOW - HOUR, title: 'whole' });
      await store.put(indexKey(ref.session, ref.handle), { bytes: Buffer.from('{"format":') });
      await store.put(indexKey('20200101T000000Z-9', 'nobody'), { bytes: Buffer.from('{}') });
      await it.catalogue.refresh({ full: true });
      expect(it.catalogue.get(ref.session)?.summary?.title).toBe('whole');
      await saysWhatTheBucketSays(it);
    });

    test('several writers at once: all that they wrote is there', async () => {
      const it = await opened();
      const other = open(store);
      const writing = Array.from({ length: 24 }, (_, n) =>
        write(store, { handle: `w${n % 4}`, foundAtMs: NOW - n * 60_000, roomId: String(n) }),
      );
      const looking = [it, other, it, other].map(({ catalogue }) => catalogue.refresh());
      await Promise.all([...writing, ...looking]);
      await Promise.all([it.catalogue.refresh(), other.catalogue.refresh()]);
      await saysWhatTheBucketSays(it);
      await saysWhatTheBucketSays(other);
      expect(idsOf(other)).toHaveLength(29);
      await other[Symbol.asyncDispose]();
    });

    describe('the snapshot', () => {
      async function many(): Promise<OpenCatalogue> {
        for (let n = 0; n < 510; n += 1) await write(store, { foundAtMs: NOW - n * HOUR, roomId: String(n) });
        const it = open(store);
        onTestFinished(() => it[Symbol.asyncDispose]());
        await it.catalogue.refresh();
        expect(await it.catalogue.writeSnapshot()).toBe(510);
        return it;
      }

      test('saves a new reader all requests but for what changed since', { timeout: 120_000 }, async () => {
        await many();
        await write(store, { foundAtMs: NOW - 3 * HOUR, roomId: '3', title: 'changed since' });
        const gone = await write(store, { foundAtMs: NOW - 4 * HOUR, roomId: '4' });
        await removeSession(store, gone, { reason: 'rm', clock: new ManualClock(NOW), signal });
        const later = await write(store, { foundAtMs: NOW, roomId: 'later' });
        const fresh = open(store);
        onTestFinished(() => fresh[Symbol.asyncDispose]());
        expect(await fresh.catalogue.refresh()).toMatchObject({ full: true, fromSnapshot: 508 });
        expect(idsOf(fresh)).toContain(nameOf(later));
        await saysWhatTheBucketSays(fresh);
      });

      test('one that is torn, foreign or a bomb does no harm', { timeout: 120_000 }, async () => {
        const whole = await many();
        const { gzipSync } = await import('node:zlib');
        const torn = Buffer.from(
          await (await import('node:stream/consumers')).buffer(await store.get(SNAPSHOT)),
        ).subarray(0, 2000);
        const header = '{"format":"livestow/1"}\n';
        for (const bytes of [
          torn,
          Buffer.from('no gzip'),
          gzipSync('{"format":"livestow/2"}\n'),
          gzipSync(`${header}{"handle":"../x","bytes":1}\n`),
          gzipSync(header + ' '.repeat(50_000_000)),
          gzipSync(header + '{}\n'.repeat(1_000_000)),
        ]) {
          await store.put(SNAPSHOT, { bytes });
          const fresh = open(store);
          await fresh.catalogue.refresh();
          expect(idsOf(fresh)).toEqual(idsOf(whole));
          await fresh[Symbol.asyncDispose]();
        }
      });
    });
  });
}
