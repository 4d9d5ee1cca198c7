/** The pure parts of the ffmpeg engine: its arguments, what it reads, what it has in its books. */
import { describe, expect, test } from 'vitest';
import type { AudioConfig, VideoConfig } from '../../src/media/packet.ts';
import { ffmpegArguments } from '../../src/record/ffmpeg/ffmpeg-arguments.ts';
import { parseLogLine } from '../../src/record/ffmpeg/ffmpeg-log.ts';
import { GopLedger } from '../../src/record/ffmpeg/gop-ledger.ts';
import { LineReader, parseListLine } from '../../src/record/ffmpeg/segment-list.ts';
import { type FedSegment, type SegmentCensus, verifiedSegment } from '../../src/record/verified-segment.ts';

const video = (codec: 'h264' | 'h265'): VideoConfig => ({
  kind: 'video',
  codec,
  record: Buffer.alloc(0),
  width: 720,
  height: 1280,
});
const audio: AudioConfig = {
  kind: 'audio',
  codec: 'aac',
  record: Buffer.alloc(0),
  sampleRate: 44_100,
  channels: 2,
};

describe('arguments', () => {
  const of = (spec: Partial<Parameters<typeof ffmpegArguments>[0]['spec']>) =>
    ffmpegArguments({
      spec: {
        video: video('h264'),
        audio,
        container: 'mpegts',
        segmentDurationMs: 6_000,
        firstSegment: 7,
        ...spec,
      },
      originMs: 50_250,
      segmentPattern: '0001-0002-%06d.ts',
    });

  test.each([
    ['h264 is read as FLV', of({}), ['-f', 'flv', '-i', 'pipe:0']],
    ['h265 is read as Matroska', of({ video: video('h265') }), ['-f', 'matroska', '-i', 'pipe:0']],
    ['sound alone is read as FLV', of({ video: null }), ['-f', 'flv', '-i', 'pipe:0']],
    ['both tracks', of({}), ['-map', '0:v:0', '-map', '0:a:0']],
    ['pictures are cut at marks', of({}), ['-segment_time', '0.001']],
    ['sound is cut by time', of({ video: null }), ['-segment_time', '6.000']],
    ['segments go on from a number', of({}), ['-segment_start_number', '7']],
    ['announcements come by descriptor 3', of({}), ['-segment_list', 'pipe:3', '-segment_list_type', 'csv']],
    ['h264 in fMP4', of({ container: 'fmp4' }), ['-tag:v', 'avc1']],
    ['h265 in fMP4', of({ container: 'fmp4', video: video('h265') }), ['-tag:v', 'hvc1']],
    ['sound alone in fMP4', of({ container: 'fmp4', video: null }), ['-frag_duration', '6000000']],
    ['the session time line', of({ container: 'fmp4' }), ['-output_ts_offset', '50.250']],
  ])('%s', (_, args, part) => {
    expect(args.join(' ')).toContain(part.join(' '));
  });

  test.each([
    ['mpegts', video('h264')],
    ['mpegts', video('h265')],
    ['mpegts', null],
    ['fmp4', video('h264')],
    ['fmp4', video('h265')],
    ['fmp4', null],
  ] as const)(
    '%s, %j: the input can name nothing but the pipe, and nothing is encoded',
    (container, pictures) => {
      const args = of({ container, video: pictures });
      const input = args.slice(0, args.indexOf('-i'));
      expect(input.slice(input.indexOf('-protocol_whitelist'))[1]).toBe('pipe');
      expect(args.slice(args.indexOf('-c'))[1]).toBe('copy');
      expect(args).not.toContain('');
      expect(args.includes('0:v:0')).toBe(pictures !== null);
    },
  );

  test('the time line of a segment is put back by the innermost muxer', () => {
    const options = of({})[of({}).indexOf('-segment_format_options') + 1];
    expect(options?.split(':')).toContain('output_ts_offset=50.250');
  });
});

describe('segment list', () => {
  test.each([
    ['0001-0002-000003.ts,0.000000,4.067000', { term: 1, epoch: 2, n: 3 }],
    ['12345-0002-1000000.ts,86400.5,86406', { term: 12345, epoch: 2, n: 1000000 }],
    ['0001-0002-000003.ts', undefined],
    ['0001-0002-000003.ts,abc,4', undefined],
    ['../0001-0002-000003.ts,0,4', undefined],
    ['', undefined],
  ])('%j', (line, name) => {
    expect(parseListLine(line)).toEqual(name);
  });

  test('lines out of chunks that split anywhere, also within a character', () => {
    const text = Buffer.from('eins\nzwölf\r\ndrei\rvier');
    for (let at = 0; at <= text.length; at++) {
      const reader = new LineReader();
      const lines = [
        ...reader.push(text.subarray(0, at)),
        ...reader.push(text.subarray(at)),
        ...reader.end(),
      ];
      expect(lines.filter((line) => line !== '')).toEqual(['eins', 'zwölf', 'drei', 'vier']);
    }
  });

  test('an endless line is held to its limit', () => {
    const reader = new LineReader(10);
    for (let i = 0; i < 100; i++) expect(reader.push(Buffer.from('0123456789'))).toEqual([]);
    expect(reader.push(Buffer.from('\n'))).toEqual(['0123456789']);
  });
});

