import { expect, test } from 'vitest';
import { ByteQueue } from '../../src/media/byte-queue.ts';

test('bytes come out in their order, whatever is pushed and taken between', () => {
  const queue = new ByteQueue();
  const taken: Buffer[] = [];
  let pushed = 0;
  for (let step = 1; step <= 400; step += 1) {
    const bytes = Buffer.from(Array.from({ length: (step * 37) % 101 }, () => pushed++ % 251));
    queue.push(bytes);
    if (step % 3 === 0) taken.push(Buffer.from(queue.take((step * 53) % 211)));
  }
  taken.push(Buffer.from(queue.take()));
  expect(queue.length).toBe(0);
  const all = Buffer.concat(taken);
  expect(all.length).toBe(pushed);
  expect(all.every((byte, at) => byte === at % 251)).toBe(true);
});

test('what was taken stays as it was until more is pushed, and memory is used again', () => {
  const queue = new ByteQueue();
  queue.push(Buffer.from('abcdef'));
  const first = queue.take(4);
  const second = queue.take();
  expect([first.toString(), second.toString()]).toEqual(['abcd', 'ef']);
  const { capacity } = queue;
  for (let n = 0; n < 100; n += 1) {
    queue.push(Buffer.from('ghijkl'));
    expect(queue.take().toString()).toBe('ghijkl');
  }
  expect(queue.capacity).toBe(capacity);
});
