/** The stream of events: order, resumption, and readers that are slow or gone. */
import { connect } from 'node:net';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { EventLog } from '../../src/daemon/event-log.ts';
import { EventStreams } from '../../src/web/event-stream.ts';
import { ManualClock } from '../manual-clock.ts';
import { errorOf, Served } from './served.ts';

interface Told {
  id: string | undefined;
  event: string | undefined;
  data: string;
}

/** Reads a stream as a browser does, as far as it is asked to. */
class Reader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #text = '';
  lastId: string | undefined;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  /** The next block, comments included. */
  async block(): Promise<string | undefined> {
    for (;;) {
      const end = this.#text.indexOf('\n\n');
      if (end >= 0) {
        const block = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        return block;
      }
      const { done, value } = await this.#reader.read();
      if (done) return undefined;
      this.#text += new TextDecoder().decode(value);
    }
  }

  /** The next that has data. */
  async next(): Promise<Told | undefined> {
    for (;;) {
      const block = await this.block();
      if (block === undefined) return undefined;
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
      this.lastId = field('id') ?? this.lastId;
      const data = field('data');
      if (data !== undefined) return { id: field('id'), event: field('event'), data };
    }
  }

  cancel(): Promise<void> {
    return this.#reader.cancel();
  }
}

const happen = (events: EventLog, code: string): void =>
  events.report({ type: 'failed', handle: null, code, message: 'm', hint: null });
const codeOf = (told: Told | undefined): unknown => told && (JSON.parse(told.data) as { code?: string }).code;

async function listen(served: Served, lastId?: string): Promise<Reader> {
  const abort = new AbortController();
  onTestFinished(() => abort.abort());
  const response = await served.fetch('/api/v1/events/stream', {
    headers: lastId === undefined ? {} : { 'last-event-id': lastId },
    signal: abort.signal,
  });
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  return new Reader(response.body!);
}

test('what happens is told at once, with an id to go on from', async () => {
  const served = await Served.open({ config: '{}' });
  const { events } = served.daemon;
  happen(events, 'BEFORE');
  const reader = await listen(served);
  // The first block gives the place.
  await reader.block();
  happen(events, 'A');
  const first = await reader.next();
  expect(first).toMatchObject({ event: 'failed', id: expect.stringMatching(/\.2$/) as string });
  expect(codeOf(first)).toBe('A');
  await reader.cancel();

  happen(events, 'B');
  happen(events, 'C');
  const again = await listen(served, reader.lastId);
  expect([codeOf(await again.next()), codeOf(await again.next())]).toEqual(['B', 'C']);
  happen(events, 'D');
  expect(codeOf(await again.next())).toBe('D');
});

test('who was away for longer than events are kept is told that it missed some', async () => {
  const served = await Served.open({ config: '{}' });
  const { events } = served.daemon;
  const reader = await listen(served);
  await reader.block();
  happen(events, 'FIRST');
  await reader.next();
  await reader.cancel();
  for (let count = 0; count < 1_200; count += 1) happen(events, `E${count}`);
  const again = await listen(served, reader.lastId);
  expect(await again.next()).toMatchObject({ event: 'missed' });
  expect(codeOf(await again.next())).toBe('E200');
});

test('who comes from another run of the daemon is given all of this one, and told', async () => {
  const served = await Served.open({ config: '{}' });
  happen(served.daemon.events, 'A');
  const reader = await listen(served, 'another-run.57');
  expect(await reader.next()).toMatchObject({ event: 'missed' });
  expect(codeOf(await reader.next())).toBe('A');
});

test('a reader that goes leaves nothing behind', async () => {
  const served = await Served.open({ config: '{}' });
  const { events } = served.daemon;
  const before = events.listenerCount('event');
  const readers = await Promise.all([listen(served), listen(served), listen(served)]);
  for (const reader of readers) await reader.block();
  expect(events.listenerCount('event')).toBe(before + 3);
  for (const reader of readers) await reader.cancel();
  await expect.poll(() => events.listenerCount('event')).toBe(before);

  // Not a word of goodbye.
  const { hostname, port } = new URL(served.server.url);
  const socket = connect(Number(port), hostname);
  socket.write(`GET /api/v1/events/stream HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`);
  await once(socket, 'data');
  expect(events.listenerCount('event')).toBe(before + 1);
  socket.resetAndDestroy();
  await expect.poll(() => events.listenerCount('event')).toBe(before);
});

test('no more than a hundred may listen', async () => {
  const served = await Served.open({ config: '{}' });
  for (let count = 0; count < 100; count += 1) await listen(served);
  const { status, body } = await served.call('GET', '/events/stream');
  expect([status, errorOf(body).code]).toEqual([503, 'UNAVAILABLE']);
});

test('the end of the server is the end of the stream', async () => {
  const served = await Served.open({ config: '{}' });
  const withoutServer = served.daemon.events.listenerCount('event') - 1;
  const reader = await listen(served);
  await reader.block();
  const { events } = served.daemon;
  const ended = reader.next().catch(() => undefined);
  await served.server.close();
  expect(await ended).toBeUndefined();
  expect(events.listenerCount('event')).toBe(withoutServer);
});

const bench = () => {
  const clock = new ManualClock();
  const events = new EventLog(clock);
  return { clock, events, streams: new EventStreams(events, 'run', clock) };
};

test('when nothing happens there is a sign of life', async () => {
  const { clock, streams } = bench();
  const reader = new Reader(streams.open(undefined));
  await reader.block();
  const sign = reader.block();
  await clock.advance(15_000);
  expect(await sign).toBe(': still here');
  await reader.cancel();
  expect([streams.readers, clock.pendingMs]).toEqual([0, []]);
});

test('for a reader that takes nothing, nothing is kept; after a minute it is let go', async () => {
  const { clock, events, streams } = bench();
  const reader = new Reader(streams.open(undefined));
  await reader.block();
  for (let count = 0; count < 5_000; count += 1) happen(events, `E${count}`);
  await clock.advance(59_000);
  expect(streams.readers).toBe(1);
  await clock.advance(2_000);
  expect([streams.readers, events.listenerCount('event'), clock.pendingMs]).toEqual([0, 0, []]);
  await expect(
    (async () => {
      while (await reader.block());
    })(),
  ).rejects.toThrow('takes nothing');
});

test('a slow reader is told of what it missed, and goes on with what is kept', async () => {
  const { events, streams } = bench();
  const reader = new Reader(streams.open(undefined));
  await reader.block();
  happen(events, 'SEEN');
  expect(codeOf(await reader.next())).toBe('SEEN');
  for (let count = 0; count < 3_000; count += 1) happen(events, `E${count}`);
  const seen: (string | undefined)[] = [];
  for (let told = await reader.next(); told; told = await reader.next()) {
    seen.push(told.event === 'missed' ? 'missed' : String(codeOf(told)));
    if (seen.at(-1) === 'E2999') break;
  }
  expect(seen.filter((each) => each === 'missed')).toHaveLength(1);
  expect(seen.at(-1)).toBe('E2999');
  await reader.cancel();
});
