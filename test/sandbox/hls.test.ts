import { describe, expect, test } from 'vitest';
import type { Sandbox } from '../../src/sandbox/sandbox.ts';
import { GOP_MS } from '../../src/sandbox/media/grid.ts';
import { accountPictures, pictureNumbers } from '../support/pictures.ts';
import { accountSound, soundOffsetsMs } from '../support/sound.ts';
import { streamOf } from './client.ts';
import { playAlice } from './playing.ts';
import { scratchFile } from './scratch.ts';

const hls = (media: 'small' | 'hevc') => [{ media, protocols: ['hls' as const] }];

const PATIENTLY = { interval: 20, timeout: 20_000 };

interface Playlist {
  text: string;
  first: number;
  segments: string[];
  ended: boolean;
}

async function playlist(sandbox: Sandbox): Promise<Playlist> {
  const { hlsUrl } = await streamOf(sandbox, 'alice');
  return read(hlsUrl!);
}

async function read(url: string): Promise<Playlist> {
  const text = await (await fetch(url)).text();
  const segments = text.split('\n').filter((line) => line.endsWith('.ts'));
  const first = Number(/#EXT-X-MEDIA-SEQUENCE:(\d+)/.exec(text)?.[1]);
  return {
    text,
    first,
    segments: segments.map((name) => new URL(name, url).href),
    ended: text.includes('#EXT-X-ENDLIST'),
  };
}

const fetchBytes = async (url: string) => Buffer.from(await (await fetch(url)).arrayBuffer());

/** The whole broadcast, from one long playlist at its end. */
async function whole(sandbox: Sandbox): Promise<{ url: string; list: Playlist; path: string }> {
  const { hlsUrl } = await streamOf(sandbox, 'alice');
  await sandbox.waitFor(({ type }) => type === 'ended');
  const list = await read(hlsUrl!);
  const segments: Buffer[] = [];
  for (const url of list.segments) {
    segments.push(await fetchBytes(url));
  }
  return { url: hlsUrl!, list, path: await scratchFile('whole.ts', Buffer.concat(segments)) };
}

describe('a broadcast without faults', () => {
  test.for(['small', 'hevc'] as const)(
    '%s: every picture and all sound, in step, as logged',
    async (media) => {
      const sandbox = await playAlice({ durationMs: 12_000, variants: hls(media) }, { hlsWindow: 100 });
      const { list, path } = await whole(sandbox);
      const pictures = accountPictures(await pictureNumbers(path));
      const sound = await accountSound(path);
      const truth = sandbox.truth('alice');
      expect(list).toMatchObject({ ended: true, first: 0 });
      expect(list.segments).toHaveLength(6);
      expect(pictures).toMatchObject({ first: 0, missing: [], repeats: 0, garbled: 0, backwards: 0 });
      expect(truth.pictures).toEqual(pictures.present);
      expect(truth.sound).toEqual([[0, sound.frames - 1]]);
      expect(sound.breaks).toEqual([]);
      expect(Math.max(...(await soundOffsetsMs(path)).map(Math.abs))).toBeLessThan(10);
    },
  );

  test('the playlist slides, and says the same to everyone', async () => {
    const sandbox = await playAlice({ variants: hls('small') }, { speed: 8, hlsWindow: 3 });
    const { hlsUrl } = await streamOf(sandbox, 'alice');
    await expect.poll(async () => (await read(hlsUrl!)).first, PATIENTLY).toBeGreaterThan(4);
    const [one, two] = [await read(hlsUrl!), await playlist(sandbox)];
    expect(one.segments).toHaveLength(3);
    expect(one.ended).toBe(false);
    const shared = one.segments.filter((url) => two.segments.some((other) => pathOf(other) === pathOf(url)));
    expect(shared.length).toBeGreaterThan(0);
    expect(await fetchBytes(shared[0]!)).toEqual(await fetchBytes(shared[0]!));
    expect((await fetch(new URL('0.ts', one.segments[0]))).status).toBe(200);
    expect((await fetch(new URL('99999.ts', one.segments[0]))).status).toBe(404);
  });

  test('segments before the loop and after it are one stream', async () => {
    const sandbox = await playAlice(
      { durationMs: 108_000, variants: hls('small') },
      { speed: 60, hlsWindow: 100 },
    );
    const { path, list } = await whole(sandbox);
    expect(list.text).not.toContain('DISCONTINUITY');
    expect(accountPictures(await pictureNumbers(path))).toMatchObject({
      missing: [],
      repeats: 0,
      garbled: 0,
      backwards: 0,
    });
    expect((await accountSound(path)).breaks).toEqual([]);
  });
});

describe('faults', () => {
  test('another picture size is a discontinuity', async () => {
    const sandbox = await playAlice(
      {
        durationMs: 12_000,
        variants: hls('small'),
        faults: [{ type: 'media', media: 'small-landscape', atMs: 5_000 }],
      },
      { hlsWindow: 100 },
    );
    const { list } = await whole(sandbox);
    expect(list.text.split('\n').filter((line) => line === '#EXT-X-DISCONTINUITY')).toHaveLength(1);
    expect(list.text).toMatch(/2\.ts\n#EXT-X-DISCONTINUITY\n#EXTINF:[\d.]+,\n3\.ts/);
    const path = await scratchFile('after.ts', await fetchBytes(list.segments[3]!));
    expect(accountPictures(await pictureNumbers(path))).toMatchObject({ first: 192, last: 255, garbled: 0 });
    expect(sandbox.fired('alice', 'media')).toHaveLength(1);
    expect(sandbox.truth('alice').pictures).toHaveLength(1);
  });

  test('discontinuities that left the playlist are counted', async () => {
    const sandbox = await playAlice(
      {
        durationMs: 20_000,
        variants: hls('small'),
        faults: [{ type: 'media', media: 'small-landscape', atMs: 3_000 }],
      },
      { hlsWindow: 3 },
    );
    const { list } = await whole(sandbox);
    expect(list.text).toContain('#EXT-X-DISCONTINUITY-SEQUENCE:1');
  });

  test("the encoder's pause leaves no hole in the numbers", async () => {
    const sandbox = await playAlice(
      {
        durationMs: 20_000,
        variants: hls('small'),
        faults: [{ type: 'stall', scope: 'source', forMs: 6_000, atMs: 5_000 }],
      },
      { hlsWindow: 100 },
    );
    const { list, path } = await whole(sandbox);
    expect(list.segments.map((url) => Number(/(\d+)\.ts$/.exec(url)![1]))).toEqual(
      list.segments.map((_, i) => i),
    );
    expect(list.text.split('\n').filter((line) => line === '#EXT-X-DISCONTINUITY')).toHaveLength(1);
    expect(accountPictures(await pictureNumbers(path)).present).toEqual(sandbox.truth('alice').pictures);
    expect(accountPictures(await pictureNumbers(path)).missing.at(-1)![1]).toBe(6 * 64 - 1);
  });

  test('timestamps jump at a segment, with a discontinuity', async () => {
    const sandbox = await playAlice(
      { durationMs: 12_000, variants: hls('small'), faults: [{ type: 'jump', byMs: 100_000, atMs: 5_000 }] },
      { hlsWindow: 100 },
    );
    const { list } = await whole(sandbox);
    expect(list.text).toMatch(/#EXT-X-DISCONTINUITY\n#EXTINF:[\d.]+,\n3\.ts/);
    const firsts = sandbox.truth('alice').transfers.map(({ firstTimestampMs }) => firstTimestampMs!);
    expect(firsts[3]! - firsts[2]!).toBeCloseTo(100_000 + GOP_MS, -1);
    expect(sandbox.fired('alice', 'jump')).toHaveLength(1);
  });

  test('the playlist freezes', async () => {
    const sandbox = await playAlice({
      variants: hls('small'),
      faults: [{ type: 'hls-frozen', forMs: 1e9, atMs: 7_000 }],
    });
    const { hlsUrl } = await streamOf(sandbox, 'alice');
    await expect.poll(() => sandbox.state().creators['alice']!.sinceMs, PATIENTLY).toBeGreaterThan(14_000);
    expect((await read(hlsUrl!)).segments).toHaveLength(3);
    expect(sandbox.fired('alice', 'hls-frozen').length).toBeGreaterThan(0);
  });

  test('a segment is missing', async () => {
    const sandbox = await playAlice(
      {
        durationMs: 12_000,
        variants: hls('small'),
        faults: [{ type: 'hls-missing', forMs: 2_000, atMs: 4_000 }],
      },
      { hlsWindow: 100 },
    );
    const { list } = await whole(sandbox);
    expect((await fetch(list.segments[2]!)).status).toBe(404);
    expect((await fetch(list.segments[3]!)).status).toBe(200);
    expect(sandbox.truth('alice').pictures).toEqual([
      [0, 127],
      [192, expect.any(Number)],
    ]);
    expect(sandbox.fired('alice', 'hls-missing').length).toBeGreaterThan(0);
  });

  test('HLS is refused while FLV goes on', async () => {
    const sandbox = await playAlice({
      variants: [{ media: 'small', protocols: ['flv', 'hls'] }],
      faults: [{ type: 'refuse', forMs: 60_000, target: { protocol: 'hls' }, atMs: 0 }],
    });
    const { hlsUrl, flvUrl } = await streamOf(sandbox, 'alice');
    expect((await fetch(hlsUrl!)).status).toBe(404);
    const leave = new AbortController();
    expect((await fetch(flvUrl!, { signal: leave.signal })).status).toBe(200);
    leave.abort();
  });
});

const pathOf = (url: string) => new URL(url).pathname;
