import { describe, expect, test } from 'vitest';
import type { FaultInput } from '../../src/sandbox/faults.ts';
import type { Sandbox } from '../../src/sandbox/sandbox.ts';
import { accountPictures, pictureNumbers } from '../support/pictures.ts';
import { accountSound, soundOffsetsMs } from '../support/sound.ts';
import { receive, streamOf, type Received } from './client.ts';
import { HeldClock, playAlice } from './playing.ts';
import { scratchFile } from './scratch.ts';

const GOP = 64;
/** So slow that a client is back before the GOP is over. */
const AS_IT_IS = { speed: 2, durationMs: 7_000 };

async function watch(
  faults: FaultInput[],
  { durationMs = 12_000, speed = 20 } = {},
): Promise<{ sandbox: Sandbox; received: Received[] }> {
  return receiveAll({ durationMs, faults }, { speed });
}

/** Is there from the start, and connects again whenever the connection ends, until the broadcast is over. */
async function receiveAll(
  ...[creator, scenario]: Parameters<typeof playAlice>
): Promise<{ sandbox: Sandbox; received: Received[] }> {
  const clock = new HeldClock();
  const sandbox = await playAlice(creator, scenario, clock);
  const { flvUrl } = await streamOf(sandbox, 'alice');
  const received: Received[] = [];
  for (;;) {
    const next = await receive(flvUrl!, { opened: () => clock.letGo() });
    if (next.status !== 200) {
      return { sandbox, received };
    }
    received.push(next);
  }
}

const videoTimes = ({ units }: Received) =>
  units.flatMap((unit) => (unit.kind === 'video' && 'dtsMs' in unit ? [unit.dtsMs] : []));
const headers = ({ units }: Received, kind: 'video' | 'audio') =>
  units.filter((unit) => unit.kind === kind && 'record' in unit);
const packets = ({ units }: Received, kind: 'video' | 'audio') =>
  units.filter((unit) => unit.kind === kind && 'dtsMs' in unit);

async function account(received: Received) {
  return accountPictures(await pictureNumbers(await scratchFile('received.flv', received.bytes)));
}

describe('a broadcast without faults', () => {
  test('sends every picture and every frame of sound once, in step, and logs just that', async () => {
    const { sandbox, received } = await watch([]);
    const [only] = received;
    expect(received).toHaveLength(1);
    expect(only!.whole).toBe(true);
    const path = await scratchFile('whole.flv', only!.bytes);
    const pictures = accountPictures(await pictureNumbers(path));
    const sound = await accountSound(path);
    const truth = sandbox.truth('alice');
    expect(pictures).toMatchObject({ first: 0, missing: [], repeats: 0, garbled: 0, backwards: 0 });
    expect(pictures.count).toBeGreaterThanOrEqual(360);
    expect(truth.pictures).toEqual(pictures.present);
    expect(truth.sound).toEqual([[0, sound.frames - 1]]);
    expect(sound.breaks).toEqual([]);
    const offsets = await soundOffsetsMs(path);
    expect(offsets.length).toBeGreaterThan(15);
    expect(Math.max(...offsets.map(Math.abs))).toBeLessThan(10);
  });

  test('is joined at the last keyframe before the live edge, with the timestamps of the broadcast', async () => {
    const sandbox = await playAlice({ durationMs: 30_000 });
    const { flvUrl } = await streamOf(sandbox, 'alice');
    const first = receive(flvUrl!);
    await sandbox.waitFor((event) => event.type === 'gop' && event.picture >= 3 * GOP);
    const second = await receive(flvUrl!);
    const [times, pictures] = [videoTimes(second), await account(second)];
    expect(pictures.first! % GOP).toBe(0);
    expect(pictures.first).toBeGreaterThanOrEqual(3 * GOP);
    expect(times[0]).toBe(Math.round((pictures.first! * 1_000) / 30));
    expect((await account(await first)).last).toBe(pictures.last);
  });

  test('goes round its media without a seam', async () => {
    const { sandbox, received } = await receiveAll({ durationMs: 110_000 }, { speed: 50 });
    const [only] = received;
    const path = await scratchFile('round.flv', only!.bytes);
    expect(await account(only!)).toMatchObject({ missing: [], repeats: 0, garbled: 0, backwards: 0 });
    expect(sandbox.truth('alice').pictures[0]![1]).toBeGreaterThan(3_290);
    const sound = await accountSound(path);
    expect(sound.breaks).toEqual([]);
    expect(sound.beats.filter(({ whole }) => !whole)).toHaveLength(1);
    expect(Math.max(...(await soundOffsetsMs(path)).map(Math.abs))).toBeLessThan(10);
  });
});

