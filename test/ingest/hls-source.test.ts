import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, describe, expect, test } from 'vitest';
import { openHlsSource } from '../../src/ingest/hls-source.ts';
import type { LivestowError } from '../../src/kernel/errors.ts';
import { serve } from '../net/servers.ts';
import { allPictures, flvUnits, pictures, readOut, segments, sound, sourceDeps } from './sources.ts';

const { deps, clock, close } = sourceDeps();
afterAll(close);
const never = new AbortController().signal;

interface Listed {
  /** Media sequence number; which of the made segments it is comes from `of`, or the same. */
  from: number;
  count: number;
  ended?: boolean;
  /** Before each segment of this number. */
  tags?: Record<number, string>;
  uri?: (sequence: number) => string;
}

function playlist({
  from,
  count,
  ended = false,
  tags = {},
  uri = (n) => `${n}.ts?sign=s3cret`,
}: Listed): string {
  const lines = ['#EXTM3U', '#EXT-X-VERSION:4', '#EXT-X-TARGETDURATION:1', `#EXT-X-MEDIA-SEQUENCE:${from}`];
  for (let n = from; n < from + count; n += 1) {
    const tag = tags[n];
    if (tag !== undefined) lines.push(tag);
    lines.push('#EXTINF:1.0,100%', uri(n));
  }
  return [...lines, ...(ended ? ['#EXT-X-ENDLIST'] : []), ''].join('\n');
}

type Answer = (response: ServerResponse, request: IncomingMessage) => void;
const send =
  (body: Buffer | string): Answer =>
  (response) =>
    void response.end(body);
const status =
  (code: number): Answer =>
  (response) =>
    void response.writeHead(code).end('<html>');
/** Half of it, then the line is cut. */
const half =
  (body: Buffer): Answer =>
  (response) => {
    response.writeHead(200, { 'content-length': body.length });
    response.write(body.subarray(0, body.length / 2), () => response.destroy());
  };

interface Cdn {
  /** One for each reading; the last stays. */
  playlists: (string | Answer)[];
  /** Answers to each request for a segment, in turn; the segment itself when there is none. */
  faults?: Record<number, Answer[]>;
  other?: Record<string, Answer>;
}

/** Records from a CDN until the source ends; `asked` are the paths that were asked for. */
async function record({ playlists, faults = {}, other = {} }: Cdn, path = '/live.m3u8?sign=s3cret') {
  const asked: string[] = [];
  await using server = await serve((request, response) => {
    const name = (request.url ?? '').split('?')[0] ?? '';
    asked.push(name);
    const known = other[name];
    if (known) return known(response, request);
    if (name === '/live.m3u8') {
      const now = playlists.length > 1 ? playlists.shift() : playlists[0];
      return typeof now === 'string' ? response.end(now) : now?.(response, request);
    }
    const n = Number(/\/(\d+)\.ts$/.exec(name)?.[1]);
    const answer = faults[n]?.shift() ?? send(segments[n % segments.length] ?? '');
    return answer(response, request);
  });
  const out = await readOut(openHlsSource(server.url + path, deps, never), clock);
  const segmentsAsked = asked
    .filter((name) => name.endsWith('.ts'))
    .map((name) => Number(/\d+/.exec(name)?.[0]));
  const kinds = out.items.map(({ kind }) => kind).filter((kind) => kind !== 'note');
  return { ...out, asked, segmentsAsked, kinds };
}

/** Pictures of these made segments. */
const of = (...numbers: number[]) => numbers.flatMap((n) => allPictures.slice(n * 30, n * 30 + 30));

test('the made segments hold all pictures of the made FLV', () => {
  expect(segments).toHaveLength(6);
  expect(allPictures).toHaveLength(180);
});

