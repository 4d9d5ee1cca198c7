import { defineConfig } from 'vitest/config';
import { FAULTS } from './test/faults.ts';

/** `npm run test:long` sets it: soak, chaos and many kills live in `*.long.test.ts`, and only there. */
const long = process.env['LIVESTOW_LONG'] === '1';
const tests = (folder: string, kind = '') => `test/${folder}/*${kind}${long ? '.long' : ''}.test.ts`;
const exclude = long ? [] : ['test/**/*.long.test.ts'];
/** Starts a server only when a test asks for it. */
const s3 = { globalSetup: ['test/support/s3-global-setup.ts'] };
/** Broadcasts run in real time, several at once within a file: one file at a time, and nothing else beside it. */
const realTime = { maxWorkers: 1, maxConcurrency: 6 };

export default defineConfig({
  test: {
    passWithNoTests: long,
    tags: FAULTS.map((name) => ({ name })),
    // Nothing is left in the cache of whoever runs the tests.
    // What is started again and again is not compiled each time.
    env: { LIVESTOW_CACHE: 'off', NODE_COMPILE_CACHE: `${import.meta.dirname}/.cache/compile` },
    pool: 'forks',
    testTimeout: long ? 20 * 60_000 : 60_000,
    hookTimeout: 120_000,
    // CI shares its machine: what fails once because it was starved of time is tried once more, and said to be so.
    retry: process.env['CI'] ? 1 : 0,
    reporters: [process.env['CI'] ? 'verbose' : 'default', './test/closing-line.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: [tests('**')],
          exclude: [...exclude, tests('**', '.s3'), 'test/e2e/**'],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 's3',
          include: [tests('**', '.s3')],
          exclude: [...exclude, 'test/e2e/**'],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
          ...s3,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: [tests('e2e')],
          exclude: [...exclude, tests('e2e', '.s3')],
          sequence: { groupOrder: 1 },
          ...realTime,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e-s3',
          include: [tests('e2e', '.s3')],
          exclude,
          sequence: { groupOrder: 2 },
          ...realTime,
          ...s3,
        },
      },
    ],
  },
});
