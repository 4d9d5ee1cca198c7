/** `livestow serve` on a terminal, and elsewhere. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { expect, test, vi } from 'vitest';
import { Terminal } from './terminal.ts';
import { World, WORLD_TIMEOUT_MS } from './world.ts';

vi.setConfig({ testTimeout: WORLD_TIMEOUT_MS });

test.concurrent('a live table tells what each creator is at; the log stands above it', async () => {
  await using world = await World.open();
  await writeFile(join(world.folder, 'livestow.yaml'), 'creators: [alice, bob]\n');
  await using terminal = new Terminal(['serve'], world.surroundings);
  await terminal.shows('@bob     watching');
  world.sandbox.goLive('alice');
  await terminal.shows('@alice   recording');
  expect(terminal.said).toMatch(/livestow \S+ · recording 1 · shipped/);
  expect(stripVTControlCharacters(terminal.said)).toMatch(/INFO: serving /);
  terminal.interrupt();
  expect(await terminal.exitCode()).toBe(130);
  // Nothing of it is left at the end.
  expect(terminal.said.endsWith('\u001B[J')).toBe(true);
});

test.concurrent('elsewhere there is the log alone, a JSON object a line', async () => {
  await using world = await World.open();
  await writeFile(join(world.folder, 'livestow.yaml'), 'creators: [bob]\n');
  const run = world.livestow('serve', '--listen', 'off');
  await world.lookups(3, 'bob');
  run.kill('SIGTERM');
  expect(await run.exited).toEqual({ code: 0, signal: null });
  expect(run.stdout).toBe('');
  const lines = run.stderr.trimEnd().split('\n');
  expect(lines.filter((line) => !line.startsWith('{'))).toEqual([]);
  expect(run.entries.find(({ msg }) => msg === 'serving')).toMatchObject({ listen: null });
});
