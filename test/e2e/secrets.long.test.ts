/**
 * Secrets everywhere, everything going wrong, and the log at its most talkative: the canary that stands in each secret is
 * looked for in what the commands say, in every file of spool and archive while they are written, and in the process list.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { CANARY, CanaryWatch, findCanary, findCanaryInFiles } from './canary.ts';
import { startProxy } from './connect-proxy.ts';
import { startFront, type LookBody } from './front.ts';
import type { LivestowProcess } from './livestow-process.ts';
import { World, WORLD_TIMEOUT_MS } from './world.ts';

vi.setConfig({ testTimeout: 2 * WORLD_TIMEOUT_MS });

const KEY = `sfk_${CANARY}`;
const withCanary = (url: unknown): string => {
  const signed = new URL(String(url));
  signed.searchParams.set('x-token', CANARY);
  signed.hash = CANARY;
  return signed.href;
};

test(
  'the search finds what is there, in any spelling, in files and in the process list',
  { tags: 'secrets' },
  async () => {
    for (const planted of [
      `a ${CANARY} b`,
      Buffer.from(`user:${CANARY}`).toString('base64'),
      Buffer.from(`us:${CANARY}xyz`).toString('base64url'),
      Buffer.from(`u:${CANARY}`).toString('base64'),
      Buffer.from(CANARY).toString('hex'),
      encodeURIComponent(`https://user:${CANARY}@host/?sign=1`),
    ]) {
      expect(findCanary(`before ${planted} after`, 'here'), planted).not.toEqual([]);
    }
    expect(findCanary(`c4n4ry ${Buffer.from('c4n4ry secret').toString('base64')}`, 'here')).toEqual([]);
    const folder = await mkdtemp(join(tmpdir(), 'livestow-canary-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const watch = new CanaryWatch([folder]);
    await writeFile(join(folder, 'a.ndjson'), `{"url":"${withCanary('https://a.example/')}"}`);
    const shown = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)', CANARY]);
    await once(shown, 'spawn');
    while (watch.found.size < 2) await after(20);
    shown.kill();
    await watch.stop();
    expect([...watch.found].join('\n')).toMatch(
      /a command line[\s\S]*a\.ndjson|a\.ndjson[\s\S]*a command line/,
    );
  },
);

/** What a page of an error, or of the API, may say of what was asked. */
const pageThatTells = (address: string): string =>
  `<html>403 for ${address} x-api-key: ${KEY} <a href="${withCanary('https://cdn.example/a')}">`;

/** One combination runs them all: what they print does not hang on how it was recorded. */
async function otherCommands(world: World, all: boolean): Promise<LivestowProcess[]> {
  const commands = [['verify'], ['show', '@alice', '--json']];
  const more = [
    ['ls'],
    ['ls', '--json'],
    ['show', '@alice'],
    ['verify', '--json'],
    ['doctor'],
    ['config', 'check'],
    ['export', '@alice', '-o', 'alice.mp4'],
    ['recover'],
    ['reindex'],
    ['variants', 'alice', '--json'],
    ['variants', 'nobody'],
    ['record', 'alice', '--no-wait'],
  ];
  const runs: LivestowProcess[] = [];
  for (const command of all ? [...commands, ...more] : commands) {
    const run = world.livestow('--log-level', 'trace', ...command);
    await run.exited;
    runs.push(run);
  }
  return runs;
}

const saidBy = (world: World): string[] =>
  world.runs.flatMap(({ stdout, stderr }) => [
    ...findCanary(stdout, 'standard output'),
    ...findCanary(stderr, 'standard error'),
  ]);

/** The builtin engine records FLV only. */
const WAYS = [
  ['ffmpeg', 'flv'],
  ['ffmpeg', 'hls'],
  ['builtin', 'flv'],
] as const;

