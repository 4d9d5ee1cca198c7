import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { Deadline } from '../../src/kernel/deadline.ts';
import { ManualClock } from '../manual-clock.ts';

test('aborts when the time has passed, and not before', async () => {
  const clock = new ManualClock();
  using deadline = new Deadline(clock, 1_000);
  await clock.advance(999);
  expect(deadline.signal.aborted).toBe(false);
  await clock.advance(1);
  expect(deadline.signal.aborted).toBe(true);
});

test('aborts with the other signal, and with its reason', () => {
  const stop = new AbortController();
  using deadline = new Deadline(new ManualClock(), 1_000, stop.signal);
  stop.abort('stopped');
  expect(deadline.signal.reason).toBe('stopped');
});

test('leaves neither a timer nor a listener', () => {
  const clock = new ManualClock();
  const stop = new AbortController();
  {
    using deadline = new Deadline(clock, 1_000, stop.signal);
    expect(deadline.signal.aborted).toBe(false);
  }
  expect(clock.pendingMs).toEqual([]);
  expect(getEventListeners(stop.signal, 'abort')).toEqual([]);
});
