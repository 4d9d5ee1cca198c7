import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { AnySignal } from '../../src/kernel/any-signal.ts';

const collectGarbage = (): void => {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
};

test('aborts with the first that does, and with its reason', () => {
  const [one, other] = [new AbortController(), new AbortController()];
  using any = new AnySignal(one.signal, other.signal);
  expect(any.signal.aborted).toBe(false);
  other.abort('the other');
  one.abort('the one');
  expect(any.signal.reason).toBe('the other');
});

test('is aborted from the beginning when one of them is', () => {
  using any = new AnySignal(new AbortController().signal, AbortSignal.abort('before'));
  expect(any.signal.reason).toBe('before');
});

test('stays aborted when what aborted it is gone', async () => {
  let gone: AbortController | null = new AbortController();
  using inner = new AnySignal(gone.signal, new AbortController().signal);
  using any = new AnySignal(inner.signal);
  gone.abort('gone');
  gone = null;
  for (let round = 0; round < 3; round += 1) {
    await turn();
    collectGarbage();
  }
  expect(any.signal.reason).toBe('gone');
});

test('leaves no listener on a signal that goes on', () => {
  const long = new AbortController();
  for (let n = 0; n < 3; n += 1) {
    const short = new AbortController();
    using any = new AnySignal(long.signal, short.signal);
    if (n === 1) short.abort();
    expect(any.signal.aborted).toBe(n === 1);
  }
  expect(getEventListeners(long.signal, 'abort')).toEqual([]);
});
