import { describe, expect, test } from 'vitest';
import { Timeline } from '../../src/ingest/timeline.ts';
import {
  audioConfig,
  Broadcast,
  runs,
  START_UTC,
  videoConfig,
  type BroadcastOptions,
  type Outcome,
} from './synthetic-broadcast.ts';

const NOTHING = { video: '', audio: '' };

const counted = ({ video, audio }: Outcome['missing']) => ({ video: runs(video), audio: runs(audio) });

/** Everything that was sent came out, once and in order. */
function expectWhole(outcome: Outcome): void {
  expect(outcome.faults).toEqual([]);
  expect(counted(outcome.missing)).toEqual(NOTHING);
  expect(counted(outcome.repeats)).toEqual(NOTHING);
}

/** The wall clock of each packet is the true one, this near. */
function expectTrueTime({ packets }: Outcome, timeline: Timeline, withinMs: number, aheadMs = 0): void {
  const startMs = START_UTC + aheadMs;
  const off = packets.map(({ dtsMs, trueMs }) => Math.abs(timeline.wallOf(dtsMs) - startMs - trueMs));
  expect(Math.max(...off)).toBeLessThanOrEqual(withinMs);
}

const live = (options?: BroadcastOptions): Broadcast => {
  const broadcast = new Broadcast(options);
  broadcast.connect('found-late');
  return broadcast;
};

describe('one connection', () => {
  test.each<[string, BroadcastOptions, number]>([
    ['pictures and sound', {}, 1],
    ['pictures alone', { audio: false }, 1],
    ['sound alone', { video: false }, 1],
    ['sound that comes a second late for ever', { skewMs: 1_000 }, 1],
    ['sound that comes two and a half seconds late for ever', { skewMs: 2_500 }, 1],
    ['a still picture', { still: true }, 1],
    ['a still picture in silence', { still: true, silent: true }, 1],
    ['a still picture without sound', { still: true, audio: false }, 1],
    ['a picture every 400 ms', { pictureMs: (n) => n * 400, gopPictures: 10 }, 1],
    ['pictures that come as they like', { pictureMs: (n) => n * 90 + 40 * (n % 2) }, 1],
    ['GOPs of ten seconds', { gopPictures: 300 }, 1],
  ])('%s', (_what, options, epochs) => {
    const broadcast = live(options).run(30_000);
    const outcome = broadcast.end();
    expectWhole(outcome);
    expect(outcome).toMatchObject({ gaps: [], epochs });
    expectTrueTime(outcome, broadcast.timeline, 60);
  });

  test('a picture a second beside sound is no step of the clock', () => {
    const outcome = live({ pictureMs: (n) => n * 1_000, gopPictures: 4, skewMs: 900 })
      .run(30_000)
      .end();
    expectWhole(outcome);
    expect(outcome).toMatchObject({ gaps: [], epochs: 1, events: [] });
  });

  test('the head that no keyframe precedes is dropped and noted', () => {
    const broadcast = new Broadcast().run(1_000);
    broadcast.items.length = 0;
    const fresh = new Broadcast();
    fresh.nowMs = 1_000;
    fresh.connect('found-late', { fromMs: 1_000 });
    const outcome = fresh.run(5_000).end();
    expect(outcome.events).toEqual(['undecodable-head']);
    expect(outcome.faults).toEqual([]);
    expect(outcome.missing.video).toEqual(Array.from({ length: 30 }, (_, n) => n + 30));
    expect(outcome.missing.audio).toEqual([]);
  });

  test('configurations that are sent again change nothing', () => {
    const broadcast = live().run(2_500);
    for (let i = 0; i < 3; i += 1) {
      broadcast.video = videoConfig();
      broadcast.headers();
      broadcast.run(1_700);
    }
    const outcome = broadcast.end();
    expectWhole(outcome);
    expect(outcome.epochs).toBe(1);
  });

  test('a changed configuration begins an epoch at its keyframe', () => {
    const broadcast = live().run(4_000);
    broadcast.video = videoConfig('guest', 1280);
    broadcast.headers();
    const outcome = broadcast.run(4_000).end();
    expectWhole(outcome);
    expect(outcome).toMatchObject({ gaps: [], epochs: 2 });
    const epochs = broadcast.items.filter((item) => item.kind === 'epoch');
    expect(epochs.map(({ video }) => video?.width)).toEqual([720, 1280]);
  });

  test('a configuration that changes while a join still waits for the sound', () => {
    const broadcast = new Broadcast({ gopPictures: 30 });
    broadcast.audio = null;
    broadcast.connect('found-late');
    broadcast.run(2_000);
    broadcast.video = videoConfig('guest', 1280);
    broadcast.headers();
    broadcast.run(500);
    broadcast.give([audioConfig()]);
    const outcome = broadcast.run(3_000).end();
    expectWhole(outcome);
    const widths = broadcast.items.flatMap((item) => {
      if (item.kind === 'epoch') return [`epoch ${item.video?.width}`];
      return item.kind === 'video' && item.key ? ['key'] : [];
    });
    expect(widths).toEqual(['epoch 720', 'key', 'key', 'epoch 1280', 'key', 'key', 'key', 'key']);
  });

  test('a late audio header counts from the beginning', () => {
    const broadcast = new Broadcast();
    broadcast.audio = null;
    broadcast.connect('found-late');
    broadcast.run(2_600);
    broadcast.give([audioConfig()]);
    const outcome = broadcast.run(5_000).end();
    expectWhole(outcome);
    expect(outcome.epochs).toBe(1);
  });

  test('an audio header that comes too late for that begins an epoch; the sound before it is noted', () => {
    const broadcast = new Broadcast();
    broadcast.audio = null;
    broadcast.connect('found-late');
    broadcast.run(5_000);
    broadcast.give([audioConfig()]);
    const outcome = broadcast.run(5_000).end();
    expect(outcome.faults).toEqual([]);
    expect(outcome.missing.video).toEqual([]);
    expect(outcome).toMatchObject({ epochs: 2, gaps: [], events: ['sound-without-configuration'] });
    // From the first keyframe after the header on: picture 180 at 6 s.
    expect(outcome.missing.audio.at(-1)).toBeLessThan((6_000 / 1_024) * 44.1);
    expect(outcome.missing.audio).toHaveLength(outcome.missing.audio.at(-1)! + 1);
  });

  test('sound of another configuration is not put into an epoch that has none for it', () => {
    const broadcast = live().run(4_500);
    broadcast.audio = audioConfig(48_000);
    broadcast.headers();
    const outcome = broadcast.run(4_000).end();
    expect(outcome.faults).toEqual([]);
    expect(outcome.missing.video).toEqual([]);
    expect(outcome).toMatchObject({ epochs: 2, gaps: [], events: ['sound-without-configuration'] });
  });

  test('sound alone that changes its configuration begins an epoch at once', () => {
    const broadcast = live({ video: false }).run(4_500);
    broadcast.audio = audioConfig(48_000);
    broadcast.headers();
    const outcome = broadcast.run(4_000).end();
    expectWhole(outcome);
    expect(outcome).toMatchObject({ epochs: 2, gaps: [], events: [] });
  });

  test('a connection without a keyframe leaves nothing to the next one', () => {
    const broadcast = new Broadcast({ gopPictures: 300 });
    broadcast.nowMs = 1_000;
    broadcast.connect('found-late', { fromMs: 1_000 });
    broadcast.run(4_000);
    expect(broadcast.timeline.isWaiting).toBe(true);
    broadcast.silence(8_000);
    broadcast.connect('connection-lost');
    const outcome = broadcast.run(3_000).end();
    expect(outcome.faults).toEqual([]);
    expect(outcome.events).toEqual(['undecodable-head']);
    expect(outcome.packets[0]).toMatchObject({ kind: 'video', key: true, number: 300 });
    expectTrueTime(outcome, broadcast.timeline, 60);
  });
});

