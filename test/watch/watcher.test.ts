import { afterEach, describe, expect, test } from 'vitest';
import { LivestowError, type ErrorCode } from '../../src/kernel/errors.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import type { Look } from '../../src/model/look.ts';
import { defaultCadence, fixedCadence } from '../../src/watch/cadence.ts';
import { afterFailure } from '../../src/watch/failure-policy.ts';
import { Watcher, type WatchOptions } from '../../src/watch/watcher.ts';
import { ManualClock } from '../manual-clock.ts';
import { live, notFound, offline } from './looks.ts';

const failing = (code: ErrorCode, retryable = false, context = {}) =>
  new LivestowError(code, code, { retryable, context });
const trouble = (retryAfterMs?: number) => failing('LOOKUP_FAILED', true, { retryAfterMs });

const stop = { controller: new AbortController() };
afterEach(() => {
  stop.controller.abort();
  stop.controller = new AbortController();
});

/** A watch of a scripted API: each answer as it is due, or an error; offline when the script is over. */
function watch(script: (Look | Error)[], change: Partial<WatchOptions> = {}) {
  const clock = new ManualClock();
  const lookedAt: number[] = [];
  const watcher = new Watcher({
    handle: 'alice',
    look: async () => {
      lookedAt.push(clock.monotonic());
      const answer = script.shift() ?? offline();
      if (answer instanceof Error) throw answer;
      return answer;
    },
    cadence: fixedCadence(30_000),
    clock,
    signal: stop.controller.signal,
    logger: silentLogger(),
    random: () => 1,
    ...change,
  });
  return { watcher, clock, lookedAt };
}

