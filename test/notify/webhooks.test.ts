import { createHmac } from 'node:crypto';
import { getEventListeners } from 'node:events';
import { Agent } from 'undici';
import { afterAll, describe, expect, test } from 'vitest';
import { createLogger, silentLogger } from '../../src/kernel/logger.ts';
import type { LivestowEvent } from '../../src/model/event.ts';
import { deliverySchema, webhookStateSchema } from '../../src/notify/delivery.ts';
import { gapDigestSchema } from '../../src/notify/gap-digest.ts';
import { post } from '../../src/notify/post.ts';
import { GIVE_UP_AFTER_MS, MOST_WAITING } from '../../src/notify/webhook-queue.ts';
import { MOST_DELIVERIES, Webhooks, type WebhooksOptions } from '../../src/notify/webhooks.ts';
import { ManualClock } from '../manual-clock.ts';
import { EVENTS, gap, live, receiver, webhook, type Received, type Reply } from './events.ts';

const dispatcher = new Agent();
afterAll(() => dispatcher.destroy());
const never = new AbortController().signal;
const ALL = Object.keys(EVENTS);
const SECRET = `whsec_${Buffer.alloc(32, 3).toString('base64')}`;

const told = (clock: ManualClock, given: Record<string, unknown>[], more: Partial<WebhooksOptions> = {}) =>
  new Webhooks({
    webhooks: given.map((one) => webhook({ events: ALL, ...one })),
    dispatcher,
    logger: silentLogger(),
    clock,
    random: () => 1,
    ...more,
  });

const PATIENTLY = { timeout: 10_000, interval: 2 };
const ended = async (webhooks: Webhooks, count: number) => {
  await expect.poll(() => webhooks.deliveries().length, PATIENTLY).toBe(count);
};
const failures = async (webhooks: Webhooks, count: number, at = 0) => {
  await expect.poll(() => webhooks.states()[at]?.failures, PATIENTLY).toBe(count);
};
const dataOf = ({ body }: Received) => (JSON.parse(body) as { data: LivestowEvent }).data;
const undeliveredIn = ({ body }: Received) => (JSON.parse(body) as { undelivered: number }).undelivered;
/** Who is live, in the order in which it was told. */
const handles = (received: Received[]) => received.map((one) => (dataOf(one) as typeof EVENTS.live).handle);

describe('a message', () => {
  test('is posted, signed, and noted', async () => {
    await using server = await receiver();
    const clock = new ManualClock();
    const webhooks = told(clock, [
      { name: 'mine', url: `${server.url}/hook?a=b`, secret: SECRET, headers: { Authorization: 'Bearer x' } },
    ]);
    webhooks.tell(live('Grüße 🎉'));
    await ended(webhooks, 1);

    const [{ path, headers, body }] = server.received as [Received];
    expect(path).toBe('/hook?a=b');
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'user-agent': 'livestow',
      authorization: 'Bearer x',
    });
    const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature } = headers;
    expect(id).toMatch(/^msg_[0-9a-f]{32}$/);
    expect(Number(timestamp)).toBe(Math.floor(clock.now() / 1_000));
    const key = Buffer.alloc(32, 3);
    expect(signature).toBe(
      `v1,${createHmac('sha256', key)
        .update(`${String(id)}.${String(timestamp)}.${body}`)
        .digest('base64')}`,
    );
    expect(webhooks.deliveries()).toEqual([
      deliverySchema.parse({
        id,
        webhook: 'mine',
        type: 'live',
        handle: 'alice',
        toldAt: '2026-11-22T00:00:00.000Z',
        endedAt: '2026-11-22T00:00:00.000Z',
        outcome: 'delivered',
        tries: 1,
        status: 204,
        error: null,
      }),
    ]);
    expect(clock.pendingMs).toEqual([]);
  });

  test('is told to those who want to know', async () => {
    await using server = await receiver();
    const webhooks = told(new ManualClock(), [
      { url: `${server.url}/all` },
      { url: `${server.url}/default`, events: undefined },
      { url: `${server.url}/bob`, creators: ['bob'] },
    ]);
    for (const event of Object.values(EVENTS)) webhooks.tell(event);
    await webhooks.close(never);
    const types = (path: string) =>
      server.received.filter((one) => one.path === path).map((one) => dataOf(one).type);
    expect(types('/all').toSorted()).toEqual(ALL.toSorted());
    expect(types('/default')).toEqual(['live', 'sealed', 'failed', 'credits', 'disk', 'digest']);
    expect(types('/bob')).toEqual(['failed', 'credits', 'disk', 'config', 'job', 'digest']);
  });

  test('comes behind those that were told before it', async () => {
    await using server = await receiver(204, 500);
    const clock = new ManualClock();
    const webhooks = told(clock, [{ url: server.url }]);
    for (const handle of ['a', 'b', 'c', 'd']) webhooks.tell(live('x', handle));
    await failures(webhooks, 1);
    await clock.advance(2_000);
    await ended(webhooks, 4);
    expect(handles(server.received)).toEqual(['a', 'b', 'b', 'c', 'd']);
  });
});

