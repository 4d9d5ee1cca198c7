#!/usr/bin/env node
/** The command `livestow`. Looks at Node's version before anything that an older one could not even read. */
import process from 'node:process';

const LEAST_NODE = 24;

if (Number.parseInt(process.versions.node, 10) < LEAST_NODE) {
  process.stderr.write(
    `livestow: needs Node.js ${LEAST_NODE} or newer, and this is ${process.versions.node}: https://nodejs.org\n`,
  );
  process.exitCode = 1;
} else {
  const { run } = await import('./run.ts');
  await run();
}