describe('Watcher', () => {
  test('looks at once, then at the cadence, until the room is live', async () => {
    const looks: string[] = [];
    const { watcher, clock, lookedAt } = watch([offline(), notFound(), live('a')], {
      onLook: (look) => void looks.push(look.status),
    });
    const next = watcher.rooms().next();
    await clock.advance(60_000);
    expect((await next).value).toMatchObject({ room: { roomId: 'a' } });
    expect(lookedAt).toEqual([0, 30_000, 60_000]);
    expect(looks).toEqual(['offline', 'not-found', 'live']);
  });

  test('rests while a room is being recorded, then looks at once when a look is due', async () => {
    const { watcher, clock, lookedAt } = watch([live('a'), live('b')]);
    const rooms = watcher.rooms();
    await rooms.next();
    await clock.advance(3_600_000);
    expect(lookedAt).toEqual([0]);
    expect((await rooms.next()).value).toMatchObject({ room: { roomId: 'b' } });
    expect(lookedAt).toEqual([0, 3_600_000]);
  });

  test('a recording that ends at once does not make it look without pause', async () => {
    const { watcher, clock, lookedAt } = watch([live('a'), live('a')]);
    const rooms = watcher.rooms();
    await rooms.next();
    const again = rooms.next();
    await clock.advance(29_999);
    expect(lookedAt).toEqual([0]);
    await clock.advance(1);
    await again;
    expect(lookedAt).toEqual([0, 30_000]);
  });

  test('a look that the recording got is used instead of another', async () => {
    const { watcher, clock, lookedAt } = watch([live('a')]);
    const rooms = watcher.rooms();
    await rooms.next();
    await clock.advance(100_000);
    watcher.offer(live('b'));
    expect((await rooms.next()).value).toMatchObject({ room: { roomId: 'b' } });
    watcher.offer(offline());
    const next = rooms.next();
    await clock.advance(30_000);
    expect(lookedAt).toEqual([0, 130_000]);
    stop.controller.abort(new Error('enough'));
    await expect(next).rejects.toThrow('enough');
  });

  test('rooms that are not to be recorded are passed over', async () => {
    const { watcher, clock } = watch([live('done'), live('done'), live('new')], {
      ignoreRoom: (roomId) => roomId === 'done',
    });
    const next = watcher.rooms().next();
    await clock.advance(60_000);
    expect((await next).value).toMatchObject({ room: { roomId: 'new' } });
  });

  test('trouble is waited out, longer each time, and a look that succeeds forgets it', async () => {
    const { watcher, clock, lookedAt } = watch([
      trouble(),
      trouble(),
      trouble(),
      offline(),
      trouble(),
      live(),
    ]);
    const next = watcher.rooms().next();
    await clock.advance(60_000);
    await next;
    expect(lookedAt).toEqual([0, 1_000, 3_000, 7_000, 37_000, 38_000]);
  });

  test('Retry-After is honoured', async () => {
    const { watcher, clock, lookedAt } = watch([trouble(20_000), live()]);
    const next = watcher.rooms().next();
    await clock.advance(60_000);
    await next;
    expect(lookedAt[1]).toBeGreaterThanOrEqual(20_000);
    expect(lookedAt[1]).toBeLessThan(22_000);
  });

  test('one look may give up after some tries, with the error of the last', async () => {
    const { watcher, clock, lookedAt } = watch([trouble(), trouble(), trouble(), live()]);
    const error = watcher.lookNow(3).catch((reason: unknown) => reason);
    await clock.advance(60_000);
    expect(await error).toMatchObject({ code: 'LOOKUP_FAILED' });
    expect(lookedAt).toHaveLength(3);
  });

  test('without credits it probes every fifteen minutes and goes on by itself', async () => {
    const poor = failing('LOOKUP_CREDITS');
    const { watcher, clock, lookedAt } = watch([poor, poor, live()]);
    const next = watcher.rooms().next();
    await clock.advance(3_600_000);
    await next;
    expect(lookedAt).toEqual([0, 900_000, 1_800_000]);
  });

  test('or is told that there are some: it looks at once, and a later pause is as long as ever', async () => {
    const poor = failing('LOOKUP_CREDITS');
    const { watcher, clock, lookedAt } = watch([poor, poor, live()]);
    const next = watcher.rooms().next();
    await clock.advance(60_000);
    watcher.retry();
    await clock.advance(3_600_000);
    await next;
    expect(lookedAt).toEqual([0, 60_000, 960_000]);
    expect(clock.pendingMs).toEqual([]);
  });

  test.each<ErrorCode>(['LOOKUP_UNAUTHORIZED', 'LOOKUP_BAD_REQUEST'])('%s stops it', async (code) => {
    const { watcher, lookedAt } = watch([failing(code)]);
    await expect(watcher.rooms().next()).rejects.toMatchObject({ code });
    expect(lookedAt).toEqual([0]);
  });

  test.each([
    ['between looks', [offline()]],
    ['in trouble', [trouble()]],
  ])('an abort %s ends it with its reason and leaves no timer', async (_when, script) => {
    const { watcher, clock } = watch(script);
    const next = watcher.rooms().next();
    await clock.waiting();
    stop.controller.abort(new Error('enough'));
    await expect(next).rejects.toThrow('enough');
    expect(clock.pendingMs).toEqual([]);
  });
});

describe('afterFailure', () => {
  test('pauses grow to a minute', () => {
    const waits = [1, 2, 6, 7, 100].map((failures) => afterFailure(trouble(), failures, () => 1));
    expect(waits.map((next) => (next.kind === 'wait' ? next.waitMs : next.kind))).toEqual([
      1_000, 2_000, 32_000, 60_000, 60_000,
    ]);
  });

  test('what nobody expected stops', () => {
    expect(afterFailure(new TypeError('bug'), 1)).toEqual({ kind: 'stop' });
  });
});

describe('cadences', () => {
  const state = { nowMs: 0, looks: 1 };

  test('a fixed one counts from the beginning of the last look', () => {
    const cadence = fixedCadence(2_000);
    expect(cadence.nextLookInMs({ ...state, sinceLookMs: null })).toBe(0);
    expect(cadence.nextLookInMs({ ...state, sinceLookMs: 500 })).toBe(1_500);
    expect(cadence.nextLookInMs({ ...state, sinceLookMs: 5_000 })).toBe(0);
  });

  test('the default one is a minute, give or take a tenth', () => {
    const at = (random: number) => defaultCadence(() => random).nextLookInMs({ ...state, sinceLookMs: 0 });
    expect([at(0), at(0.5), at(1)]).toEqual([54_000, 60_000, 66_000]);
  });
});
