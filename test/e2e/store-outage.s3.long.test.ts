/**
 * The real command and a real S3 server, and between them one that goes wrong in the middle of a recording: the recording
 * goes on, the spool grows, and afterwards everything ships, oldest first, without anything being overwritten.
 */
import { fileURLToPath } from 'node:url';
import { describe, expect, test, vi } from 'vitest';
import { FaultyS3, type S3Fault } from '../support/faulty-s3.ts';
import { newBucket, ownServers, s3Server } from '../support/s3-servers.ts';
import { filesIn } from './archive-copy.ts';
import { interruptAfterTheEnd } from './cut.ts';
import { expectFaithfulSession } from './faithful.ts';
import type { LivestowProcess } from './livestow-process.ts';
import { World, WORLD_TIMEOUT_MS } from './world.ts';

vi.setConfig({ testTimeout: WORLD_TIMEOUT_MS });

const LATE_CLOCK = fileURLToPath(new URL('../fixtures/late-clock.ts', import.meta.url));
/** Few, so that the order in which they go up can be told from chance. */
const UPLOADS = 2;
const GOPS_BEFORE = 2;
/** About 15 s. */
const GOPS_OF_TROUBLE = 7;
const GOPS_AFTER = 3;
const SEGMENT = /\/segments\//;

const segmentsInSpool = async (world: World): Promise<string[]> =>
  (await filesIn(world.spool)).filter((path) => SEGMENT.test(path));

/** How far the keys are from being in order, after the one that lies farthest is left out. */
function mostOutOfOrder(keys: readonly string[]): number {
  const distances = (of: readonly string[]): number[] => {
    const sorted = of.toSorted();
    return of.map((key, i) => Math.abs(sorted.indexOf(key) - i));
  };
  const all = distances(keys);
  const farthest = all.indexOf(Math.max(...all));
  return Math.max(0, ...distances(keys.toSpliced(farthest, 1)));
}

const codesIn = (run: LivestowProcess): string[] =>
  run.entries.flatMap(({ err }) => (err as { code?: string } | undefined)?.code ?? []);

interface Trouble {
  name: string;
  tags: string[];
  faults: S3Fault[];
  /** In the log; none where it does not last long enough to be told. */
  codes: string[];
  /** Nothing of it gets through. */
  isTotal: boolean;
}

const troubles: Trouble[] = [
  {
    name: 'answers 500 and 503 SlowDown',
    tags: ['store-error'],
    faults: [
      { kind: 'error', status: 500, code: 'InternalError' },
      { kind: 'error', status: 503, code: 'SlowDown' },
    ],
    codes: ['STORE_UNAVAILABLE'],
    isTotal: true,
  },
  {
    name: 'refuses the credentials',
    tags: ['store-denied'],
    faults: [
      { kind: 'error', status: 403, code: 'InvalidAccessKeyId' },
      { kind: 'error', status: 403, code: 'SignatureDoesNotMatch' },
      { kind: 'error', status: 403, code: 'AccessDenied' },
    ],
    codes: ['STORE_DENIED'],
    isTotal: true,
  },
  {
    name: 'says that the clock is wrong',
    tags: ['store-clock-skew'],
    faults: [{ kind: 'error', status: 403, code: 'RequestTimeTooSkewed' }],
    codes: ['STORE_DENIED'],
    isTotal: true,
  },
  {
    name: 'hangs before and after the body',
    tags: ['store-hangs'],
    faults: [
      { kind: 'hang', after: 'nothing' },
      { kind: 'hang', after: 'the-body' },
    ],
    codes: [],
    isTotal: true,
  },
  {
    name: 'resets connections',
    tags: ['store-reset'],
    faults: [{ kind: 'reset', after: 'nothing' }],
    codes: ['STORE_UNAVAILABLE'],
    isTotal: true,
  },
  {
    name: 'does it and hangs up instead of saying so',
    tags: ['store-reset'],
    faults: [{ kind: 'reset', after: 'the-deed' }],
    codes: ['STORE_UNAVAILABLE'],
    isTotal: false,
  },
  {
    name: 'says 200 and stores other bytes, or nothing',
    tags: ['store-lies'],
    faults: [
      { kind: 'lie', stores: 'other-bytes' },
      { kind: 'lie', stores: 'nothing' },
    ],
    codes: ['STORE_CORRUPT'],
    isTotal: true,
  },
];

async function openWorld(plan: { env?: Record<string, string> } = {}) {
  const real = await s3Server('radosgw');
  const s3 = await FaultyS3.before(real);
  const bucket = await newBucket(real, s3.url);
  const durationMs = ((GOPS_BEFORE + GOPS_OF_TROUBLE + GOPS_AFTER) * 64_000) / 30;
  const world = await World.open({
    alice: { durationMs },
    bucket,
    env: { LIVESTOW_UPLOADS: String(UPLOADS), ...plan.env },
  });
  return {
    s3,
    world,
    async [Symbol.asyncDispose]() {
      await world[Symbol.asyncDispose]();
      await s3[Symbol.asyncDispose]();
    },
  };
}

