import { describe, expect, test } from 'vitest';
import { Places, type Place } from '../../src/kernel/places.ts';

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

describe('places that are let out a few at a time', () => {
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

  /** Who comes, in order, each holding its place. */
  async function crowd(places: Places<'weather'>, priorities: number[]): Promise<Map<number, Place>> {
    const inside = new Map<number, Place>();
    for (const priority of priorities)
      void places.take(never, { priority }).then((place) => inside.set(priority, place));
    await turn();
    return inside;
  }

  test('so many come, the highest priority first, and one always may', async () => {
    const places = new Places<'weather'>(null);
    places.admit(0, 'weather');
    const inside = await crowd(places, [1, 5, 3, 4, 2]);
    // It was there first.
    expect([...inside.keys()]).toEqual([1]);
    expect(places.heldBy).toBe('weather');
    for (const [more, expected] of [
      [0, [1]],
      [1, [1, 5]],
      [2, [1, 5, 4, 3]],
    ] as const) {
      places.admit(more, 'weather');
      await turn();
      expect([...inside.keys()]).toEqual(expected);
    }
    places.admitAll();
    await turn();
    expect([places.taken, places.waiting, places.heldBy]).toEqual([5, 0, null]);
  });

  test('a place that is given back is not taken until somebody says so, but for the only one', async () => {
    const places = new Places<'weather'>(null);
    const inside = await crowd(places, [9, 8]);
    places.admit(0, 'weather');
    for (const [priority, place] of await crowd(places, [3, 2, 1])) inside.set(priority, place);
    inside.get(9)?.release();
    await turn();
    expect([places.taken, places.waiting]).toEqual([1, 3]);
    places.admit(1, 'weather');
    await turn();
    expect([places.taken, places.waiting]).toEqual([2, 2]);
    places.admit(0, 'weather');
    inside.get(8)?.release();
    await turn();
    expect([places.taken, places.waiting]).toEqual([1, 2]);
  });

  test('nobody is left outside for good: the last to leave lets one in', async () => {
    const places = new Places<'weather'>(null);
    places.admit(0, 'weather');
    const came: number[] = [];
    await Promise.all(
      [0, 0, 0, 0].map(async (priority, at) => {
        const place = await places.take(never, { priority });
        came.push(at);
        expect(places.taken).toBe(1);
        place.release();
      }),
    );
    expect(came).toEqual([0, 1, 2, 3]);
  });

  test('there are never more than there are', async () => {
    const places = new Places<'weather'>(2);
    places.admit(5, 'weather');
    const inside = await crowd(places, [1, 2, 3, 4]);
    expect([inside.size, places.heldBy, places.most]).toEqual([2, 'places', 2]);
    places.most = 3;
    await turn();
    expect([inside.size, places.heldBy]).toEqual([3, 'places']);
    places.most = null;
    await turn();
    expect([inside.size, places.heldBy]).toEqual([4, null]);
  });
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
