/** What is wrong in an archive is found and named, and mended where it can be, in a bucket as in a folder. */
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifySession, type Verification } from '../../src/archive/verify.ts';
import { reindex, type Reindexed } from '../../src/daemon/reindex.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { decodeManifest } from '../../src/layout/manifest.ts';
import { sha256Of } from '../../src/store/body.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { Store } from '../../src/store/store.ts';
import { s3Bucket } from '../support/s3-servers.ts';
import { buildSession, PORTRAIT, tempStore, type BuiltSession, type SessionSpec } from './fixture.ts';

const SECOND = 'segments/0001-0001-000002.ts';

describe.each<[string, () => Promise<{ store: Store; remove?: () => Promise<void> }>]>([
  [
    'a folder',
    async () => {
      const temp = await tempStore();
      return { store: temp.store, remove: () => temp[Symbol.asyncDispose]() };
    },
  ],
  [
    'a bucket',
    async () => {
      const { url, credentials } = await s3Bucket();
      return { store: openStore(url, { s3: { credentials } }) };
    },
  ],
])('in %s', (_, open) => {
  let store: Store;
  let remove: (() => Promise<void>) | undefined;
  beforeAll(async () => {
    ({ store, remove } = await open());
  });
  afterAll(async () => {
    store.close();
    await remove?.();
  });

  let rooms = 0;
  const build = (spec: SessionSpec = {}): Promise<BuiltSession> =>
    buildSession(store, { handle: `h${(rooms += 1)}`, roomId: `r${rooms}`, epochs: [PORTRAIT], ...spec });
  const bytesOf = async ({ prefix }: BuiltSession, key: string): Promise<Buffer> =>
    buffer(await store.get(prefix + key));
  const put = ({ prefix }: BuiltSession, key: string, bytes: Buffer): Promise<unknown> =>
    store.put(prefix + key, { bytes });
  const verify = (built: BuiltSession, depth: 'sizes' | 'hashes' | 'decode'): Promise<Verification> =>
    verifySession(store, built, { depth, ffmpeg: 'ffmpeg' });
  const found = async (built: BuiltSession, depth: 'sizes' | 'hashes' | 'decode'): Promise<string[]> =>
    (await verify(built, depth)).findings.map(({ kind, key }) => `${kind} ${key}`);

  /** Every object of the session and of the index: what it holds, and when it was written. */
  async function snapshot({ prefix, session }: BuiltSession): Promise<Map<string, string>> {
    const all = new Map<string, string>();
    for (const under of [prefix, 'index/']) {
      for await (const { key, modifiedAt } of store.list(under)) {
        if (under === 'index/' && !key.includes(session)) continue;
        const bytes = await buffer(await store.get(key));
        all.set(key, `${sha256Of(bytes)} ${modifiedAt?.toISOString()}`);
      }
    }
    return all;
  }

  async function mend(built: BuiltSession): Promise<Reindexed | undefined> {
    const { signal } = new AbortController();
    const done: Reindexed[] = [];
    for await (const each of reindex({ store, clock: systemClock, signal, onProgress: () => {} }))
      done.push(each);
    return done.find(({ session, handle }) => session === built.session && handle === built.handle);
  }

  test('a segment that is gone', { tags: 'object-missing' }, async () => {
    const built = await build();
    await store.delete(built.prefix + SECOND);
    for (const depth of ['sizes', 'hashes', 'decode'] as const)
      expect(await found(built, depth)).toEqual([`missing ${SECOND}`]);
  });

  test('a segment that was cut', { tags: 'object-altered' }, async () => {
    const built = await build();
    await put(built, SECOND, (await bytesOf(built, SECOND)).subarray(0, 1_000));
    for (const depth of ['sizes', 'hashes', 'decode'] as const)
      expect(await found(built, depth)).toEqual([`truncated ${SECOND}`]);
  });

  test('a segment of which one bit is another', { tags: 'object-altered' }, async () => {
    const built = await build();
    const bytes = await bytesOf(built, SECOND);
    bytes[5_000] = (bytes[5_000] ?? 0) ^ 1;
    await put(built, SECOND, bytes);
    expect(await found(built, 'sizes')).toEqual([]);
    expect(await found(built, 'hashes')).toEqual([`altered ${SECOND}`]);
    expect(await found(built, 'decode')).toEqual([`altered ${SECOND}`]);
  });

  test(
    'a segment that no decoder takes, though it is what the manifest says',
    { tags: 'object-undecodable' },
    async () => {
      const built = await build({
        spoil: (key, bytes) => (key === SECOND ? Buffer.from('<html>no media</html>'.repeat(5_000)) : bytes),
      });
      expect(await found(built, 'hashes')).toEqual([`undecodable ${SECOND}`]);
      expect(await found(built, 'decode')).toEqual([`undecodable ${SECOND}`]);
    },
  );

  test(
    'damage is told, never mended by leaving it out: nothing of what is sealed is touched',
    { tags: ['object-missing', 'object-altered'] },
    async () => {
      const built = await build();
      await store.delete(built.prefix + SECOND);
      await put(built, 'segments/0001-0001-000001.ts', Buffer.from('something else'));
      const before = await snapshot(built);
      expect(await mend(built)).toMatchObject({ outcome: 'kept', sealed: true });
      expect((await verify(built, 'decode')).ok).toBe(false);
      expect(await snapshot(built)).toEqual(before);
    },
  );

  test.for([
    ['gone', undefined],
    ['torn', '{"format":"livestow/1","ses'],
    ['garbage', '\u0000\u0001\u0002'],
  ] as const)(
    'a manifest that is %s is rebuilt from the bucket alone',
    { tags: 'manifest-lost' },
    async ([, text]) => {
      const built = await build();
      if (text === undefined) await store.delete(`${built.prefix}manifest.json`);
      else await put(built, 'manifest.json', Buffer.from(text));
      for (const key of ['summary.json', 'index.m3u8']) await store.delete(built.prefix + key);
      await store.delete(`index/sessions/${built.session}~${built.handle}.json`);
      const before = await snapshot(built);
      expect(await mend(built)).toMatchObject({ outcome: 'rebuilt', sealed: true, lost: 0 });
      const after = await snapshot(built);
      const { segments, gaps, coverage, sealedAt } = decodeManifest(
        (await bytesOf(built, 'manifest.json')).toString(),
        'manifest.json',
      );
      expect({ segments, gaps, coverage }).toEqual({
        segments: built.manifest.segments,
        gaps: built.manifest.gaps,
        coverage: built.manifest.coverage,
      });
      expect(sealedAt).not.toBeNull();
      expect(await verify(built, 'decode')).toMatchObject({ ok: true, findings: [] });
      // Media and journals were left alone.
      const others = [...before].filter(([key]) => !key.endsWith('/manifest.json'));
      expect([...after]).toEqual(expect.arrayContaining(others));
      // And the second time there is nothing to do.
      expect(await mend(built)).toMatchObject({ outcome: 'kept' });
      expect(await snapshot(built)).toEqual(after);
    },
  );

  test(
    'a sealed manifest of a newer livestow is refused and left alone',
    { tags: 'manifest-lost' },
    async () => {
      const built = await build();
      const newer = (await bytesOf(built, 'manifest.json')).toString().replace('livestow/1', 'livestow/2');
      await put(built, 'manifest.json', Buffer.from(newer));
      const before = await snapshot(built);
      expect(await found(built, 'hashes')).toEqual(['manifest manifest.json']);
      expect(await mend(built)).toMatchObject({ outcome: 'unreadable' });
      expect(await snapshot(built)).toEqual(before);
    },
  );
});
