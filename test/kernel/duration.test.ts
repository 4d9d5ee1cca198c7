import { expect, test } from 'vitest';
import { formatDuration, parseDurationMs } from '../../src/kernel/duration.ts';

const HOUR = 3_600_000;

test.each([
  ['500ms', 500],
  ['1h30m', 1.5 * HOUR],
  ['90d', 90 * 24 * HOUR],
  ['2w', 14 * 24 * HOUR],
  ['1w1d', 8 * 24 * HOUR],
  [' 1.5d ', 36 * HOUR],
])('%s is %i ms', (text, ms) => {
  expect(parseDurationMs(text)).toBe(ms);
});

test.each(['', '90', 'd', '-1d', '1 d', '1y', '1d2'])('%j is no duration', (text) => {
  expect(parseDurationMs(text)).toBeUndefined();
});

test.each([
  [0, '0s'],
  [1.5 * HOUR, '1h30m'],
  [14 * 24 * HOUR, '14d'],
  [61_001, '1m1s1ms'],
])('%i ms are shown as %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
  expect(parseDurationMs(text)).toBe(ms);
});
