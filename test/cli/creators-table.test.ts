import { describe, expect, test } from 'vitest';
import { overview } from '../../src/cli/creators-table.ts';
import type { CreatorStatus } from '../../src/model/creator-status.ts';
import type { Status } from '../../src/web/schemas.ts';

const NOW_MS = Date.UTC(2026, 10, 23, 12);

const status: Status = {
  version: '1.2.3',
  startedAt: new Date(NOW_MS - 7_500_000).toISOString(),
  uptimeMs: 7_500_000,
  isEnding: false,
  creators: {},
  credits: { spentToday: 120, perDay: 20_000, charged: 130 },
  looks: { live: 1, offline: 2, notFound: 0, failed: 0 },
  recordings: { running: 1, waiting: 2, most: 60, heldBy: 'places', receivedBytes: 9 * 2 ** 20 },
  load: {
    cpuShare: { used: null, most: null },
    downloadBytesPerSecond: { used: null, most: null },
    uploadBytesPerSecond: { used: null, most: null },
  },
  uploads: { running: 0, waiting: 0, storeTakes: true, shippedObjects: 3, shippedBytes: 5 * 2 ** 20 },
  spool: { bytes: 2 ** 20, freeBytes: 2 ** 31, reserveBytes: 2 ** 29 },
  jobs: [],
  webhooks: { waiting: 0, delivered: 0, refused: 0, givenUp: 0, dropped: 0 },
};

const creator = (handle: string, about: Partial<CreatorStatus> = {}): CreatorStatus => ({
  handle,
  group: null,
  note: null,
  priority: 0,
  state: 'watching',
  windows: null,
  nextLookAt: null,
  nextLookWhy: null,
  lastLookAt: null,
  lastLook: null,
  recording: null,
  problem: null,
  ...about,
});

const inMs = (ms: number): string => new Date(NOW_MS + ms).toISOString();
const recording = {
  session: 's',
  recordedMs: 754_000,
  bytes: 3 * 2 ** 20,
  segments: 9,
  gaps: 1,
  width: 720,
  height: 1280,
  shippedBytes: 2 * 2 ** 20,
  waitingObjects: 1,
};

test('what is recorded comes first, then what is wrong, then what is due', () => {
  const creators = [
    creator('paused', { state: 'paused', note: 'on\u001B[2J holiday' }),
    creator('later', { nextLookAt: inMs(5_430_000), nextLookWhy: 'budget-spent' }),
    creator('soon', { nextLookAt: inMs(39_500), nextLookWhy: 'planned' }),
    creator('shut', { state: 'closed', windows: 'next opens Fri 18:00 UTC' }),
    creator('broken', {
      state: 'failing',
      problem: { code: 'X', message: 'no key', hint: null, retryAt: inMs(0) },
    }),
    creator('live', { state: 'recording', recording }),
  ];
  expect(overview(status, creators, NOW_MS)).toEqual([
    'livestow 1.2.3 · recording 1 of 60, 2 wait · shipped 5.0 MiB · spool 1.0 MiB, 2.0 GiB free · credits today 120 of 20000 · up 2h5m',
    'CREATOR  STATE      RECORDED             SHIPPED  GAPS  NEXT LOOK',
    '@live    recording     12:34  2.0 MiB of 3.0 MiB     1',
    '@broken  failing                                                                     no key',
    '@soon    watching                                       in 40s',
    '@later   watching                                       in 1h31m, credits are spent',
    '@shut    closed                                         next opens Fri 18:00 UTC',
    '@paused  paused                                                                      on [2J holiday',
  ]);
});

test('what has no room is counted, by state', () => {
  const creators = [
    ...Array.from({ length: 480 }, (_, at) => creator(`w${at}`)),
    ...Array.from({ length: 20 }, (_, at) => creator(`p${at}`, { state: 'paused' })),
  ];
  const lines = overview(status, creators, NOW_MS, 10);
  expect(lines).toHaveLength(10);
  expect(lines.at(-1)).toBe('and 493 more: 473 watching, 20 paused');
  expect(overview(status, creators.slice(0, 8), NOW_MS, 10)).toHaveLength(10);
});

describe('it is said', () => {
  test('that nobody is watched', () => {
    expect(overview(status, [], NOW_MS)).toContain('nobody is watched');
  });

  test('which limits there are, what of them is used, and which one creators wait for', () => {
    const busy: Status = {
      ...status,
      recordings: { ...status.recordings, heldBy: 'cpu', most: null },
      load: {
        cpuShare: { used: 0.834, most: 0.8 },
        downloadBytesPerSecond: { used: 2_600_000.7, most: 20_000_000 },
        uploadBytesPerSecond: { used: null, most: 2 ** 20 },
      },
    };
    expect(overview(busy, [], NOW_MS)[0]).toContain(
      ' · recording 1, 2 wait for cpu · cpu 83 % of 80 % · down 2.5 MiB/s of 19.1 MiB/s · up ? of 1.0 MiB/s · ',
    );
  });

  test('that it ends, and that the store takes nothing', () => {
    const ending = { ...status, isEnding: true, uploads: { ...status.uploads, storeTakes: false } };
    expect(overview(ending, [], NOW_MS)[0]).toMatch(
      /^livestow 1\.2\.3, ending ·.*· the store takes nothing ·/,
    );
  });
});
