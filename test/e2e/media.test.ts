/** What the media of a broadcast does to a recording: each picture and each frame of sound that was sent is counted. */
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import type { FAULTS } from '../faults.ts';
import { interruptAfterTheEnd } from './cut.ts';
import type { FaultInput } from '../../src/sandbox/faults.ts';
import { accountPictures, pictureNumbers } from '../support/pictures.ts';
import { soundOffsetsMs } from '../support/sound.ts';
import { expectFaithfulSession, type Expected } from './faithful.ts';
import { World, WORLD_TIMEOUT_MS } from './world.ts';

vi.setConfig({ testTimeout: WORLD_TIMEOUT_MS });

const SMALL = 'h264 360x640';
const TURNED = 'h264 640x360';

test.concurrent('a broadcast without faults is archived whole, and plays', async () => {
  await using world = await World.open({ alice: { durationMs: 10_000 } });
  const run = await world.record();
  expect(await run.exited).toEqual({ code: 0, signal: null });
  const session = await expectFaithfulSession(world);
  expect(session.pictures).toMatchObject({ first: 0, missing: [] });
  expect(session.manifest.coverage.ratio).toBe(1);
  expect(run.stdout).toContain(`${session.manifest.session} sealed`);
  // Not the frames only: what is heard belongs to what is seen, and the playlist has it all.
  const paths = session.manifest.segments.map(({ key }) => join(session.folder, key));
  const offsets = await soundOffsetsMs(paths);
  expect(offsets.length).toBeGreaterThan(10);
  expect(Math.max(...offsets.map(Math.abs))).toBeLessThan(25);
  const played = accountPictures(await pictureNumbers(join(session.folder, 'index.m3u8')));
  expect(played.present).toEqual(session.pictures.present);
});

interface Scenario extends Expected {
  name: string;
  faults: FaultInput[];
  /** Names of them, as in `test/faults.ts`. */
  tags: (typeof FAULTS)[number][];
  /** Those that must have had an effect, all of them unless told. */
  fires?: FaultInput['type'][];
}

const scenarios: Scenario[] = [
  {
    name: 'another picture size and back: an epoch each, no picture lost',
    tags: ['picture-changed'],
    faults: [
      { type: 'media', media: 'small-landscape', atMs: 4_000 },
      { type: 'media', media: 'small', atMs: 7_000 },
    ],
    epochs: [SMALL, TURNED, SMALL],
  },
  {
    name: 'the connection drops in mid-GOP, the next one sends two GOPs again',
    tags: ['connection-lost', 'sent-again'],
    faults: [
      { type: 'join', gops: 2, atMs: 5_000 },
      { type: 'drop', atMs: 5_300 },
    ],
  },
  {
    name: 'the connection drops in mid-GOP, the next one sends two GOPs again with timestamps from 0',
    tags: ['connection-lost', 'sent-again', 'timestamps'],
    faults: [
      { type: 'join', gops: 2, timestamps: 'restart', atMs: 5_000 },
      { type: 'drop', atMs: 5_300 },
    ],
  },
  {
    name: 'three connections that break within seconds, the last one by a proper end',
    tags: ['connection-lost'],
    faults: [
      { type: 'drop', atMs: 3_100 },
      { type: 'drop', atMs: 4_400 },
      { type: 'close', atMs: 4_900 },
    ],
  },
  {
    name: 'a stall of 3 s, then a drop',
    tags: ['stall', 'connection-lost'],
    faults: [{ type: 'stall', forMs: 3_000, afterwards: 'drop', atMs: 4_300 }],
    epochs: [SMALL, SMALL],
    gaps: ['connection-lost'],
  },
  {
    name: 'a stall that never ends is given up for a new connection',
    tags: ['stall'],
    faults: [{ type: 'stall', forMs: 60_000, atMs: 4_300 }],
    epochs: [SMALL, SMALL],
    gaps: ['stall'],
  },
  {
    name: 'a stall after which the CDN leaves out what it withheld',
    tags: ['stall'],
    faults: [{ type: 'stall', forMs: 3_000, atMs: 4_300 }],
    epochs: [SMALL, SMALL],
    gaps: ['stall'],
  },
  {
    name: 'a stall after which the CDN sends all that it withheld',
    tags: ['stall'],
    faults: [{ type: 'stall', forMs: 3_000, afterwards: 'catch-up', atMs: 4_300 }],
  },
  {
    name: 'the encoder pauses for 2 s',
    tags: ['stall'],
    faults: [{ type: 'stall', scope: 'source', forMs: 2_000, atMs: 4_300 }],
    epochs: [SMALL, SMALL],
    gaps: ['stall'],
  },
  {
    name: 'timestamps jump by an hour, and back by more',
    tags: ['timestamps'],
    faults: [
      { type: 'jump', byMs: 3_600_000, atMs: 3_500 },
      { type: 'jump', byMs: -3_602_000, atMs: 7_000 },
    ],
  },
  {
    name: 'timestamps start again from 0',
    tags: ['timestamps'],
    faults: [{ type: 'reset', atMs: 5_300 }],
  },
  {
    name: 'the last two GOPs are sent again within the connection, timestamps and all',
    tags: ['sent-again'],
    faults: [{ type: 'replay', gops: 2, atMs: 6_900 }],
  },
  {
    name: 'the last GOP is sent again within the connection, with timestamps that go on',
    tags: ['sent-again', 'timestamps'],
    faults: [{ type: 'replay', gops: 1, timestamps: 'onward', atMs: 6_900 }],
  },
  {
    name: 'a dead connection goes round its last GOP',
    tags: ['stall', 'sent-again'],
    faults: [{ type: 'loop', forMs: 60_000, atMs: 4_300 }],
    epochs: [SMALL, SMALL],
    gaps: ['stall'],
  },
  {
    name: 'noise between two tags, then half a tag: each time a new connection, which sends the last GOPs again',
    tags: ['hostile-bytes', 'torn-media'],
    faults: [
      { type: 'join', gops: 2, atMs: 4_000 },
      { type: 'garble', how: 'garbage', atMs: 4_400 },
      { type: 'garble', how: 'torn-tag', atMs: 7_300 },
    ],
  },
  {
    name: 'the audio header comes late, and the same headers again and again',
    tags: ['late-sound-header'],
    faults: [
      { type: 'late-audio-header', byMs: 1_500, frames: 'sent', forMs: 3_000, atMs: 0 },
      { type: 'repeat-headers', forMs: 6_000, atMs: 3_000 },
    ],
  },
];

describe.concurrent('a broadcast over FLV with faults', () => {
  for (const { name, faults, tags, fires, ...expected } of scenarios) {
    // oxlint-disable-next-line vitest/valid-title -- tags differ, so it is no table
    test(name, { tags }, async () => {
      await using world = await World.open({ alice: { durationMs: 10_500, faults } });
      const run = await world.record();
      await interruptAfterTheEnd(world, run);
      for (const type of fires ?? faults.map((fault) => fault.type)) {
        expect(world.sandbox.fired('alice', type).length, type).toBeGreaterThan(0);
      }
      await expectFaithfulSession(world, { endCause: 'stopped', ...expected });
    });
  }
});
