/** Removal on a real server: in a plain bucket, in one that keeps versions, and under Object Lock. */
import { randomUUID } from 'node:crypto';
import {
  CreateBucketCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectLegalHoldCommand,
  PutObjectRetentionCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listRemoved, listSessions } from '../../src/archive/catalogue.ts';
import { planPrune } from '../../src/archive/prune.ts';
import { removeSession } from '../../src/archive/remove-session.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { removalKey, CHANGES } from '../../src/layout/keys.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { Store } from '../../src/store/store.ts';
import { FaultyS3 } from '../support/faulty-s3.ts';
import { bucketOn, newBucket, ownServers, s3Server, type S3Server } from '../support/s3-servers.ts';
import { CliFolder, MAIN } from '../cli/run.ts';
import { ManualClock } from '../manual-clock.ts';
import { buildSession, LANDSCAPE } from './fixture.ts';

const HOUR = 3_600_000;
const { signal } = new AbortController();
const options = { reason: 'rm', clock: systemClock, signal };
const small = { epochs: [LANDSCAPE] };

/** But for the notes of removals, which stay for a while. */
async function keysIn(store: Store, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix))
    if (!key.startsWith(CHANGES)) keys.push(key.slice(prefix.length));
  return keys;
}

describe.runIf(ownServers)('a bucket without versions', () => {
  test.each(['radosgw', 'swift'] as const)(
    'on %s: what is removed is gone, but for the tombstone',
    async (name) => {
      const { url, credentials } = await bucketOn(name);
      using store = closing(openStore(url, { s3: { credentials } }));
      const built = await buildSession(store, small);
      expect(await store.keepsVersions()).toBe(false);
      expect(await removeSession(store, built, options)).toMatchObject({ outcome: 'removed' });
      expect(await keysIn(store, '')).toEqual([`${built.prefix}manifest.json`]);
      expect(await listSessions(store)).toEqual([]);
      expect(await listRemoved(store)).toMatchObject([{ session: built.session, isUnfinished: false }]);
    },
  );
});

describe.runIf(ownServers)('on Ceph', () => {
  let server: S3Server;
  let client: S3Client;
  beforeAll(async () => {
    server = await s3Server('radosgw');
    client = new S3Client({ ...server, forcePathStyle: true, credentials: server });
  });
  afterAll(() => client.destroy());

  async function bucket(withLocks: boolean): Promise<{ name: string; store: Store & Disposable }> {
    const name = `livestow-${randomUUID()}`;
    await client.send(new CreateBucketCommand({ Bucket: name, ObjectLockEnabledForBucket: withLocks }));
    const url = `s3://${name}/archive?endpoint=${server.endpoint}&region=${server.region}&pathStyle=true`;
    return { name, store: closing(openStore(url, { s3: { credentials: server } })) };
  }

  test('a bucket with versions keeps them, and says so', async () => {
    const { name, store } = await bucket(false);
    using _ = store;
    const Status = 'Enabled';
    await client.send(new PutBucketVersioningCommand({ Bucket: name, VersioningConfiguration: { Status } }));
    const built = await buildSession(store, small);
    expect(await removeSession(store, built, options)).toMatchObject({ outcome: 'removed' });
    expect(await keysIn(store, '')).toEqual([`${built.prefix}manifest.json`]);
    expect(await store.keepsVersions()).toBe(true);
    const versions = await client.send(
      new ListObjectVersionsCommand({ Bucket: name, Prefix: `archive/${built.prefix}segments/` }),
    );
    expect(versions.Versions).toHaveLength(2);
    expect(versions.DeleteMarkers).toHaveLength(2);
  });

  test('what is under a lock stays, and neither tombstone nor marker is written', async () => {
    const { name, store } = await bucket(true);
    using _ = store;
    const built = await buildSession(store, small);
    const Key = `archive/${built.prefix}${built.manifest.segments[1]?.key}`;
    const RetainUntilDate = new Date(systemClock.now() + HOUR);
    expect(await store.lockOf(`${built.prefix}manifest.json`)).toBeNull();
    await client.send(
      new PutObjectRetentionCommand({
        Bucket: name,
        Key,
        Retention: { Mode: 'COMPLIANCE', RetainUntilDate },
      }),
    );
    const before = await keysIn(store, '');
    expect(await removeSession(store, built, options)).toMatchObject({
      outcome: 'refused',
      refusal: { kind: 'locked', detail: expect.stringMatching(/0001-0001-000002\.ts is kept until 2/) },
    });
    const none = { maxAgeMs: null, maxBytes: null, maxSessions: null };
    const policy = { each: { ...none, maxBytes: 1 }, all: none, keepAtLeast: 0 };
    expect(await planPrune(store, { handles: [], policy, clock: systemClock, signal })).toMatchObject({
      remove: [],
      refused: [{ session: built.session, refusal: { kind: 'locked' } }],
    });
    expect(await keysIn(store, '')).toEqual(before);
    const versions = await client.send(
      new ListObjectVersionsCommand({ Bucket: name, Prefix: 'archive/creators' }),
    );
    expect(versions.DeleteMarkers ?? []).toEqual([]);

    // When the lock has ended.
    const later = new ManualClock();
    await later.advance(RetainUntilDate.getTime() - later.now() + 1);
    expect(await removeSession(store, built, { ...options, clock: later })).toMatchObject({
      outcome: 'removed',
    });
  });

  test('a legal hold has no end', async () => {
    const { name, store } = await bucket(true);
    using _ = store;
    const built = await buildSession(store, small);
    const Key = `archive/${built.prefix}journal/0001-000001.ndjson`;
    const hold = (Status: 'ON' | 'OFF') =>
      client.send(new PutObjectLegalHoldCommand({ Bucket: name, Key, LegalHold: { Status } }));
    await hold('ON');
    expect(await removeSession(store, built, options)).toMatchObject({
      refusal: { kind: 'locked', detail: expect.stringContaining('legal hold') },
    });
    await hold('OFF');
    expect(await removeSession(store, built, options)).toMatchObject({ outcome: 'removed' });
  });
});

