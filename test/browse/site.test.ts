/** The pages over real HTTP: who sees what, what they may order, and what nobody gets. */
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Store } from '../../src/store/store.ts';
import { ManualClock } from '../manual-clock.ts';
import { buildSession, tempStore, type BuiltSession, type TempStore } from '../archive/fixture.ts';
import { CANARY } from '../e2e/canary.ts';
import { browse, type Browsed } from './browsed.ts';

const TOKEN = `admin-${CANARY}`;
const VIEWER = `viewer-${CANARY}`;
const TOKENS = { LIVESTOW_TOKEN: TOKEN, LIVESTOW_VIEWER_TOKEN: VIEWER };
const HTML = { accept: 'text/html,application/xhtml+xml' };

interface World {
  temp: TempStore;
  store: Store;
  site: Browsed;
  built: BuiltSession;
  clock: ManualClock;
}

async function world(env: Record<string, string> = {}): Promise<World> {
  const temp = await tempStore();
  onTestFinished(() => temp[Symbol.asyncDispose]());
  const built = await buildSession(temp.store, { title: '<script>alert(1)</script>' });
  const clock = new ManualClock();
  const site = await browse(temp.store, env, clock);
  onTestFinished(() => site[Symbol.asyncDispose]());
  return { temp, store: temp.store, site, built, clock };
}

const pathOf = ({ handle, session }: BuiltSession): string => `/sessions/${handle}/${session}/`;

/** As `fetch` would not send it: it has its own idea of where a request comes from. */
async function statusFrom(
  site: Browsed,
  path: string,
  headers: Record<string, string>,
): Promise<number | undefined> {
  const sent = request(`${site.url}${path}`, { headers }).end();
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  answer.resume();
  return answer.statusCode;
}

const get = (site: Browsed, path: string, headers: Record<string, string> = HTML): Promise<Response> =>
  fetch(`${site.url}${path}`, { headers, redirect: 'manual' });

const post = (
  site: Browsed,
  path: string,
  form: Record<string, string>,
  headers: Record<string, string> = { origin: site.url },
): Promise<Response> =>
  fetch(`${site.url}${path}`, {
    method: 'POST',
    body: new URLSearchParams(form),
    headers: { ...HTML, ...headers },
    redirect: 'manual',
  });

/** The cookie of who signs in with it. */
async function signIn(site: Browsed, token: string): Promise<Record<string, string>> {
  const answer = await post(site, '/sign-in', { token });
  expect(answer.status).toBe(303);
  const [cookie = ''] = (answer.headers.get('set-cookie') ?? '').split(';');
  return { ...HTML, cookie };
}

describe('without a token, on loopback', () => {
  test('everything of the archive is there, and nothing of a daemon', async () => {
    const { site, built } = await world();
    expect((await get(site, '/')).headers.get('location')).toBe('/archive');
    for (const path of ['/archive', pathOf(built), '/settings', '/archive?text=alert&gaps=yes'])
      expect([path, (await get(site, path)).status]).toEqual([path, 200]);
    for (const path of ['/now', '/jobs', '/creators', '/api/v1/status', '/metrics'])
      expect([path, (await get(site, path)).status]).toEqual([path, 404]);
  });

  test('what somebody wrote in a title is text', async () => {
    const { site, built } = await world();
    for (const path of ['/archive', pathOf(built)]) {
      const text = await (await get(site, path)).text();
      expect(text).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
      expect(text).not.toContain('<script>alert');
    }
  });

  test.each([
    '/archive?creator=../../etc&from=yesterday&min=-1&cursor=x&codec=vp9',
    `/archive?text=${encodeURIComponent('"><script>alert(1)</script>')}`,
    `/archive?text=${encodeURIComponent(`'; DROP TABLE session; --`)}`,
    `/archive?text=${encodeURIComponent('* OR "NEAR(')}`,
  ])('an address that makes no sense is a page all the same: %s', async (path) => {
    const { site } = await world();
    const answer = await get(site, path);
    expect([200, 400]).toContain(answer.status);
    expect(await answer.text()).not.toContain('<script>alert(1)');
    expect(await (await get(site, '/archive')).text()).toContain('1 session');
  });

  test.each([
    '/sessions/alice/..%2f..%2fbob/',
    '/sessions/../../etc/passwd',
    '/sessions/alice/20261122T140307Z-nobody/',
    '/sessions/alice/20261122T140307Z-7412/segments/..%2f..%2fcreator.json',
    '/sessions/alice/20261122T140307Z-7412/journal/0001-000001.ndjson',
    '/avatars/..%2f..%2fx.jpg',
    '/assets/..%2f..%2fpackage.json',
    '/assets/manifest.json',
    '/share/x.y/',
    '/nothing',
  ])('%s is nothing', async (path) => {
    const { site } = await world();
    const answer = await get(site, path);
    expect(answer.status).toBe(404);
    expect(await answer.text()).toContain('There is nothing here');
  });
});