describe('an answer', () => {
  test.each([200, 201, 204])('%i: it is delivered', async (status) => {
    await using server = await receiver(status);
    const webhooks = told(new ManualClock(), [{ url: server.url }]);
    webhooks.tell(EVENTS.live);
    await ended(webhooks, 1);
    expect(webhooks.deliveries()).toMatchObject([{ outcome: 'delivered', status, tries: 1 }]);
  });

  test.each<[reply: Reply, status: number | null, error: string | null]>([
    [408, 408, null],
    [425, 425, null],
    [429, 429, null],
    [500, 500, null],
    [502, 502, null],
    [503, 503, null],
    ['reset', null, 'UND_ERR_SOCKET'],
  ])('%s: it is tried again, as the same message', async (reply, status, error) => {
    await using server = await receiver(reply);
    const clock = new ManualClock();
    const webhooks = told(clock, [{ url: server.url, secret: SECRET }]);
    webhooks.tell(EVENTS.live);
    await failures(webhooks, 1);
    expect(webhooks.states()).toEqual([
      webhookStateSchema.parse({
        webhook: 'webhooks[0]',
        shape: 'json',
        waiting: 1,
        undelivered: 0,
        failures: 1,
        status,
        error,
      }),
    ]);
    expect(clock.pendingMs).toEqual([2_000]);
    await clock.advance(2_000);
    await ended(webhooks, 1);
    expect(webhooks.deliveries()).toMatchObject([{ outcome: 'delivered', status: 204, tries: 2 }]);
    const [first, second] = server.received as [Received, Received];
    expect(second.body).toBe(first.body);
    expect(second.headers['webhook-id']).toBe(first.headers['webhook-id']);
    // Of the try, so that a receiver may refuse old ones.
    expect(Number(second.headers['webhook-timestamp']) - Number(first.headers['webhook-timestamp'])).toBe(2);
    expect(second.headers['webhook-signature']).not.toBe(first.headers['webhook-signature']);
  });

  test.each([400, 401, 403, 404, 405, 410, 413, 422])('%i: it is not tried again', async (status) => {
    await using server = await receiver(status);
    const webhooks = told(new ManualClock(), [{ url: server.url }]);
    webhooks.tell(live('x', 'a'));
    webhooks.tell(live('x', 'b'));
    await ended(webhooks, 2);
    expect(webhooks.deliveries()).toMatchObject([
      { handle: 'b', outcome: 'delivered', tries: 1 },
      { handle: 'a', outcome: 'refused', tries: 1, status },
    ]);
    expect(server.received.map(undeliveredIn)).toEqual([0, 1]);
  });

  test.each([301, 302, 307, 308])('%i: a redirect is not followed', async (status) => {
    await using elsewhere = await receiver();
    await using server = await receiver({ status, headers: { location: elsewhere.url } });
    const webhooks = told(new ManualClock(), [{ url: server.url }]);
    webhooks.tell(EVENTS.live);
    await ended(webhooks, 1);
    expect(webhooks.deliveries()).toMatchObject([{ outcome: 'refused', status }]);
    expect(elsewhere.received).toEqual([]);
  });

  test.each<[header: string, waitMs: number]>([
    ['30', 30_000],
    ['1.5', 2_000],
    ['Sun, 22 Nov 2026 00:05:00 GMT', 300_000],
    ['999999', 3_600_000],
    ['soon', 2_000],
  ])('Retry-After: %s is kept to', async (header, waitMs) => {
    await using server = await receiver({ status: 429, headers: { 'retry-after': header } });
    const clock = new ManualClock();
    const webhooks = told(clock, [{ url: server.url }]);
    webhooks.tell(EVENTS.live);
    await failures(webhooks, 1);
    expect(clock.pendingMs).toEqual([waitMs]);
    await webhooks.close(never);
  });

  test('that never comes: the try ends after 15 s, and the others are not kept waiting', async () => {
    await using hanging = await receiver('hang');
    await using server = await receiver();
    const clock = new ManualClock();
    const webhooks = told(clock, [{ url: hanging.url }, { url: server.url }]);
    webhooks.tell(live('x', 'a'));
    webhooks.tell(live('x', 'b'));
    await server.until(2);
    await ended(webhooks, 2);
    await hanging.until(1);
    expect(clock.pendingMs).toEqual([15_000]);
    await clock.advance(15_000);
    await failures(webhooks, 1);
    expect(webhooks.states()[0]).toMatchObject({ status: null, error: 'TIMEOUT', waiting: 2 });
    await clock.advance(2_000);
    await ended(webhooks, 4);
    expect(handles(hanging.received)).toEqual(['a', 'a', 'b']);
  });

  test('that none is there to give', async () => {
    const gone = await receiver();
    await gone[Symbol.asyncDispose]();
    const clock = new ManualClock();
    const webhooks = told(clock, [{ url: gone.url }]);
    webhooks.tell(EVENTS.live);
    await failures(webhooks, 1);
    expect(webhooks.states()[0]).toMatchObject({ status: null, error: 'ECONNREFUSED' });
    await webhooks.close(never);
  });
});

