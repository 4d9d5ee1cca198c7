/** One measurement of `bench:archive`, in a process of its own: `phases.ts refresh|queries ARCHIVE CACHE …`, figures as JSON. */
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Catalogue } from '../../src/catalogue/catalogue.ts';
import type { SessionQuery } from '../../src/catalogue/session-query.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import { SNAPSHOT } from '../../src/layout/keys.ts';
import { openStore } from '../../src/store/open-store.ts';
import { COMMON_WORD, RARE_WORD, writeBucket } from './bucket.ts';
import { pageFigures } from './pages.ts';
import { quantiles, type Quantiles } from './quantiles.ts';
import { slow } from './slow-store.ts';

export interface BuildFigures {
  what: string;
  ms: number;
  /** Of the processor, in all threads: what it takes on a machine that has nothing else to do, and more. */
  cpuMs: number;
  /** The most that the process had in memory. */
  maxRss: number;
  detail: string;
}

export interface QueryFigures {
  what: string;
  /** In ms, as somebody waits. */
  wall: Quantiles;
  /** In ms of the processor: other work on the machine is not in it. */
  cpu: Quantiles;
}

const [name = '', archive = '', cache = '', ...args] = process.argv.slice(2);
const path = join(cache, 'catalogue.sqlite');
const DAY_MS = 86_400_000;

async function refresh(kind: string, latencyMs: number): Promise<BuildFigures> {
  const store = slow(openStore(archive), latencyMs);
  if (kind === 'first') rmSync(cache, { recursive: true, force: true });
  if (kind === 'new')
    writeBucket(archive, {
      sessions: 10,
      handles: ['newcomer'],
      haveAccounts: true,
      newestMs: Date.now(),
      everyMs: 1000,
    });
  const beganMs = performance.now();
  const before = process.cpuUsage();
  const catalogue = Catalogue.open(store, { path, clock: systemClock, log: silentLogger() });
  let detail: string;
  if (kind === 'snapshot') {
    const count = await catalogue.writeSnapshot();
    detail = `${count} sessions, ${statSync(join(archive, SNAPSHOT)).size} bytes`;
  } else {
    const done = await catalogue.refresh({ full: kind === 'full', folders: kind === 'folders' });
    detail = `${done.full ? 'full, ' : ''}${done.read} read, ${done.fromSnapshot} of them from the snapshot`;
  }
  const ms = performance.now() - beganMs;
  const { user, system } = process.cpuUsage(before);
  const cpuMs = (user + system) / 1000;
  await catalogue.close();
  const size = `cache ${statSync(path).size} bytes`;
  const what = `${kind}${latencyMs === 0 ? '' : `, ${latencyMs} ms a request`}`;
  return { what, ms, cpuMs, maxRss: process.resourceUsage().maxRSS * 1024, detail: `${detail}; ${size}` };
}

function queries(rounds: number): QueryFigures[] {
  const store = openStore(archive);
  const catalogue = Catalogue.open(store, { path, clock: systemClock, log: silentLogger() });
  const newestMs = Date.now();
  const day = (back: number): string => new Date(newestMs - back * DAY_MS).toISOString().slice(0, 10);
  const titles = catalogue.search({ limit: 1000 }).entries.map(({ summary }) => summary?.title ?? '');
  /** As it is typed: more and more of a title. */
  const typed = (n: number): string => {
    const title = titles[Math.floor(n / 8) % titles.length] ?? '';
    return title.slice(0, 1 + (n % 8) * 2);
  };
  let deepest: string | undefined;
  for (let n = 0; n < 50; n += 1)
    deepest = catalogue.search({ limit: 1000, cursor: deepest }).next ?? deepest;
  const kinds: [what: string, ask: (n: number) => unknown][] = [
    ['first page', () => catalogue.search()],
    ['a page 50,000 further', () => catalogue.search({ cursor: deepest })],
    ['first page, by size', () => catalogue.search({ sort: 'size' })],
    ['one creator', (n) => catalogue.search({ creator: `creator${n % 500}` })],
    ['a month', (n) => catalogue.search({ from: day(n + 30), to: day(n) })],
    ['with gaps', (n) => catalogue.search({ gaps: true, to: day(n) })],
    [
      'h265, long, by coverage',
      (n) => catalogue.search({ codec: 'h265', minMs: n * 10_000, sort: 'coverage' }),
    ],
    ['not sealed', (n) => catalogue.search({ sealed: false, to: day(n) })],
    ['search, as it is typed', (n) => catalogue.search({ text: typed(n) })],
    ['search, a common word and a day', (n) => catalogue.search({ text: COMMON_WORD, to: day(n) })],
    ['search, a rare word', (n) => catalogue.search({ text: RARE_WORD, to: day(n) })],
    ['search, two letters and a day', (n) => catalogue.search({ text: 'é', to: day(n) })],
    ['search and filter, by size', (n) => query(n)],
    [
      'calendar of a year',
      (n) => catalogue.days(undefined, newestMs - (n + 365) * DAY_MS, newestMs - n * DAY_MS),
    ],
    ['creators', () => catalogue.creators()],
  ];
  const query = (n: number): unknown => {
    const asked: SessionQuery = {
      text: titles[n % titles.length]?.split(' ')[0],
      gaps: n % 2 === 0,
      sort: 'size',
    };
    return catalogue.search({ ...asked, minMs: n * 1000 });
  };
  return kinds.map(([what, ask]) => {
    const took = Array.from({ length: rounds }, (_, n) => {
      const before = process.threadCpuUsage();
      const beganMs = performance.now();
      ask(n);
      const wall = performance.now() - beganMs;
      const { user, system } = process.threadCpuUsage(before);
      return { wall, cpu: (user + system) / 1000 };
    });
    return {
      what,
      wall: quantiles(took.map(({ wall }) => wall)),
      cpu: quantiles(took.map(({ cpu }) => cpu)),
    };
  });
}

const [first = '', second = '0'] = args;
const figures =
  name === 'refresh'
    ? await refresh(first, Number(second))
    : name === 'pages'
      ? await pageFigures(archive, cache, Number(first))
      : queries(Number(first));
process.stdout.write(JSON.stringify(figures));
process.exit();