describe('a playlist that goes as it should', () => {
  test('a complete one is read once and comes out whole', async () => {
    const { end, units, asked } = await record({ playlists: [playlist({ from: 0, count: 6, ended: true })] });
    expect(end).toEqual({ reason: 'endlist', upTo: '5 /5.ts' });
    expect(pictures(units)).toEqual(allPictures);
    expect(sound(units)).toBe(sound(flvUnits));
    expect(asked).toEqual(['/live.m3u8', '/0.ts', '/1.ts', '/2.ts', '/3.ts', '/4.ts', '/5.ts']);
  });

  test('a live one is followed: each segment once, in order, all that the first window offers', async () => {
    const { end, units, segmentsAsked, missingMs } = await record({
      playlists: [
        playlist({ from: 0, count: 3 }),
        playlist({ from: 1, count: 3 }),
        playlist({ from: 1, count: 3 }),
        // An older answer from a cache changes nothing.
        playlist({ from: 0, count: 3 }),
        playlist({ from: 3, count: 3 }),
        playlist({ from: 3, count: 3, ended: true }),
      ],
    });
    expect(end).toMatchObject({ reason: 'endlist' });
    expect(segmentsAsked).toEqual([0, 1, 2, 3, 4, 5]);
    expect(pictures(units)).toEqual(allPictures);
    expect(missingMs).toEqual([]);
  });

  test('it is read after one target duration, or half when nothing is new', async () => {
    const readAt: number[] = [];
    const at =
      (text: string): Answer =>
      (response) => {
        readAt.push(clock.monotonic());
        response.end(text);
      };
    const [one, two] = [playlist({ from: 0, count: 1 }), playlist({ from: 0, count: 2 })];
    await record({
      playlists: [at(one), at(one), at(one), at(two), at(playlist({ from: 0, count: 2, ended: true }))],
    });
    expect(readAt.map((time) => time - (readAt[0] ?? 0))).toEqual([0, 1_000, 1_500, 2_000, 3_000]);
  });

  test('of a master playlist the best rendition with pictures is taken', async () => {
    const master = [
      '#EXTM3U',
      '#EXT-X-STREAM-INF:BANDWIDTH=900000,CODECS="mp4a.40.2"',
      'sound.m3u8',
      '#EXT-X-STREAM-INF:BANDWIDTH=500000,RESOLUTION=64x96',
      'low.m3u8',
      '#EXT-X-STREAM-INF:BANDWIDTH=800000,RESOLUTION=64x96',
      'sub/high.m3u8',
    ].join('\n');
    const { end, units, asked } = await record({
      playlists: [master],
      other: {
        '/sub/high.m3u8': send(playlist({ from: 2, count: 1, ended: true, uri: (n) => `../${n}.ts` })),
      },
    });
    expect(end).toMatchObject({ reason: 'endlist' });
    expect(asked).toEqual(['/live.m3u8', '/sub/high.m3u8', '/2.ts']);
    expect(pictures(units)).toEqual(of(2));
  });

  test.each([
    ['with', true],
    ['without', false],
  ])('byte ranges, from a server %s them', async (_how, ranges) => {
    const whole = Buffer.concat(segments);
    let at = 0;
    const tags = Object.fromEntries(
      segments.map((bytes, n) => {
        const tag = `#EXT-X-BYTERANGE:${bytes.length}@${at}`;
        at += bytes.length;
        return [n, tag];
      }),
    );
    const { end, units } = await record({
      playlists: [playlist({ from: 0, count: 6, ended: true, tags, uri: () => 'all.bin' })],
      other: {
        '/all.bin': (response, request) => {
          const [, from, to] = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? '') ?? [];
          if (ranges) response.writeHead(206).end(whole.subarray(Number(from), Number(to) + 1));
          else response.end(whole);
        },
      },
    });
    expect(end).toMatchObject({ reason: 'endlist' });
    expect(pictures(units)).toEqual(allPictures);
  });

  test(
    'a discontinuity is passed on before the media it stands before',
    { tags: 'playlist-discontinuity' },
    async () => {
      const { kinds, units } = await record({
        playlists: [playlist({ from: 0, count: 2, ended: true, tags: { 1: '#EXT-X-DISCONTINUITY' } })],
      });
      expect(pictures(units)).toEqual(of(0, 1));
      expect(kinds.filter((kind) => kind === 'discontinuity')).toHaveLength(1);
      expect(kinds.slice(0, 2)).toEqual(['complete', 'media']);
      expect(kinds.at(-1)).toBe('media');
    },
  );
});

