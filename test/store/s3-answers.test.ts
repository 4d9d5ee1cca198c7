/** What servers answer, over real HTTP, that no server in the tests can be brought to say; and those that lie. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createLogger } from '../../src/kernel/logger.ts';
import { S3Store } from '../../src/store/s3-store.ts';
import { parseS3Url } from '../../src/store/s3-url.ts';
import { serve, type Running } from '../net/servers.ts';
import { noise, sha256, text } from './contract.ts';

const credentials = { accessKeyId: 'CANARYKEYID', secretAccessKey: 'canary-secret' };
const TIMEOUTS = { connectMs: 1_000, idleMs: 1_000, requestMs: 2_000, credentialsMs: 500 };

const storeAt = (server: Running, parameters = '') =>
  new S3Store(parseS3Url(`s3://a-bucket?endpoint=${server.url}${parameters}`), {
    credentials,
    timeouts: TIMEOUTS,
  });

const errorBody = (name: string) =>
  `<?xml version="1.0"?><Error><Code>${name}</Code><Message>it says so</Message></Error>`;

/** Answers everything alike; counts. */
async function answering(status: number, body: string, type = 'application/xml') {
  const asked: string[] = [];
  const server = await serve((request, response) => {
    asked.push(request.method ?? '');
    request.resume().on('end', () => response.writeHead(status, { 'content-type': type }).end(body));
  });
  return Object.assign(server, { asked });
}

describe('an answer', () => {
  test.each<[number, string, string, boolean, RegExp | undefined]>([
    [503, 'SlowDown', 'STORE_UNAVAILABLE', true, undefined],
    [500, 'InternalError', 'STORE_UNAVAILABLE', true, undefined],
    [429, 'TooManyRequests', 'STORE_UNAVAILABLE', true, undefined],
    [400, 'RequestTimeout', 'STORE_UNAVAILABLE', true, undefined],
    [400, 'IncompleteBody', 'STORE_UNAVAILABLE', true, undefined],
    [409, 'ConditionalRequestConflict', 'STORE_UNAVAILABLE', true, undefined],
    [409, 'OperationAborted', 'STORE_UNAVAILABLE', true, undefined],
    [403, 'QuotaExceeded', 'STORE_UNAVAILABLE', true, /quota/],
    [400, 'BadDigest', 'STORE_CORRUPT', true, undefined],
    [400, 'XAmzContentSHA256Mismatch', 'STORE_CORRUPT', true, undefined],
    [403, 'RequestTimeTooSkewed', 'STORE_DENIED', true, /clock/],
    // R2's way of saying so.
    [400, 'ExpiredRequest', 'STORE_DENIED', true, /clock/],
    [403, 'AccessDenied', 'STORE_DENIED', false, /Allow/],
    [403, 'InvalidAccessKeyId', 'STORE_DENIED', false, /AWS_ACCESS_KEY_ID/],
    [400, 'ExpiredToken', 'STORE_DENIED', false, /expired/],
    [403, 'SomethingNew', 'STORE_DENIED', false, /AWS_ACCESS_KEY_ID/],
    [401, 'Unauthorized', 'STORE_DENIED', false, /AWS_ACCESS_KEY_ID/],
    [301, 'PermanentRedirect', 'STORE_DENIED', false, /region/],
    [400, 'AuthorizationHeaderMalformed', 'STORE_DENIED', false, /region/],
    [404, 'NoSuchBucket', 'STORE_UNAVAILABLE', false, /bucket/],
    [501, 'NotImplemented', 'STORE_UNAVAILABLE', false, /server/],
    [400, 'InvalidArgument', 'STORE_UNAVAILABLE', false, undefined],
  ])('%i %s to a put is %s, retryable: %s', async (status, name, code, retryable, hint) => {
    await using server = await answering(status, errorBody(name));
    const error: unknown = await storeAt(server)
      .put('key', text('x'))
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code, retryable });
    expect((error as { hint?: string }).hint ?? '').toMatch(hint ?? /^$/);
    expect((error as Error).message).toContain(name);
  });

  test.each([
    [502, 'STORE_UNAVAILABLE', true],
    [403, 'STORE_DENIED', false],
  ])('%i with a page for people is %s', async (status, code, retryable) => {
    await using server = await answering(status, '<html><h1>Sorry</h1></html>', 'text/html');
    await expect(storeAt(server).put('key', text('x'))).rejects.toMatchObject({ code, retryable });
    await expect(storeAt(server).head('key')).rejects.toMatchObject({ code, retryable });
  });

  test('a page for people in place of a listing is an error, never an empty listing', async () => {
    await using server = await answering(200, '<html><h1>Log in to the airport</h1></html>', 'text/html');
    const listing = storeAt(server).list('').next();
    await expect(listing).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });

  test('SlowDown twice and then a success is a success', { tags: 'store-error' }, async () => {
    let asked = 0;
    await using server = await serve((request, response) => {
      asked += 1;
      request.resume().on('end', () => {
        if (asked <= 2)
          response.writeHead(503, { 'content-type': 'application/xml' }).end(errorBody('SlowDown'));
        else response.writeHead(200, { 'content-length': '5', etag: '"x"' }).end();
      });
    });
    expect(await storeAt(server).head('key')).toMatchObject({ bytes: 5, sha256: null });
    expect(asked).toBe(3);
  });

  test('no secret, key id or signature stands in what is logged of an error', async () => {
    await using server = await answering(403, errorBody('SignatureDoesNotMatch'));
    const lines: string[] = [];
    const logger = createLogger({ level: 'trace', destination: { write: (line) => void lines.push(line) } });
    const error: unknown = await storeAt(server)
      .put('key', text('x'))
      .catch((thrown: unknown) => thrown);
    logger.error({ err: error }, 'failed');
    expect(lines.join('')).toContain('SignatureDoesNotMatch');
    expect(lines.join('')).not.toMatch(/canary|Signature=|X-Amz/i);
  });
});

