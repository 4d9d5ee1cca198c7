/** What the pages of a big archive take of the server, and how many bytes they are, over real HTTP. */
import { gunzipSync } from 'node:zlib';
import { request, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { openSite } from '../../src/cli/open-site.ts';
import { loadConfig } from '../../src/config/load.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import { openStore } from '../../src/store/open-store.ts';
import { WebServer } from '../../src/web/server.ts';
import { COMMON_WORD, RARE_WORD } from './bucket.ts';
import { quantiles, type Quantiles } from './quantiles.ts';

export interface PageFigures {
  what: string;
  /** In ms, from the request to the last byte of the answer, beginning with the first one ever. */
  first: number;
  wall: Quantiles;
  /** In ms of the processor: server and client, which are one process here. */
  cpu: Quantiles;
  bytes: number;
  compressedBytes: number;
}

const DAY_MS = 86_400_000;

export async function pageFigures(archive: string, cache: string, rounds: number): Promise<PageFigures[]> {
  const env = { LIVESTOW_LISTEN: '127.0.0.1:0', LIVESTOW_CACHE: cache, LIVESTOW_STORE: archive };
  const { config } = await loadConfig({ flags: {}, env, cwd: cache });
  const shared = { clock: systemClock, log: silentLogger(), version: 'bench' };
  const tokens = { token: null, viewerToken: null };
  const server = await WebServer.open({ listen: { host: '127.0.0.1', port: 0 }, tokens, ...shared });
  const inForce = { file: null, settings: [], waiting: [] };
  const store = openStore(archive);
  const parts = { ...shared, store, config, env: process.env, access: server.access };
  await using ending = new AsyncDisposableStack();
  ending.defer(() => server.close());
  server.serve({
    daemon: null,
    pages: await openSite({ ...parts, daemon: null, inForce: () => inForce }, ending),
  });
  // The first reading of the archive goes on behind the first page.
  while ((await ask(`${server.url}/archive`)).text.includes('still being read'))
    await systemClock.delay(250, new AbortController().signal);

  const day = (back: number): string => new Date(Date.now() - back * DAY_MS).toISOString().slice(0, 10);
  const kinds: [what: string, path: (n: number) => string][] = [
    ['Archive', () => '/archive'],
    ['Archive, one creator', (n) => `/archive?creator=creator${n % 500}`],
    ['Archive, a month', (n) => `/archive?from=${day(n + 30)}&to=${day(n)}`],
    ['Archive, a common word', (n) => `/archive?text=${COMMON_WORD}&to=${day(n)}`],
    ['Archive, a rare word, with gaps', (n) => `/archive?text=${RARE_WORD}&gaps=yes&to=${day(n)}`],
    ['Archive, longest first', (n) => `/archive?sort=length&min=${n}`],
  ];
  const figures: PageFigures[] = [];
  for (const [what, path] of kinds) {
    const took: { wall: number; cpu: number }[] = [];
    let size = { bytes: 0, compressedBytes: 0 };
    for (let n = 0; n < rounds; n += 1) {
      const before = process.cpuUsage();
      const beganMs = performance.now();
      const { text, compressedBytes } = await ask(`${server.url}${path(n)}`);
      const { user, system } = process.cpuUsage(before);
      took.push({ wall: performance.now() - beganMs, cpu: (user + system) / 1000 });
      size = { bytes: Buffer.byteLength(text), compressedBytes };
    }
    figures.push({
      what,
      first: took[0]?.wall ?? 0,
      wall: quantiles(took.map(({ wall }) => wall)),
      cpu: quantiles(took.map(({ cpu }) => cpu)),
      ...size,
    });
  }
  return figures;
}

async function ask(url: string): Promise<{ text: string; compressedBytes: number }> {
  const sent = request(url, { headers: { accept: 'text/html', 'accept-encoding': 'gzip' } }).end();
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  if (answer.statusCode !== 200) throw new Error(`${url} answered ${answer.statusCode}`);
  const plain = answer.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
  return { text: plain.toString(), compressedBytes: body.length };
}