describe.runIf(ownServers)('a server that goes wrong', () => {
  test('whoever may not delete gives nothing up', { tags: 'store-denied' }, async () => {
    await using faulty = await FaultyS3.before(await s3Server('radosgw'));
    const { url, credentials } = await newBucket(await s3Server('radosgw'), faulty.url);
    using store = closing(openStore(url, { s3: { credentials } }));
    const built = await buildSession(store, small);
    const before = await keysIn(store, '');
    faulty.goWrong(({ method }) =>
      method === 'DELETE' ? { kind: 'error', status: 403, code: 'AccessDenied' } : undefined,
    );
    await expect(removeSession(store, built, options)).rejects.toMatchObject({ code: 'STORE_DENIED' });
    expect(faulty.fired.map(({ key }) => key)).toEqual([`archive/${removalKey(built.session, 'alice')}`]);
    expect(await keysIn(store, '')).toEqual(before);
    expect(await listSessions(store)).toMatchObject([{ session: built.session }]);
  });

  test(
    'Ctrl-C in the middle: exit 130, the session is gone, and prune finishes it',
    { tags: ['interrupted', 'removal-broken-off'] },
    async () => {
      await using faulty = await FaultyS3.before(await s3Server('radosgw'));
      const { url, credentials, env } = await newBucket(await s3Server('radosgw'), faulty.url);
      using store = closing(openStore(url, { s3: { credentials } }));
      const built = await buildSession(store, small);
      await using folder = await CliFolder.make();
      faulty.goWrong(({ method, key }) =>
        method === 'DELETE' && key.includes('/journal/') ? { kind: 'hang', after: 'nothing' } : undefined,
      );
      const rm = execa(process.execPath, [MAIN, 'rm', '@alice', '--yes', '--store', url], {
        cwd: folder.path,
        env: folder.environment(env),
        extendEnv: false,
        reject: false,
      });
      await faulty.until(() => faulty.fired.length > 0);
      rm.kill('SIGINT');
      const { exitCode, stderr } = await rm;
      expect([exitCode, stderr]).toEqual([
        130,
        expect.stringContaining('removed in part: the next `livestow prune`'),
      ]);
      faulty.beWell();
      expect(await listSessions(store)).toEqual([]);
      expect(await listRemoved(store)).toMatchObject([{ isUnfinished: true }]);
      const prune = await folder.run(['prune', '--store', url], env);
      expect([prune.exitCode, prune.stdout]).toEqual([
        0,
        `@alice ${built.session}: a removal that had broken off is finished`,
      ]);
      expect(await keysIn(store, '')).toEqual([`${built.prefix}manifest.json`]);
    },
  );
});

const closing = (store: Store): Store & Disposable => ({ ...store, [Symbol.dispose]: () => store.close() });
