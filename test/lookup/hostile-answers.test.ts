/** What a creator, or whoever stands between, may put into an answer of the lookup API. */
import { Agent } from 'undici';
import { afterAll, describe, expect, test } from 'vitest';
import { RoomFile } from '../../src/daemon/room-file.ts';
import type { LivestowError } from '../../src/kernel/errors.ts';
import { createLogger, silentLogger } from '../../src/kernel/logger.ts';
import { FORMAT, type JournalEntry } from '../../src/model/manifest.ts';
import type { Look } from '../../src/model/look.ts';
import { decodeJournal, encodeJournalEntry } from '../../src/layout/journal.ts';
import { foldSession } from '../../src/layout/fold.ts';
import { isSessionId, sessionIdOf } from '../../src/layout/keys.ts';
import {
  decodeManifest,
  decodeSummary,
  encodeManifest,
  encodeSummary,
  summaryOf,
} from '../../src/layout/manifest.ts';
import { LookupClient } from '../../src/lookup/lookup-client.ts';
import { isKey } from '../../src/store/key.ts';
import { variantsOf } from '../../src/variant/variants-of.ts';
import { serve } from '../net/servers.ts';
import { live, PROFILE, STREAM } from './answers.ts';

const KEY = 'sfk_canary_77aa66bb';
const dispatcher = new Agent();
afterAll(() => dispatcher.destroy());
const signal = new AbortController().signal;
type LiveLook = Extract<Look, { status: 'live' }>;

async function lookAt(body: string | Buffer): Promise<LiveLook> {
  await using api = await serve((_request, response) => void response.end(body));
  const client = new LookupClient({ apiKey: KEY, baseUrl: api.url, dispatcher, logger: silentLogger() });
  const look = await client.look('alice', { signal });
  if (look.status !== 'live') throw new Error(look.status);
  return look;
}

/** A session of this look, written and read back; the lengths of what was written. */
function throughTheArchive({ profile, room }: LiveLook): {
  manifest: number;
  summary: number;
  journal: number;
} {
  const at = new Date(Date.UTC(2026, 10, 22)).toISOString();
  const session = sessionIdOf(Date.parse(at), room.roomId);
  expect(isSessionId(session)).toBe(true);
  expect(isKey(`creators/alice/${session}/manifest.json`)).toBe(true);
  const { platformUserId, displayName } = profile;
  const writer = { name: 'livestow', version: '1.0.0' };
  const entry: JournalEntry = {
    type: 'term',
    at,
    format: FORMAT,
    writer,
    session,
    term: 1,
    foundAt: at,
    creator: { handle: profile.handle, platformUserId, displayName },
    room: { roomId: room.roomId, title: room.title, startedAt: room.startedAt },
  };
  const journal = encodeJournalEntry(entry);
  expect(journal.split('\n')).toHaveLength(2);
  const { manifest } = foldSession(decodeJournal(journal, 'journal'), 1);
  const text = encodeManifest(manifest);
  expect(decodeManifest(text, 'manifest')).toEqual(manifest);
  const summary = encodeSummary(summaryOf(manifest));
  expect(decodeSummary(summary, 'summary').session).toBe(session);
  return { manifest: Buffer.byteLength(text), summary: Buffer.byteLength(summary), journal: journal.length };
}

