import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { CreatorInForce } from '../../src/config/creator-in-force.ts';
import { countedSource } from '../../src/daemon/counted-source.ts';
import { EventLog } from '../../src/daemon/event-log.ts';
import { Fleet } from '../../src/daemon/fleet.ts';
import { LoadWatch, type LoadLimit, type LoadLimits } from '../../src/daemon/load-watch.ts';
import { LivestowError } from '../../src/kernel/errors.ts';
import { createLogger } from '../../src/kernel/logger.ts';
import { Places } from '../../src/kernel/places.ts';
import type { LivestowEvent } from '../../src/model/event.ts';
import { windowsSchema } from '../../src/schedule/windows.ts';
import { lockCreator } from '../../src/spool/creator-lock.ts';
import { DEFAULT_PREFERENCES } from '../../src/variant/preferences.ts';
import { IntervalLooks } from '../../src/watch/interval-looks.ts';
import { ManualClock } from '../manual-clock.ts';
import { passInSteps } from '../record/disk-at-rest.ts';
import { House } from './house.ts';

const A = '7300000000000000001';
const B = '7300000000000000002';
const MINUTE_MS = 60_000;
const ENDLESS = { renewsAtMs: () => null, grant: () => {}, release: () => {} };

/** Houses side by side, and one fleet for all of them. */
class Street {
  readonly clock = new ManualClock();
  readonly events = new EventLog(this.clock);
  readonly told: LivestowEvent[] = [];
  readonly logged: { msg: string; handle?: string; heldBy?: string }[] = [];
  readonly slots = new Places<LoadLimit>(null);
  /** How busy the machine is. */
  cpuShare = 0.1;
  received = 0;
  #load: LoadWatch | null = null;
  #cpu = { busyMs: 0, totalMs: 0, atMs: 0 };
  readonly houses = new Map<string, House>();
  readonly fleet: Fleet;
  readonly #giveUp = new AbortController();

  private constructor() {
    this.events.on('event', (event) => this.told.push(event));
    this.fleet = new Fleet({
      clock: this.clock,
      log: createLogger({
        level: 'warn',
        destination: { write: (line) => void this.logged.push(JSON.parse(line) as Street['logged'][0]) },
      }),
      events: this.events,
      slots: this.slots,
      timeZone: 'UTC',
      depsFor: ({ handle, maxHoldMs, maxDurationMs, priority }) => {
        const deps = this.house(handle).deps(this.#giveUp.signal);
        return {
          ...deps,
          openSource: (variant, signal) =>
            countedSource(deps.openSource(variant, signal), (bytes) => {
              this.received += bytes;
            }),
          settings: { ...deps.settings, maxHoldMs, maxDurationMs, priority },
        };
      },
      cadenceFor: (_creator, windows) =>
        new IntervalLooks({ intervalMs: 2_000, times: windows, budget: ENDLESS }),
      onRoom: () => {},
      onLookFailed: () => {},
    });
  }

  static async of(...handles: string[]): Promise<Street> {
    const street = new Street();
    for (const handle of handles)
      street.houses.set(handle, await House.open({ clock: street.clock, handle }));
    onTestFinished(async () => {
      street.#load?.close();
      const ended = new AbortController();
      const ending = street.fleet.end('drain').finally(() => ended.abort());
      await street.pass(60_000, ended.signal);
      await ending;
      if (street.clock.pendingMs.length > 0) throw new Error('timers are left');
    });
    return street;
  }

  limit(limits: Partial<LoadLimits>): void {
    const none = { downloadBytesPerSecond: null, uploadBytesPerSecond: null, cpuShare: null };
    this.#load ??= new LoadWatch(
      {
        clock: this.clock,
        places: this.slots,
        receivedBytes: () => this.received,
        shippedBytes: () => 0,
        cpuTime: () => this.#cpuTime(),
      },
      none,
    );
    this.#load.limits = { ...none, ...limits };
  }

  #cpuTime(): { busyMs: number; totalMs: number } {
    const atMs = this.clock.monotonic();
    this.#cpu.totalMs += atMs - this.#cpu.atMs;
    this.#cpu.busyMs += (atMs - this.#cpu.atMs) * this.cpuShare;
    this.#cpu.atMs = atMs;
    return { ...this.#cpu };
  }

