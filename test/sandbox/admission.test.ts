import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import type { FaultInput } from '../../src/sandbox/faults.ts';
import { lookUp, receive, streamOf } from './client.ts';
import { HeldClock, playAlice } from './playing.ts';

/** Alice is live and nothing is due before it is injected. */
const playing = (variant: object = {}) =>
  playAlice({ variants: [{ media: 'small', ...variant }] }, { speed: 1 });

async function statusOf(url: string): Promise<number> {
  const leave = new AbortController();
  const { status } = await fetch(url, { signal: leave.signal });
  leave.abort();
  return status;
}

describe('addresses', () => {
  test('an address is good as handed out, and not when it was altered', async () => {
    const sandbox = await playing({ protocols: ['flv', 'hls', 'cmaf'] });
    const { flvUrl, cmafUrl } = await streamOf(sandbox, 'alice');
    expect(await statusOf(flvUrl!)).toBe(200);
    expect(await statusOf(flvUrl!.replace(/sign=./, 'sign=_'))).toBe(403);
    expect(await statusOf(flvUrl!.replace(/expire=\d/, 'expire=9'))).toBe(403);
    expect(await statusOf(flvUrl!.split('?')[0]!)).toBe(403);
    expect(await (await fetch(cmafUrl!)).text()).toContain('<MPD');
  });

  test('an address expires by itself', async () => {
    let aheadMs = 0;
    const clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
    const sandbox = await playAlice({}, { speed: 1, urlTtlMs: 60_000 }, clock);
    const { flvUrl } = await streamOf(sandbox, 'alice');
    aheadMs = 59_000;
    expect(await statusOf(flvUrl!)).toBe(200);
    aheadMs = 62_000;
    expect(await statusOf(flvUrl!)).toBe(403);
  });

  test('redirects lead to the media', async () => {
    const sandbox = await playing({ redirects: 3 });
    const { flvUrl } = await streamOf(sandbox, 'alice');
    expect((await fetch(flvUrl!, { redirect: 'manual' })).status).toBe(302);
    expect(await statusOf(flvUrl!)).toBe(200);
  });

  test('a variant that never works, beside one that does', async () => {
    const sandbox = await playAlice({
      variants: [
        { media: 'small', status: 404 },
        { media: 'small', qualityKey: 'sd' },
      ],
    });
    expect(await statusOf((await streamOf(sandbox, 'alice', 0)).flvUrl!)).toBe(404);
    expect(await statusOf((await streamOf(sandbox, 'alice', 1)).flvUrl!)).toBe(200);
  });
});

describe('faults that refuse', () => {
  test.for<[name: string, fault: FaultInput, status: number, cut: boolean]>([
    ['refuse', { type: 'refuse', forMs: 60_000, status: 503 }, 503, true],
    ['refuse without a cut', { type: 'refuse', forMs: 60_000, cut: false }, 404, false],
    ['expire', { type: 'expire' }, 403, false],
    ['expire with a cut', { type: 'expire', cut: true }, 403, true],
    ['room', { type: 'room' }, 404, true],
    ['offline that stops media', { type: 'offline', forMs: 60_000, media: 'stops' }, 404, true],
    ['no-media, no streams', { type: 'no-media', how: 'no-streams', forMs: 60_000 }, 404, true],
    ['end', { type: 'end' }, 404, true],
  ])('%s', async ([, fault, status, cut]) => {
    const sandbox = await playing();
    const { flvUrl } = await streamOf(sandbox, 'alice');
    const leave = new AbortController();
    const open = receive(flvUrl!, { signal: leave.signal });
    await sandbox.waitFor(({ type }) => type === 'gop');
    await sandbox.inject('alice', fault);
    expect(await statusOf(flvUrl!)).toBe(status);
    expect(sandbox.fired('alice', fault.type).length).toBeGreaterThan(0);
    await (cut ? open : undefined);
    expect(sandbox.state().openConnections).toBe(cut ? 0 : 1);
    leave.abort();
    await open;
  });

  test('expired addresses are replaced by a fresh look', async () => {
    const sandbox = await playing();
    const before = await streamOf(sandbox, 'alice');
    await sandbox.inject('alice', { type: 'expire' });
    expect(await statusOf(before.flvUrl!)).toBe(403);
    expect(await statusOf((await streamOf(sandbox, 'alice')).flvUrl!)).toBe(200);
  });

  test('a refusal ends after its time', async () => {
    const sandbox = await playAlice({ faults: [{ type: 'refuse', forMs: 4_000, atMs: 0 }] });
    const { flvUrl } = await streamOf(sandbox, 'alice');
    expect(await statusOf(flvUrl!)).toBe(404);
    await sandbox.waitFor(({ atMs, type }) => type === 'refused' && atMs > 0);
    await expect.poll(() => statusOf(flvUrl!), { timeout: 20_000 }).toBe(200);
  });

  test('one protocol or quality is refused while the other works', async () => {
    const sandbox = await playAlice({
      variants: [{ media: 'small' }, { media: 'small', qualityKey: 'sd' }],
      faults: [{ type: 'refuse', forMs: 60_000, target: { qualityKey: 'origin' }, atMs: 0 }],
    });
    expect(await statusOf((await streamOf(sandbox, 'alice', 0)).flvUrl!)).toBe(404);
    expect(await statusOf((await streamOf(sandbox, 'alice', 1)).flvUrl!)).toBe(200);
  });

  test('a web page instead of media', async () => {
    const sandbox = await playing();
    const { flvUrl } = await streamOf(sandbox, 'alice');
    await sandbox.inject('alice', { type: 'html', forMs: 60_000 });
    const answer = await fetch(flvUrl!);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/html']);
    expect(await answer.text()).toContain('<!doctype html>');
  });
});

