import { expect, test } from 'vitest';
import { Places } from '../../src/kernel/places.ts';

const never = new AbortController().signal;

test('who comes when all are taken waits: the highest priority first, among equals the first', async () => {
  const places = new Places(1);
  const first = await places.take(never);
  expect(first.hasWaited).toBe(false);
  const order: string[] = [];
  const waits: string[] = [];
  const come = async (name: string, priority: number): Promise<void> => {
    const place = await places.take(never, { priority, onWait: () => waits.push(name) });
    order.push(name);
    expect(place.hasWaited).toBe(true);
    place.release();
  };
  const all = Promise.all([come('a', 0), come('b', 0), come('urgent', 5), come('c', 0)]);
  expect(places.waiting).toBe(4);
  first.release();
  await all;
  expect(waits).toEqual(['a', 'b', 'urgent', 'c']);
  expect(order).toEqual(['urgent', 'a', 'b', 'c']);
  await expect.poll(() => [places.taken, places.waiting]).toEqual([0, 0]);
});

test('more places are for those who wait; fewer send nobody away', async () => {
  const places = new Places(1);
  const held = [await places.take(never)];
  const coming = places.take(never);
  places.most = 2;
  held.push(await coming);
  places.most = 1;
  expect([places.taken, places.most]).toEqual([2, 1]);
  for (const place of held) place.release();
});

test('who does not want to wait any more goes at once; a place that is taken is held whatever is wanted', async () => {
  const places = new Places(1);
  const holder = new AbortController();
  const held = await places.take(holder.signal);
  const waiter = new AbortController();
  const waiting = places.take(waiter.signal);
  waiter.abort(new Error('changed my mind'));
  await expect(waiting).rejects.toThrow('changed my mind');
  expect(places.waiting).toBe(0);
  holder.abort();
  const next = places.take(never);
  await new Promise((resolve) => setImmediate(resolve));
  expect([places.taken, places.waiting]).toEqual([1, 1]);
  held.release();
  (await next).release();
  await expect(places.take(AbortSignal.abort(new Error('before')))).rejects.toThrow('before');
});
