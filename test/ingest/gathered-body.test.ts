import type { ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { gatheredBody } from '../../src/ingest/gathered-body.ts';
import { serve } from '../net/servers.ts';
import { sourceDeps } from './sources.ts';

const { deps, clock, close } = sourceDeps();
afterAll(close);
const never = new AbortController().signal;

/** A body, and what writes it: resolves when the system has taken it. */
async function opened() {
  const answering = Promise.withResolvers<ServerResponse>();
  const server = await serve((_request, response) => {
    response.writeHead(200).flushHeaders();
    answering.resolve(response);
  });
  const { body } = await deps.media.open(server.url, { signal: never });
  const response = await answering.promise;
  const write = promisify((bytes: number, done: (error?: Error | null) => void) =>
    response.write(Buffer.alloc(bytes), done),
  );
  return { body, response, write, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

test('what comes after a silence is given at once, what comes until the next beat in one piece then', async () => {
  await using far = await opened();
  const pieces = gatheredBody(far.body, deps);
  const first = pieces.next();
  await far.write(100);
  expect((await first).value).toMatchObject({ bytes: 100 });
  const second = pieces.next();
  for (let n = 0; n < 5; n += 1) await far.write(1_000);
  await clock.advance(200);
  expect((await second).value).toMatchObject({ bytes: 5_000 });
  await pieces.return();
});

test('between two beats nobody reads: a sender that goes on has to wait', async () => {
  await using far = await opened();
  const pieces = gatheredBody(far.body, deps);
  const first = pieces.next();
  await far.write(100);
  await first;
  const second = pieces.next();
  const mostInTransit = 64 * 1024 * 1024;
  let taken = 0;
  let blocked: Promise<void> | undefined;
  for (; blocked === undefined && taken < mostInTransit; taken += 1024 * 1024) {
    const writing = far.write(1024 * 1024);
    await new Promise((resolve) => setImmediate(resolve));
    if (far.response.writableNeedDrain && far.response.writableLength > 8 * 1024 * 1024) blocked = writing;
  }
  expect(blocked).toBeDefined();
  await clock.advance(200);
  let bytes = (await second).value?.bytes ?? 0;
  // A long queue is read out without waiting for further beats.
  while (bytes < taken) bytes += (await pieces.next()).value?.bytes ?? 0;
  expect(bytes).toBe(taken);
  await blocked;
  await pieces.return();
});

test('a connection that breaks between two beats: all that came is given before that is told', async () => {
  await using far = await opened();
  const pieces = gatheredBody(far.body, deps);
  const first = pieces.next();
  await far.write(100);
  await first;
  const second = pieces.next();
  await far.write(30_000);
  far.response.socket?.resetAndDestroy();
  await clock.advance(200);
  expect((await second).value).toMatchObject({ bytes: 30_000 });
  const told = pieces.next().catch((error: unknown) => error);
  await clock.advance(200);
  expect(await told).toMatchObject({ code: 'ECONNRESET' });
});
