/** The keyframe that a segment begins with, of as many of its bytes as there are. */
import * as fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { kindOfAvcNal } from '../../src/media/avc.ts';
import { firstKeyframe } from '../../src/media/first-keyframe.ts';
import { FragmentSplitter } from '../../src/media/fmp4.ts';
import { kindOfHevcNal } from '../../src/media/hevc.ts';
import { annexBNals } from '../../src/media/nal.ts';
import { endsWell, ffmpeg, makeMp4, remux } from './made.ts';

const FRAGMENTED = ['-f', 'mp4', '-movflags', '+frag_keyframe+empty_moov+default_base_moof'];

interface Made {
  codec: 'h264' | 'h265';
  head: Buffer;
  init: Buffer | null;
}

const made = new Map<string, Made>();
beforeAll(() => {
  for (const codec of ['h264', 'h265'] as const) {
    const path = makeMp4(`keyframe-${codec}`, { codec });
    made.set(`${codec} in MPEG-TS`, { codec, head: remux(path, '-f', 'mpegts'), init: null });
    const tag = codec === 'h265' ? ['-tag:v', 'hvc1'] : [];
    const [init, ...fragments] = new FragmentSplitter()
      .push(remux(path, ...tag, ...FRAGMENTED))
      .map(({ data }) => data);
    made.set(`${codec} in fragmented MP4`, { codec, head: Buffer.concat(fragments), init: init! });
  }
});

const kinds = ['h264 in MPEG-TS', 'h265 in MPEG-TS', 'h264 in fragmented MP4', 'h265 in fragmented MP4'];

describe.each(kinds)('%s', (kind) => {
  const of = (bytes?: number) => {
    const { head, init } = made.get(kind)!;
    return firstKeyframe(head.subarray(0, bytes), bytes === undefined || bytes >= head.length, init);
  };

  test('is one picture, with its parameter sets, that decodes by itself', () => {
    const { codec } = made.get(kind)!;
    const keyframe = of()!;
    expect(keyframe.codec).toBe(codec);
    const nals = annexBNals(keyframe.data).map(codec === 'h265' ? kindOfHevcNal : kindOfAvcNal);
    expect(nals).toEqual(expect.arrayContaining(['sps', 'pps', 'key']));
    expect(nals).not.toContain('picture');
    const format = codec === 'h265' ? 'hevc' : 'h264';
    const raw = ffmpeg(
      ['-f', format, '-i', 'pipe:0', '-f', 'rawvideo', '-pix_fmt', 'gray', '-'],
      keyframe.data,
    );
    expect(raw.length).toBe(160 * 284);
  });

  test('is the same of any beginning that has all of it, and none of a shorter one', () => {
    const { head } = made.get(kind)!;
    const whole = of()!;
    const lengths = Array.from({ length: 680 }, (_, i) => i * 97).filter((bytes) => bytes <= head.length);
    const found = lengths.map((bytes) => of(bytes));
    const first = found.findIndex((each) => each !== undefined);
    expect(lengths[first]).toBeGreaterThan(whole.data.length / 2);
    expect(found.slice(first)).toEqual(lengths.slice(first).map(() => whole));
  });

  test('bytes that were altered anywhere end in nothing, a keyframe or an error of ours', () => {
    const { head, init } = made.get(kind)!;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(4_000), fc.nat(255)), { minLength: 1, maxLength: 20 }),
        fc.boolean(),
        (changes, inInit) => {
          const bytes = Buffer.from(head.subarray(0, 32 * 1024));
          const start = init && Buffer.from(init);
          const target = inInit && start ? start : bytes;
          for (const [at, value] of changes) target[at % target.length] = value;
          expect(endsWell(() => firstKeyframe(bytes, true, start))).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });
});

test('sound alone has none', () => {
  const path = makeMp4('keyframe-sound', { seconds: 1 });
  expect(firstKeyframe(remux(path, '-vn', '-f', 'mpegts'), true, null)).toBeUndefined();
});
