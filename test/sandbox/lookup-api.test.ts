import { describe, expect, test } from 'vitest';
import type { ApiRuleInput } from '../../src/sandbox/api-rules.ts';
import { ask, lookUp, type Answer } from './client.ts';
import { play, playAlice } from './playing.ts';

interface ErrorBody {
  error: { code: string; message: string; requestId: string; checkoutUrl?: string };
}

const errorOf = async (response: Response) => ((await response.json()) as ErrorBody).error;

describe('the truth', () => {
  test('a live creator, with all that the reference names', async () => {
    const sandbox = await playAlice({
      variants: [
        { media: 'small', qualityKey: 'origin', protocols: ['flv', 'hls', 'cmaf'] },
        { media: 'hevc', source: 'hevc', qualityKey: 'hd', bitrate: null, resolution: null },
      ],
    });
    const { data, meta } = await lookUp(sandbox, '@Alice');
    expect(meta).toEqual({ requestId: 'req_000001', creditsCharged: 1, version: 'v1' });
    expect(data).toMatchObject({
      lookupStatus: 'found',
      liveStatus: 'live',
      profile: { handle: 'alice', platform: 'tiktok' },
    });
    expect(Math.abs(Date.parse(data.live!.startedAt!) - Date.now())).toBeLessThan(10_000);
    const [first, second] = data.live!.streams;
    expect(first).toMatchObject({
      codecFamily: 'h264',
      source: 'primary',
      resolution: '360x640',
      bitrate: 600_000,
    });
    expect(Object.keys(first!).filter((key) => key.endsWith('Url'))).toEqual(['flvUrl', 'hlsUrl', 'cmafUrl']);
    expect(second).toMatchObject({ codecFamily: 'h265', source: 'hevc', qualityKey: 'hd' });
    expect(second).not.toHaveProperty('bitrate');
    expect(second).not.toHaveProperty('resolution');
    expect(second).not.toHaveProperty('hlsUrl');
    for (const url of [data.profile!.avatarUrl!, data.live!.coverUrl!]) {
      const bytes = Buffer.from(await (await fetch(url)).arrayBuffer());
      expect(bytes.subarray(0, 3).toString('hex')).toBe('ffd8ff');
    }
  });

  test('offline and not found are answers, and cost a credit each', async () => {
    const sandbox = await play({ creators: { dora: {} } });
    expect((await lookUp(sandbox, 'dora')).data).toMatchObject({
      lookupStatus: 'found',
      liveStatus: 'offline',
      live: null,
    });
    expect((await lookUp(sandbox, 'nobody')).data).toEqual({
      lookupStatus: 'not_found',
      liveStatus: null,
      profile: null,
      live: null,
    });
    expect(sandbox.state()).toMatchObject({ lookups: 2, creditsCharged: 2 });
  });

  test('a room keeps its id, and differs from the creator’s', async () => {
    const sandbox = await playAlice({ roomId: '7400000000000000001' });
    expect((await lookUp(sandbox, 'alice')).data.live!.roomId).toBe('7400000000000000001');
    await sandbox.inject('alice', { type: 'room' });
    expect((await lookUp(sandbox, 'alice')).data.live!.roomId).toBe('7400000000000000002');
  });
});

describe('refusals of its own', () => {
  test.for<[name: string, handle: string, key: string | null, status: number, code: string]>([
    ['no key', 'alice', null, 402, 'payment_required'],
    ['a wrong key', 'alice', 'sfk_wrong', 401, 'unauthorized'],
    ['a handle that is too long', 'a'.repeat(65), 'sfk_sandbox', 400, 'bad_request'],
    ['a handle that is empty', '@', 'sfk_sandbox', 400, 'bad_request'],
  ])('%s', async ([, handle, key, status, code]) => {
    const sandbox = await playAlice({});
    const response = await ask(sandbox, handle, key);
    expect(response.status).toBe(status);
    const error = await errorOf(response);
    expect(error).toMatchObject({ code, requestId: 'req_000001' });
    expect(error.message).not.toBe('');
    expect(sandbox.state().creditsCharged).toBe(0);
  });

  test('credits run out', async () => {
    const sandbox = await playAlice({}, { credits: 2 });
    await lookUp(sandbox, 'alice');
    await lookUp(sandbox, 'alice');
    const response = await ask(sandbox, 'alice');
    expect(response.status).toBe(402);
    expect(await errorOf(response)).toMatchObject({
      code: 'insufficient_credits',
      checkoutUrl: expect.stringContaining('https://'),
    });
  });
});

