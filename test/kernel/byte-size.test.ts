import { expect, test } from 'vitest';
import { formatBytes, parseByteSize } from '../../src/kernel/byte-size.ts';

test.each([
  ['512MiB', 536_870_912],
  ['2GB', 2_000_000_000],
  ['1.5 gib', 1_610_612_736],
  [' 700 kB ', 700_000],
  ['1TiB', 1_099_511_627_776],
  ['12b', 12],
  ['0', 0],
  ['0MiB', 0],
])('%s is %i bytes', (text, bytes) => {
  expect(parseByteSize(text)).toBe(bytes);
});

test.each(['', '512', 'MiB', '-1MiB', '1e3MB', '512 MiB!', '5M', '1.MiB', '1,5GB', '999999999TiB'])(
  '%j is no size',
  (text) => {
    expect(parseByteSize(text)).toBeUndefined();
  },
);

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1.0 KiB'],
  [1.5 * 2 ** 30, '1.5 GiB'],
])('%i bytes are shown as %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});