describe('everything goes wrong, and nothing tells a secret', { tags: 'secrets' }, () => {
  test.concurrent.for(WAYS)('with the engine %s over %s', async ([engine, protocol]) => {
    await using proxy = await startProxy();
    const env: Record<string, string> = {
      LIVESTOW_API_KEY: KEY,
      LIVESTOW_ENGINE: engine,
      LIVESTOW_LOG_LEVEL: 'trace',
      LIVESTOW_SAMPLE_INTERVAL: '1s',
      LIVESTOW_PROXY: proxy.url.replace('//', `//user:${CANARY}@`),
    };
    await using world = await World.open({
      scenario: { apiKey: KEY },
      alice: {
        variants: [
          { media: 'small', qualityKey: 'origin', protocols: [protocol] },
          { media: 'small', qualityKey: 'hd', protocols: [protocol] },
        ],
        faults: [
          { type: 'drop', atMs: 5_000 },
          { type: 'html', forMs: 1_000, atMs: 7_000 },
          ...(protocol === 'hls' ? [{ type: 'hls-missing' as const, forMs: 2_000, atMs: 9_000 }] : []),
        ],
      },
      env,
    });
    let looks = 0;
    const told = { refused: 0, redirected: 0, apiErrors: 0 };
    await using front = await startFront(world.sandbox.apiUrl, {
      look: ({ data }: LookBody) => {
        if (!data.live) return;
        data.live['coverUrl'] = withCanary(data.live['coverUrl']);
        if (data.profile) data.profile['avatarUrl'] = withCanary(data.profile['avatarUrl']);
        const field = `${protocol}Url`;
        const [first, second] = data.live.streams;
        // What is refused comes first; what works stands behind a user, and behind a redirect.
        if (first) first[field] = withCanary(first[field]).replace('/cdn/', '/refused/cdn/');
        if (second)
          second[field] = withCanary(second[field])
            .replace('/cdn/', '/away/cdn/')
            .replace('//', `//user:${CANARY}@`);
      },
      playlist: (playlist) => playlist.replaceAll(/^(\d+\.ts)$/gm, `$1?x-token=${CANARY}`),
      answer: (request, response) => {
        const path = request.url ?? '';
        if (path.startsWith('/refused/')) {
          told.refused += 1;
          response.writeHead(403, { 'x-reason': CANARY }).end(pageThatTells(path));
          return true;
        }
        if (path.startsWith('/away/')) {
          told.redirected += 1;
          response.writeHead(302, { location: withCanary(`${front.url}${path.replace('/away', '')}`) }).end();
          return true;
        }
        if (!path.startsWith('/v1/')) return false;
        looks += 1;
        const signed = withCanary('https://cdn.example/a.flv?sign=1&b=2');
        const pages = [
          { error: { code: 'internal_error', message: `${KEY} ${signed}`, requestId: CANARY } },
          { flvUrl: signed },
          { error: { code: 'lookup_failed', message: 'no', checkoutUrl: signed } },
        ];
        const page = looks % 3 === 0 ? JSON.stringify(pages[(looks / 3) % pages.length]) : undefined;
        if (page === undefined) return false;
        told.apiErrors += 1;
        response
          .writeHead(looks % 2 === 0 ? 500 : 200)
          .end(looks % 4 < 2 ? page.replaceAll('/', '\\/') : page.replaceAll('&', '\\u0026'));
        return true;
      },
    });
    env['LIVESTOW_API_URL'] = front.url;
    const watch = new CanaryWatch([world.spool, join(world.folder, 'archive')]);
    const run = await world.record();
    await run.until('media', (now) => now.events('media').length > 0);
    await run.until('a journal', ({ stderr }) => stderr.includes('journal shipped'));
    const variants = world.livestow('--log-level', 'trace', 'variants', 'alice');
    for (const pid of await run.recordingProcesses()) process.kill(pid, 'SIGKILL');
    await variants.exited;
    const last = protocol === 'hls' ? 'hls-missing' : 'html';
    await world.happens(last, (event) => event.type === 'fault' && event.fault === last);
    world.sandbox.end('alice');
    await run.exited;
    const runs = await otherCommands(world, engine === 'ffmpeg' && protocol === 'flv');
    const pages = await pagesOfPlayer(world);
    await watch.stop();

    // It went wrong as it should, and was recorded all the same.
    expect(
      Object.values(told).every((count) => count > 0),
      JSON.stringify(told),
    ).toBe(true);
    expect([...proxy.authorizations]).toEqual([`Basic ${Buffer.from(`user:${CANARY}`).toString('base64')}`]);
    expect(front.asked.filter((path) => path.includes(CANARY)).length).toBeGreaterThan(2);
    expect(run.events('engine-died').length > 0).toBe(engine === 'ffmpeg');
    expect(variants.stdout).toContain('h264/origin');
    expect(run.stdout).toContain('sealed');
    expect(runs.map(({ stdout, stderr }) => stdout + stderr).join('\n')).toContain('ok (');
    expect([...watch.files].some((path) => path.includes('/tail/'))).toBe(true);
    expect([...watch.files].some((path) => path.endsWith('cover.jpg'))).toBe(true);
    expect([...watch.commands].some((line) => /\bffmpeg .*pipe:/.test(line))).toBe(true);

    expect(saidBy(world)).toEqual([]);
    expect([...watch.found]).toEqual([]);
    expect(pages.flatMap((page) => findCanary(page, 'the player'))).toEqual([]);
    expect((await findCanaryInFiles([world.folder])).found).toEqual([]);
  });
});

