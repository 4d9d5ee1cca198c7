import { expect, test } from 'vitest';
import { StallWatchdog } from '../../src/record/stall-watchdog.ts';
import { ManualClock } from '../manual-clock.ts';

const begin = (): { clock: ManualClock; watchdog: StallWatchdog } => {
  const clock = new ManualClock();
  return { clock, watchdog: new StallWatchdog(clock, 4_000) };
};

test('silence for that long is a stall, and what comes in between begins it anew', async () => {
  const { clock, watchdog } = begin();
  await clock.advance(3_900);
  watchdog.pause();
  watchdog.resume(true);
  await clock.advance(3_900);
  expect(watchdog.signal.aborted).toBe(false);
  await clock.advance(200);
  expect(watchdog.signal.aborted).toBe(true);
});

test('time in which the recorder itself is at work, or stands still, is no silence', async () => {
  const { clock, watchdog } = begin();
  watchdog.pause();
  await clock.advance(60_000);
  watchdog.resume(false);
  clock.suspend(60_000);
  await clock.advance(3_000);
  expect(watchdog.signal.aborted).toBe(false);
});

test('what came while it stood still can be read before that is a stall', async () => {
  const { clock, watchdog } = begin();
  await clock.advance(3_950);
  clock.suspend(5_000);
  await clock.advance(100);
  expect(watchdog.signal.aborted).toBe(false);
  watchdog.pause();
  watchdog.resume(true);
  await clock.advance(3_900);
  expect(watchdog.signal.aborted).toBe(false);
});

test('and where nothing came either, it is one soon', async () => {
  const { clock, watchdog } = begin();
  await clock.advance(3_950);
  clock.suspend(5_000);
  await clock.advance(1_200);
  expect(watchdog.signal.aborted).toBe(true);
});
