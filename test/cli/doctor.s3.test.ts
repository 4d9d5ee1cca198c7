import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Finding } from '../../src/cli/doctor/finding.ts';
import { bucketOn, ownServers, s3Bucket, type S3Bucket } from '../support/s3-servers.ts';
import { CliFolder } from './run.ts';

const api = createServer((_request, response) => response.end());
beforeAll(async () => {
  api.listen(0, '127.0.0.1');
  await once(api, 'listening');
});
afterAll(() => api.close());

async function doctor({ url, env }: S3Bucket, more: Record<string, string> = {}) {
  await using folder = await CliFolder.make();
  const { exitCode, stdout } = await folder.run(['doctor', '--json', '--store', url], {
    ...env,
    LIVESTOW_API_URL: `http://127.0.0.1:${(api.address() as AddressInfo).port}`,
    LIVESTOW_API_KEY: 'sfk_test1234',
    ...more,
  });
  const { findings } = JSON.parse(stdout) as { findings: Finding[] };
  return { exitCode, store: findings.filter(({ check }) => check === 'store' || check === 'clock') };
}

describe('doctor on a real S3 server', () => {
  test('tries put, get, list, conditional put, delete, and its clock', async () => {
    const { exitCode, store } = await doctor(await s3Bucket());
    expect(exitCode).toBe(0);
    expect(store.map(({ found }) => found)).toEqual(
      expect.arrayContaining(['get, list', 'delete', 'agrees with the store']),
    );
  });

  test('says what a wrong secret is', async () => {
    const { exitCode, store } = await doctor(await s3Bucket(), { AWS_SECRET_ACCESS_KEY: 'not-the-secret' });
    expect(exitCode).toBe(1);
    expect(store).toContainEqual(
      expect.objectContaining({ check: 'store', status: 'fail', advice: expect.any(String) }),
    );
    expect(JSON.stringify(store)).not.toContain('not-the-secret');
  });

  test.runIf(ownServers)('warns of a server without conditional writes, and passes it', async () => {
    const { exitCode, store } = await doctor(await bucketOn('swift'));
    expect(exitCode).toBe(0);
    expect(store).toContainEqual(expect.objectContaining({ status: 'warn', found: 'no conditional put' }));
  });
});
