/** Who may begin by what is measured; here recordings are places, and what they take is said by the test. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { LoadWatch, moreInto, type LoadLimit, type LoadLimits } from '../../src/daemon/load-watch.ts';
import { Places, type Place } from '../../src/kernel/places.ts';
import { ManualClock } from '../manual-clock.ts';

const MB = 1_000_000;
const LOOK_MS = 5_000;
const NONE: LoadLimits = { downloadBytesPerSecond: null, uploadBytesPerSecond: null, cpuShare: null };

test.each([
  ['alone, there is one more whatever it takes', { room: 5, each: 0, taken: 0 }, 1],
  ['what nobody knows the size of doubles', { room: 5, each: 0, taken: 4 }, 4],
  ['far below the limit they double', { room: 1_000, each: 1, taken: 8 }, 8],
  ['half of the room is filled', { room: 10, each: 1, taken: 30 }, 5],
  ['and at least one comes', { room: 1, each: 1, taken: 30 }, 1],
])('%s', (_what, { room, each, taken }, more) => {
  expect(moreInto(room, each, taken)).toBe(more);
});

/** A machine on which each recording takes the same. */
class Machine {
  readonly clock = new ManualClock();
  readonly places = new Places<LoadLimit>(null);
  readonly inside: Place[] = [];
  readonly watch: LoadWatch;
  eachBytesPerSecond = 0;
  eachCpuShare = 0;
  /** Of others. */
  otherCpuShare = 0;
  measured = 0;
  #receivedBytes = 0;
  #busyMs = 0;
  #totalMs = 0;
  readonly #over = new AbortController();

