/**
 * `npm run bench:archive`: what the catalogue of a big archive costs. Makes a bucket of many sessions in a folder, and
 * measures the first list of it with and without the snapshot, keeping it up to date, and lists and searches. Nothing
 * passes or fails: the figures stand in docs/performance.md.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { writeBucket } from './bucket.ts';
import type { PageFigures } from './pages.ts';
import type { BuildFigures, QueryFigures } from './phases.ts';

const USAGE = `usage: npm run bench:archive -- [options]
  --sessions 100000    sealed sessions in the bucket
  --creators 500
  --latency 20         ms that each request takes in the measurements of a bucket far away
  --rounds 300         of each kind of query
  --folder DIR         where it writes (${tmpdir()}); needs about 15 KiB a session
  --keep               leaves the bucket there, and says where
  --json FILE          the figures as JSON`;

const { values } = parseArgs({
  options: {
    sessions: { type: 'string', default: '100000' },
    creators: { type: 'string', default: '500' },
    latency: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '300' },
    folder: { type: 'string', default: tmpdir() },
    keep: { type: 'boolean', default: false },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const say = (text: string): void => void process.stderr.write(`${text}\n`);
const PHASES = new URL('phases.ts', import.meta.url).pathname;
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
const mib = (bytes: number): string => `${(bytes / 1024 ** 2).toFixed(0)} MiB`;

if (values.help) process.stdout.write(`${USAGE}\n`);
else await bench();

async function bench(): Promise<void> {
  const folder = await mkdtemp(join(values.folder, 'livestow-bench-'));
  const archive = join(folder, 'archive');
  try {
    const beganMs = performance.now();
    writeBucket(archive, {
      sessions: Number(values.sessions),
      handles: Array.from({ length: Number(values.creators) }, (_, n) => `creator${n}`),
      haveAccounts: true,
      newestMs: Date.now() - 3_600_000,
      everyMs: 15 * 60_000,
    });
    say(`${values.sessions} sessions made in ${seconds(performance.now() - beganMs)}`);
    /** Each in a process of its own, so that memory is its alone. */
    const phase = async <T>(what: string, name: string, ...args: string[]): Promise<T> => {
      say(what);
      const { stdout } = await execa(
        process.execPath,
        [PHASES, name, archive, join(folder, 'cache'), ...args],
        {
          stderr: 'inherit',
        },
      );
      return JSON.parse(stdout) as T;
    };
    const build = async (what: string, kind: string, ms = '0'): Promise<BuildFigures> =>
      phase(what, 'refresh', kind, ms);
    const builds: BuildFigures[] = [
      await build('first list', 'first'),
      await build('nothing new', 'again'),
      await build('nothing new, folders too', 'folders'),
      await build('everything listed again', 'full'),
      await build(`first list, ${values.latency} ms a request`, 'first', values.latency),
      await build('the snapshot is written', 'snapshot'),
      await build('first list, with the snapshot', 'first'),
      await build(`first list, with the snapshot, ${values.latency} ms a request`, 'first', values.latency),
      await build(`nothing new, ${values.latency} ms a request`, 'again', values.latency),
      await build('ten new sessions', 'new'),
    ];
    const queries = await phase<QueryFigures[]>('queries', 'queries', values.rounds);
    const pages = await phase<PageFigures[]>('pages', 'pages', values.rounds);
    for (const { what, ms, cpuMs, maxRss, detail } of builds) {
      const figures = [seconds(ms), `CPU ${seconds(cpuMs)}`, mib(maxRss)].map((text) => text.padStart(11));
      process.stdout.write(`${what.padEnd(28)} ${figures.join('  ')}  ${detail}\n`);
    }
    for (const { what, wall, cpu } of queries) {
      const shown = ({ p50, p99, max }: QueryFigures['cpu']): string =>
        [p50, p99, max].map((ms) => ms.toFixed(1).padStart(7)).join('');
      process.stdout.write(
        `${what.padEnd(34)} p50, p99, max:${shown(wall)} ms, of the processor${shown(cpu)} ms\n`,
      );
    }
    for (const { what, first, wall, cpu, bytes, compressedBytes } of pages) {
      const shown = ({ p50, p99 }: PageFigures['cpu']): string =>
        [p50, p99].map((ms) => ms.toFixed(1).padStart(7)).join('');
      process.stdout.write(
        `${what.padEnd(34)} first ${first.toFixed(1)} ms, p50, p99:${shown(wall)} ms, of the processor${shown(cpu)} ms, ${bytes} bytes, ${compressedBytes} sent\n`,
      );
    }
    if (values.json !== undefined)
      await writeFile(
        values.json,
        `${JSON.stringify({ options: values, builds, queries, pages }, null, 1)}\n`,
      );
    if (values.keep) say(`the bucket is in ${archive}`);
  } finally {
    if (!values.keep) await rm(folder, { recursive: true, force: true });
  }
}