describe('the source’s clock', () => {
  test.each<[string, (broadcast: Broadcast) => void]>([
    ['jumps an hour ahead', (b) => void (b.shiftMs += 3_600_000)],
    ['jumps an hour back', (b) => void (b.shiftMs -= 3_600_000)],
    ['jumps two seconds ahead', (b) => void (b.shiftMs += 2_000)],
    ['jumps two seconds back', (b) => void (b.shiftMs -= 2_000)],
    ['jumps 700 ms ahead', (b) => void (b.shiftMs += 700)],
    ['jumps 700 ms back', (b) => void (b.shiftMs -= 700)],
    ['begins at 0 again', (b) => void (b.shiftMs = -b.atMs)],
    ['goes round at 32 bits', (b) => void (b.shiftMs -= 2 ** 32)],
  ])('%s', (_what, change) => {
    for (const skewMs of [0, 1_000]) {
      const broadcast = live({ skewMs }).run(7_300);
      change(broadcast);
      const outcome = broadcast.run(8_000).end();
      expectWhole(outcome);
      expect(outcome).toMatchObject({ gaps: [], epochs: 1, events: ['timestamp-jump'] });
      expectTrueTime(outcome, broadcast.timeline, 60);
      const sound = outcome.packets
        .filter(({ kind }) => kind === 'audio')
        .map(({ dtsMs, trueMs }) => dtsMs - trueMs);
      const pictures = outcome.packets
        .filter(({ kind }) => kind === 'video')
        .map(({ dtsMs, trueMs }) => dtsMs - trueMs);
      // Pictures and sound were shifted together.
      expect(Math.max(...sound) - Math.min(...sound)).toBeLessThan(10);
      expect(Math.max(...pictures) - Math.min(...pictures)).toBeLessThan(10);
    }
  });

  test('jumps while a join still waits', () => {
    const broadcast = new Broadcast({ gopPictures: 30 });
    broadcast.audio = null;
    broadcast.connect('found-late');
    broadcast.run(1_500);
    broadcast.shiftMs += 600_000;
    broadcast.run(600);
    broadcast.give([audioConfig()]);
    const outcome = broadcast.run(4_000).end();
    expectWhole(outcome);
    expect(outcome).toMatchObject({ gaps: [], epochs: 1, events: ['timestamp-jump'] });
    expectTrueTime(outcome, broadcast.timeline, 60);
  });

  test('drifts by a second in an hour: no gap comes of it', () => {
    const broadcast = live({ audio: false, gopPictures: 30, pictureMs: (n) => (n * 1_000) / 10 });
    for (let minute = 0; minute < 60; minute += 1) {
      broadcast.run(60_000);
      // The source's clock runs slow: its timestamps fall behind ours.
      broadcast.shiftMs -= 16;
    }
    broadcast.connect('connection-lost', { fromMs: broadcast.atMs, clock: 'restart' });
    const outcome = broadcast.run(5_000).end();
    expectWhole(outcome);
    expect(outcome.gaps).toEqual([]);
  });
});

