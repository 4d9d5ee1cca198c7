/** Five minutes of `npm run soak`; a failure prints the seed, with which it comes again (`LIVESTOW_SEED` sets it). */
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { expect, test } from 'vitest';

const RUN = fileURLToPath(new URL('../soak/run.ts', import.meta.url));
const SEED = process.env['LIVESTOW_SEED'] ?? '20261122';

test('five minutes of storm: every picture is accounted for, and nothing is left behind', async () => {
  const { exitCode, all } = await execa(
    process.execPath,
    [RUN, '--creators', '4', '--time', '5m', '--seed', SEED],
    { reject: false, all: true, stdin: 'ignore' },
  );
  expect(exitCode, all).toBe(0);
});
