import { describe, expect, test } from 'vitest';
import { Timeline } from '../../src/ingest/timeline.ts';
import { FlvTagReader, FLV_HEADER, flvTagPrefix } from '../../src/media/flv.ts';
import { MpegTsDemuxer } from '../../src/media/mpegts.ts';
import type { MediaUnit } from '../../src/media/packet.ts';
import { anyTimestamps, damagedFlv, damagedPlaylists, damagedTransportStream } from './hostile.ts';
import { audioConfig, videoConfig } from './synthetic-broadcast.ts';
import { segments } from './sources.ts';

describe('any bytes are media or an error with a code, and one time line', { tags: 'hostile-bytes' }, () => {
  test('FLV', { tags: 'torn-media' }, () => {
    expect(() => damagedFlv({ numRuns: 60 })).not.toThrow();
  });
  test('MPEG-TS', { tags: 'torn-media' }, () => {
    expect(() => damagedTransportStream({ numRuns: 60 })).not.toThrow();
  });
  test('playlists', () => {
    expect(() => damagedPlaylists({ numRuns: 300 })).not.toThrow();
  });
  test('timestamps', { tags: 'timestamps' }, () => {
    expect(() => anyTimestamps({ numRuns: 60 })).not.toThrow();
  });
});

describe('what never ends takes neither memory nor time', { tags: 'hostile-bytes' }, () => {
  /** Seconds that a step takes, at most, on a machine with other work. */
  const LIMIT_MS = 10_000;
  const timed = (step: () => void): number => {
    const begun = performance.now();
    step();
    return performance.now() - begun;
  };

  test('a tag that claims 16 MiB and comes a byte at a time', () => {
    const reader = new FlvTagReader();
    reader.push(Buffer.concat([FLV_HEADER, flvTagPrefix(9, 0, 0xff_ffff)]));
    const ms = timed(() => {
      for (let i = 0; i < 100_000; i += 1) reader.push(Buffer.alloc(1));
    });
    expect(reader.pendingBytes).toBe(100_011);
    expect(ms).toBeLessThan(LIMIT_MS);
  });

  const streams: Record<string, (n: number) => MediaUnit> = {
    'pictures without a keyframe': (n) => picture(n, n === 0),
    'nothing but keyframes': (n) => picture(n, true),
    'sound alone': (n) => ({ kind: 'audio', dtsMs: n * 23, data: Buffer.from(`${n}`) }),
    'silence alone': (n) => ({ kind: 'audio', dtsMs: n * 23, data: Buffer.from('silence') }),
    'the same timestamp': (n) => ({ kind: 'audio', dtsMs: 0, data: Buffer.from(`${n % 5}`) }),
    'a jump with each': (n) => ({ ...picture(n, n % 9 === 0), dtsMs: (n * 2_654_435_761) % 2 ** 32 }),
    'another configuration with each': (n) => (n % 2 === 0 ? videoConfig(`${n % 7}`) : picture(n, true)),
  };
  const picture = (n: number, key: boolean): MediaUnit & { kind: 'video'; dtsMs: number } => ({
    kind: 'video',
    dtsMs: n * 33,
    compositionMs: 0,
    key,
    data: Buffer.from(`picture ${n % 1_000}`),
  });
  test.each(Object.entries(streams))('%s', (_what, unitOf) => {
    const timeline = new Timeline();
    timeline.connect('found-late');
    timeline.push([videoConfig(), audioConfig()], 0);
    const give = (from: number, to: number): number =>
      timed(() => {
        for (let n = from; n < to; n += 8) {
          timeline.push(
            Array.from({ length: 8 }, (_, i) => unitOf(n + i)),
            n * 33,
          );
        }
      });
    const first = give(0, 6_000);
    give(6_000, 14_000);
    const last = give(14_000, 20_000);
    expect(last).toBeLessThan(LIMIT_MS);
    // Whatever is kept, it is no more than it was.
    expect(last).toBeLessThan(4 * first + 500);
  });

  test('a picture in MPEG-TS that goes on in packet after packet without a time', () => {
    const demuxer = new MpegTsDemuxer();
    const [segment] = segments;
    demuxer.push(segment!);
    const video = packetOfPictures(segment!);
    const ms = timed(() => {
      for (let i = 0; i < 40_000; i += 1) demuxer.push(video);
    });
    expect(ms).toBeLessThan(LIMIT_MS);
  });
});

/** A packet that begins a PES of the pictures' stream, without a timestamp or a start code. */
function packetOfPictures(segment: Buffer): Buffer {
  for (let at = 0; at + 188 <= segment.length; at += 188) {
    const starts = (segment[at + 1]! & 0x40) > 0;
    const payload = at + 4 + ((segment[at + 3]! & 0x20) > 0 ? 1 + segment[at + 4]! : 0);
    if (!starts || segment.readUIntBE(payload, 4) >>> 4 !== 0x1e) continue;
    const packet = Buffer.alloc(188, 0x55);
    segment.copy(packet, 0, at, at + 3);
    packet[3] = 0x10;
    Buffer.from('000001e0000080000000', 'hex').copy(packet, 4);
    return packet;
  }
  throw new Error('the segment has no pictures');
}