  constructor(limits: Partial<LoadLimits>) {
    const { clock, places } = this;
    this.watch = new LoadWatch(
      {
        clock,
        places,
        receivedBytes: () => this.#receivedBytes,
        shippedBytes: () => this.#receivedBytes / 2,
        cpuTime: () => {
          this.measured += 1;
          return { busyMs: this.#busyMs, totalMs: this.#totalMs };
        },
      },
      { ...NONE, ...limits },
    );
    onTestFinished(() => {
      this.watch.close();
      this.#over.abort();
      if (clock.pendingMs.length > 0) throw new Error('timers are left');
    });
  }

  goLive(count: number): void {
    for (let n = 0; n < count; n += 1) {
      this.places.take(this.#over.signal).then(
        (place) => this.inside.push(place),
        () => {},
      );
    }
  }

  async pass(ms: number): Promise<void> {
    for (let leftMs = ms; leftMs > 0; leftMs -= 1_000) {
      this.#receivedBytes += this.places.taken * this.eachBytesPerSecond;
      // Of two cores.
      this.#totalMs += 2_000;
      this.#busyMs += 2_000 * Math.min(1, this.otherCpuShare + this.places.taken * this.eachCpuShare);
      await this.clock.advance(1_000);
    }
  }

  /** How many are recorded after each look. */
  async looks(count: number): Promise<number[]> {
    const taken: number[] = [];
    for (let look = 0; look < count; look += 1) {
      await this.pass(LOOK_MS);
      taken.push(this.places.taken);
    }
    return taken;
  }
}

test('without a limit nothing is measured, no timer runs, and all come at once', async () => {
  const machine = new Machine({});
  machine.goLive(100);
  await machine.pass(60_000);
  expect([machine.places.taken, machine.measured, machine.clock.pendingMs]).toEqual([100, 0, []]);
  expect(machine.watch.load.cpuShare).toEqual({ used: null, most: null });
});

describe('a bandwidth', () => {
  test('is filled quickly, then one by one, and not exceeded', async () => {
    const machine = new Machine({ downloadBytesPerSecond: 60 * MB });
    machine.eachBytesPerSecond = MB;
    machine.goLive(100);
    const taken = await machine.looks(20);
    expect(taken.slice(0, 6)).toEqual([2, 4, 8, 16, 32, 46]);
    expect(taken.at(-1)).toBe(60);
    expect(machine.places.heldBy).toBe('bandwidth');
    expect(machine.watch.load.downloadBytesPerSecond).toEqual({ used: 60 * MB, most: 60 * MB });
    expect(machine.watch.load.uploadBytesPerSecond.used).toBe(30 * MB);
  });

  test('that one alone exceeds lets one be recorded', async () => {
    const machine = new Machine({ downloadBytesPerSecond: MB });
    machine.eachBytesPerSecond = 5 * MB;
    machine.goLive(3);
    expect(await machine.looks(8)).toEqual(Array(8).fill(1));
    machine.inside[0]?.release();
    await machine.pass(1_000);
    expect([machine.places.taken, machine.places.waiting]).toEqual([1, 1]);
  });

  test('has room again when recordings end, or take less', async () => {
    const machine = new Machine({ downloadBytesPerSecond: 10 * MB });
    machine.eachBytesPerSecond = MB;
    machine.goLive(40);
    await machine.looks(20);
    expect(machine.places.taken).toBe(10);
    machine.inside[0]?.release();
    machine.inside[1]?.release();
    expect((await machine.looks(10)).at(-1)).toBe(10);
    machine.eachBytesPerSecond = MB / 2;
    expect((await machine.looks(20)).at(-1)).toBe(20);
    machine.eachBytesPerSecond = 2 * MB;
    await machine.looks(8);
    expect(machine.places.taken).toBe(20);
    machine.inside[2]?.release();
    expect((await machine.looks(10)).at(-1)).toBe(19);
  });

  test('holds at once when it is set, raised or taken away', async () => {
    const machine = new Machine({});
    machine.eachBytesPerSecond = MB;
    machine.goLive(5);
    await machine.pass(60_000);
    machine.watch.limits = { ...NONE, downloadBytesPerSecond: 5 * MB };
    machine.goLive(10);
    await machine.looks(8);
    expect(machine.places.taken).toBe(5);
    machine.watch.limits = { ...NONE, downloadBytesPerSecond: 8 * MB };
    await machine.clock.advance(0);
    expect(machine.places.taken).toBe(5 + 1);
    machine.watch.limits = NONE;
    await machine.clock.advance(0);
    expect([machine.places.taken, machine.clock.pendingMs]).toEqual([15, []]);
  });
});

describe('the CPU', () => {
  test('has room for recordings up to its limit, beside what others take', async () => {
    const machine = new Machine({ cpuShare: 0.8 });
    machine.otherCpuShare = 0.3;
    machine.eachCpuShare = 0.02;
    machine.goLive(100);
    await machine.looks(40);
    // At the limit itself nobody comes any more.
    expect([25, 26]).toContain(machine.places.taken);
    expect(machine.places.heldBy).toBe('cpu');
    expect(machine.watch.load.cpuShare.used).toBeCloseTo(0.3 + machine.places.taken * 0.02);
  });

  test('that others use up is waited for, one recording at least going on', async () => {
    const machine = new Machine({ cpuShare: 0.5 });
    machine.otherCpuShare = 0.9;
    machine.goLive(3);
    expect(await machine.looks(5)).toEqual([1, 1, 1, 1, 1]);
    machine.otherCpuShare = 0.1;
    expect(await machine.looks(3)).toEqual([2, 3, 3]);
  });
});

test('of two limits the tighter one holds, and is named', async () => {
  const machine = new Machine({ cpuShare: 0.8, downloadBytesPerSecond: 4 * MB });
  machine.eachBytesPerSecond = MB;
  machine.eachCpuShare = 0.01;
  machine.goLive(20);
  await machine.looks(10);
  expect([machine.places.taken, machine.places.heldBy]).toEqual([4, 'bandwidth']);
  machine.otherCpuShare = 0.9;
  machine.watch.limits = { ...NONE, cpuShare: 0.8, downloadBytesPerSecond: 40 * MB };
  await machine.looks(3);
  expect(machine.places.heldBy).toBe('cpu');
  machine.places.most = 2;
  expect(machine.places.heldBy).toBe('places');
});
