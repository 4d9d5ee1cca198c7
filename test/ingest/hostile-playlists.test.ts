/** Playlists that point where they must not, or have no end. What is forbidden is a real server, which counts who asks. */
import { afterAll, describe, expect, test } from 'vitest';
import { openHlsSource } from '../../src/ingest/hls-source.ts';
import { openFlvSource } from '../../src/ingest/flv-source.ts';
import type { LivestowError } from '../../src/kernel/errors.ts';
import { serve } from '../net/servers.ts';
import { pictures, readOut, segments, sourceDeps } from './sources.ts';

const { deps, clock, close } = sourceDeps(['127.0.0.1']);
afterAll(close);
const never = new AbortController().signal;

const HEAD = ['#EXTM3U', '#EXT-X-VERSION:4', '#EXT-X-TARGETDURATION:1', '#EXT-X-MEDIA-SEQUENCE:0'];
const media = (...lines: string[]): string => [...HEAD, ...lines, ''].join('\n');
const segment = (uri: string): string[] => ['#EXTINF:1.0,', uri];

interface Places {
  /** `http://127.0.0.2:port`, which is not allowed. */
  inside: string;
  /** Where the playlist is. */
  here: string;
}

type Playlist = (places: Places, path: string) => string | Buffer;

/** Reads a playlist to its end; `insideAsked` is what the forbidden server was asked. */
async function read(playlist: Playlist) {
  const insideAsked: string[] = [];
  const asked: string[] = [];
  await using inside = await serve((request, response) => {
    insideAsked.push(request.url ?? '');
    response.end(segments[0]);
  }, '127.0.0.2');
  await using cdn = await serve((request, response) => {
    const path = request.url ?? '';
    asked.push(path);
    if (path.endsWith('.ts')) response.end(segments[0]);
    else if (path.startsWith('/redirect')) response.writeHead(302, { location: `${inside.url}/0.ts` }).end();
    else if (path.startsWith('/to-file')) response.writeHead(302, { location: 'file:///etc/passwd' }).end();
    else response.end(playlist({ inside: inside.url, here: cdn.url }, path));
  });
  const out = await readOut(openHlsSource(`${cdn.url}/live.m3u8`, deps, never), clock);
  return { ...out, asked, insideAsked, error: out.end as LivestowError };
}

test('the forbidden server answers whoever may ask', async () => {
  const permissive = sourceDeps(['127.0.0.1', '127.0.0.2']);
  await using inside = await serve((_request, response) => void response.end(segments[0]), '127.0.0.2');
  const answer = await permissive.deps.media.read(inside.url, {
    signal: never,
    maxBytes: 1e7,
    timeoutMs: 5_000,
  });
  expect(answer.bytes).toEqual(segments[0]);
  await permissive.close();
});

describe('a playlist whose media is elsewhere', { tags: 'hostile-playlist' }, () => {
  test.for<[string, Playlist, LivestowError['code']]>([
    ['a forbidden host', ({ inside }) => media(...segment(`${inside}/0.ts`)), 'MEDIA_FORBIDDEN_HOST'],
    [
      'one without a scheme',
      ({ inside }) => media(...segment(`${inside.slice(5)}/0.ts`)),
      'MEDIA_FORBIDDEN_HOST',
    ],
    [
      'one that is mapped',
      ({ inside }) => media(...segment(inside.replace('127.0.0.2', '[::ffff:127.0.0.2]'))),
      'MEDIA_FORBIDDEN_HOST',
    ],
    [
      'one behind a user',
      ({ inside }) => media(...segment(inside.replace('//', '//127.0.0.1@'))),
      'MEDIA_FORBIDDEN_HOST',
    ],
    ['a redirect to one', () => media(...segment('redirect')), 'MEDIA_FORBIDDEN_HOST'],
    ['a redirect to a file', () => media(...segment('to-file')), 'MEDIA_UNSUPPORTED'],
    ['a file', () => media(...segment('file:///etc/passwd')), 'MEDIA_UNSUPPORTED'],
    ['concat:', () => media(...segment('concat:/etc/passwd|/etc/shadow')), 'MEDIA_UNSUPPORTED'],
    ['data:', () => media(...segment('data:video/mp2t;base64,R0A=')), 'MEDIA_UNSUPPORTED'],
    ['gopher:', () => media(...segment('gopher://127.0.0.1:6379/_FLUSHALL')), 'MEDIA_UNSUPPORTED'],
    [
      'a master playlist, and the rendition at a forbidden host',
      ({ inside }) => `#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n${inside}/1.m3u8\n`,
      'MEDIA_FORBIDDEN_HOST',
    ],
    [
      'a master playlist, and the rendition in a file',
      () => '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nfile:///etc/passwd\n',
      'MEDIA_UNSUPPORTED',
    ],
    [
      'a key at a forbidden host',
      ({ inside }) => media(`#EXT-X-KEY:METHOD=AES-128,URI="${inside}/key"`, ...segment('0.ts')),
      'MEDIA_UNSUPPORTED',
    ],
    [
      'a key in a file',
      () => media('#EXT-X-KEY:METHOD=AES-128,URI="file:///etc/passwd"', ...segment('0.ts')),
      'MEDIA_UNSUPPORTED',
    ],
    [
      'a map at a forbidden host',
      ({ inside }) => media(`#EXT-X-MAP:URI="${inside}/init.mp4"`, ...segment('0.ts')),
      'MEDIA_UNSUPPORTED',
    ],
  ])('%s: refused, and nobody is asked', async ([_what, playlist, code]) => {
    const { error, units, insideAsked } = await read(playlist);
    expect(error.code).toBe(code);
    expect(units).toEqual([]);
    expect(insideAsked).toEqual([]);
  });

  test('what came before it is kept', async () => {
    const { error, units, insideAsked } = await read(({ inside }) =>
      media(...segment('0.ts'), ...segment(`${inside}/1.ts`), ...segment('2.ts')),
    );
    expect(error.code).toBe('MEDIA_FORBIDDEN_HOST');
    expect(pictures(units)).toHaveLength(30);
    expect(insideAsked).toEqual([]);
  });

  test('session keys, preload hints, renditions: nothing but the media is asked for', async () => {
    const { end, insideAsked, asked } = await read(({ inside }) =>
      media(
        `#EXT-X-PRELOAD-HINT:TYPE=PART,URI="${inside}/part.ts"`,
        `#EXT-X-RENDITION-REPORT:URI="${inside}/other.m3u8"`,
        `#EXT-X-DATERANGE:ID="a",START-DATE="2026-11-22T00:00:00Z",X-ASSET-URI="${inside}/ad"`,
        ...segment('0.ts'),
        '#EXT-X-ENDLIST',
      ),
    );
    expect(end).toMatchObject({ reason: 'endlist' });
    expect([insideAsked, asked]).toEqual([[], ['/live.m3u8', '/0.ts']]);
  });

  test('relative ways out of the folder stay on the server', async () => {
    const { end, asked } = await read(() => media(...segment('../../../../etc/0.ts'), '#EXT-X-ENDLIST'));
    expect(end).toMatchObject({ reason: 'endlist' });
    expect(asked).toEqual(['/live.m3u8', '/etc/0.ts']);
  });
});

