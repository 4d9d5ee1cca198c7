/** A mirror from a folder to a real S3 server, and from there to another one. */
import { cp } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { verifySession } from '../../src/archive/verify.ts';
import { openStore } from '../../src/store/open-store.ts';
import { buildSession, LANDSCAPE, tempStore } from '../archive/fixture.ts';
import { FaultyS3 } from '../support/faulty-s3.ts';
import { bucketOn, newBucket, ownServers, s3Bucket, s3Server } from '../support/s3-servers.ts';
import { Performing } from './performing.ts';

const spec = { epochs: [LANDSCAPE] };

test('folder to S3: verified there, and nothing a second time', async () => {
  await using template = await tempStore();
  await using jobs = await Performing.make();
  const built = await buildSession(template.store, spec);
  await cp(template.root, jobs.archive, { recursive: true });
  const { url, credentials } = await s3Bucket();
  jobs.put(url, openStore(url, { s3: { credentials } }));
  const job = { kind: 'mirror', to: url };
  expect(await jobs.run(job)).toMatchObject({ message: expect.stringMatching(/^1 session /), problems: [] });
  const { ok, findings } = await verifySession(jobs.storeAt(url), built, {
    depth: 'decode',
    ffmpeg: 'ffmpeg',
  });
  expect([ok, findings]).toEqual([true, []]);
  expect(await jobs.run(job)).toMatchObject({ message: '0 sessions copied, 0 B', problems: [] });
});

test.runIf(ownServers)('from Ceph to Swift, which has no conditional writes', async () => {
  await using jobs = await Performing.make();
  const [from, to] = [await bucketOn('radosgw'), await bucketOn('swift')];
  for (const { url, credentials } of [from, to]) jobs.put(url, openStore(url, { s3: { credentials } }));
  jobs.watched = [{ handle: 'alice', group: null, store: from.url }];
  const built = await buildSession(jobs.storeAt(from.url), spec);
  expect(await jobs.run({ kind: 'mirror', to: to.url })).toMatchObject({ problems: [] });
  const { ok } = await verifySession(jobs.storeAt(to.url), built, { depth: 'hashes', ffmpeg: '' });
  expect(ok).toBe(true);
});

test.runIf(ownServers)(
  'a mirror whose server goes away in the middle is gone on with',
  { tags: 'store-error' },
  async () => {
    await using template = await tempStore();
    await using jobs = await Performing.make();
    await using faulty = await FaultyS3.before(await s3Server('radosgw'));
    const built = await buildSession(template.store, spec);
    await cp(template.root, jobs.archive, { recursive: true });
    const { url, credentials } = await newBucket(await s3Server('radosgw'), faulty.url);
    jobs.put(url, openStore(url, { s3: { credentials }, retry: { tries: 2, firstDelayMs: 1 } }));
    faulty.goWrong(({ method, key }) =>
      method === 'PUT' && key.includes('/journal/')
        ? { kind: 'error', status: 503, code: 'SlowDown' }
        : undefined,
    );
    const job = { kind: 'mirror', to: url };
    await expect(jobs.run(job)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(faulty.fired.length).toBeGreaterThan(0);
    faulty.beWell();
    expect(await jobs.run(job)).toMatchObject({ problems: [] });
    const { ok } = await verifySession(jobs.storeAt(url), built, { depth: 'hashes', ffmpeg: '' });
    expect(ok).toBe(true);
  },
);