describe('log lines', () => {
  test.each([
    [
      '[segment @ 0x561a4d7accc0] [warning] Invalid DTS: 2090 PTS: 2070 in output stream 0:1',
      { level: 'warn', class: 'timestamps', source: 'segment' },
    ],
    [
      '[error] pipe:0: Invalid data found when processing input',
      { level: 'error', class: 'input', source: undefined },
    ],
    [
      "[segment @ 0x55] [error] Failed to open segment '0001-0001-000001.ts'",
      { level: 'error', class: 'output', source: 'segment' },
    ],
    [
      '[out#0/segment @ 0x55] [error] Error writing trailer: No space left on device',
      { level: 'error', class: 'output', source: 'out#0/segment' },
    ],
    ["[fatal] Unrecognized option 'nope'.", { level: 'error', class: 'capability', source: undefined }],
    ['[mpegts @ 0x55] [warning] frame size not set', { level: 'warn', class: 'other', source: 'mpegts' }],
    ['something without a prefix', { level: 'info', class: 'other', source: undefined }],
  ])('%s', (line, expected) => {
    expect(parseLogLine(line)).toMatchObject(expected);
  });

  test('a URL in a line loses its signature, an empty line is none', () => {
    expect(parseLogLine('[error] https://cdn.example/a.flv?sign=secret: broken')?.text).not.toContain(
      'secret',
    );
    expect(parseLogLine('   ')).toBeUndefined();
  });
});

describe('ledger', () => {
  const FRAME_MS = (1024 * 1000) / 44_100;
  const ledgerOf = (options: { video?: boolean; segmentDurationMs?: number } = {}) =>
    new GopLedger({
      video: true,
      firstSegment: 5,
      segmentDurationMs: 6_000,
      audioSlackMs: 2_000,
      audioFrameMs: FRAME_MS,
      ...options,
    });
  const picture = (dtsMs: number, key = false) =>
    ({ kind: 'video', dtsMs, compositionMs: 0, key, data: Buffer.alloc(0) }) as const;
  const sound = (dtsMs: number) => ({ kind: 'audio', dtsMs, data: Buffer.alloc(0) }) as const;
  /** Keyframes every `gopMs`, ten pictures a second, up to `endMs`. */
  const cutsOf = (ledger: GopLedger, gopMs: number, endMs: number): number[] => {
    const cuts: number[] = [];
    for (let dtsMs = 0; dtsMs < endMs; dtsMs += 100) {
      if (ledger.addVideo(picture(dtsMs, dtsMs % gopMs === 0))) cuts.push(dtsMs);
    }
    return cuts;
  };

  test.each([
    [2_000, [0, 6_000, 12_000, 18_000]],
    [4_000, [0, 8_000, 16_000]],
    [10_000, [0, 10_000, 20_000]],
    [1_000, [0, 6_000, 12_000, 18_000]],
  ])('a keyframe every %i ms', (gopMs, cuts) => {
    expect(cutsOf(ledgerOf(), gopMs, 21_000)).toEqual(cuts);
  });

  test('an uneven cadence leaves no debt: long groups do not make the next ones short', () => {
    const ledger = ledgerOf();
    const keys = [0, 20_000, 22_000, 24_000, 26_000, 28_000];
    expect(keys.filter((dtsMs) => ledger.addVideo(picture(dtsMs, true)))).toEqual([0, 20_000, 26_000]);
  });

  test('how many groups a segment has is known when the next begins', () => {
    const ledger = ledgerOf();
    cutsOf(ledger, 2_000, 5_000);
    expect(ledger.gopsOf(5)).toBeUndefined();
    ledger.addVideo(picture(6_000, true));
    expect([ledger.gopsOf(5), ledger.gopsOf(6)]).toEqual([3, undefined]);
  });

  test('pictures and times of a segment', () => {
    const ledger = ledgerOf();
    cutsOf(ledger, 2_000, 8_000);
    expect(ledger.close({ audioFrames: 0, lastDtsMs: 5_900 }, false)).toEqual({
      firstDtsMs: 0,
      lastDtsMs: 5_900,
      durationMs: 6_000,
      pictures: 60,
      audioFrames: 0,
    });
    // To the end of the last picture.
    expect(ledger.close({ audioFrames: 0, lastDtsMs: 7_900 }, true)).toMatchObject({
      durationMs: 2_000,
      pictures: 20,
    });
    expect(ledger.outstanding).toEqual({ pictures: 0, audioFrames: 0 });
  });

  test('sound that lands on the other side of a cut is not lost; sound that lands nowhere is', () => {
    const ledger = ledgerOf();
    cutsOf(ledger, 2_000, 12_100);
    for (let i = 0; i < 520; i++) ledger.addAudio(sound(i * FRAME_MS));
    const before = Math.ceil(6_000 / FRAME_MS);
    expect(ledger.close({ audioFrames: before - 20, lastDtsMs: 0 }, false).audioFrames).toBe(before - 20);
    const next = Math.ceil(12_000 / FRAME_MS) - (before - 20);
    expect(ledger.close({ audioFrames: next - 100, lastDtsMs: 0 }, false).audioFrames).toBe(next);
    const rest = 520 - (before - 20) - next;
    expect(ledger.close({ audioFrames: rest - 1, lastDtsMs: 0 }, true).audioFrames).toBe(rest);
  });

  test('sound alone', () => {
    const ledger = ledgerOf({ video: false });
    for (let i = 0; i < 300; i++) ledger.addAudio(sound(i * FRAME_MS));
    expect(ledger.close({ audioFrames: 258, lastDtsMs: Math.round(257 * FRAME_MS) }, false)).toEqual({
      firstDtsMs: 0,
      lastDtsMs: Math.round(257 * FRAME_MS),
      durationMs: Math.round(258 * FRAME_MS),
      pictures: 0,
      audioFrames: 258,
    });
    expect(ledger.outstanding.audioFrames).toBe(42);
  });

  test('what is overdue is counted from the cut that closes it', () => {
    const ledger = ledgerOf();
    cutsOf(ledger, 2_000, 6_000);
    expect(ledger.overdueMs).toBe(0);
    ledger.addVideo(picture(6_000, true));
    ledger.addAudio(sound(9_500));
    expect(ledger.overdueMs).toBe(3_500);
  });
});