describe('connections that end', () => {
  test('a drop cuts the body in mid-GOP at its place; the next connection gets the GOP from its keyframe', async () => {
    const { sandbox, received } = await watch([{ type: 'drop', atMs: 4_700 }], AS_IT_IS);
    const [before, after] = received;
    expect(received).toHaveLength(2);
    expect(before!.whole).toBe(false);
    expect(after!.whole).toBe(true);
    expect(videoTimes(before!).at(-1)).toBeLessThan(4_700);
    expect(videoTimes(before!).at(-1)).toBeGreaterThan(4_600);
    const [first, second] = [await account(before!), await account(after!)];
    const [one, two] = sandbox.truth('alice').transfers;
    expect([one!.pictures, two!.pictures]).toEqual([first.present, second.present]);
    expect(one!.closedBy).toBe('drop');
    expect(second.first).toBe(2 * GOP);
    expect(second.missing).toEqual([]);
    expect(sandbox.fired('alice', 'drop')).toMatchObject([{ transfer: 1, positionMs: 4_700 }]);
  });

  test('a drop by reset loses nothing that was logged', async () => {
    const { sandbox, received } = await watch([{ type: 'drop', reset: true, atMs: 5_300 }]);
    expect(received[0]!.whole).toBe(false);
    expect((await account(received[0]!)).present).toEqual(sandbox.truth('alice').transfers[0]!.pictures);
  });

  test('a clean close looks like an end, and is none', async () => {
    const { received } = await watch([{ type: 'close', atMs: 5_300 }]);
    expect(received.map(({ whole }) => whole)).toEqual([true, true]);
  });

  test.for([
    { timestamps: 'same', firstMs: 2_133 },
    { timestamps: 'restart', firstMs: 0 },
  ] as const)(
    'a reconnect gets the last GOPs again with timestamps $timestamps',
    async ({ timestamps, firstMs }) => {
      const { sandbox, received } = await watch([
        { type: 'join', gops: 2, timestamps, atMs: 5_000 },
        { type: 'drop', atMs: 5_300 },
      ]);
      expect(videoTimes(received[1]!)[0]).toBe(firstMs);
      expect((await account(received[1]!)).first).toBe(GOP);
      expect(sandbox.fired('alice', 'join')).toMatchObject([{ transfer: 2 }]);
    },
  );
});

