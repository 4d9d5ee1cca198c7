/**
 * `npm run bench:serve`: what one `livestow serve` costs that watches hundreds of creators and records dozens, how soon it
 * is there beside an archive that has grown for years, and whether its event loop keeps up. Nothing passes or fails: the
 * figures stand in docs/performance.md.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { writeBucket } from '../archive/bucket.ts';
import { memoryOf, treeTime } from '../process-tree.ts';
import { Source } from '../source.ts';
import { Served } from './served.ts';

const USAGE = `usage: npm run bench:serve -- [options]
  --watched 500        creators that are looked at and never live
  --recorded 60        creators that go live
  --sessions 10000     sealed sessions in the archive before it starts
  --engine auto        auto, ffmpeg or builtin
  --looks 8            looks a second, shared out by the plan
  --seconds 60         length of each measured window
  --warm-up 45         seconds before each
  --folder DIR         where it writes, on the disk that is meant (${tmpdir()})
  --json FILE          the figures as JSON`;

const { values } = parseArgs({
  options: {
    watched: { type: 'string', default: '500' },
    recorded: { type: 'string', default: '60' },
    sessions: { type: 'string', default: '10000' },
    engine: { type: 'string', default: 'auto' },
    looks: { type: 'string', default: '8' },
    seconds: { type: 'string', default: '60' },
    'warm-up': { type: 'string', default: '45' },
    folder: { type: 'string', default: tmpdir() },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const HOUR_MS = 3_600_000;
const say = (text: string): void => void process.stderr.write(`${text}\n`);

interface Window {
  what: string;
  /** Of one core: livestow's process, and its children. */
  ownCpuPercent: number;
  childrenCpuPercent: number;
  /** Proportional set size at the end. */
  ownMemoryBytes: number;
  allMemoryBytes: number;
  looksASecond: number;
  /** Of its event loop, beyond what was asked for; the least is the timer's own. */
  loopDelay: { p50Ms: number; p99Ms: number; maxMs: number };
}

if (values.help) process.stdout.write(`${USAGE}\n`);
else await bench();

async function bench(): Promise<void> {
  const [watched, recorded] = [Number(values.watched), Number(values.recorded)];
  const folder = await mkdtemp(join(values.folder, 'livestow-serve-'));
  const idle = Array.from({ length: watched }, (_, n) => `idle${n + 1}`);
  const source = await Source.start(recorded, { idle });
  let served: Served | undefined;
  try {
    say(`writing ${values.sessions} old sessions`);
    writeBucket(join(folder, 'archive'), {
      sessions: Number(values.sessions),
      handles: [...source.handles, ...idle],
      haveAccounts: false,
      newestMs: Date.now() - 5 * HOUR_MS,
      everyMs: HOUR_MS,
    });
    const port = await freePort();
    const config = join(folder, 'livestow.yaml');
    await mkdir(join(folder, 'spool'));
    await writeFile(
      config,
      stringify({
        apiUrl: source.apiUrl,
        mediaHosts: ['127.0.0.1'],
        store: join(folder, 'archive'),
        spool: join(folder, 'spool'),
        engine: values.engine,
        logLevel: 'error',
        listen: `127.0.0.1:${port}`,
        creditsPerDay: Math.round(Number(values.looks) * 86_400),
        pollFloor: '5s',
        creators: [...source.handles, ...idle],
      }),
    );
    served = Served.start(config, folder, port, { LIVESTOW_API_KEY: source.apiKey });
    const readyMs = await served.ready();
    say(`ready after ${Math.round(readyMs)} ms`);
    await setTimeout(Number(values['warm-up']) * 1_000);
    const windows = [await measure(served, `${watched + recorded} watched`)];
    await source.goLive();
    await served.reaches('livestow_recordings', recorded);
    await setTimeout(Number(values['warm-up']) * 1_000);
    windows.push(await measure(served, `${recorded} of them recorded`));
    const told = { options: values, readyMs, windows };
    if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(told, null, 1)}\n`);
    process.stdout.write(`ready after ${(readyMs / 1_000).toFixed(1)} s\n${windows.map(line).join('\n')}\n`);
  } finally {
    await served?.stop();
    await source.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(served: Served, what: string): Promise<Window> {
  say(`measuring ${what}`);
  const roots = [served.pid];
  const looksBefore = (await served.metrics())('livestow_looks_total');
  const before = await treeTime(roots);
  const fromMs = performance.now();
  await setTimeout(Number(values.seconds) * 1_000);
  const after = await treeTime(roots);
  const tookMs = performance.now() - fromMs;
  const now = await served.metrics();
  const looks = now('livestow_looks_total') - looksBefore;
  const percent = (ms: number): number => (100 * ms) / tookMs;
  const delayMs = (of: string): number => 1_000 * now(`nodejs_eventloop_lag_${of}_seconds`);
  return {
    what,
    ownCpuPercent: percent(after.rootsMs - before.rootsMs),
    childrenCpuPercent: percent(after.childrenMs - before.childrenMs),
    ownMemoryBytes: await memoryOf(roots),
    allMemoryBytes: await memoryOf(after.pids),
    looksASecond: (1_000 * looks) / tookMs,
    loopDelay: { p50Ms: delayMs('p50'), p99Ms: delayMs('p99'), maxMs: delayMs('max') },
  };
}

function line({ what, loopDelay, ...window }: Window): string {
  const mib = (bytes: number): string => `${(bytes / 1024 ** 2).toFixed(0)} MiB`;
  const { ownCpuPercent, childrenCpuPercent, ownMemoryBytes, allMemoryBytes, looksASecond } = window;
  const { p50Ms, p99Ms, maxMs } = loopDelay;
  return [
    what.padEnd(24),
    `CPU ${ownCpuPercent.toFixed(1)} % and ${childrenCpuPercent.toFixed(1)} % in children`,
    `memory ${mib(ownMemoryBytes)}, all ${mib(allMemoryBytes)}`,
    `${looksASecond.toFixed(1)} looks a second`,
    `event loop p50 ${p50Ms.toFixed(0)}, p99 ${p99Ms.toFixed(0)}, at most ${maxMs.toFixed(0)} ms`,
  ].join('; ');
}

function freePort(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const server = createServer().listen(0, '127.0.0.1', () => {
    const address = server.address();
    server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
  });
  return promise;
}