describe('a reconnect', () => {
  test.each<[string, BroadcastOptions, toMs: number]>([
    ['three pictures and their sound', {}, 6_090],
    ['three pictures alone', { audio: false }, 6_090],
    ['a keyframe alone', { audio: false }, 6_010],
    ['three still pictures', { still: true, audio: false }, 6_090],
  ])('finds a source that made %s and then nothing: they are there once', (_what, options, toMs) => {
    const broadcast = live(options).run(6_000);
    for (let times = 0; times < 4; times += 1) {
      broadcast.silence(4_000);
      broadcast.connect('stall', { fromMs: 6_000, lagMs: broadcast.nowMs - toMs });
    }
    const outcome = broadcast.end();
    expectWhole(outcome);
    expect(outcome.epochs).toBeLessThanOrEqual(2);
  });

  test.each<[string, 'same' | 'restart', number, number]>([
    ['sends the last GOP again', 'same', 0, 0],
    ['sends the last GOP again, timestamps from 0', 'restart', 0, 0],
    ['sends three GOPs again', 'same', 2, 0],
    ['sends three GOPs again, timestamps from 0', 'restart', 2, 0],
    ['sends the last GOP again half a second later', 'same', 0, 500],
    ['sends the last GOP again half a second later, timestamps from 0', 'restart', 0, 500],
  ])('%s', (_what, clock, back, awayMs) => {
    for (const options of [{}, { skewMs: 800 }, { still: true }, { audio: false }]) {
      const broadcast = live(options).run(9_100);
      const lastMs = broadcast.atMs;
      broadcast.silence(awayMs);
      broadcast.connect('connection-lost', { fromMs: broadcast.gopStartMs(lastMs, back), clock });
      const outcome = broadcast.run(9_000).end();
      expectWhole(outcome);
      expect(outcome).toMatchObject({ gaps: [], epochs: 1 });
      expect(outcome.events).toContain('sent-again');
      expectTrueTime(outcome, broadcast.timeline, 60);
    }
  });

  test('again and again', () => {
    const broadcast = live().run(5_000);
    for (let i = 0; i < 20; i += 1) {
      broadcast.connect('connection-lost', { clock: i % 3 === 0 ? 'restart' : 'same' });
      broadcast.run(300 + 170 * i);
    }
    const outcome = broadcast.end();
    expectWhole(outcome);
    expect(outcome).toMatchObject({ gaps: [], epochs: 1 });
  });

  test('after a GOP of which only the beginning was had', () => {
    for (const moreMs of [0, 35, 70, 200]) {
      const broadcast = live().run(8_001 + moreMs);
      broadcast.silence(200);
      broadcast.connect('connection-lost', { fromMs: broadcast.gopStartMs(8_000), clock: 'restart' });
      const outcome = broadcast.run(5_000).end();
      expectWhole(outcome);
      expect(outcome).toMatchObject({ gaps: [], epochs: 1 });
    }
  });

  test('goes on exactly where the last one ended', () => {
    const broadcast = live().run(8_000);
    broadcast.connect('connection-lost', { fromMs: 8_000 });
    const outcome = broadcast.run(5_000).end();
    expectWhole(outcome);
    expect(outcome).toMatchObject({ gaps: [], epochs: 1, events: [] });
  });

  test.each([
    ['moving', {}],
    ['still', { still: true }],
    ['still and silent', { still: true, silent: true }],
    ['still and without sound', { still: true, audio: false }],
  ])('after a hole: exactly the hole is a gap (%s)', (_what, options) => {
    const broadcast = live(options).run(7_000);
    broadcast.silence(14_200);
    broadcast.connect('connection-lost');
    const outcome = broadcast.run(5_000).end();
    expectWhole(outcome);
    // Pictures up to 209 were had; the next GOP is of 600.
    expect(outcome.gaps).toHaveLength(1);
    expect(outcome.gaps[0]).toMatchObject({ cause: 'connection-lost' });
    expect(outcome.gaps[0]!.ms).toBeCloseTo(13_000, -1);
    expect(outcome.gaps[0]!.fromMs - START_UTC).toBeCloseTo(7_000, -2);
    expect(outcome.epochs).toBe(2);
    expectTrueTime(outcome, broadcast.timeline, 60);
  });

  test.each([
    ['moving', {}],
    ['still', { still: true }],
    ['still and silent', { still: true, silent: true }],
    ['sound alone', { video: false }],
  ])('after a hole, timestamps from 0: the hole by arrivals (%s)', (_what, options) => {
    const broadcast = live(options).run(7_000);
    broadcast.silence(14_200);
    broadcast.connect('stall', { clock: 'restart' });
    const outcome = broadcast.run(5_000).end();
    expectWhole(outcome);
    expect(outcome.gaps).toHaveLength(1);
    expect(Math.abs(outcome.gaps[0]!.ms - 13_000)).toBeLessThan(100);
    expect(outcome.epochs).toBe(2);
    expectTrueTime(outcome, broadcast.timeline, 100);
  });

  test('while the source pauses, which goes on with another clock: all of the pause is missing', () => {
    const broadcast = live().run(7_100).silence(4_000);
    broadcast.connect('stall', { fromMs: 6_000, lagMs: 4_000 });
    broadcast.silence(2_900).skipTo(14_000);
    broadcast.shiftMs = 60_000;
    const outcome = broadcast.run(5_000).end();
    expectWhole(outcome);
    expect(outcome.gaps.map(({ ms, cause }) => [Math.round(ms / 100), cause])).toEqual([[69, 'stall']]);
    expectTrueTime(outcome, broadcast.timeline, 60);
  });

  test('to a clock that held before it jumped', () => {
    const broadcast = live().run(7_000);
    broadcast.shiftMs += 3_600_000;
    broadcast.run(3_000).silence(9_000);
    broadcast.shiftMs = 0;
    broadcast.connect('connection-lost');
    const outcome = broadcast.run(4_000).end();
    expectWhole(outcome);
    expect(outcome.gaps.map(({ ms }) => Math.round(ms / 10))).toEqual([800]);
    expect(outcome.events).toEqual(['timestamp-jump']);
  });

  test('with another configuration', () => {
    const broadcast = live().run(7_000);
    broadcast.silence(3_000);
    broadcast.video = videoConfig('guest', 1280);
    broadcast.connect('connection-lost');
    const outcome = broadcast.run(4_000).end();
    expectWhole(outcome);
    expect(outcome).toMatchObject({ epochs: 2 });
    expect(outcome.gaps.map(({ ms }) => Math.round(ms / 10))).toEqual([300]);
  });

  test('a source that says something is missing keeps its configurations', () => {
    const broadcast = live().run(8_000);
    broadcast.silence(4_000).skipTo(12_000);
    broadcast.items.push(...broadcast.timeline.interrupt('segment-missing'));
    const outcome = broadcast.run(4_000).end();
    expectWhole(outcome);
    expect(outcome.gaps.map(({ ms, cause }) => [Math.round(ms / 10), cause])).toEqual([
      [400, 'segment-missing'],
    ]);
    const epochs = broadcast.items.filter((item) => item.kind === 'epoch');
    expect(epochs.map(({ video, audio }) => [video?.width, audio?.sampleRate])).toEqual([
      [720, 44_100],
      [720, 44_100],
    ]);
  });
});

