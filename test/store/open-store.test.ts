import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStore } from '../../src/store/open-store.ts';
import { storeContract, text } from './contract.ts';

storeContract('a directory, as it is opened', {
  open: (scratch) => Promise.resolve(openStore(pathToFileURL(join(scratch, 'archive')).href)),
  capabilities: { conditionalCreate: true, presignedUrls: false },
  headKnowsDigest: false,
});

let cwd: string;
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'livestow-open-'));
});
afterAll(() => rm(cwd, { recursive: true }));

test.each([
  ['./archive', 'archive'],
  ['other', 'other'],
  ['with space/é', 'with space/é'],
])('%s is a folder below the working folder', async (location, folder) => {
  await openStore(location, { cwd }).put('key', text('x'));
  expect(await readdir(join(cwd, folder))).toEqual(['key']);
});

test('absolute paths and file URLs are the same folder', async () => {
  const path = join(cwd, 'a b');
  await openStore(path).put('one', text('x'));
  await openStore(pathToFileURL(path).href).put('two', text('x'));
  expect((await readdir(path)).sort()).toEqual(['one', 'two']);
});

test('describes an S3 store without its parameters', () => {
  const store = openStore(
    's3://my-bucket/prefix?endpoint=http://127.0.0.1:9000&sse=aws:kms&sseKmsKeyId=secret-key-name',
  );
  expect(store.description).toBe('s3://my-bucket/prefix/ at http://127.0.0.1:9000');
  store.close();
});

test.each([
  '',
  '  ',
  'http://localhost/x',
  'gs://bucket',
  'file:relative',
  'file://host/share',
  'file:///a%2fb',
  's3://my-bucket?no=1',
])('%j names no store', (location) => {
  expect(() => openStore(location)).toThrow(
    expect.objectContaining({ code: 'CONFIG', hint: expect.stringContaining('s3://') as string }) as Error,
  );
});