async function pagesOfPlayer(world: World): Promise<string[]> {
  const play = world.livestow('--log-level', 'trace', 'play', '@alice');
  const page = await play.until('the address', ({ stdout }) => /browser {2}(\S+)/.exec(stdout)?.[1]);
  const pages = await Promise.all(
    ['', 'about.json', 'index.m3u8', 'no-such-thing', 'room.json', 'manifest.json'].map(async (path) =>
      (await fetch(page + path)).text(),
    ),
  );
  play.kill('SIGINT');
  await play.exited;
  expect(pages.join('\n')).toContain('#EXTM3U');
  return pages;
}

test.concurrent(
  'a store that refuses, and repeats what it was sent',
  { tags: ['secrets', 'store-denied'] },
  async () => {
    let refusals = 0;
    const store = createServer((request, response) => {
      void text(request).then((body) => {
        refusals += 1;
        const message = `${CANARY} ${JSON.stringify(request.headers)} ${withCanary('https://b.example/')} ${body.length}`;
        const xml = `<?xml version="1.0"?><Error><Code>${refusals % 2 ? 'SignatureDoesNotMatch' : CANARY}</Code><Message>${message.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</Message><StringToSign>${CANARY}</StringToSign></Error>`;
        response.writeHead(refusals % 3 ? 403 : 500, { 'content-type': 'application/xml' }).end(xml);
      });
    });
    store.listen(0, '127.0.0.1');
    await once(store, 'listening');
    onTestFinished(() => {
      store.close();
      store.closeAllConnections();
    });
    const { port } = store.address() as AddressInfo;
    const env: Record<string, string> = {
      LIVESTOW_API_KEY: KEY,
      LIVESTOW_LOG_LEVEL: 'trace',
      LIVESTOW_STORE: `s3://bucket/live?endpoint=http://127.0.0.1:${port}&region=us-east-1`,
      AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE',
      AWS_SECRET_ACCESS_KEY: CANARY,
      AWS_SESSION_TOKEN: CANARY,
    };
    await using world = await World.open({ scenario: { apiKey: KEY }, alice: { durationMs: 8_000 }, env });
    const watch = new CanaryWatch([world.spool]);
    const run = await world.record();
    await run.until('the end', (now) => now.events('ended').length > 0);
    await run.until('refusals behind it', () => refusals > 20);
    await run.killHard();
    for (const command of [['doctor'], ['ls'], ['show', '@alice'], ['config', 'check']])
      await world.livestow('--log-level', 'trace', ...command).exited;
    env['LIVESTOW_STORE'] = join(world.folder, 'archive');
    const recovered = world.livestow('--log-level', 'trace', 'recover');
    expect(await recovered.exited).toEqual({ code: 0, signal: null });
    expect(recovered.stdout).toContain('sealed');
    await watch.stop();
    expect(run.stderr).toContain('STORE_DENIED');
    expect(saidBy(world)).toEqual([]);
    expect([...watch.found]).toEqual([]);
    expect((await findCanaryInFiles([world.folder])).found).toEqual([]);
  },
);
