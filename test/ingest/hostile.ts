/** Real media and playlists with damage in them, and what must hold whatever comes of it. */
import * as fc from 'fast-check';
import { expect } from 'vitest';
import { FlvRepair } from '../../src/ingest/flv-repair.ts';
import { parseHlsPlaylist } from '../../src/ingest/hls-playlist.ts';
import { HlsWindow } from '../../src/ingest/hls-window.ts';
import { Timeline, type TimelineItem } from '../../src/ingest/timeline.ts';
import { FlvTagReader } from '../../src/media/flv.ts';
import { MpegTsDemuxer } from '../../src/media/mpegts.ts';
import type { MediaUnit } from '../../src/media/packet.ts';
import { cut, endsWell } from '../media/made.ts';
import { audioConfig, videoConfig } from './synthetic-broadcast.ts';
import { flv, segments } from './sources.ts';

export interface Effort {
  numRuns: number;
  seed?: number;
}

type Wound = { kind: 'flip' | 'cut' | 'noise' | 'again' | 'move'; at: number; bytes: number; noise: number };

const woundArb: fc.Arbitrary<Wound> = fc.record({
  kind: fc.constantFrom('flip' as const, 'cut' as const, 'noise' as const, 'again' as const, 'move' as const),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  bytes: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 30_000 })),
  noise: fc.nat(0xffff_ffff),
});
const woundsArb = fc.array(woundArb, { minLength: 1, maxLength: 12 });
const sizesArb = fc.array(fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 20_000 })), {
  minLength: 1,
  maxLength: 8,
});

export function wounded(whole: Buffer, wounds: readonly Wound[]): Buffer {
  let body = Buffer.from(whole);
  for (const { kind, at, bytes, noise } of wounds) {
    const from = Math.floor(at * body.length);
    const end = Math.min(body.length, from + bytes);
    const [before, piece, after] = [body.subarray(0, from), body.subarray(from, end), body.subarray(end)];
    switch (kind) {
      case 'flip':
        if (from < body.length) body[from]! ^= 1 << (noise & 7);
        break;
      case 'cut':
        body = Buffer.concat([before, after]);
        break;
      case 'noise':
        body = Buffer.concat([before, noiseOf(noise, bytes), piece, after]);
        break;
      case 'again':
        body = Buffer.concat([before, piece, piece, after]);
        break;
      case 'move':
        body = Buffer.concat([before, after, piece]);
    }
  }
  return body;
}

function noiseOf(seed: number, length: number): Buffer {
  let state = (seed % 0x7fff_fffe) + 1;
  return Buffer.from(Array.from({ length }, () => (state = (state * 48_271) % 0x7fff_ffff) & 0xff));
}

/** What the time line promises of any input. */
export function expectOneLine(items: readonly TimelineItem[]): void {
  let last: { video: number; audio: number } | null = null;
  let decodable = false;
  for (const item of items) {
    if (item.kind === 'epoch') {
      decodable = item.video === null;
      if (item.backToDtsMs !== null || !last) last = { video: -Infinity, audio: -Infinity };
    } else if (item.kind === 'gap') {
      expect(Number.isFinite(item.fromMs) && item.toMs > item.fromMs).toBe(true);
    } else if (item.kind !== 'event') {
      if (!last) throw new Error('media before the first epoch');
      if (!(item.dtsMs > last[item.kind]) || !Number.isFinite(item.dtsMs))
        throw new Error(`${item.kind} at ${item.dtsMs} behind ${last[item.kind]}`);
      last[item.kind] = item.dtsMs;
      decodable ||= item.kind === 'video' && item.key;
      if (!decodable) throw new Error('media before a keyframe');
    }
  }
}

/** One connection after another, each with a body of its own. */
export function flvOntoTheLine(bodies: readonly Buffer[], sizes: readonly number[]): void {
  const timeline = new Timeline();
  const items: TimelineItem[] = [];
  let nowMs = 1_000_000;
  for (const body of bodies) {
    items.push(...timeline.connect('connection-lost'));
    const [reader, repair] = [new FlvTagReader(), new FlvRepair()];
    endsWell(() => {
      for (const chunk of cut(body, sizes)) {
        nowMs += chunk.length / 40;
        const { units, damage } = repair.take(reader.push(chunk));
        items.push(...timeline.push(units, nowMs));
        if (damage) throw damage;
      }
    });
    items.push(...timeline.finish());
  }
  expectOneLine(items);
}

export function damagedFlv(effort: Effort): void {
  const property = fc.property(
    fc.array(woundsArb, { minLength: 1, maxLength: 3 }),
    sizesArb,
    (wounds, sizes) => flvOntoTheLine([...wounds.map((each) => wounded(flv, each)), flv], sizes),
  );
  fc.assert(property, effort);
}

export function damagedTransportStream(effort: Effort): void {
  const property = fc.property(woundsArb, sizesArb, (wounds, sizes) => {
    const timeline = new Timeline();
    const items = [...timeline.connect('connection-lost', 'hls')];
    let demuxer = new MpegTsDemuxer();
    let nowMs = 1_000_000;
    for (const [n, segment] of segments.entries()) {
      const body = n % 2 === 0 ? wounded(segment, wounds) : segment;
      const whole = (): void => {
        for (const chunk of cut(body, sizes))
          items.push(...timeline.push(demuxer.push(chunk), (nowMs += 20)));
        items.push(...timeline.push(demuxer.flush(), nowMs));
      };
      const begunAt = items.length;
      endsWell(whole);
      if (items.length === begunAt) {
        demuxer = new MpegTsDemuxer();
        items.push(...timeline.interrupt('segment-missing'));
      }
      nowMs += 1_000;
    }
    items.push(...timeline.finish());
    expectOneLine(items);
  });
  fc.assert(property, effort);
}