describe('another quality of the same broadcast', () => {
  const other = (broadcast: Broadcast, { width = 360 } = {}): void => {
    broadcast.video = videoConfig('small', width);
    broadcast.pictureQuality = ' small';
    broadcast.soundQuality = ' small';
  };

  test.each<[string, BroadcastOptions, number, number]>([
    ['takes over at the last keyframe', {}, 9_100, 0],
    ['takes over at the last keyframe, half a second later', {}, 9_100, 500],
    ['takes over at the last keyframe, which was just begun', {}, 8_030, 0],
    ['takes over where sound lies behind its pictures', { skewMs: 300 }, 9_100, 0],
    ['takes over where there is no sound', { audio: false }, 9_100, 0],
  ])('%s', (_what, options, atMs, awayMs) => {
    const broadcast = live(options).run(atMs);
    broadcast.silence(awayMs);
    other(broadcast);
    broadcast.connect('connection-lost', { otherQuality: true, fromMs: 8_000 });
    const outcome = broadcast.run(9_000).end();
    expectWhole(outcome);
    expect(outcome).toMatchObject({ gaps: [], epochs: 2 });
    expect(outcome.events).toContain('taken-back');
    expectTrueTime(outcome, broadcast.timeline, 60);
  });

  test('that begins with several GOPs takes over at the last of them that was recorded', () => {
    const broadcast = live().run(9_100);
    other(broadcast);
    broadcast.connect('connection-lost', { otherQuality: true, fromMs: 2_000 });
    const outcome = broadcast.run(9_000).end();
    expectWhole(outcome);
    expect(outcome).toMatchObject({ gaps: [], epochs: 2 });
    const back = broadcast.items.flatMap((item) => (item.kind === 'epoch' ? [item.backToDtsMs] : []));
    expect(back).toEqual([null, 68_000]);
  });

  test('that is a GOP behind is waited for', () => {
    const broadcast = live().run(8_100);
    other(broadcast);
    broadcast.connect('connection-lost', { otherQuality: true, fromMs: 6_000, lagMs: 300 });
    const outcome = broadcast.run(9_000).end();
    expectWhole(outcome);
    expect(outcome).toMatchObject({ gaps: [], epochs: 2 });
  });

  test('and back again, within the same GOP', () => {
    const broadcast = live().run(9_100);
    const first = broadcast.video;
    other(broadcast);
    broadcast.connect('connection-lost', { otherQuality: true });
    broadcast.run(200);
    broadcast.video = first;
    broadcast.pictureQuality = '';
    broadcast.soundQuality = '';
    broadcast.connect('connection-lost', { otherQuality: true });
    const outcome = broadcast.run(5_000).end();
    expectWhole(outcome);
    expect(outcome).toMatchObject({ gaps: [], epochs: 3 });
  });

  test('with the same sound takes over whatever its timestamps are', () => {
    const broadcast = live().run(9_100);
    broadcast.video = videoConfig('small', 360);
    broadcast.pictureQuality = ' small';
    broadcast.connect('connection-lost', { otherQuality: true, fromMs: 2_000, clock: 'restart' });
    const outcome = broadcast.run(9_000).end();
    expectWhole(outcome);
    expect(outcome).toMatchObject({ gaps: [], epochs: 2 });
    expectTrueTime(outcome, broadcast.timeline, 60);
  });

  test('whose timestamps begin anew is put behind the end by its arrival', () => {
    const broadcast = live().run(5_900);
    other(broadcast);
    broadcast.connect('connection-lost', { otherQuality: true, fromMs: 4_000, clock: 'restart' });
    const outcome = broadcast.run(5_000).end();
    expect(outcome.faults).toEqual([]);
    expect(counted(outcome.missing)).toEqual(NOTHING);
    expect(outcome.events).toContain('timestamp-restart');
  });

  test('and back, with several GOPs: not in the middle of one that the other has', () => {
    const broadcast = live().run(9_100);
    const first = broadcast.video;
    other(broadcast);
    broadcast.connect('connection-lost', { otherQuality: true });
    broadcast.run(200);
    broadcast.video = first;
    broadcast.pictureQuality = '';
    broadcast.soundQuality = '';
    broadcast.connect('connection-lost', { otherQuality: true, fromMs: 6_000 });
    const outcome = broadcast.run(5_000).end();
    expectWhole(outcome);
    expect(outcome).toMatchObject({ gaps: [], epochs: 3 });
  });

  test('in the first GOP of all takes its sound along', () => {
    const broadcast = live().run(1_500);
    broadcast.video = videoConfig('small', 360);
    broadcast.pictureQuality = ' small';
    broadcast.connect('connection-lost', { otherQuality: true, fromMs: 0 });
    const outcome = broadcast.run(5_000).end();
    expectWhole(outcome);
    expect(outcome).toMatchObject({ gaps: [], epochs: 2 });
    expectTrueTime(outcome, broadcast.timeline, 60);
  });

  test('whose sound lies ahead of its pictures brings all of it', () => {
    const broadcast = live({ skewMs: 0 }).run(9_100);
    other(broadcast);
    broadcast.skewMs = -300;
    broadcast.connect('connection-lost', { otherQuality: true, fromMs: 4_000 });
    const outcome = broadcast.run(9_000).end();
    expect(outcome.faults).toEqual([]);
    expect(counted(outcome.missing)).toEqual(NOTHING);
  });

  test.each([0.3, 0.6, 0.9])(
    'of a CDN whose timestamps begin anew with each connection costs nothing (%f s)',
    (livedS) => {
      for (const gopPictures of [15, 30, 60]) {
        for (const awayMs of [0, 400, 800, 1_600]) {
          const broadcast = new Broadcast({ gopPictures });
          broadcast.nowMs = 10_000;
          broadcast.connect('found-late', { clock: 'restart' });
          broadcast.run(livedS * 1_000).silence(awayMs);
          other(broadcast);
          broadcast.connect('connection-lost', { otherQuality: true, clock: 'restart' });
          const outcome = broadcast.run(5_000).end();
          expect(outcome.faults).toEqual([]);
          expect(counted(outcome.missing)).toEqual(NOTHING);
        }
      }
    },
  );

  test('is not what begins anew at each segment of a playlist', () => {
    const broadcast = live();
    for (let n = 0; n < 6; n += 1) {
      broadcast.run(2_000);
      broadcast.discontinuity();
      broadcast.headers();
    }
    const outcome = broadcast.end();
    expect(outcome.events).not.toContain('taken-back');
    expect(counted(outcome.missing)).toEqual(NOTHING);
  });
});