  house(handle: string): House {
    const house = this.houses.get(handle);
    if (!house) throw new Error(`nobody lives there: ${handle}`);
    return house;
  }

  pass(ms: number, until?: AbortSignal): Promise<void> {
    return passInSteps(this.clock, 200, ms, until);
  }

  state(handle: string): string | undefined {
    return this.fleet.task(handle)?.status.state;
  }

  /** What its sessions ended for, in order; null: unsealed. */
  async ends(handle: string): Promise<(string | null)[]> {
    const house = this.house(handle);
    const manifests = await Promise.all((await house.sessions()).map((session) => house.manifest(session)));
    return manifests.map(({ sealedAt, endCause }) => (sealedAt === null ? null : endCause));
  }
}

const creator = (handle: string, about: Partial<CreatorInForce> = {}): CreatorInForce => ({
  handle,
  group: null,
  paused: false,
  note: null,
  store: '/archive',
  ranking: DEFAULT_PREFERENCES,
  windows: null,
  priority: 0,
  maxDurationMs: null,
  pollIntervalMs: null,
  sampleIntervalMs: 300_000,
  maxHoldMs: 60_000,
  ...about,
});

test('each creator of the roster is watched and recorded, side by side', async () => {
  const street = await Street.of('alice', 'bob', 'carol');
  street.house('alice').broadcasts = [{ roomId: A, fromMs: 3_000, toMs: 20_000 }];
  street.house('bob').broadcasts = [{ roomId: B, fromMs: 5_000, toMs: 30_000 }];
  expect(street.fleet.apply([creator('alice'), creator('bob'), creator('carol')])).toEqual({
    added: ['alice', 'bob', 'carol'],
    removed: [],
    changed: [],
  });
  await street.pass(10_000);
  expect(['alice', 'bob', 'carol'].map((handle) => street.state(handle))).toEqual([
    'recording',
    'recording',
    'watching',
  ]);
  await street.pass(50_000);
  expect(await street.ends('alice')).toEqual(['room-ended']);
  expect(await street.ends('bob')).toEqual(['room-ended']);
  const ofAlice = street.told.filter((event) => 'handle' in event && event.handle === 'alice');
  expect(ofAlice.map(({ type }) => type)).toEqual(['live', 'recording', 'ended', 'sealed']);
});

describe('the roster changes', () => {
  test('a creator that is taken off it leaves when its broadcast is over, and is looked at no more', async () => {
    const street = await Street.of('alice');
    const house = street.house('alice');
    house.broadcasts = [
      { roomId: A, fromMs: 0, toMs: 20_000 },
      { roomId: B, fromMs: 60_000, toMs: 80_000 },
    ];
    street.fleet.apply([creator('alice')]);
    await street.pass(10_000);
    expect(street.fleet.apply([])).toEqual({ added: [], removed: ['alice'], changed: [] });
    await street.pass(2_000);
    expect(street.state('alice')).toBe('leaving');
    await street.pass(40_000);
    expect(street.state('alice')).toBeUndefined();
    const { looks } = house;
    await street.pass(40_000);
    expect(house.looks).toBe(looks);
    expect(await street.ends('alice')).toEqual(['room-ended']);
  });

  test('and back on it while it leaves: it goes on being watched', async () => {
    const street = await Street.of('alice');
    street.house('alice').broadcasts = [
      { roomId: A, fromMs: 0, toMs: 20_000 },
      { roomId: B, fromMs: 60_000, toMs: 80_000 },
    ];
    street.fleet.apply([creator('alice')]);
    await street.pass(10_000);
    street.fleet.apply([]);
    await street.pass(1_000);
    street.fleet.apply([creator('alice')]);
    expect(street.state('alice')).toBe('recording');
    await street.pass(110_000);
    expect(await street.ends('alice')).toEqual(['room-ended', 'room-ended']);
  });

  test('another preference cuts no recording, and holds for it where it can', async () => {
    const street = await Street.of('alice');
    const house = street.house('alice');
    house.broadcasts = [{ roomId: A, fromMs: 0, toMs: 30_000 }];
    street.fleet.apply([creator('alice')]);
    await street.pass(10_000);
    expect(street.fleet.apply([creator('alice', { maxHoldMs: 90_000, priority: 3 })]).changed).toEqual([
      'alice',
    ]);
    await street.pass(60_000);
    const [session = ''] = await house.sessions();
    const { manifest, pictures } = await house.account(session);
    expect(manifest).toMatchObject({ endCause: 'room-ended', gaps: [] });
    expect(new Set(manifest.segments.map(({ term }) => term))).toEqual(new Set([1]));
    expect(pictures.length).toBe(house.sent.get(A)?.size);
  });

  test('another store: what was begun ends in the old one', async () => {
    const street = await Street.of('alice');
    street.house('alice').broadcasts = [{ roomId: A, fromMs: 0, toMs: 20_000 }];
    street.fleet.apply([creator('alice')]);
    await street.pass(10_000);
    const first = street.fleet.task('alice');
    street.fleet.apply([creator('alice', { store: '/elsewhere' })]);
    await street.pass(5_000);
    expect(street.fleet.task('alice')).toBe(first);
    await street.pass(40_000);
    expect(street.fleet.task('alice')).not.toBe(first);
    expect(street.fleet.task('alice')?.creator.store).toBe('/elsewhere');
  });
});