const playlistText = (from: number, count: number): string =>
  [
    '#EXTM3U',
    '#EXT-X-VERSION:4',
    '#EXT-X-TARGETDURATION:4',
    `#EXT-X-MEDIA-SEQUENCE:${from}`,
    ...Array.from({ length: count }, (_, n) => [
      n % 3 === 1 ? '#EXT-X-DISCONTINUITY' : '#EXT-X-BYTERANGE:100@20',
      '#EXTINF:3.967,title',
      `${from + n}.ts?sign=abc`,
    ]).flat(),
    '#EXT-X-ENDLIST',
    '',
  ].join('\n');
const tagArb = fc.constantFrom(
  '#EXT-X-GAP',
  '#EXT-X-MEDIA-SEQUENCE:99999999999999999999',
  '#EXT-X-MEDIA-SEQUENCE:-5',
  '#EXTINF:1e309,',
  '#EXTINF:-3,',
  '#EXT-X-BYTERANGE:99999999999@99999999999',
  '#EXT-X-TARGETDURATION:0',
  '#EXT-X-KEY:METHOD=NONE',
  '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="data:,x"',
  '#EXT-X-MAP:URI="a.mp4"',
  '#EXT-X-PART:DURATION=1,URI="a"',
  '#EXT-X-STREAM-INF:BANDWIDTH=1',
  '#EXT-X-DATERANGE:ID="x",START-DATE="never"',
  '#EXT-X-PROGRAM-DATE-TIME:never',
  '#EXT-X-DEFINE:NAME="a",VALUE="b"',
  '#EXT-X-SKIP:SKIPPED-SEGMENTS=9',
  '\0',
  'file:///etc/passwd',
);

export function damagedPlaylists(effort: Effort): void {
  const oneArb = fc.record({
    from: fc.oneof(fc.nat(30), fc.nat(Number.MAX_SAFE_INTEGER)),
    count: fc.nat(12),
    wounds: fc.array(woundArb, { maxLength: 4 }),
    tags: fc.array(fc.tuple(tagArb, fc.nat(20)), { maxLength: 3 }),
  });
  const property = fc.property(fc.array(oneArb, { minLength: 1, maxLength: 6 }), (listed) => {
    const window = new HlsWindow();
    for (const { from, count, wounds, tags } of listed) {
      const lines = playlistText(from, count).split('\n');
      for (const [tag, at] of tags) lines.splice(Math.min(at, lines.length), 0, tag);
      const small = wounds.map((wound) => ({ ...wound, bytes: wound.bytes % 50 }));
      const text = wounded(Buffer.from(lines.join('\n')), small).toString('utf8');
      endsWell(() => {
        const playlist = parseHlsPlaylist(text, 'http://127.0.0.1/live/index.m3u8');
        if (playlist.kind === 'master') return;
        expect(playlist.targetDurationMs).toBeGreaterThanOrEqual(500);
        expect(playlist.targetDurationMs).toBeLessThanOrEqual(60_000);
        const { missedMs } = window.update(playlist);
        expect(missedMs).toBeGreaterThanOrEqual(0);
        let taken = 0;
        while (window.take()) expect((taken += 1)).toBeLessThanOrEqual(playlist.segments.length);
      });
    }
  });
  fc.assert(property, effort);
}

/** Units that no CDN would send. */
export function anyTimestamps(effort: Effort): void {
  const timeArb = fc.oneof(fc.nat(0xffff_ffff), fc.nat(5_000), fc.constantFrom(0, 0xffff_ffff, 0x7fff_ffff));
  const unitArb = fc.oneof(
    {
      weight: 20,
      arbitrary: fc.record({ kind: fc.constant('audio' as const), dtsMs: timeArb, of: fc.nat(3) }),
    },
    {
      weight: 20,
      arbitrary: fc.record({
        kind: fc.constant('video' as const),
        dtsMs: timeArb,
        key: fc.boolean(),
        of: fc.nat(3),
      }),
    },
    { weight: 1, arbitrary: fc.record({ config: fc.constantFrom('a', 'b', 'sound') }) },
    { weight: 1, arbitrary: fc.record({ call: fc.constantFrom('connect', 'interrupt', 'finish') }) },
    { weight: 2, arbitrary: fc.record({ waitMs: fc.nat(10_000) }) },
  );
  const property = fc.property(fc.array(unitArb, { maxLength: 400 }), (steps) => {
    const timeline = new Timeline();
    const items: TimelineItem[] = [];
    let nowMs = 1_000_000;
    const give = (unit: MediaUnit): void => void items.push(...timeline.push([unit], nowMs));
    for (const step of steps) {
      if ('waitMs' in step) nowMs += step.waitMs;
      else if ('config' in step) give(step.config === 'sound' ? audioConfig() : videoConfig(step.config));
      else if ('call' in step)
        items.push(
          ...(step.call === 'connect'
            ? timeline.connect('stall', 'flv', true)
            : step.call === 'interrupt'
              ? timeline.interrupt('segment-missing')
              : timeline.finish()),
        );
      else if (step.kind === 'audio')
        give({ kind: 'audio', dtsMs: step.dtsMs, data: Buffer.from([step.of]) });
      else {
        const { dtsMs, key, of } = step;
        give({ kind: 'video', dtsMs, compositionMs: 0, key, data: Buffer.from([of, 1]) });
      }
    }
    items.push(...timeline.finish());
    expectOneLine(items);
  });
  fc.assert(property, effort);
}