/** Everything that was recorded lies in the bucket as it should, and was put there once. */
async function expectArrived({ s3, world }: { s3: FaultyS3; world: World }): Promise<void> {
  // On a busy machine she may be found late; that was before the trouble.
  await expectFaithfulSession(world, { endCause: 'stopped', gaps: 'found-late' });
  for (const kept of [SEGMENT, /\/journal\//]) {
    const keys = s3.stored(kept).map(({ key }) => key);
    expect(keys.length).toBeGreaterThan(0);
    expect(keys.toSorted()).toEqual([...new Set(keys)].toSorted());
    expect(s3.stored(kept).every(({ createsOnly }) => createsOnly)).toBe(true);
  }
  const verify = world.livestow('verify');
  expect(await verify.exited).toEqual({ code: 0, signal: null });
}

describe.runIf(ownServers)('while it is recorded, the store', () => {
  for (const { name, tags, faults, codes, isTotal } of troubles) {
    test.concurrent(`${name}, and the recording goes on`, { tags }, async () => {
      await using both = await openWorld();
      const { s3, world } = both;
      const run = await world.record();
      await world.gopSent(GOPS_BEFORE);
      await s3.until(() => s3.stored(SEGMENT).length > 0);
      const before = s3.stored(SEGMENT).length;
      let count = 0;
      s3.goWrong(({ method }) => (method === 'PUT' ? faults[(count += 1) % faults.length] : undefined));
      await world.gopSent(world.gopsSent + GOPS_OF_TROUBLE - 1);
      const waiting = await segmentsInSpool(world);
      expect(s3.fired.length).toBeGreaterThan(1);
      expect(s3.stored(SEGMENT).length).toBeLessThanOrEqual(isTotal ? before + 1 : Infinity);
      expect(waiting.length).toBeGreaterThanOrEqual(isTotal ? GOPS_OF_TROUBLE - 3 : 0);
      const liftedAtMs = Date.now();
      s3.beWell();
      await interruptAfterTheEnd(world, run);
      expect(codesIn(run)).toEqual(expect.arrayContaining(codes));
      const since = s3.stored(SEGMENT).filter(({ atMs }) => atMs >= liftedAtMs);
      expect(since.length).toBeGreaterThanOrEqual(isTotal ? waiting.length : 0);
      expect(mostOutOfOrder(since.map(({ key }) => key))).toBeLessThanOrEqual(UPLOADS);
      await expectArrived(both);
    });
  }

  test.concurrent('is at the end of a slow line', { tags: 'store-slow' }, async () => {
    await using both = await openWorld();
    const { s3, world } = both;
    const run = await world.record();
    await world.gopSent(GOPS_BEFORE);
    await s3.until(() => s3.stored(SEGMENT).length > 0);
    // A tenth of what is recorded.
    s3.goWrong(({ key }) => (SEGMENT.test(key) ? { kind: 'slow', bytesPerSecond: 4_000 } : undefined));
    await world.gopSent(world.gopsSent + GOPS_OF_TROUBLE - 1);
    expect(s3.fired.length).toBeGreaterThan(1);
    const waiting = await segmentsInSpool(world);
    expect(waiting.length).toBeGreaterThanOrEqual(GOPS_OF_TROUBLE - 3);
    s3.beWell();
    await interruptAfterTheEnd(world, run);
    expect(mostOutOfOrder(s3.stored(SEGMENT).map(({ key }) => key))).toBeLessThanOrEqual(UPLOADS);
    await expectArrived(both);
  });

  test.concurrent('lies as the session is sealed', { tags: 'store-lies' }, async () => {
    await using both = await openWorld();
    const { s3, world } = both;
    const run = await world.record();
    await world.happens('the end', ({ type }) => type === 'ended');
    // More often than a put is tried at once.
    const lies = new Map<string, number>();
    s3.goWrong(({ method, key }) => {
      if (method !== 'PUT' || !/\/(?:journal\/.*|manifest\.json|events\.ndjson)$/.test(key)) return undefined;
      const nth = 1 + (lies.get(key) ?? 0);
      lies.set(key, nth);
      if (nth > 5) return undefined;
      return { kind: 'lie', stores: nth % 2 === 0 ? 'other-bytes' : 'nothing' };
    });
    const manifestLies = () => s3.fired.filter(({ key }) => key.endsWith('/manifest.json')).length;
    const interrupted = interruptAfterTheEnd(world, run);
    await s3.until(() => manifestLies() === 5);
    expect(run.stdout).not.toContain(' sealed: ');
    await interrupted;
    expect(run.stdout).toContain(' sealed: ');
    expect(s3.fired.length).toBeGreaterThanOrEqual(15);
    expect(codesIn(run)).toContain('STORE_CORRUPT');
    await expectArrived(both);
  });

  test.concurrent(
    'has another clock than this machine, by 20 minutes',
    { tags: 'store-clock-skew' },
    async () => {
      const skewed = { LATE_CLOCK_MS: String(20 * 60_000), NODE_OPTIONS: `--import=${LATE_CLOCK}` };
      await using both = await openWorld({ env: skewed });
      const { s3, world } = both;
      const run = await world.record();
      await world.happens('the end', ({ type }) => type === 'ended');
      run.kill('SIGINT');
      expect(await run.exited).toEqual({ code: 130, signal: null });
      // The real server refused, and what it said of its own time was heeded.
      expect(s3.seen.filter(({ status }) => status === 403).length).toBeGreaterThan(0);
      expect(run.entries.filter(({ err }) => err !== undefined)).toEqual([]);
      await expectArrived(both);
    },
  );
});
