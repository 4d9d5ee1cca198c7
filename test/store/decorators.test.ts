import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { LivestowError } from '../../src/kernel/errors.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { limited } from '../../src/store/limited.ts';
import { retrying } from '../../src/store/retrying.ts';
import type { Store } from '../../src/store/store.ts';
import { ManualClock } from '../manual-clock.ts';
import { collect, text } from './contract.ts';

const passing = () => new LivestowError('STORE_UNAVAILABLE', 'busy', { retryable: true });
const lasting = () => new LivestowError('STORE_DENIED', 'no');

let directory: DirectoryStore;
beforeEach(async () => {
  const root = await mkdtemp(join(tmpdir(), 'livestow-decorators-'));
  directory = new DirectoryStore(root);
  return () => rm(root, { recursive: true });
});

/** Lets the time pass that is waited for, so many times. */
async function passWaits(clock: ManualClock, waits: number): Promise<void> {
  for (let wait = 0; wait < waits; wait += 1) {
    await clock.waiting();
    await clock.advance(clock.pendingMs[0] ?? 0);
  }
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => new Error('it succeeded'),
    (error: unknown) => error,
  );
}

/** The directory behind a bad line: each call takes the next error from `failures`, until there is none. */
function failing(failures: Error[]): Store & { writeIds: (string | undefined)[] } {
  const fail = () => {
    const error = failures.shift();
    if (error !== undefined) throw error;
  };
  async function* breaking<T>(entries: AsyncIterable<T>): AsyncGenerator<T> {
    for await (const entry of entries) {
      yield entry;
      fail();
    }
  }
  const writeIds: (string | undefined)[] = [];
  return {
    writeIds,
    description: directory.description,
    capabilities: () => directory.capabilities(),
    put: async (key, body, options) => {
      writeIds.push(options?.writeId);
      fail();
      return directory.put(key, body, options);
    },
    get: async (key, options) => {
      fail();
      return directory.get(key, options);
    },
    head: async (key, signal) => {
      fail();
      return directory.head(key, signal);
    },
    list: (prefix, options) => breaking(directory.list(prefix, options)),
    folders: (prefix, options) => breaking(directory.folders(prefix, options)),
    delete: async (key, signal) => {
      fail();
      return directory.delete(key, signal);
    },
    lockOf: async () => {
      fail();
      return directory.lockOf();
    },
    keepsVersions: async () => {
      fail();
      return directory.keepsVersions();
    },
    presign: () => directory.presign(),
    close: () => {},
  };
}

describe('retrying', () => {
  const policy = { tries: 4, firstDelayMs: 1_000, longestDelayMs: 3_000 };

  test('tries again what may succeed later, with growing, jittered waits', async () => {
    const clock = new ManualClock();
    const failures = [passing(), passing(), passing()];
    const faulty = failing(failures);
    const told: number[] = [];
    const store = retrying(faulty, {
      clock,
      policy,
      random: () => 0.5,
      onRetry: ({ delayMs }) => told.push(delayMs),
    });
    const put = store.put('key', text('x'), { ifAbsent: true });
    for (const delayMs of [750, 1_500, 2_250]) {
      await clock.waiting();
      expect(clock.pendingMs).toEqual([delayMs]);
      await clock.advance(delayMs);
    }
    expect(await put).toMatchObject({ key: 'key', bytes: 1 });
    expect(failures).toEqual([]);
    expect(told).toEqual([750, 1_500, 2_250]);
    expect(faulty.writeIds).toHaveLength(4);
    expect(new Set(faulty.writeIds)).toEqual(new Set([expect.stringMatching(/^[0-9a-f-]{36}$/)]));
  });

  test('gives up after its tries, with the last error', async () => {
    const clock = new ManualClock();
    const failures = Array.from({ length: 9 }, passing);
    const outcome = rejection(retrying(failing(failures), { clock, policy }).head('key'));
    await passWaits(clock, policy.tries - 1);
    expect(await outcome).toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(failures).toHaveLength(9 - policy.tries);
  });

  test('does not try again what cannot succeed', async () => {
    const clock = new ManualClock();
    for (const error of [lasting(), new TypeError('a bug')]) {
      await expect(retrying(failing([error]), { clock, policy }).delete('key')).rejects.toBe(error);
    }
    await expect(retrying(failing([]), { clock, policy }).get('missing')).rejects.toMatchObject({
      code: 'STORE_NOT_FOUND',
    });
    expect(clock.pendingMs).toEqual([]);
  });

  test('stops waiting when its signal aborts', async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    const reason = new Error('stopped');
    const store = retrying(failing(Array.from({ length: 99 }, passing)), {
      clock,
      policy: { ...policy, tries: Infinity },
    });
    const outcome = rejection(store.put('key', text('x'), { signal: stop.signal }));
    await clock.waiting();
    stop.abort(reason);
    expect(await outcome).toBe(reason);
    expect(clock.pendingMs).toEqual([]);
  });

  test('goes on with a listing where it broke off', async () => {
    for (const key of ['a/1', 'a/2', 'b/1', 'c/1']) await directory.put(key, text(key));
    const clock = new ManualClock();
    const failures = [passing(), passing(), passing(), passing()];
    const store = retrying(failing(failures), { clock, policy });
    const listed = collect(store.list(''));
    await passWaits(clock, 4);
    expect((await listed).map(({ key }) => key)).toEqual(['a/1', 'a/2', 'b/1', 'c/1']);
    expect(failures).toEqual([]);

    failures.push(passing(), passing());
    const folders = collect(store.folders(''));
    await passWaits(clock, 2);
    expect(await folders).toEqual(['a/', 'b/', 'c/']);
    expect(failures).toEqual([]);
  });
});

describe('limited', () => {
  /** Holds each put until it is released, and counts how many there are at once. */
  function gated() {
    const gates: (() => void)[] = [];
    const store: Store = failing([]);
    const counted = { now: 0, most: 0 };
    const put: Store['put'] = async (key, body, options) => {
      counted.now += 1;
      counted.most = Math.max(counted.most, counted.now);
      await new Promise<void>((resolve) => {
        gates.push(resolve);
      });
      counted.now -= 1;
      return directory.put(key, body, options);
    };
    return { store: { ...store, put }, counted, gates };
  }

  test('writes only so many objects at once', async () => {
    const { store, counted, gates } = gated();
    const shared = limited(store, 3);
    const puts = Promise.all(Array.from({ length: 7 }, (_, n) => shared.put(`${n}`, text('x'))));
    for (let written = 0; written < 7;) {
      await turn();
      const open = gates.splice(0);
      written += open.length;
      for (const release of open) release();
    }
    expect(await puts).toHaveLength(7);
    expect(counted).toEqual({ now: 0, most: 3 });
  });

  test('never begins a put whose signal aborts while it waits', async () => {
    const { store, counted, gates } = gated();
    const one = limited(store, 1);
    const first = one.put('first', text('x'));
    const stop = new AbortController();
    const reason = new Error('stopped');
    const second = rejection(one.put('second', text('x'), { signal: stop.signal }));
    stop.abort(reason);
    expect(await second).toBe(reason);
    gates.shift()?.();
    await first;
    expect(counted).toEqual({ now: 0, most: 1 });
    expect(await directory.head('second')).toBeUndefined();
  });
});