describe('a playlist without end', { tags: 'hostile-playlist' }, () => {
  const master = (uri: string, extra = ''): string =>
    `#EXTM3U\n${extra}#EXT-X-STREAM-INF:BANDWIDTH=1\n${uri}\n`;

  test('a master playlist within a master playlist, for ever', async () => {
    let n = 0;
    const { error, asked } = await read(() => master(`next-${(n += 1)}.m3u8`));
    expect(error.code).toBe('MEDIA_NOT_MEDIA');
    expect(asked).toHaveLength(2);
  });

  test('a hundred megabytes', async () => {
    const { error } = await read(() =>
      Buffer.concat([Buffer.from('#EXTM3U\n'), Buffer.alloc(100 * 1024 * 1024, '#')]),
    );
    expect(error.code).toBe('MEDIA_NOT_MEDIA');
  });

  test('a million segments', async () => {
    const { error } = await read(() => media(segment('0.ts').join('\n').concat('\n').repeat(1_000_000)));
    expect(error.code).toBe('MEDIA_NOT_MEDIA');
  });

  test('ten thousand renditions of ten thousand streams', async () => {
    const groups = '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x",URI="c"\n'.repeat(10_000);
    const { error } = await read(() =>
      master('1.m3u8', groups + '#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"\nb\n'.repeat(5_000)),
    );
    expect(error.code).toBe('MEDIA_NOT_MEDIA');
  });

  test.for([
    ['sequence numbers that are none', '#EXT-X-MEDIA-SEQUENCE:abc'],
    ['a target duration that is none', '#EXT-X-TARGETDURATION:-9'],
    ['durations without end', '#EXTINF:1e308,\nx.ts'],
    ['half a tag', '#EXT-X-BYTERANGE:'],
    ['a byte range before the beginning', '#EXT-X-BYTERANGE:-5@-5'],
    ['NUL', '\0\0\0'],
    ['per cent signs', '%%%zz%'],
  ])('%s: it ends, one way or another', async ([_what, line = '']) => {
    const { end } = await read(() => `#EXTM3U\n${line}\n${segment('0.ts').join('\n')}\n`);
    expect(end instanceof Error ? (end as LivestowError).code : end.reason).toMatch(
      /^MEDIA_|^frozen|^endlist/,
    );
  });

  test('a segment that begins like media and goes on for ever: memory is bounded, and it can be ended', async () => {
    const stop = new AbortController();
    let sentBytes = 0;
    // Packets of a video stream that never begins a second picture.
    const packet = (start: boolean): Buffer => {
      const bytes = Buffer.alloc(188, 0x55);
      bytes.set([0x47, start ? 0x41 : 0x01, 0x00, 0x10]);
      return bytes;
    };
    const piece = Buffer.concat(Array.from({ length: 5_000 }, () => packet(false)));
    await using cdn = await serve((request, response) => {
      if (request.url?.endsWith('.m3u8')) return void response.end(media(...segment('0.ts')));
      response.write(segments[0]);
      const more = (): void => {
        if (response.destroyed) return;
        sentBytes += piece.length;
        if (sentBytes > 200e6) stop.abort(new Error('enough'));
        response.write(piece, more);
      };
      return more();
    });
    const before = process.memoryUsage().rss;
    const { missingMs } = await readOut(openHlsSource(`${cdn.url}/live.m3u8`, deps, stop.signal), clock);
    expect(sentBytes).toBeGreaterThan(16 * 1024 * 1024);
    expect(process.memoryUsage().rss - before).toBeLessThan(300 * 1024 * 1024);
    expect(stop.signal.aborted || missingMs.length > 0).toBe(true);
  });
});

test('an FLV address that redirects inside is refused', { tags: 'hostile-address' }, async () => {
  let insideAsked = 0;
  await using inside = await serve((_request, response) => {
    insideAsked += 1;
    response.end();
  }, '127.0.0.2');
  await using cdn = await serve((_request, response) =>
    response.writeHead(301, { location: `${inside.url}/a.flv` }).end(),
  );
  const { end } = await readOut(openFlvSource(`${cdn.url}/a.flv`, deps, never), clock);
  expect(end).toMatchObject({ code: 'MEDIA_FORBIDDEN_HOST' });
  expect(insideAsked).toBe(0);
});