describe('with tokens', () => {
  test('a browser is led to the sign-in page and back, a program is told', async () => {
    const { site, built } = await world(TOKENS);
    const path = `${pathOf(built)}?x=1`;
    const led = await get(site, path);
    expect(led.status).toBe(303);
    expect(led.headers.get('location')).toBe(`/sign-in?next=${encodeURIComponent(path)}`);
    expect((await get(site, path, { accept: '*/*' })).status).toBe(401);
    const form = await (await get(site, led.headers.get('location') ?? '')).text();
    expect(form).toContain(`name="next" value="${path}"`);
    const done = await post(site, '/sign-in', { token: VIEWER, next: path });
    expect([done.status, done.headers.get('location')]).toEqual([303, path]);
    expect((await get(site, path, await signIn(site, VIEWER))).status).toBe(200);
  });

  test.each([
    '//evil.example',
    '/\\evil.example',
    'https://evil.example/',
    '/sign-out',
    'javascript:alert(1)',
    '/a\nb',
  ])('nobody is led elsewhere: %j', async (next) => {
    const { site } = await world(TOKENS);
    expect((await post(site, '/sign-in', { token: TOKEN, next })).headers.get('location')).toBe('/');
  });

  test('the cookie is for this site alone, out of reach of scripts, and says nothing of the token', async () => {
    const { site } = await world(TOKENS);
    const plain = (await post(site, '/sign-in', { token: TOKEN })).headers.get('set-cookie') ?? '';
    expect(plain).toMatch(
      /^livestow-[\w-]{8}=admin\.\d+\.[\w-]+\.[\w-]+; Max-Age=604800; Path=\/; HttpOnly; SameSite=Lax$/,
    );
    expect(plain).not.toContain(CANARY);
    const behindTls = await post(
      site,
      '/sign-in',
      { token: TOKEN },
      { origin: site.url, 'x-forwarded-proto': 'https' },
    );
    expect(behindTls.headers.get('set-cookie')).toMatch(
      /^__Host-livestow-[\w-]{8}=.*; Secure; SameSite=Lax$/,
    );
  });

  test('a cookie that is changed, of another token or too old is none', async () => {
    const { site, clock } = await world(TOKENS);
    const { cookie = '' } = await signIn(site, VIEWER);
    const status = async (changed: string): Promise<number> =>
      (await get(site, '/archive', { accept: '*/*', cookie: changed })).status;
    expect(await status(cookie)).toBe(200);
    expect(await status(cookie.replace('viewer.', 'admin.'))).toBe(401);
    expect(await status(cookie.replace(/\.\d+\./, '.99999999999999.'))).toBe(401);
    expect(await status(`${cookie.slice(0, -1)}${cookie.endsWith('A') ? 'B' : 'A'}`)).toBe(401);
    const other = await world({ LIVESTOW_VIEWER_TOKEN: `${VIEWER}-other` });
    const { cookie: others = '' } = await signIn(other.site, `${VIEWER}-other`);
    const forged = `${others.split('=')[0]}=${cookie.split('=')[1]}`;
    expect((await get(other.site, '/archive', { accept: '*/*', cookie: forged })).status).toBe(401);
    await clock.advance(7 * 24 * 3_600_000);
    expect(await status(cookie)).toBe(401);
  });

  test('two livestows on one host, which a browser sends the cookies of both, do not sign each other out', async () => {
    const sites = [
      [await world(TOKENS), TOKEN],
      [await world({ LIVESTOW_TOKEN: `${TOKEN}-of-another` }), `${TOKEN}-of-another`],
    ] as const;
    const jar = new Map<string, string>();
    for (const [{ site }, token] of sites) {
      const [name = '', value = ''] = ((await signIn(site, token)).cookie ?? '').split('=');
      jar.set(name, value);
    }
    const cookie = [...jar].map((pair) => pair.join('=')).join('; ');
    for (const [{ site }] of sites)
      expect((await get(site, '/archive', { ...HTML, cookie })).status).toBe(200);
  });

  test('an old cookie of plain HTTP does not keep out who signs in by TLS', async () => {
    const { site } = await world(TOKENS);
    const old = await signIn(
      (await world({ LIVESTOW_TOKEN: `${TOKEN}-of-before` })).site,
      `${TOKEN}-of-before`,
    );
    const tls = { origin: site.url, 'x-forwarded-proto': 'https' };
    const given = (await post(site, '/sign-in', { token: TOKEN }, tls)).headers.get('set-cookie') ?? '';
    const cookie = `${old['cookie'] ?? ''}; ${given.split(';')[0] ?? ''}`;
    expect((await get(site, '/archive', { ...HTML, cookie })).status).toBe(200);
  });

  test('a proxy with TLS may call livestow by another name than the browser does', async () => {
    const { site, built } = await world(TOKENS);
    const browser = {
      ...(await signIn(site, TOKEN)),
      origin: 'https://live.example',
      'sec-fetch-site': 'same-origin',
      'x-forwarded-proto': 'https',
    };
    expect((await post(site, `${pathOf(built)}exports`, {}, browser)).status).toBe(303);
    const text = await (await get(site, `${pathOf(built)}?shared=7`, browser)).text();
    expect(text).toContain('value="https://');
  });

  test('signing out takes the cookie away', async () => {
    const { site } = await world(TOKENS);
    const out = await post(site, '/sign-out', {}, { ...(await signIn(site, TOKEN)), origin: site.url });
    expect(out.headers.get('set-cookie')).toMatch(/^livestow-[\w-]{8}=; Max-Age=0; Path=\//);
  });

  test('who guesses has to wait, and in time may try again', async () => {
    const { site, clock } = await world(TOKENS);
    for (let guess = 0; guess < 10; guess += 1)
      expect((await post(site, '/sign-in', { token: `wrong-token-${guess}` })).status).toBe(401);
    const refused = await post(site, '/sign-in', { token: TOKEN });
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(800);
    expect(refused.headers.get('set-cookie')).toBeNull();
    await clock.advance(15 * 60_000);
    await signIn(site, TOKEN);
  });

  test('a form of another site, or of nobody knows where, orders nothing', async () => {
    const { site, built } = await world(TOKENS);
    const cookie = await signIn(site, TOKEN);
    const order = async (headers: Record<string, string>): Promise<number> =>
      (await post(site, `${pathOf(built)}exports`, {}, { ...cookie, ...headers })).status;
    expect(await order({ origin: 'https://evil.example' })).toBe(403);
    expect(await order({ 'sec-fetch-site': 'cross-site' })).toBe(403);
    expect(await order({ 'sec-fetch-site': 'same-site' })).toBe(403);
    expect(await order({ origin: 'null' })).toBe(403);
    expect(await order({})).toBe(403);
    expect(await order({ origin: site.url })).toBe(303);
  });

  test('a link from another site to a page opens it, and nothing else of it can be had from there', async () => {
    const { site, built } = await world(TOKENS);
    const cookie = await signIn(site, TOKEN);
    const from = (mode: string, dest: string) => ({
      ...cookie,
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': mode,
      'sec-fetch-dest': dest,
    });
    const status = (path: string, headers: Record<string, string>) => statusFrom(site, path, headers);
    expect(await status(pathOf(built), from('navigate', 'document'))).toBe(200);
    expect(await status(pathOf(built), from('navigate', 'iframe'))).toBe(403);
    expect(await status(`${pathOf(built)}timeline.json`, from('cors', 'empty'))).toBe(403);
    expect(await status(`${pathOf(built)}poster.jpg`, from('no-cors', 'image'))).toBe(403);
  });
});

describe('a share link', () => {
  async function shared(days = '7'): Promise<World & { link: string; cookie: Record<string, string> }> {
    const made = await world(TOKENS);
    const cookie = await signIn(made.site, TOKEN);
    const text = await (await get(made.site, `${pathOf(made.built)}?shared=${days}`, cookie)).text();
    const [, link = ''] = new RegExp(`value="${made.site.url}(/share/[^"]+)"`).exec(text) ?? [];
    return { ...made, link, cookie };
  }

  test('opens the one session to whoever has it, without orders, hashes of all or other pages', async () => {
    const { site, link, store } = await shared();
    await buildSession(store, { handle: 'bob', title: 'of bob' });
    const text = await (await get(site, link)).text();
    expect(text).toContain('&lt;script&gt;alert(1)');
    for (const absent of ['Make an MP4', '/archive', '/settings', 'Make a link', 'of bob'])
      expect(text).not.toContain(absent);
    for (const path of ['index.m3u8', 'timeline.json', 'segments/0001-0001-000001.ts', 'poster.jpg'])
      expect([path, (await get(site, `${link}${path}`)).status]).toEqual([path, 200]);
    for (const path of ['manifest.json', 'exports', '../../archive', '../bob/', 'journal/0001-000001.ndjson'])
      expect([path, [404, 303].includes((await get(site, `${link}${path}`)).status)]).toEqual([path, true]);
    expect((await post(site, `${link}exports`, {})).status).not.toBe(200);
  });

  test('is over when its time is', async () => {
    const { site, link, clock } = await shared('1');
    await clock.advance(24 * 3_600_000 - 1);
    expect((await get(site, link)).status).toBe(200);
    await clock.advance(1);
    expect((await get(site, link)).status).toBe(404);
  });

  test('cannot be changed to another session or another time', async () => {
    const { site, link } = await shared();
    const [, about = '', signature = ''] = /^\/share\/(.*)\.(.*)\/$/.exec(link) ?? [];
    const said = JSON.parse(Buffer.from(about, 'base64url').toString()) as Record<string, unknown>;
    const changed = Buffer.from(JSON.stringify({ ...said, h: 'bob' })).toString('base64url');
    expect((await get(site, `/share/${changed}.${signature}/`)).status).toBe(404);
    expect((await get(site, `/share/${about}.${signature.slice(0, -1)}A/`)).status).toBe(404);
  });

  test('is made by admins only', async () => {
    const { site, built } = await shared();
    const text = await (await get(site, `${pathOf(built)}?shared=7`, await signIn(site, VIEWER))).text();
    expect(text).not.toContain('/share/');
  });
});

test('no page has anything unsafe, from elsewhere, or to be framed; and none has a secret', async () => {
  const { site, built } = await world({ ...TOKENS, LIVESTOW_API_KEY: `sfk_${CANARY}` });
  const cookie = await signIn(site, TOKEN);
  for (const path of [
    '/archive',
    pathOf(built),
    '/settings',
    '/sign-in',
    '/nothing',
    `${pathOf(built)}?shared=1`,
  ]) {
    const answer = await get(site, path, path === '/sign-in' ? HTML : cookie);
    const policy = answer.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(answer.headers.get('referrer-policy')).toBe('same-origin');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const text = await answer.text();
    expect(text).not.toContain(CANARY);
    expect(text).not.toMatch(/\son\w+=|<style|style=/);
    expect(text).not.toMatch(/(?:src|href|action|poster)="(?:https?:)?\/\//);
  }
});

test('what is bundled is kept for good, and sent compressed', async () => {
  const { site } = await world();
  const [, script = ''] =
    /src="(\/assets\/app[^"]+\.js)"/.exec(await (await get(site, '/archive')).text()) ?? [];
  const answer = await get(site, script, { 'accept-encoding': 'br' });
  expect(answer.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
  expect(answer.headers.get('content-encoding')).toBe('br');
  expect(answer.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
  expect(await answer.text()).toContain('EventSource');
});

test('a poster that is there is shown without reading the manifest: a list has many', async () => {
  const { site, built, store } = await world();
  await store.put(`${built.prefix}poster.jpg`, { bytes: Buffer.from('a picture') });
  await store.delete(`${built.prefix}manifest.json`);
  const answer = await get(site, `${pathOf(built)}poster.jpg`);
  expect([answer.status, await answer.text()]).toEqual([200, 'a picture']);
  expect((await get(site, '/sessions/bob/20261122T140307Z-7412/poster.jpg')).status).toBe(404);
});

test('a session that goes on has a poster of its own media', async () => {
  const { site, store } = await world();
  const built = await buildSession(store, { handle: 'bob', state: 'recording' });
  const answer = await get(site, `${pathOf(built)}poster.jpg`);
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'image/jpeg']);
});

