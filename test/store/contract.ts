/**
 * What every store must do, in the words of `src/store/store.ts`, tried against the real thing. An adapter's own test
 * file opens one and says what it can; whatever the adapter, the rest is the same.
 */
import { createCipheriv, createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { beforeAll, describe, expect, test } from 'vitest';
import { readDigest } from '../../src/store/body.ts';
import type { LivestowError } from '../../src/kernel/errors.ts';
import type { Body, ByteRange, Store, StoreCapabilities } from '../../src/store/store.ts';

const MEBIBYTE = 1024 * 1024;

export interface ContractCase {
  /** A store with nothing in it. `scratch` is a folder that goes away with the suite. */
  open: (scratch: string) => Promise<Store>;
  capabilities: StoreCapabilities;
  /** Whether a `head` tells the digest that the writer left. */
  headKnowsDigest: boolean;
  /** How many objects it lists at once; 1000 unless told. */
  pageSize?: number;
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export const read = async (stream: Readable): Promise<Buffer> => Buffer.concat(await stream.toArray());

export const text = (words: string): Body & { bytes: Uint8Array } => ({ bytes: Buffer.from(words) });

/** Bytes of which no two stretches are alike, the same for the same seed. */
export function noise(bytes: number, seed: string): Buffer {
  const key = createHash('sha256').update(seed).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(bytes));
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

export function storeContract(
  name: string,
  { open, capabilities, headKnowsDigest, pageSize = 1000 }: ContractCase,
): void {
  describe(`store contract: ${name}`, () => {
    let store: Store;
    let folder: string;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'livestow-store-'));
      store = await open(folder);
      return async () => {
        store.close();
        await rm(folder, { recursive: true });
      };
    });

    async function fileOf(bytes: Uint8Array, name = 'body'): Promise<{ file: string; size: number }> {
      const file = join(folder, name);
      await writeFile(file, bytes);
      return { file, size: bytes.byteLength };
    }

    const contentOf = async (key: string, range?: ByteRange): Promise<string> =>
      String(await read(await store.get(key, range ? { range } : {})));

    const keysBelow = async (prefix: string, startAfter?: string): Promise<string[]> =>
      (await collect(store.list(prefix, startAfter === undefined ? {} : { startAfter }))).map(
        (object) => object.key,
      );

    test('finds out what it can do', async () => {
      expect(await store.capabilities()).toEqual(capabilities);
      expect(await keysBelow('')).toEqual([]);
    });

    test.each([
      ['bytes', () => Promise.resolve(text('a segment'))],
      ['a file', () => fileOf(Buffer.from('a segment'))],
    ])('stores %s and gives them back', async (kind, body) => {
      const key = `round/trip-${kind.replace(' ', '-')}.ts`;
      const digest = { bytes: 9, sha256: sha256(Buffer.from('a segment')) };
      const put = await store.put(key, await body(), { contentType: 'video/mp2t' });
      expect(put).toMatchObject({ key, ...digest });
      expect(await contentOf(key)).toBe('a segment');
      expect(await readDigest(store, key)).toEqual(digest);
      const head = await store.head(key);
      expect(head).toMatchObject({ key, bytes: 9, sha256: headKnowsDigest ? digest.sha256 : null });
      expect(Math.abs((head?.modifiedAt?.getTime() ?? 0) - Date.now())).toBeLessThan(60_000);
    });

    test('stores nothing at all as an object too', async () => {
      await store.put('empty/object', { bytes: new Uint8Array() });
      expect(await readDigest(store, 'empty/object')).toEqual({ bytes: 0, sha256: sha256(Buffer.alloc(0)) });
      expect(await keysBelow('empty/')).toEqual(['empty/object']);
    });

    test('replaces an object unless told not to', async () => {
      await store.put('replaced', text('first'));
      await store.put('replaced', text('second'));
      expect(await contentOf('replaced')).toBe('second');
    });

    test('creates only what is not there', async () => {
      await store.put('created', text('first'), { ifAbsent: true });
      await expect(store.put('created', text('second'), { ifAbsent: true })).rejects.toMatchObject({
        code: 'STORE_EXISTS',
        retryable: false,
      });
      expect(await contentOf('created')).toBe('first');
    });

    test.each(capabilities.conditionalCreate ? [2, 8] : [])(
      'lets one of %i that race create, and keeps its bytes',
      async (racers) => {
        const bodies = Array.from({ length: racers }, (_, n) => noise(50_000, `racer ${n}`));
        const key = `race-of-${racers}`;
        const outcomes = await Promise.allSettled(
          bodies.map((bytes) => store.put(key, { bytes }, { ifAbsent: true })),
        );
        const winners = bodies.filter((_, n) => outcomes[n]?.status === 'fulfilled');
        expect(winners).toHaveLength(1);
        const refusals = outcomes.filter((outcome) => outcome.status === 'rejected');
        const codes = refusals.map(({ reason }) => (reason as LivestowError).code);
        expect(codes).toEqual(Array.from({ length: racers - 1 }, () => 'STORE_EXISTS'));
        expect((await readDigest(store, key))?.sha256).toBe(sha256(winners[0] ?? Buffer.alloc(0)));
      },
    );

    test('shows readers the old object or the new one, never a mixture', async () => {
      const versions = Array.from({ length: 6 }, (_, n) => noise(MEBIBYTE + n, `version ${n}`));
      const known = new Set(versions.map(sha256));
      await store.put('atomic', { bytes: versions[0] ?? Buffer.alloc(0) });
      const written = new AbortController();
      const seen = new Set<string>();
      const reader = (async () => {
        while (!written.signal.aborted) seen.add((await readDigest(store, 'atomic'))?.sha256 ?? 'nothing');
      })();
      for (const bytes of [...versions, ...versions]) await store.put('atomic', { bytes });
      written.abort();
      await reader;
      expect(seen.size).toBeGreaterThan(0);
      expect([...seen].filter((digest) => !known.has(digest))).toEqual([]);
    });

    test.each([
      ['bytes', () => Promise.resolve(text('other bytes'))],
      ['a file', () => fileOf(Buffer.from('other bytes'))],
      ['a big file', () => fileOf(noise(17 * MEBIBYTE, 'other bytes'))],
    ])('refuses %s that are not what was promised, and changes nothing', async (kind, body) => {
      const key = `promised/${kind.replaceAll(' ', '-')}`;
      const wrong = { sha256: sha256(Buffer.from('these bytes')) };
      const refusal = { code: 'STORE_CORRUPT', retryable: false };
      await expect(store.put(key, await body(), { ...wrong, ifAbsent: true })).rejects.toMatchObject(refusal);
      expect(await store.head(key)).toBeUndefined();
      await store.put(key, text('what was there'));
      await expect(store.put(key, await body(), wrong)).rejects.toMatchObject(refusal);
      expect(await contentOf(key)).toBe('what was there');
    });

    test('refuses a file of another size than was said', async () => {
      const { file } = await fileOf(Buffer.from('nine byte'));
      for (const size of [8, 10]) {
        await expect(store.put('sized', { file, size })).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
      }
      expect(await store.head('sized')).toBeUndefined();
    });

    test('tells a local file that is gone from a fault of the store', async () => {
      for (const size of [1, 17 * MEBIBYTE]) {
        await expect(store.put('gone', { file: join(folder, 'gone'), size })).rejects.toMatchObject({
          code: 'SPOOL',
        });
      }
    });

    test('takes a big object from a file, and gives any piece of it', async () => {
      const bytes = noise(20 * MEBIBYTE + 12_345, 'big');
      const digest = { bytes: bytes.byteLength, sha256: sha256(bytes) };
      const body = await fileOf(bytes);
      expect(await store.put('big', body, { ifAbsent: true, sha256: digest.sha256 })).toMatchObject(digest);
      expect(await readDigest(store, 'big')).toEqual(digest);
      expect(await store.head('big')).toMatchObject({ bytes: digest.bytes });
      const [start, end] = [8 * MEBIBYTE - 10, 16 * MEBIBYTE + 10];
      const piece = await read(await store.get('big', { range: { start, end } }));
      expect(piece.equals(bytes.subarray(start, end + 1))).toBe(true);
      await expect(store.put('big', body, { ifAbsent: true })).rejects.toMatchObject({
        code: 'STORE_EXISTS',
      });
    });

    test('gives ranges', async () => {
      await store.put('ranged', text('0123456789'));
      expect(await contentOf('ranged', { start: 0, end: 0 })).toBe('0');
      expect(await contentOf('ranged', { start: 3, end: 5 })).toBe('345');
      expect(await contentOf('ranged', { start: 7 })).toBe('789');
      expect(await contentOf('ranged', { start: 8, end: 99 })).toBe('89');
      expect(await contentOf('ranged', { start: 10 })).toBe('');
      await expect(store.get('ranged-not', { range: { start: 1 } })).rejects.toMatchObject({
        code: 'STORE_NOT_FOUND',
      });
    });

    test('lets a reader go away', async () => {
      await store.put('left', { bytes: noise(2 * MEBIBYTE, 'left') });
      const [unread, begun] = [await store.get('left'), await store.get('left')];
      unread.destroy();
      for await (const chunk of begun) {
        expect(chunk).toHaveProperty('byteLength');
        break;
      }
      expect(begun.destroyed).toBe(true);
      expect(await readDigest(store, 'left')).toMatchObject({ bytes: 2 * MEBIBYTE });
    });

    test('says what is not there', async () => {
      expect(await store.head('missing')).toBeUndefined();
      expect(await store.head('missing/deeper')).toBeUndefined();
      await expect(store.get('missing')).rejects.toMatchObject({ code: 'STORE_NOT_FOUND', retryable: false });
      expect(await readDigest(store, 'missing')).toBeUndefined();
      expect(await keysBelow('missing/')).toEqual([]);
      expect(await collect(store.folders('missing/'))).toEqual([]);
    });

    test('deletes, also what is gone already', async () => {
      await store.put('deleted/a', text('a'));
      await store.put('deleted/b', text('b'));
      await store.delete('deleted/a');
      await store.delete('deleted/a');
      expect(await keysBelow('deleted/')).toEqual(['deleted/b']);
      await store.delete('deleted/b');
      await store.delete('deleted/never/was');
      expect(await collect(store.folders('deleted'))).toEqual([]);
      await store.put('deleted/a', text('again'), { ifAbsent: true });
      expect(await contentOf('deleted/a')).toBe('again');
    });

    test.each([
      '',
      '/',
      '/a',
      'a/',
      'a//b',
      '.',
      '..',
      '../a',
      'a/../b',
      'a/./b',
      'a\\b',
      'a b',
      'a\0b',
      'ä',
      '~a',
      'a?b',
      'a%2fb',
    ])('refuses %j as a key', async (key) => {
      const refusal = { code: 'STORE_DENIED', retryable: false };
      await expect(store.put(key, text('x'))).rejects.toMatchObject(refusal);
      await expect(store.get(key)).rejects.toMatchObject(refusal);
      await expect(store.head(key)).rejects.toMatchObject(refusal);
      await expect(store.delete(key)).rejects.toMatchObject(refusal);
    });

    describe('with more objects than a page holds', () => {
      // Where the order of UTF-8 bytes is not that of a dictionary, of a locale, or of a walk through folders.
      const awkward = [
        'A',
        'Z/z',
        'a',
        'a+b',
        'a-b',
        'a.b',
        'a0',
        'a/b',
        'a/b.c',
        'a/b-c/d',
        'a/b0',
        'a_b',
        'aB',
        'a=',
        'a@',
        'a~b',
      ];
      const many = Array.from({ length: pageSize + 5 }, (_, n) => `n/${String(n).padStart(6, '0')}`);
      // A name cannot be a folder and an object in a directory.
      const keys = [...awkward.filter((key) => !['a', 'a/b'].includes(key)), ...many].sort();

      beforeAll(async () => {
        const left = keys.map((key) => `paged/${key}`);
        const writer = async () => {
          for (let key = left.pop(); key !== undefined; key = left.pop())
            await store.put(key, text(key.slice(-3)));
        };
        await Promise.all(Array.from({ length: 16 }, writer));
      });

      test('lists each once, in order, across pages', async () => {
        expect(await keysBelow('paged/')).toEqual(keys.map((key) => `paged/${key}`));
      });

      test('says size and time, and no digest, in a listing', async () => {
        for await (const object of store.list('paged/n/00009')) {
          expect(object).toMatchObject({ bytes: 3, sha256: null });
          expect(object.modifiedAt).toBeInstanceOf(Date);
        }
      });

      test.each([
        'paged/n/000050',
        'paged/a/b',
        'paged/a/b-c',
        'paged/b',
        'paged/a.',
        'paged/zzz',
        'paged/n/0000731',
      ])('goes on after %s', async (startAfter) => {
        const expected = keys.map((key) => `paged/${key}`).filter((key) => key > startAfter);
        expect(await keysBelow('paged/', startAfter)).toEqual(expected);
      });

      test('lists by the beginning of a name', async () => {
        expect(await keysBelow('paged/n/00005')).toEqual(
          Array.from({ length: 10 }, (_, n) => `paged/n/00005${n}`),
        );
        expect(await keysBelow('paged/a/b')).toEqual(['paged/a/b-c/d', 'paged/a/b.c', 'paged/a/b0']);
      });

      test('names folders', async () => {
        expect(await collect(store.folders('paged/'))).toEqual(['paged/Z/', 'paged/a/', 'paged/n/']);
        expect(await collect(store.folders('paged/a/'))).toEqual(['paged/a/b-c/']);
        expect(await collect(store.folders('pag'))).toEqual(['paged/']);
        expect(await collect(store.folders('paged/', { startAfter: 'paged/Z/' }))).toEqual([
          'paged/a/',
          'paged/n/',
        ]);
        expect(await collect(store.folders('paged/', { startAfter: 'paged/b' }))).toEqual(['paged/n/']);
      });

      test('may be left in the middle of a listing', async () => {
        for await (const { key } of store.list('paged/')) {
          expect(key).toBe('paged/A');
          break;
        }
      });
    });

    test('does nothing for a signal that has aborted', async () => {
      await store.put('kept', text('kept'));
      const reason = new Error('changed my mind');
      const signal = AbortSignal.abort(reason);
      await expect(store.put('kept', text('lost'), { signal })).rejects.toBe(reason);
      await expect(store.get('kept', { signal })).rejects.toBe(reason);
      await expect(store.head('kept', signal)).rejects.toBe(reason);
      await expect(store.delete('kept', signal)).rejects.toBe(reason);
      await expect(collect(store.list('', { signal }))).rejects.toBe(reason);
      await expect(collect(store.folders('', { signal }))).rejects.toBe(reason);
      expect(await contentOf('kept')).toBe('kept');
    });

    test('ends a put when its signal aborts, and leaves the old object or the new', async () => {
      const bytes = noise(20 * MEBIBYTE, 'stopped');
      const body = await fileOf(bytes);
      await store.put('stopped', text('before'));
      const stop = new AbortController();
      const reason = new Error('stop');
      const put = store.put('stopped', body, { signal: stop.signal });
      setImmediate(() => stop.abort(reason));
      await expect(put).rejects.toBe(reason);
      expect([sha256(bytes), sha256(Buffer.from('before'))]).toContain(
        (await readDigest(store, 'stopped'))?.sha256,
      );
    });

    test(`signs links that need no credentials: ${capabilities.presignedUrls}`, async () => {
      await store.put('linked', text('for a browser'));
      const link = await store.presign('linked', 60);
      const fetched = link === undefined ? undefined : await (await fetch(link)).text();
      expect(fetched).toBe(capabilities.presignedUrls ? 'for a browser' : undefined);
    });
  });
}