describe('HLS, which comes a segment at a time', () => {
  /** Segments of four seconds, each a little after it was made. */
  function segments(broadcast: Broadcast, count: number): Broadcast {
    for (let i = 0; i < count; i += 1) {
      broadcast.silence(4_000 + (i % 3) * 300 - 300);
      broadcast.burst(broadcast.atMs + 4_000);
    }
    return broadcast;
  }

  const joined = (): Broadcast => {
    const broadcast = new Broadcast({ gopPictures: 60 });
    broadcast.items.push(...broadcast.timeline.connect('found-late', 'hls'));
    broadcast.headers();
    return segments(broadcast, 6);
  };

  test('is one epoch without gaps', () => {
    const outcome = joined().end();
    expectWhole(outcome);
    expect(outcome).toMatchObject({ gaps: [], epochs: 1, events: [] });
  });

  test('whose timestamps begin anew where media goes on: arrivals alone make no gap', () => {
    const broadcast = joined();
    broadcast.items.push(...broadcast.timeline.interrupt('source-skip'));
    broadcast.shiftMs = -broadcast.atMs;
    broadcast.headers();
    const outcome = segments(broadcast, 3).end();
    expectWhole(outcome);
    expect(outcome).toMatchObject({ gaps: [], epochs: 2, events: ['timestamp-restart'] });
  });

  /** Twelve seconds, of which the middle four are of another picture size, each as the playlist marks it. */
  function withGuest(broadcast: Broadcast): void {
    for (const video of [videoConfig(), videoConfig('guest', 1280), videoConfig()]) {
      if (broadcast.video?.width !== video.width)
        broadcast.items.push(...broadcast.timeline.interrupt('source-skip'));
      broadcast.video = video;
      broadcast.headers();
      broadcast.silence(4_000);
      broadcast.burst(broadcast.atMs + 4_000);
    }
  }

  test.each(['same', 'restart'] as const)(
    'a window with a guest in it that is read again: nothing in it is recorded twice (timestamps %s)',
    (clock) => {
      const broadcast = joined();
      const fromMs = broadcast.atMs;
      withGuest(broadcast);
      const epochs = broadcast.items.filter(({ kind }) => kind === 'epoch').length;
      for (let again = 0; again < 3; again += 1) {
        broadcast.items.push(...broadcast.timeline.connect('connection-lost', 'hls'));
        broadcast.skipTo(fromMs);
        broadcast.shiftMs = clock === 'restart' ? -fromMs : 0;
        withGuest(broadcast);
      }
      const outcome = broadcast.end();
      expectWhole(outcome);
      expect(outcome).toMatchObject({ gaps: [], epochs });
    },
  );

  /** A connection by FLV up to this time, and then a playlist, of which each segment of 2 s comes at its age. */
  function failedOver(toMs: number, lastsMs: number, otherQuality = false): Broadcast {
    const broadcast = new Broadcast({ gopPictures: 30 });
    broadcast.nowMs = toMs - lastsMs;
    broadcast.connect('found-late');
    broadcast.run(lastsMs).end();
    broadcast.items.push(...broadcast.timeline.connect('stall', 'hls', otherQuality));
    return broadcast;
  }

  function listed(broadcast: Broadcast, fromMs: number, toMs: number, edgeMs: number): void {
    for (let atMs = fromMs; atMs < toMs; atMs += 2_000) {
      const listedBehindMs = Math.max(0, edgeMs - atMs - 2_000);
      broadcast.nowMs = Math.max(edgeMs, atMs + 2_000) - listedBehindMs;
      broadcast.skipTo(atMs).burst(Math.min(toMs, atMs + 2_000));
    }
  }

  test('that breaks off in what is older than anything known: left alone, and the gap is what is missing', () => {
    const broadcast = failedOver(100_000, 40_000);
    broadcast.shiftMs = 900_000_000;
    broadcast.headers();
    listed(broadcast, 70_000, 73_000, 100_000);
    broadcast.items.push(...broadcast.timeline.finish());
    broadcast.nowMs = 101_000;
    broadcast.shiftMs = 0;
    broadcast.connect('connection-lost');
    const outcome = broadcast.run(10_000).end();
    expect(outcome.repeats.video).toEqual([]);
    expect(outcome.gaps.map(({ ms, cause }) => [Math.round(ms / 100), cause])).toEqual([
      [10, 'connection-lost'],
    ]);
  });

  test('of another quality takes over at a keyframe, though it begins with a discontinuity', () => {
    const broadcast = failedOver(91_100, 31_100, true);
    broadcast.items.push(...broadcast.timeline.interrupt('source-skip'));
    broadcast.pictureQuality = ' sd';
    broadcast.video = videoConfig('sd', 360);
    broadcast.headers();
    listed(broadcast, 80_000, 104_000, 94_000);
    const outcome = broadcast.end();
    expect(outcome.events).toContain('taken-back');
    expect(outcome.repeats.video).toEqual([]);
  });

  test.each([
    ['on the same clock', 0],
    ['on a clock of its own', 900_000_000],
  ])('of another quality that breaks off before the last keyframe is left alone: %s', (_, shiftMs) => {
    const broadcast = failedOver(100_000, 40_000, true);
    broadcast.pictureQuality = ' sd';
    broadcast.video = videoConfig('sd', 360);
    broadcast.shiftMs = shiftMs;
    broadcast.headers();
    listed(broadcast, 88_000, 98_000, 100_000);
    broadcast.items.push(...broadcast.timeline.finish());
    broadcast.nowMs = 104_000;
    broadcast.items.push(...broadcast.timeline.connect('connection-lost', 'hls', true));
    broadcast.headers();
    listed(broadcast, 92_000, 108_000, 104_000);
    const outcome = broadcast.end();
    expect(outcome.repeats.video).toEqual([]);
    expect(outcome).toMatchObject({ faults: [], gaps: [], epochs: 2 });
    expect(counted(outcome.missing).video).toBe('');
  });

  test('with a segment missing: exactly that is a gap', () => {
    const broadcast = joined();
    broadcast.items.push(...broadcast.timeline.interrupt('segment-missing'));
    broadcast.silence(4_000).skipTo(broadcast.atMs + 4_000);
    const outcome = segments(broadcast, 3).end();
    expectWhole(outcome);
    expect(outcome.gaps.map(({ ms, cause }) => [Math.round(ms / 10), cause])).toEqual([
      [400, 'segment-missing'],
    ]);
  });
});

