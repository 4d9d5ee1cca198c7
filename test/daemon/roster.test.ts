import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/schema.ts';
import { Roster } from '../../src/daemon/roster.ts';
import { DAEMON_FOLDER } from '../../src/spool/session-spool.ts';
import { scratchFolder } from '../spool/scratch.ts';

async function desk() {
  const cwd = await scratchFolder();
  const read = async (text: string): Promise<Config> => {
    await writeFile(join(cwd, 'livestow.yaml'), text);
    return (await loadConfig({ flags: {}, env: {}, cwd })).config;
  };
  const folder = join(cwd, 'spool', DAEMON_FOLDER);
  const said = async (): Promise<unknown> =>
    (JSON.parse(await readFile(join(folder, 'roster.json'), 'utf8')) as { said: unknown }).said;
  return { read, folder, said };
}

const isPaused = (roster: Roster): boolean[] => roster.all.map(({ paused }) => paused);

test('what was said goes before the config file, over a restart too, until the file says the same', async () => {
  const { read } = await desk();
  const watched = await read('creators: [alice]\n');
  const roster = await Roster.open(watched);
  await roster.say('alice', { paused: true });
  expect(isPaused(roster)).toEqual([true]);
  const next = await Roster.open(watched);
  expect(isPaused(next)).toEqual([true]);
  next.config = await read('creators: [{ handle: alice, paused: true }]\n');
  expect(isPaused(next)).toEqual([true]);
  next.config = watched;
  expect(isPaused(next)).toEqual([false]);
});

test('who is paused and watched again by order is as the file says, whatever that says later', async () => {
  const { read, said } = await desk();
  const roster = await Roster.open(await read('creators: [alice]\n'));
  await roster.say('alice', { paused: true });
  await roster.say('alice', { note: 'asked', paused: false });
  expect(await said()).toEqual({ alice: { note: 'asked' } });
  roster.config = await read('creators: [{ handle: alice, paused: true }]\n');
  expect(isPaused(roster)).toEqual([true]);
  expect(roster.all[0]?.note).toBe('asked');
});

test('what cannot be kept does not hold: whoever asked may ask again', async () => {
  const { read, folder } = await desk();
  const roster = await Roster.open(await read('creators: [alice]\n'));
  await rm(folder, { recursive: true });
  await expect(roster.add({ handle: 'bob' })).rejects.toMatchObject({ code: 'SPOOL' });
  await expect(roster.say('alice', { paused: true })).rejects.toMatchObject({ code: 'SPOOL' });
  expect(roster.all.map(({ handle, paused }) => [handle, paused])).toEqual([['alice', false]]);
});