test('a try leaves nothing behind: no timer, no listener', async () => {
  await using server = await receiver(204, 500, 'reset');
  const clock = new ManualClock();
  const { signal } = new AbortController();
  const posting = { url: server.url, headers: {}, body: '{}', dispatcher, clock, signal };
  const verdicts: string[] = [];
  for (let i = 0; i < 3; i += 1) verdicts.push((await post(posting)).verdict);
  expect(verdicts).toEqual(['taken', 'later', 'later']);
  expect(getEventListeners(signal, 'abort')).toEqual([]);
  expect(clock.pendingMs).toEqual([]);
});

describe('a receiver that is away', () => {
  test('is tried ever more rarely, for 6 hours, and is told how much it missed', async () => {
    await using server = await receiver(...Array.from({ length: 60 }, (): Reply => 503));
    const clock = new ManualClock();
    const webhooks = told(clock, [{ url: server.url }]);
    webhooks.tell(live('x', 'a'));
    const waits: number[] = [];
    while (webhooks.deliveries().length === 0) {
      await failures(webhooks, waits.length + 1);
      const [waitMs = 0] = clock.pendingMs;
      waits.push(waitMs);
      await clock.advance(waitMs);
      if (waits.length === 9) webhooks.tell(live('x', 'b'));
      await expect
        .poll(
          () => webhooks.states()[0]?.failures === waits.length + 1 || webhooks.deliveries().length > 0,
          PATIENTLY,
        )
        .toBe(true);
    }
    expect(waits.slice(0, 11)).toEqual([2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600].map((s) => s * 1_000));
    expect(waits.reduce((sum, ms) => sum + ms)).toBeGreaterThanOrEqual(GIVE_UP_AFTER_MS);
    expect(waits.length).toBeLessThan(60);
    expect(webhooks.deliveries()).toMatchObject([
      { handle: 'a', outcome: 'given-up', status: 503, tries: waits.length + 1 },
    ]);
    // The next one is younger, and the receiver is given its pause all the same.
    expect(clock.pendingMs).toEqual([600_000]);
    expect(webhooks.states()[0]).toMatchObject({ waiting: 1, undelivered: 1 });
    await webhooks.close(never);
  });

  test('loses the oldest when too much waits', async () => {
    await using server = await receiver(503);
    const clock = new ManualClock();
    const webhooks = told(clock, [{ url: server.url }]);
    webhooks.tell(live('x', 'first'));
    await failures(webhooks, 1);
    for (let i = 0; i < MOST_WAITING + 7; i += 1) webhooks.tell(live('x', `c${i}`));
    expect(webhooks.states()[0]).toMatchObject({ waiting: MOST_WAITING + 1, undelivered: 7 });
    await clock.advance(2_000);
    await expect.poll(() => webhooks.states()[0]?.waiting, PATIENTLY).toBe(0);
    const [, first, second, third, ...more] = server.received;
    expect(handles([first, second, third] as Received[])).toEqual(['first', 'c7', 'c8']);
    expect(more).toHaveLength(MOST_WAITING - 2);
    // The first one's body was made before; told once, it is not told again.
    expect([first, second, third].map((one) => undeliveredIn(one as Received))).toEqual([0, 7, 0]);
    expect(webhooks.states()[0]).toMatchObject({ undelivered: 0, failures: 0 });
    expect(webhooks.deliveries()).toHaveLength(MOST_DELIVERIES);
  });

  test('is logged once when it goes and once when it is back', async () => {
    await using server = await receiver(500, 500, 404);
    const clock = new ManualClock();
    const lines: { level: number; msg: string }[] = [];
    const logger = createLogger({
      level: 'info',
      destination: { write: (line) => void lines.push(JSON.parse(line) as (typeof lines)[number]) },
    });
    const webhooks = told(clock, [{ url: server.url }], { logger });
    webhooks.tell(EVENTS.live);
    await failures(webhooks, 1);
    await clock.advance(2_000);
    await failures(webhooks, 2);
    webhooks.tell(EVENTS.sealed);
    await clock.advance(4_000);
    await ended(webhooks, 2);
    webhooks.tell(EVENTS.live);
    await ended(webhooks, 3);
    expect(lines.map(({ level, msg }) => [level, msg])).toEqual([
      [40, 'the webhook does not take a message; trying again'],
      [30, 'the webhook takes messages again'],
    ]);
  });
});