describe('trouble with segments', () => {
  const whole = (faults: Record<number, Answer[]>) =>
    record({ playlists: [playlist({ from: 0, count: 6, ended: true })], faults });

  test('one that fails for a while is tried again', async () => {
    const { end, units, missingMs, notes } = await whole({ 2: [status(503), status(404), send('<html>')] });
    expect(end).toMatchObject({ reason: 'endlist' });
    expect(pictures(units)).toEqual(allPictures);
    expect(missingMs).toEqual([]);
    expect(notes).toEqual(['segment-failed', 'segment-failed', 'segment-failed']);
  });

  test('one that breaks in the middle goes on where it broke, no picture twice', async () => {
    const { units, segmentsAsked, missingMs } = await whole({ 1: [half(segments[1]!), half(segments[1]!)] });
    expect(pictures(units)).toEqual(allPictures);
    expect(segmentsAsked).toEqual([0, 1, 1, 1, 2, 3, 4, 5]);
    expect(missingMs).toEqual([]);
  });

  test(
    'one that can never be had is told as missing, and the rest goes on',
    { tags: 'playlist-segment-missing' },
    async () => {
      const { end, units, missingMs, segmentsAsked } = await whole({ 2: Array<Answer>(9).fill(status(404)) });
      expect(end).toMatchObject({ reason: 'endlist' });
      expect(pictures(units)).toEqual(of(0, 1, 3, 4, 5));
      expect(missingMs).toEqual([1_000]);
      expect(segmentsAsked.filter((n) => n === 2)).toHaveLength(5);
    },
  );

  test('of one that stays torn the whole pictures are kept, and no half one', async () => {
    const { items, units } = await whole({ 2: Array<Answer>(9).fill(half(segments[2]!)) });
    const had = pictures(units);
    expect(had.every((picture) => allPictures.includes(picture))).toBe(true);
    expect(new Set(had).size).toBe(had.length);
    expect(had.length).toBeGreaterThan(150);
    expect(had.length).toBeLessThan(180);
    expect(items).toContainEqual({
      kind: 'missing',
      cause: 'segment-missing',
      durationMs: 1_000,
      partial: true,
    });
  });

  test('one that left the window is not tried any more', async () => {
    const { missingMs, segmentsAsked, units } = await record({
      playlists: [playlist({ from: 0, count: 2 }), playlist({ from: 2, count: 4, ended: true })],
      faults: { 1: Array<Answer>(9).fill(status(404)) },
    });
    expect(missingMs).toEqual([1_000]);
    expect(segmentsAsked.filter((n) => n === 1).length).toBeLessThan(5);
    expect(pictures(units)).toEqual(of(0, 2, 3, 4, 5));
  });

  test('what left the window before its turn is told as missing', async () => {
    const { missingMs, segmentsAsked } = await record({
      playlists: [playlist({ from: 0, count: 2 }), playlist({ from: 4, count: 2, ended: true })],
    });
    expect(missingMs).toEqual([2_000]);
    expect(segmentsAsked).toEqual([0, 1, 4, 5]);
  });

  test('one that the server itself calls a gap is not asked for', async () => {
    const { missingMs, segmentsAsked, end } = await record({
      playlists: [playlist({ from: 0, count: 3, ended: true, tags: { 1: '#EXT-X-GAP' } })],
    });
    expect(end).toMatchObject({ reason: 'endlist' });
    expect(missingMs).toEqual([1_000]);
    expect(segmentsAsked).toEqual([0, 2]);
  });

  test(
    'three in a row end it, with the reason of the last',
    { tags: 'playlist-segment-missing' },
    async () => {
      const never = () => Array<Answer>(9).fill(status(403));
      const { end, missingMs, units } = await whole({ 1: never(), 2: never(), 3: never() });
      expect(end).toMatchObject({ code: 'MEDIA_HTTP', context: { status: 403 } });
      expect(missingMs).toEqual([1_000, 1_000, 1_000]);
      expect(pictures(units)).toEqual(of(0));
    },
  );
});

