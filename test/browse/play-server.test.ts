import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import HLS from 'hls-parser';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PlayServer } from '../../src/browse/play-server.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { sessionPlaylist, windowPlaylist } from '../../src/layout/playlist.ts';
import { buildSession, publish, tempStore, type BuiltSession, type TempStore } from '../archive/fixture.ts';
import { play } from './browsed.ts';

const FIRST = 'segments/0001-0001-000001.ts';

let temp: TempStore;
let built: BuiltSession;
let player: PlayServer;
beforeAll(async () => {
  temp = await tempStore();
  built = await buildSession(temp.store, { title: '</script><script>alert(1)</script>' });
  await buildSession(temp.store, { handle: 'bob' });
  player = await play(temp.store, built);
});
afterAll(async () => {
  await player.close();
  await temp[Symbol.asyncDispose]();
});

const get = (path: string, init?: RequestInit): Promise<Response> =>
  fetch(new URL(path, player.pageUrl), init);

test('the playlist and everything that it names can be fetched, as it lies in the store', async () => {
  const answer = await fetch(player.playlistUrl);
  expect(answer.headers.get('content-type')).toBe('application/vnd.apple.mpegurl');
  const text = await answer.text();
  expect(text).toBe(sessionPlaylist(built.manifest, true));
  const playlist = HLS.parse(text);
  const uris = 'segments' in playlist ? playlist.segments.map(({ uri }) => uri) : [];
  expect(uris).toHaveLength(5);
  for (const uri of uris) {
    const segment = await get(uri);
    expect(segment.headers.get('content-type')).toBe('video/mp2t');
    expect(
      Buffer.from(await segment.arrayBuffer()).equals(await readFile(join(temp.root, built.prefix, uri))),
    ).toBe(true);
  }
});

test('its last seconds, for who looks on; nonsense is the whole', async () => {
  const last = async (seconds: string) => (await get(`index.m3u8?last=${seconds}`)).text();
  expect(await last('1')).toBe(windowPlaylist(built.manifest, true, 1_000));
  for (const whole of ['0', '-5', 'x', ''])
    expect(await last(whole)).toBe(sessionPlaylist(built.manifest, true));
});

test('each epoch alone', async () => {
  expect(await (await get('epoch-0001-0002.m3u8')).text()).toContain('segments/0001-0002-000001.ts');
  expect((await get('epoch-0001-0003.m3u8')).status).toBe(404);
});

describe('parts', () => {
  test('of a segment', async () => {
    const whole = await readFile(join(temp.root, built.prefix, FIRST));
    const answer = await get(FIRST, { headers: { Range: 'bytes=100-199' } });
    expect(answer.status).toBe(206);
    expect(answer.headers.get('content-range')).toBe(`bytes 100-199/${whole.length}`);
    expect(Buffer.from(await answer.arrayBuffer()).equals(whole.subarray(100, 200))).toBe(true);
  });

  test('behind its end', async () => {
    const answer = await get(FIRST, { headers: { Range: 'bytes=99999999-' } });
    expect(answer.status).toBe(416);
  });

  test('none: a HEAD says how much there is', async () => {
    const answer = await get(FIRST, { method: 'HEAD' });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-length')).toBe(String(built.manifest.segments[0]?.bytes));
  });
});

test('players on pages elsewhere may read media and playlists', async () => {
  for (const path of [FIRST, 'index.m3u8']) {
    expect((await get(path)).headers.get('access-control-allow-origin')).toBe('*');
    const asked = await get(path, { method: 'OPTIONS', headers: { Origin: 'https://example.org' } });
    expect(asked.headers.get('access-control-allow-headers')).toBe('Range');
  }
});

describe('the page', () => {
  test('takes nothing from elsewhere and runs nothing that stands in it', async () => {
    const answer = await get('');
    expect(answer.headers.get('content-type')).toMatch(/^text\/html; charset=utf-8$/i);
    const policy = answer.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    const html = await answer.text();
    expect(html).toContain('&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(html).not.toMatch(/<script>|https?:\/\//);
    for (const [, path = ''] of html.matchAll(/(?:src|href)="([^"]+)"/g)) {
      // There is nothing else on this server than the session, so the frame leads nowhere.
      expect([path, (await get(path)).status]).toEqual([path, path === '/' ? 404 : 200]);
    }
  });

  test('what it shows of the session', async () => {
    expect(await (await get('timeline.json')).json()).toMatchObject({
      isLive: false,
      runs: [[0, expect.any(Number), 10_000]],
      gaps: [{ cause: 'found-late', ms: 2000, positionMs: 0 }],
      probe: null,
    });
  });
});

