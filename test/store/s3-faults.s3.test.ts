/** What becomes of an S3 store when the network between it and a real server (radosgw) goes wrong. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { readDigest } from '../../src/store/body.ts';
import { retrying } from '../../src/store/retrying.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { S3Store } from '../../src/store/s3-store.ts';
import { parseS3Url } from '../../src/store/s3-url.ts';
import type { Store } from '../../src/store/store.ts';
import { newBucket, ownServers, s3Server, type S3Bucket, type S3Server } from '../support/s3-servers.ts';
import { collect, noise, read, sha256, text } from './contract.ts';
import { FaultyLink, type Fault } from './faulty-link.ts';

const MEBIBYTE = 1024 * 1024;
const TIMEOUTS = { connectMs: 500, idleMs: 700, requestMs: 4_000, credentialsMs: 1_000 };
/** Three attempts, each of which may take an idle timeout, and the client's waits between them. */
const BOUNDED_MS = 3 * (TIMEOUTS.idleMs + 1_000) + 2_000;

const unavailable = { code: 'STORE_UNAVAILABLE', retryable: true };
const segment = { bytes: noise(2 * MEBIBYTE, 'segment') };
const digest = { bytes: segment.bytes.byteLength, sha256: sha256(segment.bytes) };

describe.runIf(ownServers)('S3 over a bad line', () => {
  let server: S3Server;
  let link: FaultyLink;
  let bucket: S3Bucket;
  let store: S3Store;
  let folder: string;
  let keys = 0;
  /** A new key each time. */
  const newKey = () => `faults/${(keys += 1)}.ts`;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'livestow-faults-'));
    server = await s3Server('radosgw');
    link = await FaultyLink.to(Number(new URL(server.endpoint).port));
    bucket = await newBucket(server, link.url);
    store = new S3Store(parseS3Url(bucket.url), { credentials: bucket.credentials, timeouts: TIMEOUTS });
    await store.capabilities();
  });
  afterAll(async () => {
    store.close();
    await link[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });
  beforeEach(() => {
    link.fault = undefined;
  });

  async function timed<T>(
    run: () => Promise<T>,
  ): Promise<{ outcome: PromiseSettledResult<T>; tookMs: number }> {
    const startedMs = performance.now();
    const [outcome] = await Promise.allSettled([run()]);
    return { outcome, tookMs: performance.now() - startedMs };
  }

  describe('a server that takes everything and says nothing', { tags: 'store-hangs' }, () => {
    const blackHole: Fault = { direction: 'up', afterBytes: 0, act: 'stall' };
    const operations: [string, (store: Store, signal?: AbortSignal) => Promise<unknown>][] = [
      ['put', (s, signal) => s.put('black-hole', segment, signal ? { signal } : {})],
      ['get', (s, signal) => s.get('black-hole', signal ? { signal } : {})],
      ['head', (s, signal) => s.head('black-hole', signal)],
      ['list', (s, signal) => collect(s.list('', signal ? { signal } : {}))],
      ['folders', (s, signal) => collect(s.folders('', { signal }))],
      ['delete', (s, signal) => s.delete('black-hole', signal)],
      ['capabilities', (s, signal) => s.capabilities(signal)],
    ];
    const newStore = () =>
      new S3Store(parseS3Url(bucket.url), { credentials: bucket.credentials, timeouts: TIMEOUTS });

    test('is given up in bounded time, whatever was asked', async () => {
      link.fault = blackHole;
      const fresh = newStore();
      const results = await Promise.all(operations.map(([, run]) => timed(() => run(fresh))));
      for (const { outcome, tookMs } of results) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: unavailable });
        expect(tookMs).toBeLessThan(BOUNDED_MS);
      }
      expect(link.fired).toBeGreaterThanOrEqual(operations.length);
      fresh.close();
    });

    test.each(operations)('is left at once when a signal aborts a %s', async (_, run) => {
      link.fault = blackHole;
      const fresh = newStore();
      const stop = new AbortController();
      const reason = new Error('stopped');
      const { outcome, tookMs } = await timed(async () => {
        const running = run(fresh, stop.signal);
        setTimeout(() => stop.abort(reason), 100);
        await running;
      });
      expect(outcome).toMatchObject({ status: 'rejected', reason });
      expect(tookMs).toBeLessThan(400);
      fresh.close();
    });
  });

  describe('a put', () => {
    test.each<[string, Fault]>([
      ['reset in mid-body', { direction: 'up', afterBytes: MEBIBYTE, act: 'reset', times: 1 }],
      ['stalled in mid-body', { direction: 'up', afterBytes: 100_000, act: 'stall', times: 1 }],
      ['whose answer stalls', { direction: 'down', afterBytes: 10, act: 'stall', times: 1 }],
    ])('%s is sent again and arrives', async (_, fault) => {
      const key = newKey();
      link.fault = fault;
      expect(await store.put(key, segment, { ifAbsent: true })).toMatchObject(digest);
      expect(link.fired).toBe(1);
      expect(await readDigest(store, key)).toEqual(digest);
    });

    test('that is reset each time fails, and leaves nothing', { tags: 'store-reset' }, async () => {
      const key = newKey();
      link.fault = { direction: 'up', afterBytes: MEBIBYTE, act: 'reset' };
      await expect(store.put(key, segment)).rejects.toMatchObject(unavailable);
      expect(link.fired).toBe(3);
      link.fault = undefined;
      expect(await store.head(key)).toBeUndefined();
    });

    test('whose answer was lost knows its own object', { tags: 'store-reset' }, async () => {
      const key = newKey();
      link.fault = { direction: 'down', afterBytes: 0, act: 'reset', times: 1 };
      expect(await store.put(key, segment, { ifAbsent: true })).toMatchObject(digest);
      expect(link.fired).toBe(1);
      expect(await readDigest(store, key)).toEqual(digest);
    });

    test('whose every answer was lost knows its own object when it is tried again later', async () => {
      const key = newKey();
      const retries: number[] = [];
      const patient = retrying(store, {
        clock: systemClock,
        policy: { firstDelayMs: 10 },
        onRetry: ({ attempt }) => retries.push(attempt),
      });
      link.fault = { direction: 'down', afterBytes: 0, act: 'reset', times: 3 };
      expect(await patient.put(key, segment, { ifAbsent: true })).toMatchObject(digest);
      expect(link.fired).toBe(3);
      expect(retries).toEqual([1]);
    });

    test('never takes another writer’s object for its own, though it be the same bytes', async () => {
      const key = newKey();
      await store.put(key, segment, { ifAbsent: true });
      link.fault = { direction: 'down', afterBytes: 0, act: 'reset', times: 1 };
      await expect(store.put(key, segment, { ifAbsent: true })).rejects.toMatchObject({
        code: 'STORE_EXISTS',
      });
      expect(link.fired).toBe(1);
    });

    test(
      'altered on its way is refused by the server, and can be sent again',
      { tags: 'store-lies' },
      async () => {
        const key = newKey();
        link.fault = { direction: 'up', afterBytes: MEBIBYTE, act: 'flip', times: 1 };
        await expect(store.put(key, segment, { ifAbsent: true })).rejects.toMatchObject({
          code: 'STORE_CORRUPT',
          retryable: true,
        });
        expect(link.fired).toBe(1);
        expect(await store.head(key)).toBeUndefined();
        link.fault = { direction: 'up', afterBytes: MEBIBYTE, act: 'flip', times: 1 };
        await retrying(store, { clock: systemClock, policy: { firstDelayMs: 10 } }).put(key, segment, {
          ifAbsent: true,
        });
        expect(link.fired).toBe(1);
        expect(await readDigest(store, key)).toEqual(digest);
      },
    );
  });

  describe('a put in parts', () => {
    const bytes = noise(20 * MEBIBYTE, 'parts');
    const whole = { bytes: bytes.byteLength, sha256: sha256(bytes) };
    let body: { file: string; size: number };

    beforeAll(async () => {
      body = { file: join(folder, 'parts'), size: bytes.byteLength };
      await writeFile(body.file, bytes);
    });

    /** Of this object: a request that was sent again on a busy machine may have left one of another. */
    const unfinishedUploads = async (key: string): Promise<number> => {
      const client = new S3Client({ ...server, forcePathStyle: true, credentials: server });
      const { Uploads } = await client.send(
        new ListMultipartUploadsCommand({ Bucket: new URL(bucket.url).host }),
      );
      client.destroy();
      return Uploads?.filter((upload) => upload.Key?.endsWith(key)).length ?? 0;
    };

    test('is proved by what the server says, without reading it back', async () => {
      const key = newKey();
      link.requests.length = 0;
      expect(await store.put(key, body)).toMatchObject(whole);
      const methods = link.requests.map((line) => line.slice(0, line.indexOf(' '))).sort();
      expect(methods).toEqual(['HEAD', 'POST', 'POST', 'PUT', 'PUT', 'PUT']);
      expect(await readDigest(store, key)).toEqual(whole);
    });

    test('sends a part again that was reset', async () => {
      const key = newKey();
      link.fault = { direction: 'up', afterBytes: 5 * MEBIBYTE, act: 'reset', times: 1 };
      expect(await store.put(key, body)).toMatchObject(whole);
      expect(link.fired).toBe(1);
      expect(await readDigest(store, key)).toEqual(whole);
    });

    test('altered on its way is refused, and what went up of it is thrown away', async () => {
      const key = newKey();
      link.fault = { direction: 'up', afterBytes: 5 * MEBIBYTE, act: 'flip', times: 1 };
      await expect(store.put(key, body)).rejects.toMatchObject({ code: 'STORE_CORRUPT', retryable: true });
      expect(link.fired).toBe(1);
      expect(await store.head(key)).toBeUndefined();
      expect(await unfinishedUploads(key)).toBe(0);
    });

    test('of a file that is not what was promised leaves nothing behind', async () => {
      const key = newKey();
      await expect(store.put(key, body, { sha256: digest.sha256 })).rejects.toMatchObject({
        code: 'STORE_CORRUPT',
      });
      expect(await unfinishedUploads(key)).toBe(0);
    });

    test('ends in bounded time when the network dies under it', async () => {
      link.fault = { direction: 'up', afterBytes: 3 * MEBIBYTE, act: 'stall' };
      const { outcome, tookMs } = await timed(() => store.put(newKey(), body));
      expect(outcome).toMatchObject({ status: 'rejected', reason: unavailable });
      // The parts, and then the attempt to take them back.
      expect(tookMs).toBeLessThan(2 * BOUNDED_MS);
    });
  });

  describe('a get', () => {
    const key = 'faults/read.ts';
    beforeAll(() => store.put(key, segment));

    test.each<[string, Fault]>([
      ['stalls', { direction: 'down', afterBytes: MEBIBYTE, act: 'stall' }],
      ['is reset', { direction: 'down', afterBytes: MEBIBYTE, act: 'reset' }],
    ])(
      'whose body %s ends with an error, in bounded time, and never as if it were whole',
      async (_, fault) => {
        link.fault = fault;
        const { outcome, tookMs } = await timed(async () => read(await store.get(key)));
        expect(outcome).toMatchObject({ status: 'rejected', reason: unavailable });
        expect(tookMs).toBeLessThan(BOUNDED_MS);
        expect(link.fired).toBe(1);
      },
    );

    test('ends with the signal’s reason when that aborts in mid-body', async () => {
      link.fault = { direction: 'down', afterBytes: MEBIBYTE, act: 'stall' };
      const stop = new AbortController();
      const reason = new Error('stopped');
      const stream = await store.get(key, { signal: stop.signal });
      stream.once('data', () => stop.abort(reason));
      await expect(stream.toArray()).rejects.toBe(reason);
    });
  });

  describe('a server that cannot be reached', () => {
    test('because nobody listens is a fault that may pass', async () => {
      const gone = await FaultyLink.to(1);
      const url = new URL(bucket.url);
      url.searchParams.set('endpoint', gone.url);
      await gone[Symbol.asyncDispose]();
      const store = new S3Store(parseS3Url(url.href), {
        credentials: bucket.credentials,
        timeouts: TIMEOUTS,
      });
      await expect(store.head('a')).rejects.toMatchObject({
        ...unavailable,
        hint: expect.stringContaining('endpoint') as string,
      });
    });
  });

  describe('a clock that is wrong', { tags: 'store-clock-skew' }, () => {
    test.each([
      ['late', -20],
      ['early', 20],
    ])('and %s by 20 minutes: the server says its own time, and that is signed with', async (_, minutes) => {
      const wrong = new S3Store(parseS3Url(bucket.url), {
        credentials: bucket.credentials,
        timeouts: TIMEOUTS,
      });
      const patient = retrying(wrong, { clock: systemClock, policy: { firstDelayMs: 10 } });
      const refusals = () => link.answers.filter((line) => line.startsWith('HTTP/1.1 403')).length;
      link.answers.length = 0;
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + minutes * 60_000 });
      try {
        expect(await patient.put(newKey(), segment, { ifAbsent: true })).toMatchObject(digest);
        const learned = refusals();
        expect(learned).toBeGreaterThan(0);
        const key = newKey();
        expect(await wrong.put(key, segment, { ifAbsent: true })).toMatchObject(digest);
        expect(await readDigest(wrong, key)).toEqual(digest);
        expect(refusals()).toBe(learned);
        // Somebody sets the clock right in the middle.
        vi.useRealTimers();
        expect(await patient.put(newKey(), segment, { ifAbsent: true })).toMatchObject(digest);
        expect(refusals()).toBe(learned + 1);
      } finally {
        vi.useRealTimers();
        wrong.close();
      }
    });
  });

  describe('a server that refuses', { tags: 'store-denied' }, () => {
    const denied = { code: 'STORE_DENIED', retryable: false };

    test.each<[string, Partial<S3Bucket['credentials']>, string]>([
      ['a wrong secret', { secretAccessKey: 'not-the-secret' }, 'AWS_SECRET_ACCESS_KEY'],
      ['an unknown key', { accessKeyId: 'nobody' }, 'AWS_ACCESS_KEY_ID'],
    ])('%s is told from a fault, with a hint', async (_, change, hint) => {
      const store = new S3Store(parseS3Url(bucket.url), {
        credentials: { ...bucket.credentials, ...change },
      });
      const refusal = { ...denied, hint: expect.stringContaining(hint) as string };
      await expect(store.put('denied', text('x'))).rejects.toMatchObject(refusal);
      await expect(store.head('denied')).rejects.toMatchObject(refusal);
      await expect(store.get('denied')).rejects.toMatchObject(refusal);
      await expect(collect(store.list(''))).rejects.toMatchObject(refusal);
      await expect(store.delete('denied')).rejects.toMatchObject(refusal);
      await expect(store.capabilities()).rejects.toMatchObject(refusal);
      store.close();
    });

    test('a bucket that is not there is told from an object that is not', async () => {
      const location = { ...parseS3Url(bucket.url), bucket: 'livestow-no-such-bucket' };
      const store = new S3Store(location, { credentials: bucket.credentials });
      const missing = {
        code: 'STORE_UNAVAILABLE',
        retryable: false,
        hint: expect.stringContaining('bucket') as string,
      };
      await expect(store.put('a', text('x'))).rejects.toMatchObject(missing);
      await expect(store.get('a')).rejects.toMatchObject(missing);
      await expect(collect(store.list(''))).rejects.toMatchObject(missing);
      await expect(store.capabilities()).rejects.toMatchObject(missing);
      store.close();
    });
  });
});
