import { expect, test } from 'vitest';
import { parseHandle, requireHandle } from '../../src/model/handle.ts';

test.each([
  ['alice', 'alice'],
  ['@alice', 'alice'],
  ['@Alice.B_9', 'alice.b_9'],
  ['...', '...'],
  ['_', '_'],
  ['x'.repeat(64), 'x'.repeat(64)],
])('%j is the handle %j', (text, handle) => {
  expect(parseHandle(text)).toBe(handle);
});

test.each([
  '',
  '@',
  '.',
  '..',
  '@..',
  '@@alice',
  'a/b',
  '../etc',
  'a\\b',
  'a b',
  ' alice',
  'alice\n',
  'ä',
  '-rf',
  'a%2Fb',
  'a\0',
  'x'.repeat(65),
])('%j is none', (text) => {
  expect(parseHandle(text)).toBeUndefined();
  expect(() => requireHandle(text)).toThrow(/^not a handle/);
});