describe('silence', () => {
  test('a stall resumes at the keyframe of the live edge, and what lies between is lost', async () => {
    const { sandbox, received } = await watch([{ type: 'stall', forMs: 4_000, atMs: 3_000 }]);
    expect(received).toHaveLength(1);
    const pictures = await account(received[0]!);
    expect(pictures.missing.at(-1)![1]).toBe(3 * GOP - 1);
    expect(sandbox.truth('alice').pictures).toEqual(pictures.present);
    expect(Math.max(...stepsMs(received[0]!))).toBeGreaterThan(3_000);
  });

  test('a stall that catches up loses nothing', async () => {
    const { received } = await watch([{ type: 'stall', forMs: 4_000, afterwards: 'catch-up', atMs: 3_000 }]);
    expect(await account(received[0]!)).toMatchObject({ missing: [], repeats: 0 });
  });

  test.for(['drop', 'close'] as const)('a stall may end in a %s', async (afterwards) => {
    const { sandbox, received } = await watch([{ type: 'stall', forMs: 3_000, afterwards, atMs: 3_000 }]);
    expect(received.map(({ whole }) => whole)).toEqual([afterwards === 'close', true]);
    expect(sandbox.truth('alice').transfers[0]!.closedBy).toBe('stall');
    expect(videoTimes(received[0]!).at(-1)).toBeLessThan(3_000);
  });

  test('while the encoder itself pauses, nobody gets media, and new connections wait', async () => {
    const clock = new HeldClock();
    const sandbox = await playAlice(
      {
        durationMs: 14_000,
        faults: [{ type: 'stall', scope: 'source', forMs: 6_000, atMs: 3_000 }],
      },
      { speed: 5 },
      clock,
    );
    const { flvUrl } = await streamOf(sandbox, 'alice');
    const first = receive(flvUrl!, { opened: () => clock.letGo() });
    await sandbox.waitFor(({ type }) => type === 'fault');
    const late = await account(await receive(flvUrl!));
    expect(late.missing).toEqual((await account(await first)).missing);
    expect(late.first).toBe(GOP);
    expect(late.missing.at(-1)![1]).toBe(5 * GOP - 1);
  });
});

