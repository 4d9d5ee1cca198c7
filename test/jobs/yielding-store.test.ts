/** Jobs wait for recordings before each object, and can be stopped while they do. */
import { expect, test } from 'vitest';
import { verifySession } from '../../src/archive/verify.ts';
import { yieldingStore } from '../../src/jobs/yielding-store.ts';
import { buildSession, LANDSCAPE, tempStore } from '../archive/fixture.ts';

const depth = { depth: 'hashes', ffmpeg: '' } as const;

test('nothing is read before the way is free', async () => {
  await using temp = await tempStore();
  const built = await buildSession(temp.store, { epochs: [LANDSCAPE] });
  let asked = 0;
  let free = (): void => {};
  const way = new Promise<void>((resolve) => {
    free = resolve;
  });
  const store = yieldingStore(temp.store, () => {
    asked += 1;
    return way;
  });
  let isOver = false;
  const verifying = verifySession(store, built, depth).finally(() => {
    isOver = true;
  });
  await expect.poll(() => asked).toBe(1);
  // As much as is not stopped by it.
  for await (const _ of store.list(built.prefix)) expect(isOver).toBe(false);
  free();
  expect((await verifying).ok).toBe(true);
  expect(asked).toBeGreaterThan(built.manifest.segments.length);
});

test('what is to be sent is told before, with its size', async () => {
  await using temp = await tempStore();
  const asked: number[] = [];
  const store = yieldingStore(temp.store, async (_signal, bytes) => {
    expect(await temp.store.head('a/b')).toBeUndefined();
    asked.push(bytes);
  });
  await store.put('a/b', { bytes: Buffer.alloc(1_234) });
  expect(asked).toEqual([1_234]);
  expect(await temp.store.head('a/b')).toMatchObject({ bytes: 1_234 });
});

test('whoever waits for it can be stopped', async () => {
  await using temp = await tempStore();
  const built = await buildSession(temp.store, { epochs: [LANDSCAPE] });
  const stop = new AbortController();
  const store = yieldingStore(temp.store, (signal) => {
    queueMicrotask(() => stop.abort(new Error('enough')));
    return new Promise((_, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
  });
  await expect(verifySession(store, built, { ...depth, signal: stop.signal })).rejects.toThrow('enough');
  expect(await temp.store.head(`${built.prefix}manifest.json`)).toBeDefined();
});
