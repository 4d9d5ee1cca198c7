/** Covers and avatars come from addresses that somebody else wrote: whatever is there, the session goes on, and is small. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RequestListener } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { SessionPictures } from '../../src/daemon/session-pictures.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createLogger } from '../../src/kernel/logger.ts';
import { createNet } from '../../src/net/net.ts';
import { SessionSpool } from '../../src/spool/session-spool.ts';
import { openStore } from '../../src/store/open-store.ts';
import { serve } from '../net/servers.ts';
import { scratchFolder } from '../spool/scratch.ts';

const SESSION = '20261122T140000Z-7300000000000000001';
const JPEG = Buffer.from('ffd8ffe0ffd9', 'hex');

interface Seen {
  /** Keys of the pictures of the session. */
  keys: string[];
  avatar: Buffer | undefined;
  log: string;
  insideAsked: number;
}

type UrlOf = (cdn: string, inside: string) => string;

/** The picture as the CDN has it. */
const onTheCdn: UrlOf = (cdn) => `${cdn}/a.jpg`;

async function pictures(answer: RequestListener, urlOf = onTheCdn): Promise<Seen> {
  const root = await scratchFolder();
  let insideAsked = 0;
  await using inside = await serve((_request, response) => {
    insideAsked += 1;
    response.end(JPEG);
  }, '127.0.0.2');
  await using cdn = await serve((request, response) =>
    request.url?.startsWith('/inside') === true
      ? response.writeHead(302, { location: inside.url }).end()
      : answer(request, response),
  );
  const net = createNet({ mediaHosts: ['127.0.0.1'], proxy: null });
  const store = openStore(join(root, 'store'));
  onTestFinished(async () => {
    await net.close();
    store.close();
  });
  let log = '';
  const spool = await SessionSpool.open(join(root, 'spool'), 'alice', SESSION);
  const { signal } = new AbortController();
  const session = new SessionPictures({
    store,
    clock: systemClock,
    read: (url, options) => net.media.read(url, options),
    makePoster: () => Promise.reject(new Error('no posters here')),
    makeStoryboard: () => Promise.resolve(undefined),
    signal,
  });
  const url = `${urlOf(cdn.url, inside.url)}?sign=c4n4ry`;
  const begun = session.begin({
    spool,
    look: {
      status: 'live',
      profile: { handle: 'alice', platformUserId: null, displayName: '../\u202E\0', avatarUrl: url },
      room: {
        roomId: '1',
        title: null,
        coverUrl: url,
        startedAt: null,
        viewerCount: 0,
        enterCount: 0,
        streams: [],
      },
      meta: { requestId: 'r', creditsCharged: 1, cached: false },
    },
    log: createLogger({ level: 'trace', destination: { write: (line) => void (log += line) } }),
  });
  const keys = await begun.finished();
  const avatar = await readFile(join(root, 'store/creators/alice/avatar.jpg')).catch(() => undefined);
  expect(JSON.parse(await readFile(join(root, 'store/creators/alice/creator.json'), 'utf8'))).toMatchObject({
    displayName: '../\u202E\0',
  });
  expect(log).not.toContain('c4n4ry');
  return { keys, avatar, log, insideAsked };
}

test('a picture is a picture', async () => {
  const { keys, avatar } = await pictures((_request, response) => void response.end(JPEG));
  expect([keys, avatar]).toEqual([['cover.jpg'], JPEG]);
});

test.for<[string, RequestListener]>([
  [
    'a page',
    (_, response) => void response.setHeader('content-type', 'image/jpeg').end('<script>alert(1)</script>'),
  ],
  ['SVG', (_, response) => void response.end('<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>')],
  ['nothing', (_, response) => void response.end()],
  ['a refusal', (_, response) => void response.writeHead(404).end(JPEG)],
])('%s is no picture, and is left out', { tags: 'hostile-address' }, async ([_what, answer]) => {
  expect(await pictures(answer)).toMatchObject({ keys: [], avatar: undefined });
});

test('a picture without end is given up after 8 MiB', { tags: 'hostile-address' }, async () => {
  let sentBytes = 0;
  const piece = Buffer.concat([JPEG, Buffer.alloc(1024 * 1024)]);
  const { keys, log } = await pictures((_request, response) => {
    const more = (error?: Error | null): void => {
      if (error) return;
      sentBytes += piece.length;
      response.write(piece, more);
    };
    more();
  });
  expect(keys).toEqual([]);
  expect(log).toContain('MEDIA_NOT_MEDIA');
  // Of two pictures, and what sockets hold.
  expect(sentBytes).toBeLessThan(64 * 1024 * 1024);
});

test.for<[string, UrlOf]>([
  ['a forbidden host', (_cdn, inside) => `${inside}/a.jpg`],
  ['a redirect to one', (cdn) => `${cdn}/inside`],
])('%s is never asked', { tags: 'hostile-address' }, async ([_what, urlOf]) => {
  const { keys, avatar, log, insideAsked } = await pictures(
    (_request, response) => void response.end(),
    urlOf,
  );
  expect([keys, avatar, insideAsked]).toEqual([[], undefined, 0]);
  expect(log).toContain('MEDIA_FORBIDDEN_HOST');
});