describe('what the media does', () => {
  test('another picture size begins at a keyframe with both headers, and no picture is lost', async () => {
    const { sandbox, received } = await watch([{ type: 'media', media: 'small-landscape', atMs: 5_000 }]);
    const [only] = received;
    expect(headers(only!, 'video')).toMatchObject([
      { width: 360, height: 640 },
      { width: 640, height: 360 },
    ]);
    expect(headers(only!, 'audio')).toHaveLength(2);
    const at = only!.units.indexOf(headers(only!, 'video')[1]!);
    expect(only!.units.slice(at).find((unit) => unit.kind === 'video' && 'dtsMs' in unit)).toMatchObject({
      key: true,
      dtsMs: 6_400,
    });
    expect(sandbox.truth('alice').pictures).toHaveLength(1);
    expect(packets(only!, 'video')).toHaveLength(sandbox.truth('alice').transfers[0]!.picturesSent);
    expect(packets(only!, 'audio')).toHaveLength(sandbox.truth('alice').transfers[0]!.framesSent);
    expect(sandbox.fired('alice', 'media')).toMatchObject([{ transfer: 1 }]);
  });

  // On a fresh machine its media is encoded first.
  test('h264 gives way to h265', { timeout: 240_000 }, async () => {
    const { received } = await watch([{ type: 'media', media: 'hevc', atMs: 3_000 }]);
    expect(headers(received[0]!, 'video')).toMatchObject([{ codec: 'h264' }, { codec: 'h265' }]);
  });

  test.for([
    { flvForm: 'legacy', firstByte: 0x1c },
    { flvForm: 'enhanced', firstByte: 0x90 },
  ] as const)('h265 in FLV, $flvForm', async ({ flvForm, firstByte }) => {
    const { sandbox, received } = await receiveAll({
      durationMs: 5_000,
      variants: [{ media: 'hevc', flvForm }],
    });
    const [only] = received;
    expect(only!.tags.find(({ type }) => type === 9)!.data[0]).toBe(firstByte);
    expect(headers(only!, 'video')).toMatchObject([{ codec: 'h265', width: 360, height: 640 }]);
    expect(packets(only!, 'video').length).toBe(sandbox.truth('alice').transfers[0]!.picturesSent);
  });

  test('sound alone has no pictures and says so', async () => {
    const variants = [{ media: 'sound' as const, qualityKey: 'ao' }];
    const { sandbox, received } = await receiveAll({ durationMs: 5_000, variants });
    const [only] = received;
    expect(only!.url).toContain('only_audio=1');
    expect(only!.bytes[4]).toBe(0b100);
    expect(packets(only!, 'video')).toEqual([]);
    expect(packets(only!, 'audio')).toHaveLength(sandbox.truth('alice').transfers[0]!.framesSent);
  });

  test('timestamps jump, forward and back, and no picture is lost', async () => {
    const { received } = await watch([
      { type: 'jump', byMs: 60_000, atMs: 3_000 },
      { type: 'jump', byMs: -30_000, atMs: 6_000 },
    ]);
    const steps = stepsMs(received[0]!).filter((step) => Math.abs(step) > 40);
    expect(steps.map((step) => Math.round(step / 100) * 100)).toEqual([60_000, -30_000]);
    expect(await account(received[0]!)).toMatchObject({ missing: [], repeats: 0 });
  });

  test.each([
    ['start again from 0', { type: 'reset', atMs: 5_000 }],
    ['that would jump below 0 go on from there', { type: 'jump', byMs: -7_000, atMs: 5_000 }],
  ] as const)('timestamps %s', async (_, fault) => {
    const { received } = await watch([fault]);
    const times = videoTimes(received[0]!);
    const at = times.findIndex((time, i) => i > 0 && time < times[i - 1]!);
    expect(times[at - 1]).toBeGreaterThan(4_900);
    expect(times[at]).toBeLessThan(40);
    expect(stepsMs(received[0]!).every((step) => step > 30 || step < -4_000)).toBe(true);
  });

  test.for([
    { timestamps: 'same', back: true },
    { timestamps: 'onward', back: false },
  ] as const)('the last GOPs are replayed with timestamps $timestamps', async ({ timestamps, back }) => {
    const { sandbox, received } = await watch([{ type: 'replay', gops: 2, timestamps, atMs: 7_000 }]);
    const pictures = await account(received[0]!);
    expect(pictures).toMatchObject({ missing: [], backwards: 1 });
    expect(pictures.repeats).toBeGreaterThan(2 * GOP);
    expect(stepsMs(received[0]!).some((step) => step < 0)).toBe(back);
    const [transfer] = sandbox.truth('alice').transfers;
    expect(transfer!.picturesSent).toBe(pictures.count);
  });

  test('a dead connection goes round its last GOP in real time, then finds the live edge', async () => {
    const { received } = await watch([{ type: 'loop', forMs: 8_000, atMs: 5_000 }], { durationMs: 18_000 });
    const pictures = await account(received[0]!);
    expect(pictures.backwards).toBeGreaterThanOrEqual(3);
    expect(pictures.last).toBeGreaterThanOrEqual(539);
    expect(pictures.missing.length).toBeGreaterThan(0);
    expect(stepsMs(received[0]!).every((step) => step >= 0)).toBe(true);
  });

  test('the same headers come again before keyframes', async () => {
    const { received } = await watch([{ type: 'repeat-headers', forMs: 5_000, atMs: 2_000 }]);
    const video = headers(received[0]!, 'video');
    expect(video.length).toBeGreaterThan(3);
    expect(new Set(video.map((unit) => ('record' in unit ? unit.record.toString('hex') : ''))).size).toBe(1);
  });

  test.for(['sent', 'withheld'] as const)(
    'the audio header is late, the frames before it are %s',
    async (frames) => {
      const { sandbox, received } = await watch([
        { type: 'late-audio-header', byMs: 3_000, frames, atMs: 0 },
      ]);
      const { units } = received[0]!;
      const header = units.findIndex((unit) => unit.kind === 'audio' && 'record' in unit);
      const before = units.slice(0, header).filter((unit) => unit.kind === 'audio');
      expect(units.slice(0, header).filter((unit) => unit.kind === 'video').length).toBeGreaterThan(80);
      expect(before.length > 0).toBe(frames === 'sent');
      expect(packets(received[0]!, 'audio')).toHaveLength(sandbox.truth('alice').transfers[0]!.framesSent);
    },
  );
});

/** From each picture to the next, in the order in which they came. */
function stepsMs(received: Received): number[] {
  const times = videoTimes(received);
  return times.slice(1).map((time, i) => time - times[i]!);
}
