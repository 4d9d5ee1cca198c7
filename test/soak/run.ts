/** `npm run soak`: see docs/operations.md. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { S3Server } from '../../bench/s3.ts';
import { parseDurationMs } from '../../src/kernel/duration.ts';
import { soak, type SoakReport } from './soak.ts';
import { planStorm } from './storm.ts';

const USAGE = `npm run soak -- [--creators N] [--time DURATION] [--seed N] [--no-disk] [--plan] [--json] [--keep]

Broadcasts of the sandbox are recorded into a real S3 server while everything goes wrong that can, and then every
picture is accounted for. Exit code 1: something is missing that no gap tells, or was left behind.

  --creators N      how many, a livestow process each (default 8)
  --time DURATION   how long, e.g. 5m or 30m (default 5m)
  --seed N          the same storm again (default: another each time)
  --no-disk         the same storm, but nobody takes the disk's room
  --plan            print the storm and do nothing
  --json            print the report as JSON
  --keep            keep archive, spool and S3 server's folder
`;

const { values } = parseArgs({
  options: {
    creators: { type: 'string', default: '8' },
    time: { type: 'string', default: '5m' },
    seed: { type: 'string' },
    'no-disk': { type: 'boolean', default: false },
    plan: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

const usage = (why: string): never => {
  process.stderr.write(`${why}\n\n${USAGE}`);
  process.exit(2);
};
const durationMs = parseDurationMs(values.time) ?? usage(`--time: not a duration: ${values.time}`);
const whole = (name: string, text: string): number =>
  /^\d{1,9}$/.test(text) ? Number(text) : usage(`--${name}: not a whole number: ${text}`);
const creators = whole('creators', values.creators);
const seed = values.seed === undefined ? Math.floor(Math.random() * 1e6) : whole('seed', values.seed);
const storm = planStorm(seed, creators, durationMs);
const plan = values['no-disk']
  ? { ...storm, actions: storm.actions.filter(({ kind }) => kind !== 'disk') }
  : storm;
const say = (line: string): void => void process.stderr.write(`${line}\n`);

if (values.help) {
  process.stdout.write(USAGE);
} else if (values.plan) {
  process.stdout.write(`${JSON.stringify(plan, null, 2)}\n`);
} else {
  await run();
}

async function run(): Promise<void> {
  // Its end ends the recorders and the server.
  process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143));
  say(`seed ${seed}: ${creators} creators, ${values.time}, ${plan.actions.length} things to happen`);
  const folder = await mkdtemp(join(tmpdir(), 'livestow-soak-'));
  const server = await S3Server.start(join(folder, 's3'));
  let problems = 1;
  try {
    const report = await soak(plan, server, join(folder, 'world'), say);
    problems = report.problems.length;
    process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : told(report));
  } finally {
    await server.stop();
    if (problems === 0 && !values.keep) await rm(folder, { recursive: true, force: true });
    else say(`kept: ${folder}`);
  }
  if (problems > 0) {
    say(
      `again: npm run soak -- --creators ${creators} --time ${values.time} --seed ${seed}${values['no-disk'] ? ' --no-disk' : ''}`,
    );
    process.exitCode = 1;
  }
}

function told({ creators: reckonings, done, growth, lateMs, problems }: SoakReport): string {
  const mib = (bytes: number): string => (bytes / 1024 ** 2).toFixed(1);
  const lines = [
    ...Object.entries(done).map(([what, times]) => `${String(times).padStart(5)} × ${what}`),
    ...reckonings.map(
      ({ handle, sessions, aired, archived, declared, unoffered, gaps }) =>
        `${handle}: ${sessions} sessions, ${aired} pictures: ${archived} archived, ${declared} in gaps ${JSON.stringify(gaps)}, ${unoffered} never offered`,
    ),
    ...growth.map(
      ({ handle, early, late, samples }) =>
        `${handle}: heap ${mib(early.heapBytes)} → ${mib(late.heapBytes)} MiB, memory ${mib(early.rssBytes)} → ${mib(late.rssBytes)} MiB, descriptors ${early.descriptors} → ${late.descriptors}, timers ${early.timers} → ${late.timers} (${samples} samples)`,
    ),
    `the sandbox was ${Math.round(lateMs)} ms late at worst`,
    ...problems.map((problem) => `PROBLEM ${problem}`),
    problems.length === 0 ? 'every picture is accounted for' : `${problems.length} problems`,
  ];
  return `${lines.join('\n')}\n`;
}
