import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, onTestFinished, test, type TestContext } from 'vitest';
import { readOnlyFolder, smallDisk } from '../support/disks.ts';
import { CliFolder } from './run.ts';

async function lookupApi() {
  let asked = 0;
  const server = createServer((_request, response) => {
    asked += 1;
    response.writeHead(500).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: () => asked,
  };
}

/** What a run before had recorded, on a disk that came back read-only, as one does after an error. */
async function spoolThatBecameReadOnly(context: TestContext): Promise<string> {
  const disk = await smallDisk(context, 1);
  const spool = join(disk.folder, 'spool');
  await mkdir(join(spool, 'alice', '20261122T000000Z-7300000000000000001', 'segments'), { recursive: true });
  await execa('mount', ['-o', 'remount,ro', disk.folder]);
  return spool;
}

test.for([
  ['record', ['record', 'alice', '--no-wait'], readOnlyFolder],
  ['record, on what a run before left', ['record', 'alice'], spoolThatBecameReadOnly],
  ['recover', ['recover'], spoolThatBecameReadOnly],
] as const)(
  '%s refuses a read-only spool, before anything is looked up',
  { tags: 'disk-read-only' },
  async ([, args, readOnly], context) => {
    await using folder = await CliFolder.make();
    const api = await lookupApi();
    const { exitCode, stderr } = await folder.run([...args, '--log-level', 'debug'], {
      LIVESTOW_API_KEY: 'sfk_test1234',
      LIVESTOW_API_URL: api.url,
      LIVESTOW_SPOOL: await readOnly(context),
    });
    expect(stderr).toContain('SPOOL');
    expect(stderr).toMatch(/the spool cannot be written: .*EROFS/);
    expect(stderr).toMatch(/mount its disk for writing.*--spool/);
    expect({ exitCode, asked: api.asked() }).toEqual({ exitCode: 1, asked: 0 });
  },
);

test('doctor says it too', { tags: 'disk-read-only' }, async (context) => {
  await using folder = await CliFolder.make();
  const spool = await readOnlyFolder(context);
  const { exitCode, stdout } = await folder.run(['doctor', '--quick', '--spool', spool]);
  expect(stdout).toMatch(/fail +spool +the spool cannot be written: .*EROFS/);
  expect(stdout).toContain('mount its disk for writing');
  expect(exitCode).toBe(1);
});

test('doctor: a disk with no room but the reserve fails', { tags: 'disk-reserve' }, async (context) => {
  await using folder = await CliFolder.make();
  const disk = await smallDisk(context, 300);
  const run = (reserve: string) =>
    folder.run(['doctor', '--quick', '--spool', disk.folder, '--disk-reserve', reserve]);
  expect((await run('400MiB')).stdout).toMatch(/fail +spool +300\.0 MiB free, 400\.0 MiB of it in reserve/);
  expect((await run('10MiB')).stdout).toMatch(/warn +spool +300\.0 MiB free, 10\.0 MiB of it in reserve/);
});