test('an export is made, told of while it is, and can be fetched', async () => {
  const { site, built } = await world();
  const path = pathOf(built);
  const ordered = await post(site, `${path}exports`, { from: '0:02', to: '' });
  expect([ordered.status, ordered.headers.get('location')]).toEqual([303, `${path}#exports`]);
  const page = async (): Promise<string> => (await get(site, path)).text();
  await expect.poll(page, { timeout: 20_000 }).toMatch(/href="exports\/[\w-]+\/alice-[^"]+\.mp4" download/);
  const [, file = ''] = /href="(exports\/[^"]+\.mp4)"/.exec(await page()) ?? [];
  const answer = await get(site, `${path}${file}`);
  expect(answer.headers.get('content-disposition')).toMatch(/^attachment; filename="alice-/);
  const bytes = Buffer.from(await answer.arrayBuffer());
  expect(bytes.subarray(4, 8).toString()).toBe('ftyp');
  const part = await get(site, `${path}${file}`, { range: 'bytes=4-7' });
  expect([part.status, await part.text()]).toEqual([206, 'ftyp']);
  const [, id = ''] = /exports\/([\w-]+)\//.exec(file) ?? [];
  expect((await post(site, `${path}exports/${id}/cancel`, {})).headers.get('location')).toBe(
    `${path}#exports`,
  );
  expect((await get(site, `${path}${file}`)).status).toBe(404);
  expect((await post(site, `${path}exports`, { from: 'soon' })).status).toBe(400);
});
