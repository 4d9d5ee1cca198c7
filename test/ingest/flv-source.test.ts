import type { RequestListener } from 'node:http';
import { afterAll, describe, expect, test } from 'vitest';
import { openFlvSource } from '../../src/ingest/flv-source.ts';
import type { LivestowError } from '../../src/kernel/errors.ts';
import { encodeFlvTag, FLV_HEADER } from '../../src/media/flv.ts';
import { serve } from '../net/servers.ts';
import { allPictures, flv, flvUnits, pictures, readOut, sound, sourceDeps } from './sources.ts';

const { deps, clock, close } = sourceDeps();
afterAll(close);
const never = new AbortController().signal;

async function readFrom(handler: RequestListener, path = '/stream.flv?sign=s3cret') {
  await using server = await serve(handler);
  return await readOut(openFlvSource(server.url + path, deps, never), clock);
}

describe('what the CDN sends', () => {
  test.each([
    ['in one piece', 1_000_000],
    ['in small pieces', 777],
  ])('%s comes out whole', async (_how, size) => {
    const { end, units, items, notes } = await readFrom((_request, response) => {
      for (let at = 0; at < flv.length; at += size) response.write(flv.subarray(at, at + size));
      response.end();
    });
    // ffmpeg writes an end tag.
    expect(end).toEqual({ reason: 'end-tag' });
    expect(pictures(units)).toEqual(allPictures);
    expect(sound(units)).toBe(sound(flvUnits));
    expect(notes).toEqual(['end-tag']);
    const bytes = items.reduce((sum, item) => sum + (item.kind === 'media' ? item.bytes : 0), 0);
    expect(bytes).toBeLessThanOrEqual(flv.length);
    expect(bytes).toBeGreaterThan(flv.length / 2);
    expect(
      items.every(
        (item) =>
          item.kind === 'note' ||
          (item.kind === 'media' && item.units.length > 0 && item.arrivedAtMs <= clock.monotonic()),
      ),
    ).toBe(true);
  });

  test('a body cut in a tag gives all before it, and says so', async () => {
    const { end, units, notes } = await readFrom((_request, response) =>
      response.end(flv.subarray(0, flv.length / 2)),
    );
    expect(end).toEqual({ reason: 'closed' });
    expect(notes).toEqual(['torn-tag']);
    const had = pictures(units);
    expect(had.length).toBeGreaterThan(60);
    expect(had).toEqual(allPictures.slice(0, had.length));
  });

  test('a connection that breaks is an error, after all that came', async () => {
    const half = flv.subarray(0, flv.length / 2);
    const { end, units } = await readFrom((_request, response) => {
      response.writeHead(200, { 'content-length': flv.length });
      response.write(half, () => response.destroy());
    });
    expect(end).toMatchObject({ code: 'MEDIA_NETWORK', retryable: true });
    expect(pictures(units).length).toBeGreaterThan(60);
    expect(JSON.stringify([(end as LivestowError).message, (end as LivestowError).context])).not.toContain(
      's3cret',
    );
  });

  test('media behind an end tag goes on, and the end is no end', async () => {
    const tags = flv.subarray(FLV_HEADER.length);
    const { end, units } = await readFrom((_request, response) => {
      response.end(Buffer.concat([FLV_HEADER, tags, tags.subarray(0, tags.length / 2)]));
    });
    expect(end).toEqual({ reason: 'closed' });
    expect(pictures(units).length).toBeGreaterThan(allPictures.length);
  });

  test('script data and unknown codecs are dropped and told once', async () => {
    const script = (name: string) =>
      encodeFlvTag({
        type: 18,
        timestampMs: 0,
        data: Buffer.concat([Buffer.from([2, 0, name.length]), Buffer.from(name)]),
      });
    const sorenson = encodeFlvTag({ type: 9, timestampMs: 0, data: Buffer.from([0x22, 0, 0, 0, 0, 0]) });
    const odd = [script('onMetaData'), script('onCuePoint'), sorenson, script('onCuePoint'), sorenson];
    const { items, units } = await readFrom((_request, response) => {
      response.end(Buffer.concat([FLV_HEADER, ...odd, flv.subarray(FLV_HEADER.length)]));
    });
    expect(items.filter((item) => item.kind === 'note')).toEqual([
      { kind: 'note', event: 'script-data-dropped', detail: { what: 'onCuePoint' } },
      {
        kind: 'note',
        event: 'unsupported-dropped',
        detail: { what: expect.stringContaining('2') as string },
      },
      { kind: 'note', event: 'end-tag', detail: {} },
    ]);
    expect(pictures(units)).toEqual(allPictures);
  });

  test.each([
    ['HTML', 'text/html', '<!DOCTYPE html><html></html>'],
    ['JSON', 'application/json', '{"error":"expired"}'],
    ['a playlist', 'application/vnd.apple.mpegurl', '#EXTM3U\n'],
    ['text in the disguise of media', 'video/x-flv', 'Forbidden'],
  ])('%s is not media', async (_what, type, body) => {
    const { end, items } = await readFrom((_request, response) =>
      response.writeHead(200, { 'content-type': type }).end(body),
    );
    expect(end).toMatchObject({ code: 'MEDIA_NOT_MEDIA', context: { contentType: type, status: 200 } });
    expect(JSON.stringify([(end as LivestowError).message, (end as LivestowError).context])).not.toContain(
      's3cret',
    );
    expect(items).toEqual([]);
  });

  test('an empty body is a closed connection', async () => {
    expect(await readFrom((_request, response) => response.end())).toMatchObject({
      end: { reason: 'closed' },
      items: [],
    });
  });

  test('a refusal carries its status', async () => {
    const { end } = await readFrom((_request, response) => response.writeHead(404).end());
    expect(end).toMatchObject({ code: 'MEDIA_HTTP', context: { status: 404 } });
  });
});

describe('when it is stopped', () => {
  /** Sends half and holds the line; `closed` tells when the recorder hung up. */
  async function holding() {
    const closed = Promise.withResolvers<void>();
    const server = await serve((request, response) => {
      request.socket.on('close', () => closed.resolve());
      response.write(flv.subarray(0, flv.length / 2));
    });
    return Object.assign(server, { closed: closed.promise });
  }

  test('by its signal it hangs up at once and throws the reason', async () => {
    await using server = await holding();
    const stop = new AbortController();
    const source = openFlvSource(server.url, deps, stop.signal);
    const { end, units } = await readOut(source, clock, () => stop.abort(new Error('enough')));
    expect(end).toMatchObject({ message: 'enough' });
    expect(units.length).toBeGreaterThan(0);
    await server.closed;
  });

  test('by a reader that stops reading it hangs up too', async () => {
    await using server = await holding();
    for await (const item of openFlvSource(server.url, deps, never)) {
      expect(item.kind).toBe('media');
      break;
    }
    await server.closed;
  });
});
