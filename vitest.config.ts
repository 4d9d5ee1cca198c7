import { defineConfig } from 'vitest/config';

/** `npm run test:long` sets it: soak, chaos and many kills live in `*.long.test.ts`, and only there. */
const long = process.env['LIVESTOW_LONG'] === '1';
const tests = (kind: string) => `test/**/*${kind}${long ? '.long' : ''}.test.ts`;
const exclude = long ? [] : ['test/**/*.long.test.ts'];

export default defineConfig({
  test: {
    passWithNoTests: long,
    pool: 'forks',
    // Tests talk to real processes and sockets; two cores are shared by at most two files at a time.
    maxWorkers: 2,
    testTimeout: long ? 20 * 60_000 : 60_000,
    hookTimeout: 120_000,
    reporters: [process.env['CI'] ? 'verbose' : 'default', './test/closing-line.ts'],
    projects: [
      { extends: true, test: { name: 'unit', include: [tests('')], exclude: [...exclude, tests('.s3')] } },
      // Tests that talk to a real S3 server; only a run with one of them starts any.
      {
        extends: true,
        test: {
          name: 's3',
          include: [tests('.s3')],
          exclude,
          globalSetup: ['test/support/s3-global-setup.ts'],
        },
      },
    ],
  },
});