describe('a segment is verified', () => {
  const census: SegmentCensus = {
    n: 1,
    path: '/spool/0001-0001-000001.ts',
    bytes: 188,
    sha256: '',
    pictures: 180,
    audioFrames: 258,
    firstDtsMs: 60_000,
    lastDtsMs: 65_966,
    video: { codec: 'h264', width: 720, height: 1280 },
  };
  const fed: FedSegment = {
    firstDtsMs: 60_000.4,
    lastDtsMs: 65_967,
    durationMs: 6_000,
    pictures: 180,
    audioFrames: 258,
  };

  test('a whole one has the times that were fed', () => {
    expect(verifiedSegment(census, fed, video('h264'))).toEqual({
      n: 1,
      path: '/spool/0001-0001-000001.ts',
      bytes: 188,
      sha256: '',
      pictures: 180,
      audioFrames: 258,
      firstDtsMs: 60_000,
      lastDtsMs: 65_967,
      durationMs: 6_000,
      fedPictures: 180,
      fedAudioFrames: 258,
    });
  });

  test('one that lacks pictures says so, with its own times', () => {
    const found = { ...census, pictures: 179 };
    expect(verifiedSegment(found, fed, video('h264'))).toMatchObject({
      pictures: 179,
      fedPictures: 180,
      lastDtsMs: 65_966,
    });
  });

  test('the turn of the 33-bit clock is the one that was fed', () => {
    const turnsMs = Math.round((3 * 2 ** 33) / 90);
    const later = { ...fed, firstDtsMs: 60_000 + turnsMs, lastDtsMs: 65_967 + turnsMs };
    const lacking = { ...census, pictures: 179 };
    expect(verifiedSegment(lacking, later, video('h264')).firstDtsMs).toBe(60_000 + turnsMs);
  });

  test.each([
    ['another codec', { ...census, video: { codec: 'h265', width: 720, height: 1280 } }],
    ['another size', { ...census, video: { codec: 'h264', width: 1280, height: 720 } }],
    ['no size at all', { ...census, video: { codec: 'h264', width: 0, height: 0 } }],
    ['another time', { ...census, firstDtsMs: 63_000 }],
  ])('%s is refused', (_, found) => {
    expect(() => verifiedSegment(found, fed, video('h264'))).toThrow(
      expect.objectContaining({ code: 'ENGINE', retryable: true }),
    );
  });
});
