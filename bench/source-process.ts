/**
 * The source of all that is measured, in a process of its own: the sandbox with so many creators, each sending the same
 * media at 2.5 Mbit/s. Prints where it is; a line on standard input lets them go live, one after another across the
 * length of a segment (broadcasts don't begin together, and their segments don't end together), or with `at once` all in
 * one moment. Others are there and never go live. It sends what has come due each tick. Ends with its standard input.
 */
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { mediaNameSchema } from '../src/sandbox/media/recipes.ts';
import type { ScenarioInput } from '../src/sandbox/scenario.ts';
import { createSandbox } from '../src/sandbox/sandbox.ts';

const [handles = '', spreadMs = '0', name = '', idle = '', tickMs = '0'] = process.argv.slice(2);
const media = mediaNameSchema.parse(name);
const names = handles.split(',');
const creators: NonNullable<ScenarioInput['creators']> = Object.fromEntries(
  [...names, ...idle.split(',').filter((handle) => handle !== '')].map((handle) => [
    handle,
    { variants: [{ media }] },
  ]),
);
const sandbox = await createSandbox({
  scenario: { creators },
  tickMs: Number(tickMs),
  onProgress: ({ name }) => process.stderr.write(`\rmaking the media "${name}" (once) `),
});
process.stdout.write(`${JSON.stringify({ apiUrl: sandbox.apiUrl, apiKey: sandbox.apiKey })}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  if (line !== 'live') continue;
  for (const handle of names) {
    sandbox.goLive(handle);
    await setTimeout(Number(spreadMs) / names.length);
  }
  process.stdout.write('"live"\n');
}
await sandbox.close();