describe('a broadcast is found, and what is kept of it is bounded', { tags: 'hostile-text' }, () => {
  const MEGABYTES = 'x'.repeat(10_000_000);
  const strange = {
    'a way out of the folder': '../../../../etc/passwd',
    NUL: 'a\0b',
    'headers of its own': 'a\r\nx-amz-acl: public-read\r\n\r\nGET / HTTP/1.1',
    'the other direction': 'gpj.\u202Eevil',
    'escape sequences': '\u001B]0;owned\u0007\u001B[2J\u009B31m',
    'half a character': '\uD83D',
    HTML: '</title><script>alert(1)</script>',
    'a playlist': '\n#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nfile:///etc/passwd',
    'ten megabytes': MEGABYTES,
    'a megabyte of control characters': '\u0001'.repeat(1_000_000),
    'names of JavaScript': '__proto__',
  };
  test.for(Object.entries(strange))('%s, as every text', async ([_what, text]) => {
    const profile = { ...PROFILE, displayName: text, platformUserId: text, avatarUrl: text };
    const stream = { ...STREAM, qualityKey: text, qualityLabel: text, resolution: text };
    // One text of megabytes at a time, so that the answer is one that could come.
    const room = text.length > 100_000 ? { title: text } : { title: text, roomId: text, coverUrl: text };
    const rest = text.length > 100_000 ? {} : { profile };
    const body = live({ ...room, streams: [text.length > 100_000 ? STREAM : stream, STREAM] });
    const look = await lookAt(JSON.stringify({ ...body, data: { ...body.data, ...rest } }));
    expect(look.room.streams).toHaveLength(2);
    expect(look.room.title).toSatisfy((title: string) => title.isWellFormed() && title.length <= 2_048);
    expect(look.room.title?.endsWith('…')).toBe(text.length > 2_048);
    const written = throughTheArchive(look);
    expect(written.summary).toBeLessThanOrEqual(4_096);
    expect(written.manifest).toBeLessThan(32_000);
    expect(written.journal).toBeLessThan(32_000);
  });

  test.for(['roomId', 'coverUrl'])('ten megabytes as %s', async (field) => {
    const look = await lookAt(JSON.stringify(live({ [field]: MEGABYTES })));
    expect(JSON.stringify(look).length).toBeLessThan(2_000);
    throughTheArchive(look);
  });

  test('room ids that differ at their end only are two rooms', async () => {
    const one = await lookAt(JSON.stringify(live({ roomId: `${'1'.repeat(500)}1` })));
    const other = await lookAt(JSON.stringify(live({ roomId: `${'1'.repeat(500)}2` })));
    expect(one.room.roomId).not.toBe(other.room.roomId);
    expect(sessionIdOf(0, one.room.roomId)).not.toBe(sessionIdOf(0, other.room.roomId));
  });

  test.for(['0000-01-01T00:00:00+23:59', '9999-12-31T23:59:59-23:59'])('a start in %s', async (startedAt) => {
    const look = await lookAt(JSON.stringify(live({ startedAt })));
    expect(look.room.startedAt).toBeNull();
    throughTheArchive(look);
  });

  test('ten thousand streams: the first hundred', async () => {
    const streams = Array.from({ length: 10_000 }, (_, n) => ({ ...STREAM, qualityKey: `q${n}` }));
    expect(variantsOf((await lookAt(JSON.stringify(live({ streams })))).room.streams)).toHaveLength(100);
  });

  test('an address of a megabyte costs that stream only', async () => {
    const long = { ...STREAM, flvUrl: `https://cdn.example/?${'x'.repeat(1_000_000)}` };
    const look = await lookAt(JSON.stringify(live({ streams: [long, STREAM] })));
    expect(look.room.streams.map(({ flvUrl }) => flvUrl)).toEqual([STREAM.flvUrl]);
  });

  test('a million brackets within each other, in a field that nobody reads', async () => {
    const body = JSON.stringify(live({ deep: 'HERE' }));
    const deep = '['.repeat(1_000_000) + ']'.repeat(1_000_000);
    expect((await lookAt(body.replace('"HERE"', deep))).room.roomId).toBe('7301');
  });

  test('room.json is bounded: the first look and the newest stay, and it says how many went', () => {
    const file = new RoomFile();
    const profile = { handle: 'alice', platformUserId: null, displayName: null, avatarUrl: null };
    const meta = { requestId: 'r', creditsCharged: 1, cached: false };
    const room = { roomId: '1', coverUrl: null, startedAt: null, viewerCount: 1, enterCount: 1, streams: [] };
    for (let n = 0; n < 2_000; n += 1)
      file.add({ status: 'live', profile, meta, room: { ...room, title: `${n} ${'x'.repeat(2_000)}` } }, n);
    const text = file.toString();
    expect(text.length).toBeLessThan(1_200_000);
    const kept = JSON.parse(text) as { looks: { room: { title: string } }[]; looksLeftOut: number };
    expect(kept.looks[0]?.room.title).toMatch(/^0 /);
    expect(kept.looks.at(-1)?.room.title).toMatch(/^1999 /);
    expect(kept.looks.length + kept.looksLeftOut).toBe(2_000);
    expect(JSON.parse(new RoomFile(text).toString())).toEqual(kept);
  });
});

test('an answer without end is refused with little memory', { tags: 'hostile-text' }, async () => {
  let sentBytes = 0;
  const gone = Promise.withResolvers<void>();
  const piece = Buffer.alloc(1024 * 1024, 'x');
  await using api = await serve((_request, response) => {
    response.once('close', gone.resolve).write('{"data":"');
    const more = (error?: Error | null): void => {
      if (error || sentBytes > 2 ** 30) return;
      sentBytes += piece.length;
      response.write(piece, more);
    };
    more();
  });
  const before = process.memoryUsage().rss;
  const client = new LookupClient({ apiKey: KEY, baseUrl: api.url, dispatcher, logger: silentLogger() });
  const error = await client.look('alice', { signal }).catch((caught: unknown) => caught as LivestowError);
  await gone.promise;
  expect(error).toMatchObject({ code: 'LOOKUP_MALFORMED', retryable: true });
  expect(sentBytes).toBeGreaterThan(16 * 1024 * 1024);
  expect(sentBytes).toBeLessThan(64 * 1024 * 1024);
  expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024);
  expect(JSON.stringify((error as LivestowError).context).length).toBeLessThan(1_000);
});

describe('an answer that tells secrets', { tags: ['secrets', 'api-trouble'] }, () => {
  const signed = 'https://pull.example/a.flv?expire=1&sign=c4n4ry-5ecret';
  const url = JSON.stringify({ flvUrl: signed });
  test.for([
    [
      'an error that echoes the key',
      500,
      JSON.stringify({ error: { code: 'internal_error', message: `key ${KEY}`, requestId: KEY } }),
    ],
    [
      'an error that quotes an address',
      400,
      JSON.stringify({ error: { code: 'bad_request', message: `${'x'.repeat(270)} ${signed}` } }),
    ],
    ['an error whose code is the key', 400, JSON.stringify({ error: { code: KEY, message: '' } })],
    ['an answer without a shape', 200, url],
    ['the same, as PHP writes it', 200, url.replaceAll('/', '\\/')],
    ['the same, as Go writes it', 200, url.replaceAll('&', '\\u0026')],
    ['a web page', 502, `<html>${signed} for x-api-key: ${KEY}`],
  ] as const)('%s', async ([_what, status, body]) => {
    let log = '';
    const destination = { write: (line: string) => void (log += line) };
    const logger = createLogger({ level: 'trace', destination });
    await using api = await serve((_request, response) => response.writeHead(status).end(body));
    const client = new LookupClient({ apiKey: KEY, baseUrl: api.url, dispatcher, logger });
    const error = (await client
      .look('alice', { signal })
      .catch((caught: unknown) => caught)) as LivestowError;
    logger.warn({ err: error }, error.message);
    const said = [log, error.message, error.hint, JSON.stringify(error.context)].join('\n');
    expect(error.code).toMatch(/^LOOKUP_/);
    expect(said).not.toMatch(/sfk_canary|c4n4ry/);
  });
});