describe('while a session waits for its store', () => {
  type Change = (street: Street) => Promise<void>;
  const applied =
    (...rosters: CreatorInForce[][]): Change =>
    async (street) => {
      for (const roster of rosters) {
        street.fleet.apply(roster);
        await street.pass(2_000);
      }
    };
  test.each<[what: string, change: Change]>([
    ['is paused and watched again', applied([creator('alice', { paused: true })], [creator('alice')])],
    ['is taken off the list and put back on it', applied([], [creator('alice')])],
    ['is given another store', applied([creator('alice', { store: '/elsewhere' })])],
    [
      'is looked at with a key that is refused, and then with another',
      async (street) => {
        street.house('alice').refusal = new LivestowError('LOOKUP_UNAUTHORIZED', 'the key is refused');
        await street.pass(5_000);
        street.house('alice').refusal = null;
        const looking = street.fleet.lookAgain(new AbortController().signal);
        await street.pass(1_000);
        await looking;
      },
    ],
  ])('a creator who %s is watched at once, and both are sealed in the end', async (_what, change) => {
    const street = await Street.of('alice');
    const house = street.house('alice');
    house.broadcasts = [
      { roomId: A, fromMs: 0, toMs: 20_000 },
      { roomId: B, fromMs: 70_000, toMs: 100_000 },
    ];
    house.store.fails = (operation, key) => operation === 'put' && key.includes(A);
    street.fleet.apply([creator('alice')]);
    await street.pass(60_000);
    expect(street.state('alice')).toBe('watching');
    await change(street);
    await street.pass(25_000);
    expect(street.state('alice')).toBe('recording');
    await street.pass(60_000);
    house.store.fails = () => false;
    await street.pass(120_000);
    expect(await street.ends('alice')).toEqual(['room-ended', 'room-ended']);
    expect(street.state('alice')).toBe('watching');
    const told = street.told.flatMap((event) =>
      event.type === 'sealed' ? [event.session.split('-')[1]] : [],
    );
    expect(told).toEqual([B, A]);
  });

  test('the lock is kept until it is sealed, and not longer', async () => {
    const street = await Street.of('alice');
    const house = street.house('alice');
    house.broadcasts = [{ roomId: A, fromMs: 0, toMs: 20_000 }];
    house.store.fails = (operation, key) => operation === 'put' && key.includes(A);
    street.fleet.apply([creator('alice')]);
    await street.pass(60_000);
    street.fleet.apply([creator('alice', { paused: true })]);
    await street.pass(5_000);
    expect(street.state('alice')).toBe('finishing');
    const spool = join(house.root, 'spool');
    expect(() => lockCreator(spool, 'alice')).toThrow(expect.objectContaining({ code: 'HELD' }));
    house.store.fails = () => false;
    await street.pass(60_000);
    expect(street.state('alice')).toBe('paused');
    lockCreator(spool, 'alice').release();
  });
});

