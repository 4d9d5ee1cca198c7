import { PassThrough } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { liveTable } from '../../src/cli/live-table.ts';
import { createOutput } from '../../src/cli/output.ts';
import { ManualClock } from '../manual-clock.ts';

test('what the table is made of fails for a while: it says so, and is there again', async () => {
  const clock = new ManualClock();
  const screen = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY: true, columns: 80, rows: 24 });
  const shown = (): string => (screen.read() as string | null) ?? '';
  let draws = 0;
  const end = liveTable(createOutput(screen), clock, () => {
    draws += 1;
    return draws === 2 ? Promise.reject(new Error('the disk is full')) : Promise.resolve([`draw ${draws}`]);
  });
  await turn();
  expect(shown()).toContain('draw 1');
  await clock.advance(1_000);
  await turn();
  expect(shown()).toContain('the table cannot be shown now: the disk is full');
  await clock.advance(1_000);
  await turn();
  expect(shown()).toContain('draw 3');
  end();
  expect(clock.pendingMs).toEqual([]);
});