/** A server that keeps objects in memory and is wrong in the ways that servers were seen to be wrong. */
interface Wrong {
  /** What it says the ETag is. */
  etag?: (md5: string) => string | undefined;
  /** What it gives back. */
  content?: (content: Buffer) => Buffer;
  /** Overwrites in spite of `If-None-Match: *`. */
  ignoresConditions?: boolean;
}

async function wrongServer({ etag = (md5) => md5, content = (as) => as, ignoresConditions = false }: Wrong) {
  const objects = new Map<string, Buffer>();
  const asked: { method: string; headers: IncomingMessage['headers'] }[] = [];
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = '', headers } = request;
    const path = new URL(request.url ?? '', 'http://localhost').pathname;
    const body = await buffer(request);
    const there = objects.get(path);
    asked.push({ method, headers });
    if (method === 'PUT') {
      if (headers['if-none-match'] === '*' && there !== undefined && !ignoresConditions) {
        response.writeHead(412).end(errorBody('PreconditionFailed'));
        return;
      }
      objects.set(path, body);
      const said = etag(createHash('md5').update(body).digest('hex'));
      response.writeHead(200, said === undefined ? {} : { etag: `"${said}"` }).end();
    } else if (method === 'DELETE') {
      objects.delete(path);
      response.writeHead(204).end();
    } else if (there === undefined) {
      response.writeHead(404).end(method === 'HEAD' ? undefined : errorBody('NoSuchKey'));
    } else {
      const given = content(there);
      response
        .writeHead(200, { 'content-length': given.byteLength })
        .end(method === 'HEAD' ? undefined : given);
    }
  };
  const server = await serve((request, response) => void handle(request, response));
  return Object.assign(server, { objects, asked });
}

const methodsOf = (server: { asked: { method: string }[] }) => server.asked.map(({ method }) => method);

