import { writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { clockFinding } from '../../src/cli/doctor/clock.ts';
import type { Finding } from '../../src/cli/doctor/finding.ts';
import { CliFolder } from './run.ts';

/** A lookup API as far as the doctor looks at it. */
async function api(answer: RequestListener) {
  const paths: string[] = [];
  const server = createServer((request, response) => {
    paths.push(request.url ?? '');
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    paths,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function doctor(folder: CliFolder, args: string[], env: Record<string, string> = {}) {
  const { exitCode, stdout } = await folder.run(['doctor', '--json', ...args], env);
  const { ok, findings } = JSON.parse(stdout) as { ok: boolean; findings: Finding[] };
  const of = (check: string) => findings.filter((finding) => finding.check === check);
  return { exitCode, ok, findings, of };
}

test('all is well: exit 0, nothing left behind, nothing asked for that is charged', async () => {
  await using folder = await CliFolder.make();
  await using server = await api((_request, response) => response.writeHead(404).end());
  const { exitCode, ok, of, findings } = await doctor(folder, ['--api-url', server.url], {
    LIVESTOW_API_KEY: 'sfk_test1234',
  });
  expect(findings.filter(({ status }) => status !== 'ok')).toEqual([]);
  expect({ exitCode, ok }).toEqual({ exitCode: 0, ok: true });
  expect(of('store').map(({ found }) => found)).toEqual(
    expect.arrayContaining(['get, list', 'conditional put', 'delete', expect.stringMatching(/: put$/)]),
  );
  expect(of('clock')).toHaveLength(1);
  expect(server.paths).toEqual(['/']);
  expect(await readdir(join(folder.path, 'archive'), { recursive: true })).toEqual([]);
  expect(await readdir(join(folder.path, 'spool'))).toEqual([]);
});

test('no ffmpeg: fatal for who needs one, worth a word for who asks for the builtin engine', async () => {
  await using folder = await CliFolder.make();
  const without = { LIVESTOW_FFMPEG: '/nowhere/ffmpeg' };
  const needed = await doctor(folder, ['--quick'], without);
  expect([needed.exitCode, needed.of('ffmpeg')[0]?.status]).toEqual([1, 'fail']);
  const builtin = await doctor(folder, ['--quick', '--engine', 'builtin'], without);
  expect([builtin.exitCode, builtin.of('ffmpeg')[0]?.status]).toEqual([0, 'warn']);
});

test('each thing that is wrong is said with what to do about it: exit 1', async () => {
  await using folder = await CliFolder.make();
  await writeFile(join(folder.path, 'file'), '');
  const { exitCode, ok, of } = await doctor(
    folder,
    ['--api-url', 'http://127.0.0.1:9', '--spool', 'file/spool', '--store', 'file/archive'],
    { LIVESTOW_FFMPEG: '/nowhere/ffmpeg' },
  );
  expect({ exitCode, ok }).toEqual({ exitCode: 1, ok: false });
  for (const check of ['ffmpeg', 'spool', 'store', 'key', 'lookup']) {
    expect(of(check)).toEqual([
      { check, status: 'fail', found: expect.any(String), advice: expect.stringMatching(/\w{3}/) },
    ]);
  }
});

test('--quick asks no network', async () => {
  await using folder = await CliFolder.make();
  await using server = await api((_request, response) => response.end());
  const { exitCode, findings } = await doctor(folder, ['--quick', '--api-url', server.url]);
  expect({ exitCode, paths: server.paths }).toEqual({ exitCode: 0, paths: [] });
  expect(new Set(findings.map(({ check }) => check))).toEqual(
    new Set(['node', 'ffmpeg', 'ffprobe', 'spool']),
  );
});

test('--look tries the key, which a wrong one fails', async () => {
  await using folder = await CliFolder.make();
  await using server = await api((request, response) => {
    if (request.url === '/') return response.end();
    const error = { code: 'unauthorized', message: 'no', requestId: 'r1' };
    return response.writeHead(401, { 'content-type': 'application/json' }).end(JSON.stringify({ error }));
  });
  const { exitCode, of } = await doctor(folder, ['--look', '@Alice', '--api-url', server.url], {
    LIVESTOW_API_KEY: 'sfk_wrong123',
  });
  expect(exitCode).toBe(1);
  expect(of('lookup')).toContainEqual(
    expect.objectContaining({ status: 'fail', advice: expect.stringContaining('LIVESTOW_API_KEY') }),
  );
  expect(server.paths).toEqual(['/', '/v1/tiktok/profiles/alice/live']);
});

describe('the clock', () => {
  test('of a server that is a day ahead fails', async () => {
    await using folder = await CliFolder.make();
    await using server = await api((_request, response) => {
      response.setHeader('date', new Date(Date.now() + 86_400_000).toUTCString()).end();
    });
    const { of } = await doctor(folder, ['--api-url', server.url], { LIVESTOW_API_KEY: 'sfk_test1234' });
    expect(of('clock')).toMatchObject([
      { status: 'fail', found: expect.stringMatching(/behind the lookup API$/) },
    ]);
  });

  test.each([
    [0, 'ok'],
    [-20_000, 'ok'],
    [60_000, 'warn'],
    [-10 * 60_000, 'fail'],
    [20 * 60_000, 'fail'],
  ])('%d ms off is %s', (offMs, status) => {
    expect(clockFinding(1_000_000_000_000, 1_000_000_000_000 + offMs, 'it').status).toBe(status);
  });
});