describe('scripted answers', () => {
  test.for<[code: string, status: number]>([
    ['bad_request', 400],
    ['unauthorized', 401],
    ['insufficient_credits', 402],
    ['internal_error', 500],
    ['lookup_failed', 502],
    ['temporarily_unavailable', 503],
  ])('%s is %i', async ([code, status]) => {
    const sandbox = await playAlice({}, { api: [{ next: 1, answer: { type: 'error', code } }] });
    const response = await ask(sandbox, 'alice');
    expect(response.status).toBe(status);
    expect(await errorOf(response)).toMatchObject({ code });
    expect((await ask(sandbox, 'alice')).status).toBe(200);
  });

  test('429 and 503 say when to come again', async () => {
    const answer = { type: 'error', code: 'temporarily_unavailable', status: 429, retryAfter: 7 } as const;
    const sandbox = await playAlice({}, { api: [{ answer }] });
    const response = await ask(sandbox, 'alice');
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '7']);
  });

  test('a rule holds for its handle, its time and so many requests', async () => {
    const answer = { type: 'error', code: 'lookup_failed' } as const;
    const api: ApiRuleInput[] = [
      { handle: 'bob', answer },
      { fromMs: 3_600_000, answer: { type: 'hang' } },
      { handle: 'alice', next: 2, answer },
    ];
    const sandbox = await play({ creators: { alice: {}, bob: {} }, api });
    const statuses = [];
    for (const handle of ['bob', 'alice', 'alice', 'alice', 'bob']) {
      statuses.push((await ask(sandbox, handle)).status);
    }
    expect(statuses).toEqual([502, 502, 502, 200, 502]);
  });

  test('a cached answer is as old as it says', async () => {
    const sandbox = await playAlice({});
    sandbox.end('alice');
    sandbox.answer({ next: 1, answer: { type: 'cached', ageMs: 60_000 } });
    const stale = await ask(sandbox, 'alice');
    expect(stale.headers.get('age')).toBe('60');
    expect((await stale.json()) as Answer).toMatchObject({
      data: { liveStatus: 'offline' },
      meta: { cached: true },
    });
  });

  test('a stale answer still says live after the end', async () => {
    const sandbox = await playAlice({}, { speed: 1 });
    await sandbox.waitFor(({ type }) => type === 'live');
    await expect.poll(() => sandbox.state().nowMs, { timeout: 20_000 }).toBeGreaterThan(120);
    sandbox.end('alice');
    sandbox.answer({ next: 1, answer: { type: 'cached', ageMs: 60, ageHeader: false } });
    expect((await lookUp(sandbox, 'alice')).data.liveStatus).toBe('live');
    expect((await lookUp(sandbox, 'alice')).data.liveStatus).toBe('offline');
  });

  test('bodies that are no answer', async () => {
    const sandbox = await playAlice({});
    sandbox.answer({ next: 1, answer: { type: 'html', status: 502 } });
    const html = await ask(sandbox, 'alice');
    expect([html.status, html.headers.get('content-type')]).toEqual([502, 'text/html']);
    sandbox.answer({ next: 1, answer: { type: 'malformed' } });
    expect((await lookUp(sandbox, 'alice')).data.lookupStatus).toBe('maybe');
    sandbox.answer({ next: 1, answer: { type: 'body', body: '[]' } });
    expect(await (await ask(sandbox, 'alice')).json()).toEqual([]);
    sandbox.answer({ next: 1, answer: { type: 'extra-fields' } });
    expect(await lookUp(sandbox, 'alice')).toMatchObject({ data: { liveStatus: 'live', surprise: [1] } });
    sandbox.answer({ next: 1, answer: { type: 'truncated' } });
    const cut = await ask(sandbox, 'alice');
    expect(cut.status).toBe(200);
    await expect(cut.text()).rejects.toThrow();
  });

  test('connections that give no answer', async () => {
    const sandbox = await playAlice(
      {},
      {
        api: [
          { next: 1, answer: { type: 'reset' } },
          { next: 1, answer: { type: 'hang' } },
        ],
      },
    );
    await expect(ask(sandbox, 'alice')).rejects.toThrow();
    const hanging = ask(sandbox, 'alice');
    await sandbox.waitFor((event) => event.type === 'lookup' && event.answer === 'hang');
    await sandbox.close();
    await expect(hanging).rejects.toThrow();
  });

  test('a slow answer is the truth, later', async () => {
    const sandbox = await playAlice({}, { api: [{ next: 1, delayMs: 300 }] });
    const beganMs = performance.now();
    expect((await lookUp(sandbox, 'alice')).data.liveStatus).toBe('live');
    expect(performance.now() - beganMs).toBeGreaterThan(290);
  });
});
