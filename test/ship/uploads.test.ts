/** Which object goes up next; here an object is a name, and the store a function that takes it or does not. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { LivestowError } from '../../src/kernel/errors.ts';
import { createLogger } from '../../src/kernel/logger.ts';
import { Uploads, type UploadInTurn } from '../../src/ship/uploads.ts';
import { ManualClock } from '../manual-clock.ts';

const HOUR_MS = 3_600_000;
const PUT_MS = 100;
const MB = 1_000_000;

class Harbour {
  readonly clock = new ManualClock();
  readonly log: string[] = [];
  /** Every try, in order. */
  readonly tried: { name: string; atMs: number }[] = [];
  readonly taken: string[] = [];
  takes: (name: string) => boolean = () => true;
  underWay = 0;
  mostUnderWay = 0;
  readonly uploads: Uploads;
  readonly giveUp = new AbortController();

  constructor(atOnce = 4, bytesPerSecond: number | null = null) {
    const log = createLogger({
      level: 'info',
      destination: { write: (line) => void this.log.push((JSON.parse(line) as { msg: string }).msg) },
    });
    this.uploads = new Uploads({ atOnce, bytesPerSecond, clock: this.clock, log });
  }

  session(): UploadInTurn {
    return this.uploads.session(this.giveUp.signal);
  }

  /** Gives so many of a session to be shipped, each of 1 MB: `a1`, `a2`, … */
  add(upload: UploadInTurn, letter: string, count: number, from = 1): Promise<string[]> {
    const names = Array.from({ length: count }, (_, i) => `${letter}${from + i}`);
    return Promise.all(names.map((name) => upload(`shipping ${name}`, MB, () => this.#put(name))));
  }

  async #put(name: string): Promise<string> {
    this.tried.push({ name, atMs: this.clock.monotonic() });
    this.underWay += 1;
    this.mostUnderWay = Math.max(this.mostUnderWay, this.underWay);
    await this.clock.delay(PUT_MS);
    this.underWay -= 1;
    if (!this.takes(name)) throw new LivestowError('STORE_UNAVAILABLE', 'no', { retryable: true });
    this.taken.push(name);
    return name;
  }

  triesOf = (name: string): number => this.tried.filter((each) => each.name === name).length;
}

const names = (letter: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${letter}${i + 1}`);

describe('a store that answers', () => {
  test('gets so many at once, the oldest of a session first', async () => {
    const harbour = new Harbour(4);
    const all = harbour.add(harbour.session(), 'a', 20);
    await harbour.clock.advance(20 * PUT_MS);
    expect(await all).toEqual(names('a', 20));
    expect(harbour.taken).toEqual(names('a', 20));
    expect(harbour.mostUnderWay).toBe(4);
    expect(harbour.clock.pendingMs).toEqual([]);
  });

  test('gets the newest of one session before the thousands that wait of another', async () => {
    const harbour = new Harbour(4);
    const hours = harbour.add(harbour.session(), 'a', 4_000);
    await harbour.clock.advance(10 * PUT_MS);
    const before = harbour.tried.length;
    const [b, c] = [harbour.session(), harbour.session()];
    void harbour.add(b, 'b', 3);
    void harbour.add(c, 'c', 3);
    await harbour.clock.advance(4 * PUT_MS);
    const next = harbour.tried.slice(before).map(({ name }) => name[0]);
    expect(next.join('')).toMatch(/^a?[abc]{3}/);
    expect(harbour.taken).toEqual(expect.arrayContaining([...names('b', 3), ...names('c', 3)]));
    // Each in its turn: nobody waits longer than one turn of each of the others.
    expect(next.slice(0, 9).filter((letter) => letter === 'a').length).toBeLessThanOrEqual(4);
    harbour.giveUp.abort(new Error('enough'));
    await expect(hours).rejects.toThrow('enough');
  });
});

describe('an object that the store never takes', () => {
  test.each([1, 8, 40])('%i of them, the oldest of all: everything else goes up', async (count) => {
    const harbour = new Harbour(8);
    harbour.takes = (name) => !name.startsWith('x');
    const a = harbour.session();
    void harbour.add(a, 'x', count);
    const rest = harbour.add(a, 'a', 300);
    await harbour.clock.advance(5_000 + count * 3_000);
    expect(await rest).toHaveLength(300);
    // In order of age, but for those that told that the store is there.
    const ages = harbour.taken.map((name) => Number(name.slice(1)));
    const turns = ages.slice(1).filter((age, i) => age < ages[i]!);
    expect(turns.length).toBeLessThanOrEqual(2 * Math.ceil(count / 4));
    // They are tried for ever, one at a time, and less and less.
    const before = harbour.tried.length;
    await harbour.clock.advance(HOUR_MS);
    const tries = harbour.tried.slice(before);
    expect(new Set(tries.map(({ name }) => name)).size).toBe(count);
    expect(tries.length / count).toBeGreaterThan(100);
    expect(tries.length / count).toBeLessThan(260);
    // A new one does not wait for them.
    const later = harbour.add(harbour.session(), 'b', 1);
    await harbour.clock.advance(2 * PUT_MS);
    expect(await later).toEqual(['b1']);
    // And when the trouble is over they go too.
    harbour.takes = () => true;
    await harbour.clock.advance(60_000);
    expect(harbour.taken.filter((name) => name.startsWith('x'))).toHaveLength(count);
    expect(harbour.clock.pendingMs).toEqual([]);
  });

  test('and hangs takes one place, however many there are', async () => {
    const harbour = new Harbour(4);
    const hung = new Set<string>();
    const upload = harbour.session();
    let isOver = false;
    const hang = (name: string) =>
      upload(name, MB, async () => {
        hung.add(name);
        await harbour.clock.delay(180_000);
        hung.delete(name);
        if (!isOver) throw new LivestowError('STORE_UNAVAILABLE', 'timed out', { retryable: true });
      });
    const stuck = Promise.all(names('x', 12).map(hang));
    void harbour.add(upload, 'a', 5);
    await harbour.clock.advance(2 * HOUR_MS);
    expect(harbour.taken.toSorted()).toEqual(names('a', 5));
    for (let minute = 0; minute < 20; minute += 1) {
      expect(hung.size).toBeLessThanOrEqual(1);
      await harbour.clock.advance(60_000);
    }
    isOver = true;
    await harbour.clock.advance(HOUR_MS);
    await stuck;
  });
});

describe('a store that is away', { tags: 'store-away-for-hours' }, () => {
  test('for hours is asked by one at a time, and then gets everything, oldest first', async () => {
    const harbour = new Harbour(8);
    let isAway = true;
    harbour.takes = () => !isAway;
    const [a, b] = [harbour.session(), harbour.session()];
    const all: Promise<unknown>[] = [];
    // Six hours of two sessions, a segment every 6 s.
    for (let n = 1; n <= 3_600; n += 1) {
      all.push(harbour.add(a, 'a', 1, n), harbour.add(b, 'b', 1, n));
      await harbour.clock.advance(6_000);
    }
    expect(harbour.taken).toEqual([]);
    const inTheLastHour = harbour.tried.filter(({ atMs }) => atMs > 5 * HOUR_MS);
    expect(inTheLastHour.length).toBeGreaterThan(100);
    expect(inTheLastHour.length).toBeLessThan(250);
    harbour.mostUnderWay = 0;
    isAway = false;
    await harbour.clock.advance(31_000);
    expect(harbour.taken.length).toBeGreaterThan(0);
    await harbour.clock.advance((7_200 * PUT_MS) / 8);
    await Promise.all(all);
    expect(harbour.mostUnderWay).toBe(8);
    for (const letter of ['a', 'b']) {
      const order = harbour.taken
        .filter((name) => name.startsWith(letter))
        .map((name) => Number(name.slice(1)));
      // The one that found the store back may be younger.
      const rest = order.slice(1);
      expect(rest).toEqual(rest.toSorted((x, y) => x - y));
    }
    expect(harbour.log.filter((line) => line.startsWith('the store takes'))).toEqual([
      'the store takes nothing; one try at a time until it does',
      'the store takes objects again',
    ]);
    expect(harbour.clock.pendingMs).toEqual([]);
  });

  test('and never takes the oldest ones: the others are found out and go up', async () => {
    const harbour = new Harbour(4);
    let isAway = true;
    harbour.takes = (name) => !isAway && !name.startsWith('x');
    const a = harbour.session();
    void harbour.add(a, 'x', 6);
    const rest = harbour.add(a, 'a', 6);
    await harbour.clock.advance(HOUR_MS);
    isAway = false;
    await harbour.clock.advance(130_000);
    expect(await rest).toHaveLength(6);
  });

  test('10,000 that wait cost little', async () => {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const harbour = new Harbour(8);
    harbour.takes = () => false;
    const a = harbour.session();
    const waiting: Promise<unknown>[] = [];
    const heap = (): number => {
      gc();
      return process.memoryUsage().heapUsed;
    };
    const before = heap();
    for (let n = 1; n <= 10_000; n += 1) {
      waiting.push(harbour.add(a, 'a', 1, n).catch(() => {}));
      if (n % 100 === 0) await harbour.clock.advance(60_000);
    }
    const eachBytes = (heap() - before) / waiting.length;
    expect(harbour.taken).toEqual([]);
    expect(eachBytes).toBeLessThan(2_048);
    harbour.giveUp.abort(new Error('enough'));
    await harbour.clock.advance(PUT_MS);
    await Promise.all(waiting);
  });
});

describe('a bandwidth', () => {
  /** Of all that began within any span, more than the bandwidth allows in it. */
  function excess({ tried }: Harbour, bytesPerSecond: number): number {
    let most = -Infinity;
    for (const [from, { atMs: fromMs }] of tried.entries()) {
      for (const [to, { atMs }] of tried.entries()) {
        if (to < from) continue;
        const allowed = ((atMs - fromMs) / 1_000) * bytesPerSecond;
        most = Math.max(most, (to - from + 1) * MB - allowed);
      }
    }
    return most;
  }

  test.each([0.3, 4, 25, 333].map((rate) => rate * MB))(
    'of %i bytes a second is what goes up in the mean, of many objects of several sessions',
    async (bytesPerSecond) => {
      const harbour = new Harbour(64, bytesPerSecond);
      const [a, b] = [harbour.session(), harbour.session()];
      const all = [harbour.add(a, 'a', 100), harbour.add(b, 'b', 100)];
      const neededMs = (200 * MB * 1_000) / bytesPerSecond;
      await harbour.clock.advance(neededMs * 0.95 - 2_000);
      expect(harbour.taken.length).toBeLessThan(200);
      await harbour.clock.advance(neededMs * 0.06 + 3_000);
      await Promise.all(all);
      // One object, and what is made up for.
      expect(excess(harbour, bytesPerSecond)).toBeLessThanOrEqual(MB + bytesPerSecond + 1);
      // In turn, once both are there.
      const order = harbour.tried.map(({ name }) => name[0]);
      expect(order.slice(70, 90).filter((letter) => letter === 'a').length).toBe(10);
      expect(harbour.clock.pendingMs).toEqual([]);
    },
  );

  test('holds nothing up that is below it', async () => {
    const harbour = new Harbour(4, 2 * MB);
    const upload = harbour.session();
    for (let n = 1; n <= 60; n += 1) {
      const one = harbour.add(upload, 'a', 1, n);
      await harbour.clock.advance(PUT_MS);
      await one;
      await harbour.clock.advance(900);
    }
    expect(harbour.clock.pendingMs).toEqual([]);
  });

  test('does not count what failed twice', async () => {
    const harbour = new Harbour(4, MB / 10);
    let failures = 3;
    harbour.takes = () => (failures -= 1) < 0;
    const all = harbour.add(harbour.session(), 'a', 6);
    // The failures' own waits, and 10 s each for five of them: the last one is paid when it has begun.
    await harbour.clock.advance(60_000);
    expect(await all).toHaveLength(6);
    expect(harbour.tried).toHaveLength(9);
    expect(harbour.clock.pendingMs).toEqual([]);
  });

  test('is not paid again and again to a store that is away, nor exceeded when it is back', async () => {
    const harbour = new Harbour(8, MB / 2);
    harbour.takes = () => false;
    const all = harbour.add(harbour.session(), 'a', 50);
    await harbour.clock.advance(HOUR_MS);
    const backAtMs = harbour.clock.monotonic();
    harbour.takes = () => true;
    await harbour.clock.advance(31_000 + 100_000);
    await all;
    harbour.tried.splice(
      0,
      harbour.tried.findIndex(({ atMs }) => atMs >= backAtMs),
    );
    expect(excess(harbour, MB / 2)).toBeLessThanOrEqual(MB + MB / 2);
    expect(harbour.clock.pendingMs).toEqual([]);
  });

  test('leaves what the store never takes behind all others', async () => {
    const harbour = new Harbour(4, MB);
    harbour.takes = (name) => !name.startsWith('x');
    const upload = harbour.session();
    void harbour.add(upload, 'x', 8);
    const rest = harbour.add(upload, 'a', 50);
    await harbour.clock.advance(90_000);
    expect(await rest).toHaveLength(50);
    harbour.takes = () => true;
    await harbour.clock.advance(120_000);
    expect(harbour.taken).toHaveLength(58);
    expect(harbour.clock.pendingMs).toEqual([]);
  });

  test('that is raised or taken away is so at once, for those that wait too', async () => {
    const harbour = new Harbour(4, 1);
    const all = harbour.add(harbour.session(), 'a', 40);
    await harbour.clock.advance(HOUR_MS);
    expect(harbour.taken).toEqual(['a1']);
    harbour.uploads.bytesPerSecond = MB;
    await harbour.clock.advance(10_500);
    expect(harbour.taken.length).toBeGreaterThanOrEqual(10);
    expect(harbour.taken.length).toBeLessThanOrEqual(12);
    harbour.uploads.bytesPerSecond = null;
    await harbour.clock.advance(8 * PUT_MS);
    expect(await all).toHaveLength(40);
    expect(harbour.clock.pendingMs).toEqual([]);
  });

  test('is kept to by others who send, who can be stopped while they wait', async () => {
    const { clock, uploads } = new Harbour(4, MB);
    const began: number[] = [];
    const copies = Promise.all(
      names('c', 10).map(async () => {
        await uploads.pace.turn(2 * MB);
        began.push(clock.monotonic());
      }),
    );
    await clock.advance(18_000);
    await copies;
    expect(began).toEqual(Array.from({ length: 10 }, (_, i) => Math.max(0, i * 2_000 - 1_000)));
    const stop = new AbortController();
    const stopped = uploads.pace.turn(MB, stop.signal);
    stop.abort(new Error('enough'));
    await expect(stopped).rejects.toThrow('enough');
    expect(clock.pendingMs).toEqual([]);
  });
});

describe('ends', () => {
  test('with the signal’s reason for all that waits, at once', async () => {
    const harbour = new Harbour(2);
    harbour.takes = () => false;
    const reason = new Error('given up');
    const all = Promise.allSettled(
      names('a', 20).map((name, i) => harbour.add(harbour.session(), name, 1, i)),
    );
    await harbour.clock.advance(5_000);
    harbour.giveUp.abort(reason);
    await harbour.clock.advance(PUT_MS);
    for (const outcome of await all) expect(outcome).toEqual({ status: 'rejected', reason });
    await expect(harbour.add(harbour.session(), 'late', 1)).rejects.toBe(reason);
    expect(harbour.clock.pendingMs).toEqual([]);
  });

  test('at a bug: that is no outage', async () => {
    const harbour = new Harbour(2);
    const bug = new TypeError('a bug');
    await expect(harbour.session()('a', MB, () => Promise.reject(bug))).rejects.toBe(bug);
    expect(harbour.clock.pendingMs).toEqual([]);
  });

  test('a disk that cannot be read now is not the store’s trouble', async () => {
    const harbour = new Harbour(2);
    let isReadable = false;
    const upload = harbour.session();
    const all = names('x', 6).map((name) =>
      upload(name, MB, () =>
        isReadable
          ? Promise.resolve(name)
          : Promise.reject(new LivestowError('SPOOL', 'no', { retryable: true })),
      ),
    );
    await harbour.clock.advance(20_000);
    expect(harbour.log).not.toContain('the store takes nothing; one try at a time until it does');
    isReadable = true;
    await harbour.clock.advance(60_000);
    expect(await Promise.all(all)).toEqual(names('x', 6));
  });
});
