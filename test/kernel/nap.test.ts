import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { Nap } from '../../src/kernel/nap.ts';
import { ManualClock } from '../manual-clock.ts';

test.each([
  ['its time is over', (_nap: Nap, clock: ManualClock) => clock.advance(1_000)],
  ['it is woken', (nap: Nap) => nap.wake()],
])('ends when %s, and leaves nothing behind', async (_what, end) => {
  const clock = new ManualClock();
  const nap = new Nap(clock);
  const { signal } = new AbortController();
  const taken = nap.take(1_000, signal);
  expect(clock.pendingMs).toEqual([1_000]);
  await end(nap, clock);
  await taken;
  expect(clock.pendingMs).toEqual([]);
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

test('ends with the reason of an abort, also of one before it', async () => {
  const clock = new ManualClock();
  const nap = new Nap(clock);
  const stop = new AbortController();
  const taken = nap.take(1_000, stop.signal);
  stop.abort(new Error('enough'));
  await expect(taken).rejects.toThrow('enough');
  await expect(nap.take(1_000, stop.signal)).rejects.toThrow('enough');
  expect(clock.pendingMs).toEqual([]);
});

test('to be woken while nobody waits says nothing to who waits next', async () => {
  const clock = new ManualClock();
  const nap = new Nap(clock);
  nap.wake();
  const taken = nap.take(1_000);
  expect(clock.pendingMs).toEqual([1_000]);
  nap.wake();
  await taken;
});
