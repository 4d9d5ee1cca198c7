import * as fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { censusOfFragment, describeInit, type Fmp4Part, FragmentSplitter } from '../../src/media/fmp4.ts';
import { cut, endsWell, makeMp4, msOf, probe, remux } from './made.ts';

const FRAGMENTED = ['-f', 'mp4', '-movflags', '+frag_keyframe+empty_moov+default_base_moof'];

function split(chunks: Iterable<Buffer>, splitter = new FragmentSplitter()): Fmp4Part[] {
  const parts: Fmp4Part[] = [];
  for (const chunk of chunks) {
    parts.push(...splitter.push(chunk));
  }
  return parts;
}

const made = new Map<string, Buffer>();
beforeAll(() => {
  for (const codec of ['h264', 'h265'] as const) {
    const tag = codec === 'h265' ? ['-tag:v', 'hvc1'] : [];
    made.set(codec, remux(makeMp4(`fmp4-${codec}`, { codec }), ...tag, ...FRAGMENTED));
  }
  made.set(
    'sound',
    remux(makeMp4('fmp4-sound', { seconds: 1 }), '-vn', '-frag_duration', '300000', ...FRAGMENTED),
  );
});

describe('cutting', () => {
  test('gives the init, then a fragment for each group of pictures, and nothing else', () => {
    const file = made.get('h264')!;
    const splitter = new FragmentSplitter();
    const parts = split(cut(file, [5000]), splitter);
    expect(parts.map(({ kind }) => kind)).toEqual(['init', 'fragment', 'fragment', 'fragment']);
    const joined = Buffer.concat(parts.map(({ data }) => data));
    expect(joined.equals(file.subarray(0, joined.length))).toBe(true);
    expect(file.toString('latin1', joined.length + 4, joined.length + 8)).toBe('mfra');
    expect(splitter.end()).toEqual({ tornBytes: 0 });
  });

  test('gives the same parts, wherever the stream is split', () => {
    const file = made.get('sound')!;
    const whole = split([file]);
    const sizesArb = fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(sizesArb, (sizes) => {
        expect(split(cut(file, sizes))).toEqual(whole);
      }),
      { numRuns: 30 },
    );
  });

  test('keeps what comes before a fragment with it, and reads sizes of 64 bits', () => {
    const box = (type: string, bytes = 4) => {
      const made = Buffer.alloc(8 + bytes);
      made.writeUInt32BE(made.length);
      made.write(type, 4);
      return made;
    };
    const large = Buffer.alloc(20);
    large.writeUInt32BE(1);
    large.write('mdat', 4);
    large.writeUInt32BE(20, 12);
    const first = Buffer.concat([box('styp'), box('sidx'), box('prft', 0), box('moof'), large]);
    const second = Buffer.concat([box('moof'), box('mdat', 0)]);
    const init = Buffer.concat([box('ftyp'), box('moov')]);
    const file = Buffer.concat([init, first, second, box('mfra')]);
    const parts = [
      { kind: 'init', data: init },
      { kind: 'fragment', data: first },
      { kind: 'fragment', data: second },
    ];
    expect(split([file])).toEqual(parts);
    expect(split(cut(file, [1]))).toEqual(parts);
  });

  test('says how much of a last fragment was torn', () => {
    const splitter = new FragmentSplitter();
    const file = made.get('h264')!;
    const parts = split([file.subarray(0, 60_000)], splitter);
    const given = parts.reduce((sum, { data }) => sum + data.length, 0);
    expect(splitter.end()).toEqual({ tornBytes: 60_000 - given });
  });

  test.each([
    ['text', Buffer.from('{"error": "nothing here"}')],
    ['an MP4 that is not fragmented', Buffer.from('000000086674797000000010mdat', 'latin1')],
    ['a box without a size', Buffer.from('0000000066726565', 'hex')],
    ['samples without a fragment', Buffer.from('000000086d646174', 'hex')],
    ['a box beyond all bounds', Buffer.from('ffffffff66726565', 'hex')],
  ])('refuses %s', (_, bytes) => {
    expect(() => split([bytes])).toThrow(expect.objectContaining({ code: 'MEDIA_NOT_MEDIA' }));
  });
});

describe('counting', () => {
  test.each(['h264', 'h265'] as const)('%s: what ffprobe counts', (codec) => {
    const file = made.get(codec)!;
    const [init, ...fragments] = split([file]);
    const tracks = describeInit(init!.data);
    expect(tracks).toEqual([
      expect.objectContaining({ id: 1, kind: 'video', codec, width: 160, height: 284 }),
      expect.objectContaining({ id: 2, kind: 'audio', codec: 'aac', width: 0, height: 0, timescale: 44_100 }),
    ]);
    const censuses = fragments.map(({ data }) => censusOfFragment(data, tracks));
    expect(censuses).toEqual(
      [0, 1000, 2000].map((firstDtsMs) =>
        expect.objectContaining({
          pictures: 30,
          firstDtsMs,
          lastDtsMs: firstDtsMs + 967,
          videoDurationMs: 1000,
          startsWithKeyframe: true,
        }),
      ),
    );
    const probed = probe(file);
    const segment = censusOfFragment(Buffer.concat(fragments.map(({ data }) => data)), tracks);
    expect(segment).toEqual({
      pictures: probed.video.length,
      audioFrames: probed.audio.length,
      firstDtsMs: 0,
      lastDtsMs: msOf(probed.video.at(-1)!.dts_time) - msOf(probed.video[0]!.dts_time),
      videoDurationMs: 3000,
      startsWithKeyframe: true,
    });
    expect(censuses.reduce((sum, { audioFrames }) => sum + audioFrames, 0)).toBe(segment.audioFrames);
  });

  test('sound alone', () => {
    const file = made.get('sound')!;
    const [init, ...fragments] = split([file]);
    const tracks = describeInit(init!.data);
    const census = censusOfFragment(Buffer.concat(fragments.map(({ data }) => data)), tracks);
    const { audio } = probe(file);
    expect(census).toEqual({
      pictures: 0,
      audioFrames: audio.length,
      firstDtsMs: 0,
      lastDtsMs: msOf(audio.at(-1)!.dts_time) - msOf(audio[0]!.dts_time),
      videoDurationMs: 0,
      startsWithKeyframe: false,
    });
  });

  test('any damage is a census or a LivestowError', () => {
    const [init, fragment] = split([made.get('h264')!]);
    const tracks = describeInit(init!.data);
    const head = fragment!.data.subarray(0, 900);
    const damageArb = fc.array(fc.tuple(fc.nat(899), fc.nat(255)), { maxLength: 12 });
    const damaged = (bytes: Buffer, damage: [number, number][]): Buffer => {
      const copy = Buffer.from(bytes);
      for (const [at, value] of damage) {
        copy[at % copy.length] = value;
      }
      return copy;
    };
    fc.assert(
      fc.property(damageArb, fc.nat(900), (damage, length) => {
        expect(endsWell(() => describeInit(damaged(init!.data, damage)))).toBe(true);
        expect(endsWell(() => censusOfFragment(damaged(head, damage).subarray(0, length), tracks))).toBe(
          true,
        );
        expect(endsWell(() => split([damaged(fragment!.data, damage)]))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