describe('windows', () => {
  /** The clock begins at midnight. */
  const first = (atEnd: 'stop' | 'finish') =>
    windowsSchema.parse({ recordOnly: ['daily 00:01-00:02'], atEnd });

  test('nobody is looked at outside of them, and a recording is stopped at their end', async () => {
    const street = await Street.of('alice');
    const house = street.house('alice');
    house.broadcasts = [{ roomId: A, fromMs: 0, toMs: 5 * MINUTE_MS }];
    street.fleet.apply([creator('alice', { windows: first('stop') })]);
    await street.pass(MINUTE_MS - 1_000);
    expect(house.looks).toBe(0);
    expect(street.fleet.task('alice')?.status).toMatchObject({
      state: 'closed',
      windows: 'next opens Sun 00:01 UTC',
    });
    await street.pass(30_000);
    expect(street.state('alice')).toBe('recording');
    await street.pass(40_000);
    expect(await street.ends('alice')).toEqual(['stopped']);
    const { looks } = house;
    await street.pass(2 * MINUTE_MS);
    expect(house.looks).toBe(looks);
  });

  test('one that closes while somebody waits for a place: it is not looked at, nor recorded when there is one', async () => {
    const street = await Street.of('alice', 'bob');
    street.slots.most = 1;
    street.house('alice').broadcasts = [{ roomId: A, fromMs: 0, toMs: 3 * MINUTE_MS }];
    street.house('bob').broadcasts = [{ roomId: B, fromMs: 0, toMs: 10 * MINUTE_MS }];
    street.fleet.apply([creator('alice'), creator('bob', { windows: first('finish') })]);
    await street.pass(90_000);
    expect(street.state('bob')).toBe('queued');
    await street.pass(40_000);
    expect(street.state('bob')).toBe('closed');
    const { looks } = street.house('bob');
    await street.pass(3 * MINUTE_MS);
    expect(street.slots.taken).toBe(0);
    expect(street.house('bob').looks).toBe(looks);
    expect(await street.house('bob').sessions()).toEqual([]);
  });

  test('an order to record holds for what is recorded already: it goes on over the end of its window', async () => {
    const street = await Street.of('alice');
    street.house('alice').broadcasts = [{ roomId: A, fromMs: 0, toMs: 4 * MINUTE_MS }];
    street.fleet.apply([creator('alice', { windows: first('stop') })]);
    await street.pass(90_000);
    street.fleet.task('alice')?.recordNow();
    await street.pass(4 * MINUTE_MS);
    expect(await street.ends('alice')).toEqual(['room-ended']);
  });

  test('or goes on to the end of the broadcast, where they say so', async () => {
    const street = await Street.of('alice');
    street.house('alice').broadcasts = [{ roomId: A, fromMs: 0, toMs: 3 * MINUTE_MS }];
    street.fleet.apply([creator('alice', { windows: first('finish') })]);
    await street.pass(4 * MINUTE_MS);
    expect(await street.ends('alice')).toEqual(['room-ended']);
  });

  test('that come while it is recorded hold for that recording too', async () => {
    const street = await Street.of('alice');
    street.house('alice').broadcasts = [{ roomId: A, fromMs: 0, toMs: 5 * MINUTE_MS }];
    street.fleet.apply([creator('alice')]);
    await street.pass(90_000);
    street.fleet.apply([creator('alice', { windows: first('stop') })]);
    await street.pass(MINUTE_MS);
    expect(await street.ends('alice')).toEqual(['stopped']);
  });
});