describe('within a connection', () => {
  test.each<[string, 'same' | 'onward', number]>([
    ['the last GOP again', 'same', 0],
    ['the last GOP again, timestamps going on', 'onward', 0],
    ['three GOPs again', 'same', 2],
    ['three GOPs again, timestamps going on', 'onward', 2],
  ])('%s', (_what, timestamps, back) => {
    for (const options of [{}, { skewMs: 800 }, { still: true }]) {
      const broadcast = live(options).run(9_100);
      broadcast.replayFrom(broadcast.gopStartMs(9_100, back), timestamps);
      const outcome = broadcast.run(9_000).end();
      expectWhole(outcome);
      expect(outcome).toMatchObject({ gaps: [], epochs: 1 });
      expect(outcome.events).toContain('sent-again');
      expectTrueTime(outcome, broadcast.timeline, 60);
    }
  });

  test('a GOP that comes again with a jump in it', () => {
    const broadcast = live().run(7_000);
    broadcast.shiftMs += 3_600_000;
    broadcast.run(500);
    broadcast.atMs = 6_000;
    broadcast.shiftMs = 0;
    broadcast.burst(7_000);
    broadcast.shiftMs = 3_600_000;
    broadcast.burst(7_500);
    const outcome = broadcast.run(5_000).end();
    expectWhole(outcome);
    expect(outcome.gaps).toEqual([]);
  });

  test('a loop of the last GOP in real time, then the live edge by its own clock', () => {
    const broadcast = live().run(8_000);
    for (let round = 0; round < 3; round += 1) {
      const [backMs, toMs] = [2_000, broadcast.atMs];
      broadcast.atMs = toMs - backMs;
      broadcast.shiftMs += backMs;
      broadcast.run(2_000);
    }
    broadcast.shiftMs = 0;
    broadcast.skipTo(14_000);
    const outcome = broadcast.run(6_000).end();
    expectWhole(outcome);
    expect(outcome.gaps.map(({ ms }) => Math.round(ms / 10))).toEqual([600]);
    expectTrueTime(outcome, broadcast.timeline, 60);
  });

  test('a stall, then the live edge at a keyframe', () => {
    const broadcast = live().run(7_000).silence(5_000).skipTo(12_000);
    const outcome = broadcast.run(4_000).end();
    expectWhole(outcome);
    expect(outcome.gaps.map(({ ms, cause }) => [Math.round(ms / 10), cause])).toEqual([[500, 'stall']]);
    expect(outcome.epochs).toBe(2);
    expectTrueTime(outcome, broadcast.timeline, 60);
  });

  test('a stall, then the live edge in the middle of a GOP', () => {
    const broadcast = live().run(7_000).silence(5_700).skipTo(12_700);
    const outcome = broadcast.run(4_000).end();
    expectWhole(outcome);
    expect(outcome.gaps.map(({ ms, cause }) => [Math.round(ms / 10), cause])).toEqual([[570, 'stall']]);
    expectTrueTime(outcome, broadcast.timeline, 60);
  });

  test('a stall, then the live edge with another configuration', () => {
    const broadcast = live().run(7_000).silence(5_000).skipTo(12_000);
    broadcast.video = videoConfig('guest', 1280);
    broadcast.headers();
    const outcome = broadcast.run(4_000).end();
    expectWhole(outcome);
    expect(outcome.gaps.map(({ ms }) => Math.round(ms / 10))).toEqual([500]);
    const epochs = broadcast.items.filter((item) => item.kind === 'epoch');
    expect(epochs.map(({ video }) => video?.width)).toEqual([720, 1280]);
  });

  test('a stall after which all that was withheld comes at once', () => {
    const broadcast = live().run(7_000).silence(5_000);
    broadcast.burst(broadcast.nowMs);
    const outcome = broadcast.run(4_000).end();
    expectWhole(outcome);
    expect(outcome).toMatchObject({ gaps: [], epochs: 1, events: [] });
  });

  test('media that is left out without a stall', () => {
    const broadcast = live().run(7_000).skipTo(8_000);
    broadcast.nowMs = 8_000;
    const outcome = broadcast.run(4_000).end();
    expect(outcome.gaps.map(({ ms, cause }) => [Math.round(ms / 10), cause])).toEqual([[100, 'source-skip']]);
  });
});