describe('listed live without media', () => {
  async function watch(fault: FaultInput) {
    const clock = new HeldClock();
    const sandbox = await playAlice({ durationMs: 8_000, faults: [fault] }, {}, clock);
    const { flvUrl } = await streamOf(sandbox, 'alice');
    return { sandbox, received: await receive(flvUrl!, { opened: () => clock.letGo() }) };
  }

  test.for([
    { how: 'empty', bytes: false },
    { how: 'headers', bytes: true },
  ] as const)('$how', async ({ how, bytes }) => {
    const { sandbox, received } = await watch({ type: 'no-media', how, forMs: 20_000, atMs: 0 });
    expect(received.status).toBe(200);
    expect(received.bytes.length > 0).toBe(bytes);
    expect(received.units.filter((unit) => 'dtsMs' in unit)).toEqual([]);
    expect(sandbox.truth('alice').pictures).toEqual([]);
  });

  test('media comes after all', async () => {
    const { received } = await watch({ type: 'no-media', forMs: 4_000, atMs: 0 });
    const first = received.units.find((unit) => unit.kind === 'video' && 'dtsMs' in unit);
    expect(first).toMatchObject({ key: true, dtsMs: 2_133 });
  });
});

describe('rooms', () => {
  test('a new room while the media goes on', async () => {
    const sandbox = await playing();
    const before = await lookUp(sandbox, 'alice');
    const { flvUrl } = await streamOf(sandbox, 'alice');
    const leave = new AbortController();
    const open = receive(flvUrl!, { signal: leave.signal });
    await sandbox.inject('alice', { type: 'room', media: 'goes-on', title: 'Part two' });
    await sandbox.waitFor(({ type }) => type === 'room');
    const after = await lookUp(sandbox, 'alice');
    expect(after.data.live!.roomId).not.toBe(before.data.live!.roomId);
    expect(after.data.live!.title).toBe('Part two');
    expect(await statusOf(flvUrl!)).toBe(200);
    expect(sandbox.state().openConnections).toBeGreaterThan(0);
    leave.abort();
    await open;
  });

  test('live again is another room, whose pictures count on', async () => {
    const sandbox = await playAlice({});
    const first = await lookUp(sandbox, 'alice');
    sandbox.end('alice');
    expect((await lookUp(sandbox, 'alice')).data.liveStatus).toBe('offline');
    sandbox.goLive('alice');
    const second = await lookUp(sandbox, 'alice');
    expect(second.data.live!.roomId).not.toBe(first.data.live!.roomId);
    expect(await statusOf(first.data.live!.streams[0]!.flvUrl!)).toBe(404);
    const open = receive(second.data.live!.streams[0]!.flvUrl!);
    await sandbox.waitFor((event) => event.type === 'gop');
    sandbox.end('alice');
    const { units } = await open;
    expect(units.find((unit) => unit.kind === 'video' && 'dtsMs' in unit)).toMatchObject({ dtsMs: 0 });
    expect(sandbox.truth('alice').pictures[0]![0]).toBeGreaterThanOrEqual(64);
  });

  test('the end may leave the connection open in silence', async () => {
    const sandbox = await playing();
    const leave = new AbortController();
    const open = receive((await streamOf(sandbox, 'alice')).flvUrl!, { signal: leave.signal });
    await sandbox.waitFor(({ type }) => type === 'gop');
    sandbox.end('alice', 'silence');
    await sandbox.waitFor(({ type }) => type === 'ended');
    expect((await lookUp(sandbox, 'alice')).data.liveStatus).toBe('offline');
    expect(sandbox.state().openConnections).toBe(1);
    leave.abort();
    await open;
    expect(await sandbox.waitFor(({ type }) => type === 'closed')).toMatchObject({ by: 'client' });
  });

  test('an offline blip while media flows', async () => {
    const sandbox = await playing();
    await sandbox.inject('alice', { type: 'offline', forMs: 60_000 });
    expect((await lookUp(sandbox, 'alice')).data.liveStatus).toBe('offline');
  });
});