describe('gaps', () => {
  test('the first is told at once; a flood behind it is one message a minute', async () => {
    await using server = await receiver();
    const clock = new ManualClock();
    const webhooks = told(clock, [{ url: server.url }]);
    webhooks.tell(gap('s0', 1_000));
    await ended(webhooks, 1);
    for (let i = 0; i < 200; i += 1)
      webhooks.tell(gap(`s${i % 2}`, 1_000, { cause: i < 50 ? 'refused' : 'stall', handle: `h${i % 2}` }));
    await clock.advance(59_999);
    expect(server.received).toHaveLength(1);
    await clock.advance(1);
    await ended(webhooks, 2);
    const digest = gapDigestSchema.parse(dataOf(server.received[1] as Received));
    expect(digest).toMatchObject({ gaps: 200, ms: 200_000, causes: { refused: 50, stall: 150 } });
    expect(digest.sessions).toMatchObject([
      { handle: 'h0', session: 's0', gaps: 100, ms: 100_000 },
      { handle: 'h1', session: 's1', gaps: 100, ms: 100_000 },
    ]);

    // The minute goes on from there.
    webhooks.tell(gap('s0', 5));
    expect(webhooks.states()[0]).toMatchObject({ waiting: 0 });
    await clock.advance(60_000);
    await ended(webhooks, 3);
    expect(dataOf(server.received[2] as Received)).toMatchObject({ type: 'gap', ms: 5 });

    // A quiet minute, and the next one is told at once.
    await clock.advance(60_000);
    expect(clock.pendingMs).toEqual([]);
    webhooks.tell(gap('s0', 6));
    await ended(webhooks, 4);
    await webhooks.close(never);
    expect(clock.pendingMs).toEqual([]);
  });

  test('of a session come before its end', async () => {
    await using server = await receiver();
    const webhooks = told(new ManualClock(), [{ url: server.url }]);
    webhooks.tell(gap('s1', 1));
    webhooks.tell(gap('s1', 2));
    webhooks.tell({ ...EVENTS.sealed, session: 's2' });
    webhooks.tell(EVENTS.sealed);
    await ended(webhooks, 4);
    expect(
      server.received.map((one) => [dataOf(one).type, (dataOf(one) as typeof EVENTS.gap).session]),
    ).toEqual([
      ['gap', 's1'],
      ['sealed', 's2'],
      ['gap', 's1'],
      ['sealed', 's1'],
    ]);
    await webhooks.close(never);
  });
});