describe('a server that', () => {
  const body = { bytes: noise(10_000, 'body') };
  const flipped = (content: Buffer) => Buffer.from(content).reverse();

  test('proves that it has the bytes is not asked for them', async () => {
    await using server = await wrongServer({});
    expect(await storeAt(server).put('key', body)).toMatchObject({
      bytes: 10_000,
      sha256: sha256(body.bytes),
    });
    expect(methodsOf(server)).toEqual(['PUT']);
  });

  test.each<[string, Wrong]>([
    ['says nothing of what it stored', { etag: () => undefined }],
    ['names its objects in its own way', { etag: () => 'a-name-of-mine' }],
    ['encrypts, so that its ETag is another', { etag: () => 'd41d8cd98f00b204e9800998ecf8427e' }],
  ])('%s is asked for the object back', async (_, wrong) => {
    await using server = await wrongServer(wrong);
    expect(await storeAt(server).put('key', body)).toMatchObject({
      bytes: 10_000,
      sha256: sha256(body.bytes),
    });
    expect(methodsOf(server)).toEqual(['PUT', 'GET']);
  });

  test('stored other bytes and said 200 is found out', { tags: 'store-lies' }, async () => {
    await using server = await wrongServer({
      etag: () => '00000000000000000000000000000000',
      content: flipped,
    });
    const store = storeAt(server);
    await expect(store.put('key', body)).rejects.toMatchObject({ code: 'STORE_CORRUPT', retryable: true });
    expect(server.objects.size).toBe(1);
    await expect(store.put('new', body, { ifAbsent: true })).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
    // What was created is taken back, so that it can be created again.
    expect([...server.objects.keys()]).toEqual(['/a-bucket/key']);
  });

  test('stored only part of the bytes is found out', { tags: 'store-lies' }, async () => {
    await using server = await wrongServer({
      etag: () => undefined,
      content: (content) => content.subarray(1),
    });
    await expect(storeAt(server).put('key', body)).rejects.toMatchObject({
      code: 'STORE_CORRUPT',
      retryable: true,
    });
  });

  test('ignores conditions is found out, and looked at before each create', async () => {
    await using server = await wrongServer({ ignoresConditions: true });
    const store = storeAt(server);
    expect(await store.capabilities()).toMatchObject({ conditionalCreate: false });
    expect(server.objects.size).toBe(0);
    await store.put('key', body, { ifAbsent: true });
    await expect(store.put('key', text('other'), { ifAbsent: true })).rejects.toMatchObject({
      code: 'STORE_EXISTS',
    });
    expect(server.objects.get('/a-bucket/key')).toEqual(body.bytes);
  });

  test('is spoken to with the class and the encryption that the URL names', async () => {
    await using server = await wrongServer({});
    const store = storeAt(
      server,
      '&storageClass=STANDARD_IA&sse=aws:kms&sseKmsKeyId=alias/mine&region=eu-west-3',
    );
    const bytes = noise(3_000_000, 'big enough for the SDK to ask first');
    await store.put('key', { bytes }, { contentType: 'video/mp2t' });
    const seen = server.asked[0]?.headers ?? {};
    expect(seen).toMatchObject({
      'x-amz-storage-class': 'STANDARD_IA',
      'x-amz-server-side-encryption': 'aws:kms',
      'x-amz-server-side-encryption-aws-kms-key-id': 'alias/mine',
      'x-amz-meta-sha256': sha256(bytes),
      'content-md5': createHash('md5').update(bytes).digest('base64'),
      'content-type': 'video/mp2t',
      authorization: expect.stringContaining('/eu-west-3/s3/') as string,
    });
    // Servers other than AWS refuse these, or store them as content.
    expect(Object.keys(seen).filter((name) => /checksum|trailer|expect|content-encoding/.test(name))).toEqual(
      [],
    );
  });
});

describe('credentials', () => {
  afterEach(() => void vi.unstubAllEnvs());

  function withoutCredentials(): void {
    for (const name of [
      'AWS_ACCESS_KEY_ID',
      'AWS_SECRET_ACCESS_KEY',
      'AWS_PROFILE',
      'AWS_EC2_METADATA_DISABLED',
    ]) {
      vi.stubEnv(name, undefined);
    }
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nonexistent');
    vi.stubEnv('AWS_CONFIG_FILE', '/nonexistent');
  }

  test('that nobody has are missed at once, also where the metadata service is a black hole', async () => {
    withoutCredentials();
    await using silent = await serve(() => {});
    vi.stubEnv('AWS_EC2_METADATA_SERVICE_ENDPOINT', silent.url);
    const location = parseS3Url(`s3://a-bucket?endpoint=${silent.url}`);
    const startedMs = performance.now();
    const store = new S3Store(location, { timeouts: TIMEOUTS });
    await expect(store.head('key')).rejects.toMatchObject({
      code: 'STORE_DENIED',
      hint: expect.stringContaining('AWS_ACCESS_KEY_ID') as string,
    });
    expect(performance.now() - startedMs).toBeLessThan(3_000);
  });

  test('come from the environment', async () => {
    withoutCredentials();
    await using server = await answering(404, errorBody('NoSuchKey'));
    const store = new S3Store(parseS3Url(`s3://a-bucket?endpoint=${server.url}`), { timeouts: TIMEOUTS });
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'FROMENV');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
    expect(await store.head('key')).toBeUndefined();
    expect(server.asked).toEqual(['HEAD']);
  });

  test('without a region, on AWS, are a matter of configuration', async () => {
    vi.stubEnv('AWS_REGION', undefined);
    vi.stubEnv('AWS_DEFAULT_REGION', undefined);
    vi.stubEnv('AWS_CONFIG_FILE', '/nonexistent');
    const store = new S3Store(parseS3Url('s3://a-bucket/prefix'), { credentials });
    await expect(store.head('key')).rejects.toMatchObject({
      code: 'CONFIG',
      hint: expect.stringContaining('region=') as string,
    });
  });
});
