/** MP4s that are ordered on a page: what they may take of the disk, and that nothing of them stays. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Exports } from '../../src/browse/exports.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import { buildSession, tempStore, type BuiltSession } from '../archive/fixture.ts';
import { ManualClock } from '../manual-clock.ts';

interface World {
  exports: Exports;
  built: BuiltSession;
  parent: string;
  clock: ManualClock;
  another: () => Promise<Exports>;
}

async function world(reserveBytes = 0): Promise<World> {
  const temp = await tempStore();
  const parent = await mkdtemp(join(tmpdir(), 'livestow-exports-'));
  const clock = new ManualClock();
  const ffmpegPath = (): Promise<string> => Promise.resolve('ffmpeg');
  const open = { store: temp.store, parent, reserveBytes, ffmpegPath, clock, log: silentLogger() };
  const exports = await Exports.open(open);
  onTestFinished(async () => {
    await exports.close();
    await temp[Symbol.asyncDispose]();
    await rm(parent, { recursive: true, force: true });
  });
  return { exports, built: await buildSession(temp.store), parent, clock, another: () => Exports.open(open) };
}

const order = ({ exports, built }: World) => exports.order({ ...built, from: null, to: null });
const stateOf = ({ exports, built }: World): string | undefined => exports.of(built)[0]?.state;
/** Of the exports themselves. */
const lying = async (parent: string): Promise<string[]> =>
  (await readdir(parent, { recursive: true })).filter((name) => /\/[\w-]{12}-/.test(name));

test('one that is called off as it begins leaves nothing', async () => {
  const made = await world();
  const { exports, built, parent } = made;
  const { id } = order(made);
  await expect.poll(() => stateOf(made)).toBe('working');
  await exports.cancel(built, id);
  expect(exports.of(built)).toEqual([]);
  expect(await lying(parent)).toEqual([]);
});

test('one that was made is there for an hour', async () => {
  const made = await world();
  order(made);
  await expect.poll(() => stateOf(made), { timeout: 20_000 }).toBe('done');
  expect(await lying(made.parent)).not.toEqual([]);
  await made.clock.advance(3_600_000);
  await expect.poll(() => lying(made.parent)).toEqual([]);
  expect(made.exports.of(made.built)).toEqual([]);
});

test('what recordings may need of the disk stays free', async () => {
  const made = await world(Number.MAX_SAFE_INTEGER);
  order(made);
  await expect.poll(() => stateOf(made)).toBe('failed');
  expect(made.exports.of(made.built)[0]?.problem).toContain('no room');
});

test('what a killed process left is removed by the next one, and nothing of one that lives', async () => {
  const made = await world();
  order(made);
  await expect.poll(() => stateOf(made), { timeout: 20_000 }).toBe('done');
  const left = join(made.parent, 'exports-of-a-dead-one');
  await mkdir(left);
  await writeFile(join(left, 'half.mp4'), 'x');
  const next = await made.another();
  expect(await readdir(made.parent)).not.toContain('exports-of-a-dead-one');
  expect(await lying(made.parent)).not.toEqual([]);
  await next.close();
});