describe('the end', () => {
  test('what waits is sent, the gaps that are held too', async () => {
    await using server = await receiver();
    const clock = new ManualClock();
    const webhooks = told(clock, [{ url: server.url }]);
    for (const event of [gap('s1', 1), gap('s1', 2), EVENTS.live]) webhooks.tell(event);
    await webhooks.close(never);
    expect(server.received.map((one) => dataOf(one).type)).toEqual(['gap', 'live', 'gap']);
    expect(clock.pendingMs).toEqual([]);
    webhooks.tell(EVENTS.live);
    expect(server.received).toHaveLength(3);
  });

  test('a receiver that was away is tried once more, without its pause', async () => {
    await using back = await receiver(503);
    await using away = await receiver(503, 503);
    const clock = new ManualClock();
    const webhooks = told(clock, [{ url: back.url }, { url: away.url }]);
    webhooks.tell(live('x', 'a'));
    webhooks.tell(live('x', 'b'));
    await failures(webhooks, 1, 0);
    await failures(webhooks, 1, 1);
    await webhooks.close(never);
    expect(handles(back.received)).toEqual(['a', 'a', 'b']);
    expect(handles(away.received)).toEqual(['a', 'a']);
    expect(webhooks.deliveries().filter(({ outcome }) => outcome === 'dropped')).toHaveLength(2);
    expect(clock.pendingMs).toEqual([]);
  });

  test.each<[what: string, end: (clock: ManualClock, stop: AbortController) => Promise<void> | void]>([
    ['5 s', (clock) => clock.advance(5_000)],
    ['the signal', (_clock, stop) => stop.abort()],
  ])('one that hangs is given up after %s', async (_what, end) => {
    await using server = await receiver('hang');
    const clock = new ManualClock();
    const stop = new AbortController();
    const webhooks = told(clock, [{ url: server.url }]);
    webhooks.tell(live('x', 'a'));
    webhooks.tell(live('x', 'b'));
    await server.until(1);
    const closed = webhooks.close(stop.signal);
    await end(clock, stop);
    await closed;
    expect(webhooks.deliveries()).toMatchObject([
      { handle: 'b', outcome: 'dropped', tries: 0 },
      { handle: 'a', outcome: 'dropped', tries: 1, error: 'STOPPED' },
    ]);
    expect(clock.pendingMs).toEqual([]);
  });

  test('a signal that was aborted before: nothing is sent', async () => {
    await using server = await receiver();
    const clock = new ManualClock();
    const webhooks = told(clock, [{ url: server.url }]);
    webhooks.tell(EVENTS.live);
    await webhooks.close(AbortSignal.abort());
    expect(server.received).toEqual([]);
    expect(webhooks.deliveries()).toMatchObject([{ outcome: 'dropped' }]);
    expect(clock.pendingMs).toEqual([]);
  });
});

test('a changed configuration: who stays keeps what waits, who is gone is sent nothing more', async () => {
  await using server = await receiver(503, 503);
  const clock = new ManualClock();
  const webhooks = told(clock, [{ url: `${server.url}/gone` }, { url: `${server.url}/stays` }]);
  webhooks.tell(live('x', 'a'));
  webhooks.tell(gap('s1', 1));
  webhooks.tell(gap('s1', 2));
  await failures(webhooks, 1, 0);
  await failures(webhooks, 1, 1);
  webhooks.configure([
    webhook({ url: `${server.url}/new` }),
    webhook({
      url: `${server.url}/stays`,
      name: 'old-friend',
      events: ['sealed'],
      headers: { 'x-new': '1' },
    }),
  ]);
  webhooks.tell(live('x', 'b'));
  webhooks.tell(EVENTS.sealed);
  await clock.advance(2_000);
  await webhooks.close(never);
  const of = (path: string) => server.received.filter((one) => one.path === path);
  expect(of('/gone')).toHaveLength(1);
  expect(of('/new').map((one) => dataOf(one).type)).toEqual(['live', 'sealed']);
  expect(of('/stays').map((one) => dataOf(one).type)).toEqual(['live', 'live', 'gap', 'gap', 'sealed']);
  expect(of('/stays').at(-1)?.headers['x-new']).toBe('1');
  expect(new Set(webhooks.deliveries().map((one) => one.webhook))).toEqual(
    new Set(['webhooks[0]', 'old-friend']),
  );
  expect(clock.pendingMs).toEqual([]);
});

test('nothing secret is in the log, the deliveries or the states, whatever the receiver echoes', async () => {
  const path = '/api/webhooks/123/tokentokentokentoken';
  const header = 'short-key';
  const echo = (status: number): Reply => ({
    status,
    headers: { 'x-echo': header, location: path, 'retry-after': SECRET },
    body: `${path} ${header} ${SECRET}`,
  });
  await using server = await receiver(echo(400), echo(500), echo(301), 'reset');
  const gone = await receiver();
  await gone[Symbol.asyncDispose]();
  const clock = new ManualClock();
  const lines: string[] = [];
  const logger = createLogger({ level: 'trace', destination: { write: (line) => void lines.push(line) } });
  const secrets = { secret: SECRET, headers: { 'x-key': header } };
  const webhooks = told(
    clock,
    [
      { url: server.url + path, shape: 'discord', ...secrets },
      { url: gone.url + path, ...secrets },
    ],
    { logger },
  );
  for (let i = 0; i < 5; i += 1) webhooks.tell(EVENTS.live);
  await failures(webhooks, 1, 0);
  await failures(webhooks, 1, 1);
  await clock.advance(2_000);
  await failures(webhooks, 2, 1);
  await webhooks.close(never);
  expect(lines.length).toBeGreaterThan(5);
  const seen = lines.join('') + JSON.stringify([webhooks.deliveries(), webhooks.states()]);
  for (const secret of ['token', header, 'whsec', SECRET.slice(6), '127.0.0.1'])
    expect(seen).not.toContain(secret);
});