test('as many are recorded as may be at once: the higher priority goes first, the other waits and is told', async () => {
  const street = await Street.of('alice', 'bob', 'carol');
  street.slots.most = 1;
  street.house('alice').broadcasts = [{ roomId: A, fromMs: 0, toMs: 20_000 }];
  for (const handle of ['bob', 'carol']) {
    street.house(handle).broadcasts = [{ roomId: B, fromMs: 6_000, toMs: 120_000 }];
  }
  street.fleet.apply([creator('alice'), creator('bob'), creator('carol', { priority: 5 })]);
  await street.pass(15_000);
  const states = () => ['alice', 'bob', 'carol'].map((handle) => street.state(handle));
  expect(states()).toEqual(['recording', 'queued', 'queued']);
  await street.pass(45_000);
  expect(states()).toEqual(['watching', 'queued', 'recording']);
  street.slots.most = 2;
  await street.pass(10_000);
  expect(states()).toEqual(['watching', 'recording', 'recording']);
  await street.pass(90_000);
  const [session = ''] = await street.house('bob').sessions();
  const { gaps } = await street.house('bob').manifest(session);
  expect(gaps.map(({ cause }) => cause)).toEqual(['found-late']);
});

describe('who waits for a place', () => {
  async function twoWait(): Promise<Street> {
    const street = await Street.of('alice', 'bob', 'carol');
    street.slots.most = 1;
    street.house('alice').broadcasts = [{ roomId: A, fromMs: 0, toMs: 20_000 }];
    for (const handle of ['bob', 'carol'])
      street.house(handle).broadcasts = [{ roomId: B, fromMs: 6_000, toMs: 600_000 }];
    street.fleet.apply([creator('alice'), creator('bob'), creator('carol', { priority: -5 })]);
    await street.pass(15_000);
    expect(['bob', 'carol'].map((handle) => street.state(handle))).toEqual(['queued', 'queued']);
    return street;
  }

  test('is given another priority: the next place goes by that', async () => {
    const street = await twoWait();
    street.fleet.apply([creator('alice'), creator('bob'), creator('carol', { priority: 5 })]);
    await street.pass(45_000);
    expect(['bob', 'carol'].map((handle) => street.state(handle))).toEqual(['queued', 'recording']);
    expect(street.logged.filter(({ handle }) => handle === 'carol')).toHaveLength(1);
  });

  test('is recorded when there is one, though nobody can be looked up then', async () => {
    const street = await twoWait();
    const refusal = new LivestowError('LOOKUP_CREDITS', 'none are left', {
      context: { retryAfterMs: 15 * MINUTE_MS },
    });
    for (const house of street.houses.values()) house.refusal = refusal;
    // Alice's end cannot be seen either: she is held for a minute.
    await street.pass(90_000);
    expect(['alice', 'bob'].map((handle) => street.state(handle))).toEqual(['failing', 'recording']);
    expect(street.house('bob').sent.get(B)?.size).toBeGreaterThan(100);
  });
});

