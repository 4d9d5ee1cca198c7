import { defineConfig } from 'vitest/config';

/** `npm run test:long` sets it: soak, chaos and many kills live in `*.long.test.ts`, and only there. */
const long = process.env['LIVESTOW_LONG'] === '1';

export default defineConfig({
  test: {
    include: [long ? 'test/**/*.long.test.ts' : 'test/**/*.test.ts'],
    exclude: long ? [] : ['test/**/*.long.test.ts'],
    passWithNoTests: long,
    pool: 'forks',
    // Tests talk to real processes and sockets; two cores are shared by at most two files at a time.
    maxWorkers: 2,
    testTimeout: long ? 20 * 60_000 : 60_000,
    hookTimeout: 120_000,
    reporters: [process.env['CI'] ? 'verbose' : 'default', './test/closing-line.ts'],
  },
});
