/** `livestow status` and `livestow creators`, as a person types them, against a running daemon. */
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { SECRETS, Served } from '../web/served.ts';
import { CliFolder } from './run.ts';

/** Runs the command with the settings of whoever may ask. */
async function asker(env: Record<string, string>) {
  const folder = await CliFolder.make();
  onTestFinished(() => folder[Symbol.asyncDispose]());
  return (...args: string[]) => folder.run(args, env);
}

const operator = (served: Served) =>
  asker({ LIVESTOW_LISTEN: new URL(served.server.url).host, LIVESTOW_TOKEN: SECRETS.token });

test('status shows a running daemon', async () => {
  const served = await Served.open({ token: SECRETS.token });
  const run = await operator(served);
  const { exitCode, stdout, stderr } = await run('status');
  expect([exitCode, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/^livestow 1\.2\.3 · recording 0 .*\nCREATOR .*\n(?:@bob .*\n)?@alice +watching/);
  const told = JSON.parse((await run('status', '--json')).stdout) as Record<string, unknown>;
  expect(told).toMatchObject({
    status: { version: '1.2.3' },
    creators: [{ handle: 'alice' }, { handle: 'bob', note: 'of the file' }],
  });
});

test('creators are listed, added, noted, paused, watched again, recorded, stopped and removed', async () => {
  const served = await Served.open({ token: SECRETS.token });
  const run = await operator(served);
  expect((await run('creators')).stdout).toMatch(
    /^CREATOR .*\n@alice .*\n@bob +watching +slow +-5 .* of the file$/,
  );
  const added = await run('creators', 'add', '@Carol', '--group', 'slow', '--priority', '7', '--note', 'new');
  expect([added.exitCode, added.stdout]).toEqual([0, '@carol is watched']);
  const [, , carol = ''] = (await run('creators', 'list', '--json')).stdout.split('\n');
  expect(JSON.parse(carol)).toMatchObject({ handle: 'carol', group: 'slow', priority: 7, note: 'new' });
  expect((await run('creators', 'note', 'carol')).stdout).toBe('@carol has no note');
  expect((await run('creators', 'pause', 'carol')).stdout).toBe('@carol is paused');
  expect((await run('creators', 'resume', 'carol')).stdout).toBe('@carol is watched again');
  served.sandbox.goLive('carol');
  expect((await run('creators', 'record', 'carol')).exitCode).toBe(0);
  await served.isAt('carol', 'recording');
  expect((await run('creators', 'remove', 'carol')).stdout).toBe(
    '@carol is removed; its recording goes on to its end',
  );
  const stopped = await run('creators', 'stop', 'carol', '--json');
  expect(JSON.parse(stopped.stdout)).toMatchObject({ handle: 'carol' });
});

describe('what cannot be done is said, with the exit code of its kind', () => {
  test.each([
    ['nobody of that name', ['creators', 'pause', 'dave'], 10, '@dave is not watched'],
    ['one of the config file', ['creators', 'remove', 'bob'], 1, 'stands in the config file'],
    ['nothing is recorded', ['creators', 'stop', 'bob'], 1, 'is not being recorded'],
    ['no handle', ['creators', 'add', '../x'], 2, 'not a handle'],
    ['no priority', ['creators', 'add', 'carol', '--priority', 'high'], 2, 'not a whole number'],
    ['no group', ['creators', 'add', 'carol', '--group', 'fast'], 2, 'no group "fast"'],
    ['no terminal', ['status', '--watch'], 2, '--watch is for a terminal'],
  ])('%s', async (_what, args, code, said) => {
    const served = await Served.open({ token: SECRETS.token });
    const run = await operator(served);
    const { exitCode, stdout, stderr } = await run(...args);
    expect([exitCode, stdout]).toEqual([code, '']);
    expect(stderr).toContain(said);
  });

  test('no daemon there, none wanted, another program, another token', async () => {
    const served = await Served.open({ token: SECRETS.token });
    const stranger = createServer((_request, response) => response.end('<html>'));
    stranger.listen(0, '127.0.0.1');
    await once(stranger, 'listening');
    onTestFinished(() => void stranger.close());
    const there = new URL(served.server.url).host;
    const elsewhere = `127.0.0.1:${(stranger.address() as AddressInfo).port}`;
    const cases: [Record<string, string>, number, string][] = [
      [{ LIVESTOW_LISTEN: '127.0.0.1:9' }, 1, 'no livestow serve answers at http://127.0.0.1:9'],
      [{ LIVESTOW_LISTEN: 'off' }, 2, 'listen is off'],
      [{ LIVESTOW_LISTEN: elsewhere }, 1, 'is no livestow serve'],
      [{ LIVESTOW_LISTEN: there }, 1, 'a token is needed'],
      [{ LIVESTOW_LISTEN: there, LIVESTOW_TOKEN: 'another-token-of-16' }, 1, 'it is another token'],
    ];
    for (const [env, code, said] of cases) {
      const run = await asker(env);
      const { exitCode, stderr } = await run('status');
      expect([said, exitCode]).toEqual([said, code]);
      expect(stderr).toContain(said);
      // What to do about it.
      expect(stderr.trim().split('\n')).toHaveLength(2);
    }
  });
});

describe('serve does not start', () => {
  const env = { LIVESTOW_API_KEY: 'sfk_x' };

  test('where other machines reach it and nobody needs a token', async () => {
    const run = await asker(env);
    const { exitCode, stderr } = await run('serve', '--listen', '0.0.0.0:0');
    expect(exitCode).toBe(2);
    expect(stderr).toContain('other machines reach 0.0.0.0, and there is no token');
    expect(stderr).toContain('set LIVESTOW_TOKEN');
  });

  test('where something else listens', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    onTestFinished(() => void other.close());
    const run = await asker(env);
    const address = `127.0.0.1:${(other.address() as AddressInfo).port}`;
    const { exitCode, stderr } = await run('serve', '--listen', address);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(`nothing can listen on http://${address}`);
    expect(stderr).toContain('--listen takes another address, or off');
  });

  test.each(['8470', 'somewhere', 'http://127.0.0.1:8470', '127.0.0.1:99999', '127.0.0.1'])(
    'on %s, which is no address',
    async (address) => {
      const run = await asker(env);
      const { exitCode, stderr } = await run('serve', '--listen', address);
      expect([exitCode, stderr]).toEqual([2, expect.stringContaining('is not host:port')]);
    },
  );

  test('with a token that anybody guesses', async () => {
    const run = await asker({ ...env, LIVESTOW_TOKEN: 'secret' });
    const { exitCode, stderr } = await run('serve');
    expect(exitCode).toBe(2);
    expect(stderr).toContain('LIVESTOW_TOKEN');
    expect(stderr).not.toContain('"secret"');
  });
});
