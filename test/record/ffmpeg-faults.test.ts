/** ffmpeg dies, hangs, lies or is given up: nothing hangs, nothing runs on, and the error says so. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import type { LivestowError } from '../../src/kernel/errors.ts';
import { makeMp4, probe, remux, type Units, unitsOfMp4 } from '../media/made.ts';
import { ManualClock } from '../manual-clock.ts';
import {
  beginRecording,
  engineError,
  feed,
  isRunning,
  newFolder,
  observedFfmpeg,
  pidIn,
  record,
  type Recording,
  script,
} from './recording.ts';

const START_MS = 60_000;
let mp4: string;
let units: Units;

beforeAll(() => {
  // 2 s between keyframes: segments of 4 s.
  mp4 = makeMp4('faults', { seconds: 14, extra: ['-g', '60'] });
  units = unitsOfMp4(mp4, START_MS);
});

const until = (ms: number) => units.packets.filter(({ dtsMs }) => dtsMs < START_MS + ms);
const from = (ms: number) => units.packets.filter(({ dtsMs }) => dtsMs >= START_MS + ms);

/** Writes on until the engine says that it is gone. */
async function writeUntilRefused({ sink }: Recording): Promise<LivestowError> {
  const writing = async (): Promise<never> => {
    for (;;) {
      await feed(sink, units.packets.slice(-50), 1);
      await turn();
    }
  };
  return engineError(writing());
}

describe.each(['mpegts', 'fmp4'] as const)('%s', (container) => {
  test(
    'kill -9 of ffmpeg: what was closed stays, the next engine goes on from there',
    { tags: 'engine-died' },
    async () => {
      const { path, pidFile } = observedFfmpeg();
      const first = await beginRecording(units, { container, engine: { ffmpegPath: path } });
      await feed(first.sink, until(9_000));
      await first.handedOver(2);
      process.kill(pidIn(pidFile), 'SIGKILL');
      const error = await writeUntilRefused(first);
      expect(error.retryable).toBe(true);
      expect(error.context).toMatchObject({ segment: 3, signal: 'SIGKILL' });
      await engineError(first.sink.write(from(9_000)));
      await engineError(first.sink.end());
      await first.sink.abort();
      const files = readdirSync(first.folder).filter((name) => !name.endsWith('init.mp4'));
      expect(files).toHaveLength(2);

      const rest = await record(
        { ...units, packets: from(8_000) },
        { container, folder: first.folder, firstSegment: 3 },
      );
      const segments = [...first.segments, ...rest.segments];
      expect(segments.map(({ n, pictures, firstDtsMs }) => [n, pictures, firstDtsMs])).toEqual([
        [1, 120, START_MS],
        [2, 120, START_MS + 4_000],
        [3, 120, START_MS + 8_000],
        [4, 60, START_MS + 12_000],
      ]);
    },
  );

  test('a stopped ffmpeg (SIGSTOP) is found out and ended', { tags: 'engine-died' }, async () => {
    const { path, pidFile } = observedFfmpeg();
    const recording = await beginRecording(units, {
      container,
      engine: { ffmpegPath: path, stallMs: 1_000 },
    });
    await feed(recording.sink, until(5_000));
    await recording.handedOver(1);
    const pid = pidIn(pidFile);
    process.kill(pid, 'SIGSTOP');
    const error = await writeUntilRefused(recording);
    expect(error.retryable).toBe(true);
    expect(isRunning(pid)).toBe(false);
  });

  test('abort ends it at once, twice if need be, and leaves only what was handed over', async () => {
    const { path, pidFile } = observedFfmpeg();
    const recording = await beginRecording(units, { container, engine: { ffmpegPath: path } });
    await feed(recording.sink, until(5_000));
    await recording.handedOver(1);
    await Promise.all([recording.sink.abort(), recording.sink.abort()]);
    expect(isRunning(pidIn(pidFile))).toBe(false);
    expect(readdirSync(recording.folder).filter((name) => !name.endsWith('init.mp4'))).toHaveLength(1);
    await engineError(recording.sink.write(from(5_000)));
  });

  test('an exit code of 0 without the pictures is not believed', { tags: 'engine-wrong' }, async () => {
    const { path } = script('cat > /dev/null; exit 0');
    const recording = await beginRecording(units, { container, engine: { ffmpegPath: path } });
    await feed(recording.sink, units.packets);
    const error = await engineError(recording.sink.end());
    expect(error.context).toMatchObject({ exitCode: 0, missingPictures: 420 });
  });
});

test('one that finishes nothing while media flows on is found out', { tags: 'engine-wrong' }, async () => {
  const { path, pidFile } = script('exec cat > /dev/null');
  const clock = new ManualClock();
  const recording = await beginRecording(units, { engine: { ffmpegPath: path, clock } });
  await feed(recording.sink, until(12_000));
  await clock.advance(9_900);
  await feed(recording.sink, from(12_000).slice(0, 1));
  await clock.advance(200);
  const error = await engineError(feed(recording.sink, from(12_000).slice(1, 2)));
  expect(error.message).toContain('not finished segment 1');
  expect(isRunning(pidIn(pidFile))).toBe(false);
});

test('one that ignores the end of its input and SIGTERM is killed', async () => {
  const { path, pidFile } = script("trap '' TERM; cat > /dev/null; while :; do sleep 0.05; done");
  const recording = await beginRecording(units, { engine: { ffmpegPath: path, endMs: 100 } });
  await feed(recording.sink, until(1_000));
  const error = await engineError(recording.sink.end());
  expect(error.context).toMatchObject({ signal: 'SIGKILL', missingPictures: 30 });
  expect(isRunning(pidIn(pidFile))).toBe(false);
});

test('an ffmpeg that is not there', async () => {
  const recording = await beginRecording(units, { engine: { ffmpegPath: join(newFolder(), 'none') } });
  const error = await engineError(feed(recording.sink, units.packets).then(() => recording.sink.end()));
  expect(JSON.stringify(error.context)).toContain('ENOENT');
});

test('the keys in the environment are not passed on', async () => {
  const seen = join(newFolder(), 'environment');
  process.env['LIVESTOW_API_KEY'] = 'sfk_canary_of_the_engine';
  try {
    const { path } = script(`env > '${seen}'; exec ffmpeg "$@"`);
    await record({ ...units, packets: until(1_000) }, { engine: { ffmpegPath: path } });
  } finally {
    delete process.env['LIVESTOW_API_KEY'];
  }
  expect(execFileSync('cat', [seen], { encoding: 'utf8' })).not.toContain('canary');
});

test('kill -9 of the recorder: ffmpeg closes its segment and leaves', async () => {
  const { path, pidFile } = observedFfmpeg();
  const folder = newFolder();
  const flv = join(newFolder(), 'input.flv');
  writeFileSync(flv, remux(mp4, '-f', 'flv'));
  const program = fileURLToPath(new URL('fixtures/recording-process.ts', import.meta.url));
  const recorder = spawn(process.execPath, [program, flv, folder, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said: string[] = [];
  for await (const line of createInterface({ input: recorder.stdout })) {
    said.push(line);
    if (said.includes('fed') && said.includes('segment 3')) break;
  }
  const pid = pidIn(pidFile);
  expect(isRunning(pid)).toBe(true);
  recorder.kill('SIGKILL');
  await once(recorder, 'exit');
  await expect.poll(() => isRunning(pid), { timeout: 2_000, interval: 20 }).toBe(false);
  // The fourth was open; it has all that was fed.
  const last = join(folder, '0001-0001-000004.ts');
  expect(existsSync(last)).toBe(true);
  expect(probe(last).video).toHaveLength(60);
});
