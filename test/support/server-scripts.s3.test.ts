/** The scripts that hold the real S3 servers: they leave nothing running and nothing lying about. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ownServers, type S3Server } from './s3-servers.ts';

const run = promisify(execFile);

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'livestow-scripts-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

const answers = (endpoint: string): Promise<boolean> =>
  fetch(endpoint).then(
    () => true,
    () => false,
  );

describe.runIf(ownServers).each(['s3-server.sh', 'swift-server.sh'])('%s', (script) => {
  const path = join(import.meta.dirname, '../../scripts', script);

  test('runs several side by side, each until its standard input ends', async () => {
    const holders = ['one', 'two'].map((name) =>
      spawn(path, ['run', join(scratch, `${script}-${name}`)], { stdio: ['pipe', 'pipe', 'inherit'] }),
    );
    const facts = await Promise.all(
      holders.map(async (holder) => {
        const [line] = (await once(holder.stdout, 'data')) as [Buffer];
        return JSON.parse(String(line)) as S3Server;
      }),
    );
    const endpoints = facts.map(({ endpoint }) => endpoint);
    expect(new Set(endpoints).size).toBe(2);
    expect(await Promise.all(endpoints.map(answers))).toEqual([true, true]);

    const [first, second] = holders.map((holder) => once(holder, 'exit'));
    holders[0]?.stdin.end();
    expect(await first).toEqual([0, null]);
    expect(await Promise.all(endpoints.map(answers))).toEqual([false, true]);
    holders[1]?.kill('SIGTERM');
    holders[1]?.stdin.destroy();
    await second;
    expect(await Promise.all(endpoints.map(answers))).toEqual([false, false]);
    expect(await readdir(scratch)).toEqual([]);
  });

  test('started twice is one server, stopped twice is none', async () => {
    const folder = join(scratch, script);
    const first = await run(path, ['start', folder]);
    const second = await run(path, ['start', folder]);
    expect(second.stdout).toBe(first.stdout);
    expect(await readFile(join(folder, 'server.json'), 'utf8')).toBe(first.stdout);
    const { endpoint } = JSON.parse(first.stdout) as S3Server;
    expect(await answers(endpoint)).toBe(true);
    await run(path, ['stop', folder]);
    await run(path, ['stop', folder]);
    expect(await answers(endpoint)).toBe(false);
    expect(await readdir(scratch)).toEqual([]);
  });
});