describe('trouble with the playlist', () => {
  test(
    'a numbering that begins anew is a discontinuity, and nothing is lost',
    { tags: 'playlist-discontinuity' },
    async () => {
      const { units, kinds, notes, end } = await record({
        playlists: [playlist({ from: 102, count: 2 }), playlist({ from: 4, count: 2, ended: true })],
      });
      expect(end).toMatchObject({ reason: 'endlist' });
      expect(pictures(units)).toEqual(of(0, 1, 4, 5));
      expect(kinds).toContain('discontinuity');
      expect(notes).toContain('playlist-restarted');
    },
  );

  test(
    'one that stands still for three target durations is frozen',
    { tags: 'playlist-frozen' },
    async () => {
      const begunMs = clock.monotonic();
      const { end, units } = await record({ playlists: [playlist({ from: 0, count: 2 })] });
      expect(end).toEqual({ reason: 'frozen' });
      expect(pictures(units)).toEqual(of(0, 1));
      expect(clock.monotonic() - begunMs).toBe(3_000);
    },
  );

  test('one that can not be read for a while is read again', async () => {
    const { end, units } = await record({
      playlists: [
        playlist({ from: 0, count: 2 }),
        status(503),
        send('<html>'),
        status(404),
        playlist({ from: 1, count: 5, ended: true }),
      ],
    });
    expect(end).toMatchObject({ reason: 'endlist' });
    expect(pictures(units)).toEqual(allPictures);
  });

  test('one that can not be read any more ends it', async () => {
    const { end, units } = await record({ playlists: [playlist({ from: 0, count: 2 }), status(404)] });
    expect(end).toMatchObject({ code: 'MEDIA_HTTP', context: { status: 404 } });
    expect(pictures(units)).toEqual(of(0, 1));
  });

  const key = '#EXT-X-KEY:METHOD=AES-128,URI="http://127.0.0.1/key"';
  test.each<[string, string | Answer, object]>([
    ['a refusal', status(404), { code: 'MEDIA_HTTP', context: { status: 404 } }],
    ['HTML', '<!DOCTYPE html>', { code: 'MEDIA_NOT_MEDIA' }],
    ['nothing', '', { code: 'MEDIA_NOT_MEDIA' }],
    ['what only begins as one', '#EXTM3U\nsegment.ts', { code: 'MEDIA_NOT_MEDIA' }],
    ['a playlist beyond all bounds', `#EXTM3U\n${'#'.repeat(2_000_000)}`, { code: 'MEDIA_NOT_MEDIA' }],
    ['encryption', playlist({ from: 0, count: 2, tags: { 0: key } }), { code: 'MEDIA_UNSUPPORTED' }],
    [
      'fragmented MP4',
      playlist({ from: 0, count: 2, tags: { 0: '#EXT-X-MAP:URI="init.mp4"' } }),
      { code: 'MEDIA_UNSUPPORTED' },
    ],
    [
      'sound alone',
      '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="mp4a.40.2"\na.m3u8',
      { code: 'MEDIA_UNSUPPORTED' },
    ],
    [
      'a segment that is no URL',
      playlist({ from: 0, count: 1, uri: () => 'http://[x' }),
      { code: 'MEDIA_NOT_MEDIA' },
    ],
  ])('%s', async (_what, answer, error) => {
    const { end, segmentsAsked } = await record({ playlists: [answer] });
    expect(end).toMatchObject(error);
    expect(segmentsAsked).toEqual([]);
    expect(JSON.stringify([(end as LivestowError).message, (end as LivestowError).context])).not.toContain(
      's3cret',
    );
  });

  test.each(['http://127.0.0.2/0.ts', 'http://169.254.169.254/latest', 'http://localhost/0.ts'])(
    'a segment at the forbidden %s',
    async (address) => {
      const { end } = await record({ playlists: [playlist({ from: 0, count: 1, uri: () => address })] });
      expect(end).toMatchObject({ code: 'MEDIA_FORBIDDEN_HOST' });
    },
  );

  test('a segment in the local file system', async () => {
    const { end } = await record({
      playlists: [playlist({ from: 0, count: 1, uri: () => 'file:///etc/passwd' })],
    });
    expect(end).toMatchObject({ code: 'MEDIA_UNSUPPORTED' });
  });
});

test('its signal ends it while it waits, with its reason, and leaves no timer', async () => {
  await using server = await serve((request, response) => {
    response.end(request.url === '/live.m3u8' ? playlist({ from: 0, count: 1 }) : segments[0]!);
  });
  const stop = new AbortController();
  const source = openHlsSource(`${server.url}/live.m3u8`, deps, stop.signal);
  expect((await source.next()).value).toMatchObject({ kind: 'media' });
  const rest = (async () => {
    for await (const item of source) expect(item.kind).toBe('media');
  })();
  await clock.waiting();
  stop.abort(new Error('enough'));
  await expect(rest).rejects.toThrow('enough');
  expect(clock.pendingMs).toEqual([]);
});