describe('after a restart', () => {
  /** What is in the tail: the packets from a GOP's start on, as the recorder had stamped them. */
  const tailOf = (broadcast: Broadcast, fromMs: number) => [
    videoConfig(),
    audioConfig(),
    ...broadcast.items.flatMap((item) =>
      (item.kind === 'video' || item.kind === 'audio') && item.dtsMs >= fromMs ? [{ ...item }] : [],
    ),
  ];

  /** Runs for 9.1 s, of which the segments up to 8 s are closed (6 s are the first that the tail has). */
  const crashed = () => {
    const before = live().run(9_100);
    before.end();
    const tail = tailOf(before, 66_000 - 5);
    return { before, tail, state: before.timeline.state, closedDtsMs: 67_967 };
  };

  function restarted({ before }: ReturnType<typeof crashed>): Broadcast {
    const after = new Broadcast({}, new Timeline(20_000));
    after.nowMs = before.nowMs;
    after.atMs = before.atMs;
    after.sent.push(...before.sent.filter(({ trueMs }) => trueMs >= 8_000 - 5));
    return after;
  }

  /** ... and goes on with what its tail has. */
  function resumed(crash: ReturnType<typeof crashed>): Broadcast {
    const after = restarted(crash);
    after.items.push(...after.timeline.resume(crash.state, crash.tail, crash.closedDtsMs));
    return after;
  }

  /** Half a minute without a recorder, and five seconds with one. */
  function downAndBack(after: Broadcast): Outcome {
    after.silence(30_000);
    after.connect('recorder-down');
    return after.run(5_000).end();
  }
  const gapsOf = ({ gaps }: Outcome) => gaps.map(({ ms, cause }) => [Math.round(ms / 2), cause]);

  test('the tail comes out again, and what the CDN sends again does not', () => {
    const crash = crashed();
    const after = resumed(crash);
    expect(after.timeline.endDtsMs).toBeCloseTo(69_100, -2);
    after.silence(500);
    after.connect('recorder-down', { fromMs: 8_000 });
    const outcome = after.run(5_000).end();
    expectWhole(outcome);
    expect(outcome).toMatchObject({ gaps: [], epochs: 1 });
    expect(outcome.packets[0]).toMatchObject({ key: true, number: 240 });
    expectTrueTime(outcome, after.timeline, 60);
  });

  test('the time without a recorder is a gap, to the millisecond', () => {
    const crash = crashed();
    const after = resumed(crash);
    const outcome = downAndBack(after);
    expectWhole(outcome);
    expect(gapsOf(outcome)).toEqual([[14_450, 'recorder-down']]);
    expect(outcome.epochs).toBe(2);
  });

  test('the source’s clock is the one that held before the CDN sent something again', () => {
    const before = live().run(5_000);
    before.replayFrom(4_000, 'onward');
    before.run(4_100).end();
    const tail = tailOf(before, 66_000 - 5);
    const crash = { before, tail, state: before.timeline.state, closedDtsMs: 67_967 };
    const after = resumed(crash);
    const outcome = downAndBack(after);
    expectWhole(outcome);
    expect(gapsOf(outcome)).toEqual([[14_450, 'recorder-down']]);
    expectTrueTime(outcome, after.timeline, 60);
  });

  test(
    'our clock was set back meanwhile: the source’s says how much is missing',
    { tags: 'clock-jump' },
    () => {
      const crash = crashed();
      const after = restarted(crash);
      const nowMs = crash.before.utcMs - 3_600_000;
      after.items.push(
        ...after.timeline.resume(crash.state, crash.tail, crash.closedDtsMs, -Infinity, nowMs),
      );
      after.silence(30_000);
      after.utcAheadMs = -3_600_000;
      after.connect('recorder-down');
      const outcome = after.run(5_000).end();
      expectWhole(outcome);
      expect(outcome.gaps.map(({ ms, cause }) => [Math.round(ms / 2), cause])).toEqual([
        [14_450, 'recorder-down'],
      ]);
      expectTrueTime(outcome, after.timeline, 60, -3_600_000);
    },
  );

  test('sound that a closed segment has, though it came behind the pictures that it has not, is left out', () => {
    const crash = crashed();
    const after = restarted(crash);
    const closedSoundMs = 68_400;
    after.items.push(...after.timeline.resume(crash.state, crash.tail, crash.closedDtsMs, closedSoundMs));
    after.connect('recorder-down', { fromMs: 8_000 });
    const outcome = after.run(2_000).end();
    expect(outcome.faults).toEqual([]);
    expect(runs(outcome.missing.video)).toBe('');
    const sound = outcome.packets.find(({ kind }) => kind === 'audio');
    expect(sound!.dtsMs).toBeGreaterThan(closedSoundMs);
    expect(sound!.dtsMs).toBeLessThan(closedSoundMs + 30);
  });

  test('a tail that has some of it twice, for a term crashed while it resumed', () => {
    const crash = crashed();
    const after = restarted(crash);
    const tail = [...crash.tail, ...tailOf(crash.before, 68_000 - 5)];
    after.items.push(...after.timeline.resume(crash.state, tail, crash.closedDtsMs));
    after.connect('recorder-down', { fromMs: 8_000 });
    const outcome = after.run(2_000).end();
    expectWhole(outcome);
    expect(outcome.epochs).toBe(1);
  });

  test('what the disk does not have was not recorded, whatever the state says', () => {
    const crash = crashed();
    const after = restarted(crash);
    const onDisk = crash.tail.filter((unit) => 'record' in unit || unit.dtsMs < 68_500);
    after.items.push(...after.timeline.resume(crash.state, onDisk, crash.closedDtsMs));
    after.connect('recorder-down', { fromMs: 8_000 });
    const outcome = after.run(3_000).end();
    expectWhole(outcome);
    expect(outcome.gaps).toEqual([]);
  });

  test('a hole within the tail is a gap', () => {
    const crash = crashed();
    crash.before.silence(7_000);
    crash.before.connect('connection-lost');
    crash.before.run(1_500).end();
    const after = restarted(crash);
    after.items.push(
      ...after.timeline.resume(crash.state, tailOf(crash.before, 66_000 - 5), crash.closedDtsMs),
    );
    const outcome = after.end();
    expectWhole(outcome);
    expect(outcome.epochs).toBe(2);
    expect(outcome.gaps.map(({ ms }) => Math.round(ms / 10))).toEqual([690]);
  });

  test('when all is closed, no epoch begins before there is new media, and none of that is lost', () => {
    const crash = crashed();
    const after = restarted(crash);
    after.sent.length = 0;
    expect(after.timeline.resume(crash.state, crash.tail, 69_100)).toEqual([]);
    after.silence(500);
    after.connect('recorder-down', { fromMs: 8_000 });
    const outcome = after.run(5_000).end();
    expectWhole(outcome);
    expect(outcome.packets[0]).toMatchObject({ key: true, number: 240 });
    expect(outcome.gaps).toEqual([]);
  });
});
