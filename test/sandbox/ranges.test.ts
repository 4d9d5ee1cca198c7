import { array, assert, integer, property } from 'fast-check';
import { expect, test } from 'vitest';
import { RangeSet, type Range } from '../../src/sandbox/ranges.ts';

const numbers = array(integer({ min: 0, max: 60 }));
const setOf = (values: readonly number[]) => {
  const set = new RangeSet();
  for (const value of values) {
    set.add(value);
  }
  return set;
};
const valuesOf = (runs: readonly Range[]) =>
  runs.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i));

test('holds what was added, in as few runs as can be', () => {
  assert(
    property(numbers, (values) => {
      const set = setOf(values);
      const expected = [...new Set(values)].sort((a, b) => a - b);
      expect(valuesOf(set.runs)).toEqual(expected);
      expect(set.size).toBe(expected.length);
      expect([set.first, set.last]).toEqual([expected[0], expected.at(-1)]);
      expect(set.runs.every(([first], i) => i === 0 || first > set.runs[i - 1]![1] + 1)).toBe(true);
      expect(expected.every((value) => set.has(value)) && !set.has(61)).toBe(true);
    }),
  );
});

test('takes away what another has', () => {
  assert(
    property(numbers, numbers, (values, others) => {
      const left = [...new Set(values)].filter((value) => !others.includes(value)).sort((a, b) => a - b);
      expect(valuesOf(setOf(values).minus(setOf(others)))).toEqual(left);
    }),
  );
});