describe('while the machine is as busy as it may be', () => {
  const HANDLES = ['alice', 'bob', 'carol', 'dave'];
  const PRIORITIES: Record<string, number> = { alice: -5, bob: 0, carol: 5, dave: 1 };

  /** Alice is recorded, and the others are live. */
  async function crowded(limits: Partial<LoadLimits>): Promise<Street> {
    const street = await Street.of(...HANDLES);
    street.limit(limits);
    for (const handle of HANDLES) {
      const fromMs = handle === 'alice' ? 0 : 8_000;
      street.house(handle).broadcasts = [{ roomId: A, fromMs, toMs: 100_000 }];
    }
    street.fleet.apply(HANDLES.map((handle) => creator(handle, { priority: PRIORITIES[handle] ?? 0 })));
    return street;
  }
  const recorded = (street: Street): string[] =>
    HANDLES.filter((handle) => street.state(handle) === 'recording');

  test('who is live waits, and is told why; when it is not any more, they come one by one, by priority', async () => {
    const street = await crowded({ cpuShare: 0.5 });
    street.cpuShare = 0.9;
    await street.pass(30_000);
    expect(recorded(street)).toEqual(['alice']);
    expect(street.slots.heldBy).toBe('cpu');
    expect(street.logged.map(({ handle, heldBy }) => `${handle}: ${heldBy}`).toSorted()).toEqual(
      ['bob', 'carol', 'dave'].map((handle) => `${handle}: cpu`),
    );
    expect(street.logged[0]?.msg).toBe('live, and waiting: the machine is too busy, by the limit cpu');
    street.cpuShare = 0.45;
    const came: string[] = [];
    for (const endMs = street.clock.monotonic() + 20_000; street.clock.monotonic() < endMs;) {
      await street.pass(1_000);
      const now = recorded(street).filter((handle) => handle !== 'alice' && !came.includes(handle));
      expect(now.length).toBeLessThanOrEqual(1);
      came.push(...now);
    }
    expect(came).toEqual(['carol', 'dave', 'bob']);
    await street.pass(90_000);
    // Nobody was cut, and nobody forgotten.
    for (const handle of HANDLES) expect(await street.ends(handle)).toEqual(['room-ended']);
  });

  test('and so for what is received: a recording that ends makes room for the next', async () => {
    const street = await Street.of(...HANDLES);
    // Each receives 5 bytes a second.
    street.limit({ downloadBytesPerSecond: 12 });
    for (const handle of HANDLES)
      street.house(handle).broadcasts = [
        { roomId: A, fromMs: 0, toMs: handle === 'carol' ? 60_000 : 150_000 },
      ];
    street.fleet.apply(HANDLES.map((handle) => creator(handle, { priority: PRIORITIES[handle] ?? 0 })));
    await street.pass(50_000);
    expect(recorded(street)).toHaveLength(2);
    expect(recorded(street)).toContain('carol');
    expect(street.slots.heldBy).toBe('bandwidth');
    await street.pass(60_000);
    expect(recorded(street)).toHaveLength(2);
    expect(recorded(street)).toContain('dave');
    street.limit({});
    await street.pass(5_000);
    expect(recorded(street)).toEqual(['alice', 'bob', 'dave']);
    await street.pass(100_000);
    for (const handle of HANDLES) expect(await street.ends(handle)).toEqual(['room-ended']);
  });
});

describe('the operator', () => {
  test('pauses: nothing is looked at, and what is recorded goes on to its end', async () => {
    const street = await Street.of('alice');
    const house = street.house('alice');
    house.broadcasts = [
      { roomId: A, fromMs: 0, toMs: 20_000 },
      { roomId: B, fromMs: 50_000, toMs: 200_000 },
    ];
    street.fleet.apply([creator('alice')]);
    await street.pass(10_000);
    street.fleet.apply([creator('alice', { paused: true })]);
    await street.pass(1_000);
    expect(street.state('alice')).toBe('recording');
    await street.pass(60_000);
    expect(street.state('alice')).toBe('paused');
    expect(await street.ends('alice')).toEqual(['room-ended']);
    const { looks } = house;
    await street.pass(20_000);
    expect(house.looks).toBe(looks);
    street.fleet.apply([creator('alice')]);
    await street.pass(10_000);
    expect(street.state('alice')).toBe('recording');
  });

  test('records now: a paused creator too, once', async () => {
    const street = await Street.of('alice');
    street.house('alice').broadcasts = [
      { roomId: A, fromMs: 0, toMs: 20_000 },
      { roomId: B, fromMs: 50_000, toMs: 80_000 },
    ];
    street.fleet.apply([creator('alice', { paused: true })]);
    await street.pass(5_000);
    expect(street.house('alice').looks).toBe(0);
    street.fleet.task('alice')?.recordNow();
    await street.pass(3_000);
    expect(street.state('alice')).toBe('recording');
    await street.pass(70_000);
    expect(street.state('alice')).toBe('paused');
    expect(await street.ends('alice')).toEqual(['room-ended']);
  });

  test('records now what was left alone: once more, and looks no oftener than it has to', async () => {
    const street = await Street.of('alice');
    const house = street.house('alice');
    house.broadcasts = [{ roomId: A, fromMs: 0, toMs: 10 * MINUTE_MS }];
    street.fleet.apply([creator('alice', { maxDurationMs: 10_000 })]);
    await street.pass(30_000);
    expect(await street.ends('alice')).toEqual(['max-duration']);
    expect(street.state('alice')).toBe('watching');
    const { looks } = house;
    street.fleet.task('alice')?.recordNow();
    await street.pass(30_000);
    expect(await street.ends('alice')).toEqual(['max-duration', 'max-duration']);
    expect(house.looks - looks).toBeLessThan(20);
  });

  test('stops a recording: it is sealed, that room is left alone, the next one is not', async () => {
    const street = await Street.of('alice');
    street.house('alice').broadcasts = [
      { roomId: A, fromMs: 0, toMs: 40_000 },
      { roomId: B, fromMs: 60_000, toMs: 80_000 },
    ];
    street.fleet.apply([creator('alice')]);
    await street.pass(10_000);
    expect(street.fleet.task('alice')?.stopRecording()).toBe(true);
    await street.pass(20_000);
    expect(street.state('alice')).toBe('watching');
    expect(await street.ends('alice')).toEqual(['stopped']);
    expect(street.fleet.task('alice')?.stopRecording()).toBe(false);
    await street.pass(90_000);
    expect(await street.ends('alice')).toEqual(['stopped', 'room-ended']);
  });

  test('stops a recording and orders it again in the same breath: it is recorded again', async () => {
    const street = await Street.of('alice');
    street.house('alice').broadcasts = [{ roomId: A, fromMs: 0, toMs: 60_000 }];
    street.fleet.apply([creator('alice')]);
    await street.pass(10_000);
    street.fleet.task('alice')?.stopRecording();
    street.fleet.task('alice')?.recordNow();
    await street.pass(10_000);
    expect(street.state('alice')).toBe('recording');
    expect(await street.ends('alice')).toEqual(['stopped', null]);
  });
});