describe('nothing else can be reached', () => {
  test.each([
    'manifest.json',
    'journal/0001-000001.ndjson',
    'segments/0001-0001-000099.ts',
    'segments/',
    'segments%2F0001-0001-000001.ts%00',
    'constructor',
    '/',
    '/index.m3u8',
    '/wrong-secret/index.m3u8',
  ])('%s', async (path) => {
    expect((await get(path)).status).toBe(404);
  });

  /** As it is: fetch would tidy the path up. */
  async function rawStatus(path: string): Promise<string> {
    const { hostname, port, pathname } = new URL(player.pageUrl);
    const socket = connect(Number(port), hostname);
    socket.write(`GET ${pathname}${path} HTTP/1.1\r\nHost: ${hostname}\r\nConnection: close\r\n\r\n`);
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
    await once(socket, 'close');
    return answer.split('\r\n')[0] ?? '';
  }

  test.each([
    '../../bob/20261122T140307Z-7412/manifest.json',
    '..%2f..%2fbob%2f20261122T140307Z-7412%2fsegments%2f0001-0001-000001.ts',
    'segments/../../../bob/20261122T140307Z-7412/segments/0001-0001-000001.ts',
    'segments/%2e%2e/manifest.json',
    '%2fetc%2fpasswd',
    'segments/..\\..\\x',
  ])('%s', async (path) => {
    expect(await rawStatus(path)).toMatch(/^HTTP\/1\.1 (404|400) /);
  });
});

test('it listens on loopback only', () => {
  expect(new URL(player.pageUrl).hostname).toBe('127.0.0.1');
});

test('a segment that is gone is not found, and the server goes on', async () => {
  await using other = await tempStore();
  const session = await buildSession(other.store);
  await other.store.delete(session.prefix + FIRST);
  const server = await play(other.store, session);
  expect((await fetch(new URL(FIRST, server.pageUrl))).status).toBe(404);
  expect((await fetch(server.playlistUrl)).status).toBe(200);
  await server.close();
});

test('a session that is being recorded grows until it is sealed', async () => {
  await using other = await tempStore();
  const session = await buildSession(other.store, { state: 'recording' });
  const { manifest } = session;
  let nowMs = 0;
  const clock = { ...systemClock, monotonic: () => nowMs };
  await publish(other.store, {
    ...session,
    manifest: { ...manifest, segments: manifest.segments.slice(0, 2) },
  });
  const server = await play(other.store, session, { clock });
  const playlist = async (): Promise<string> => (await fetch(server.playlistUrl)).text();
  const early = await playlist();
  expect(early).toContain('#EXT-X-PLAYLIST-TYPE:EVENT');
  expect((await fetch(new URL('segments/0001-0002-000001.ts', server.pageUrl))).status).toBe(404);

  await publish(other.store, session);
  expect(await playlist()).toBe(early);
  nowMs += 2_000;
  expect((await playlist()).startsWith(early)).toBe(true);
  expect((await fetch(new URL('segments/0001-0002-000001.ts', server.pageUrl))).status).toBe(200);

  await publish(other.store, { ...session, manifest: { ...manifest, sealedAt: new Date(0).toISOString() } });
  nowMs += 2_000;
  expect(await playlist()).toContain('#EXT-X-ENDLIST');
  await server.close();
});

test('closing ends requests that are under way and frees the port', async () => {
  const server = await play(temp.store, built);
  const { port } = new URL(server.pageUrl);
  const socket = connect(Number(port), '127.0.0.1');
  await once(socket, 'connect');
  const gone = once(socket, 'close');
  socket.on('error', () => {});
  await server.close();
  await gone;
  const again = await play(temp.store, built, { port: Number(port) });
  await expect(play(temp.store, built, { port: Number(port) })).rejects.toMatchObject({
    code: 'USAGE',
  });
  await again.close();
});
