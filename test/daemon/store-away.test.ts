/** A store that is away while recorders come and go: what is recorded is not held up by it, and all of it arrives. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isoUtc } from '../../src/kernel/clock.ts';
import { createLogger } from '../../src/kernel/logger.ts';
import { SessionShipper } from '../../src/ship/session-shipper.ts';
import { Uploads } from '../../src/ship/uploads.ts';
import { SessionSpool } from '../../src/spool/session-spool.ts';
import { ManualClock } from '../manual-clock.ts';
import { diskAtRest } from '../record/disk-at-rest.ts';
import { TellingStore } from '../ship/telling-store.ts';
import { leaveBehind } from '../spool/leftover.ts';
import { scratchFolder } from '../spool/scratch.ts';
import { House } from './house.ts';

const A = '7300000000000000001';
const B = '7300000000000000002';
const HOUR_MS = 3_600_000;

describe('a start after hours', { tags: 'store-away-for-hours' }, () => {
  test('with 5,000 segments that wait takes them over in no time', async () => {
    const root = await scratchFolder();
    const clock = new ManualClock();
    const room = { roomId: A, fromMs: clock.now() - 6 * HOUR_MS };
    const session = await leaveBehind(root, 'alice', room, 5_000);
    const store = new TellingStore(join(root, 'store'));
    store.fails = () => true;
    const log = createLogger({ level: 'silent' });
    const giveUp = new AbortController();
    const uploads = new Uploads({ atOnce: 8, clock, log });

    const beganAtMs = performance.now();
    const spool = await SessionSpool.open(root, 'alice', session);
    const earlier = await spool.earlier();
    const shipper = new SessionShipper({ store, spool, uploads, clock, log, signal: giveUp.signal });
    spool.beginTerm(2);
    await shipper.takeOver(earlier);
    const tookMs = performance.now() - beganAtMs;
    expect(shipper.progress.waitingObjects).toBe(5_000);

    // Some 0.6 s on a busy machine.
    expect(tookMs).toBeLessThan(2_500);
    for (let i = 0; i < 60; i += 1) {
      await clock.advance(30_000);
      await diskAtRest();
    }
    expect(store.failed).toBeGreaterThan(50);
    giveUp.abort();
  });

  test('records at once, and what it records is in the store while the hours before are still on their way', async () => {
    const house = await House.open();
    const leftover = await leaveBehind(
      join(house.root, 'spool'),
      'alice',
      { roomId: A, fromMs: house.clock.now() - HOUR_MS },
      900,
    );
    house.broadcasts = [{ roomId: B, fromMs: 0, toMs: 600_000 }];
    // Each object takes the store a second.
    const asked: string[] = [];
    house.store.onPut = (key) => {
      asked.push(key);
      return house.clock.delay(1_000);
    };
    const recorder = house.recorder();
    await house.pass(400);
    expect(house.sent.get(B)?.size).toBeGreaterThan(0);
    await house.pass(40_000);
    const shipped = (session: string): string[] =>
      house.store.written.filter((key) => key.includes(`${session}/segments/`));
    const session = (await house.sessions()).find((each) => each !== leftover) ?? '';
    // In 40 s the four places ship some 160 objects; of the new room all that is closed is among them.
    expect(shipped(leftover).length).toBeGreaterThan(100);
    expect(shipped(leftover).length).toBeLessThan(200);
    expect(shipped(session).length).toBeGreaterThanOrEqual(8);
    const order = asked.filter((key) => key.includes(`${leftover}/segments/`));
    expect(order).toEqual(order.toSorted());
    recorder.giveUp.abort();
    await recorder.stopAs('interrupt');
  });
});

describe('a store that gives no answer at the start', { tags: 'store-hangs' }, () => {
  test.for([
    ['a room that nobody knows', false],
    ['a room that is gone on with', true],
  ] as const)('%s: recorded after 10 s at the latest, and the gap says so', async ([, isKnown]) => {
    const house = await House.open();
    if (isKnown)
      await leaveBehind(
        join(house.root, 'spool'),
        'alice',
        { roomId: A, fromMs: house.clock.now() - 40_000 },
        9,
      );
    house.broadcasts = [{ roomId: A, fromMs: -40_000, toMs: 30_000 }];
    house.store.hangs = () => true;
    const recorder = house.recorder({ once: true });
    await house.pass(9_800);
    expect(house.sent.size).toBe(0);
    expect(house.store.hung).toBeGreaterThan(0);
    await house.pass(800);
    expect(house.sent.get(A)?.size).toBeGreaterThan(0);
    house.store.answerAgain();
    await recorder.over();
    const [session = ''] = await house.sessions();
    const { manifest, untrue, pictures } = await house.account(session);
    expect(untrue).toEqual([]);
    expect(manifest.sealedAt).not.toBeNull();
    // Nothing that was sent is missing, and what was not sent is in the gap.
    expect([...house.sent.get(A)!].filter((picture) => !pictures.includes(picture))).toEqual([]);
    const gap = manifest.gaps.at(-1)!;
    expect(gap.cause).toBe(isKnown ? 'recorder-down' : 'found-late');
    const firstAt = Date.parse(gap.to) - (house.clock.now() - house.clock.monotonic());
    expect(firstAt).toBeGreaterThan(8_000);
    expect(firstAt).toBeLessThanOrEqual(10_700);
    expect(manifest.gaps.map(({ to }) => to <= isoUtc(house.clock.now()))).not.toContain(false);
  });
});