test('a watch that fails is told, and tried again: nobody has to start anything', async () => {
  const street = await Street.of('alice');
  const house = street.house('alice');
  house.refusal = new LivestowError('LOOKUP_BAD_REQUEST', 'it is refused', { hint: 'another one' });
  street.fleet.apply([creator('alice')]);
  await street.pass(5_000);
  expect(street.fleet.task('alice')?.status).toMatchObject({
    state: 'failing',
    problem: { code: 'LOOKUP_BAD_REQUEST', hint: 'another one' },
  });
  expect(street.told.at(-1)).toMatchObject({ type: 'failed', code: 'LOOKUP_BAD_REQUEST' });
  house.refusal = null;
  await street.pass(10_000);
  expect(street.state('alice')).toBe('watching');
});

test('with another key those who waited for it look again, one after the other, and nobody else does', async () => {
  const street = await Street.of('alice', 'bob', 'carol', 'dave');
  const refused = new LivestowError('LOOKUP_UNAUTHORIZED', 'the key is refused');
  street.house('alice').refusal = refused;
  street.house('bob').refusal = refused;
  street.house('carol').refusal = new LivestowError('LOOKUP_CREDITS', 'none are left');
  street.house('dave').refusal = new LivestowError('LOOKUP_BAD_REQUEST', 'it is refused');
  street.fleet.apply(['alice', 'bob', 'carol', 'dave'].map((handle) => creator(handle)));
  // Pauses are at their longest.
  await street.pass(30 * MINUTE_MS);
  const looks = () => ['alice', 'bob', 'carol', 'dave'].map((handle) => street.house(handle).looks);
  const before = looks();
  for (const handle of ['alice', 'bob', 'carol']) street.house(handle).refusal = null;
  const lookingAgain = street.fleet.lookAgain(new AbortController().signal);
  await passInSteps(street.clock, 20, 80);
  expect(looks().map((count, at) => count - (before[at] ?? 0))).toEqual([1, 0, 0, 0]);
  await street.pass(1_000);
  await lookingAgain;
  expect(looks().map((count, at) => count - (before[at] ?? 0))).toEqual([1, 1, 1, 0]);
  expect(['alice', 'bob', 'carol', 'dave'].map((handle) => street.state(handle))).toEqual([
    'watching',
    'watching',
    'watching',
    'failing',
  ]);
  const told = street.told.flatMap((event) => (event.type === 'failed' ? [event.handle] : []));
  expect(new Set(told)).toEqual(new Set(['dave']));
});
