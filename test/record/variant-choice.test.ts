import { expect, test } from 'vitest';
import type { Variant } from '../../src/model/variant.ts';
import { VariantChoice } from '../../src/record/variant-choice.ts';

const variant = (id: string, url = 'https://cdn.example/a.flv'): Variant => ({
  id,
  codecFamily: 'h264',
  source: 'primary',
  qualityKey: id,
  qualityLabel: null,
  protocol: 'flv',
  url,
  width: null,
  height: null,
  bitrateBps: null,
  audioOnly: false,
});
const [best, second] = [variant('origin'), variant('hd')];

test('the best that did not just fail', () => {
  const choice = new VariantChoice();
  expect(choice.best(0)).toBeUndefined();
  choice.offer([best, second]);
  expect(choice.best(0)).toBe(best);
  choice.setAside(best, 0);
  expect(choice.best(1_000)).toBe(second);
  choice.setAside(second, 1_000);
  expect(choice.best(2_000)).toBeUndefined();
  expect(choice.best(60_000)).toBe(best);
});

test('new addresses do not make one good that failed, media does', () => {
  const choice = new VariantChoice();
  choice.offer([best, second]);
  choice.setAside(best, 0);
  const again = variant('origin', 'https://cdn.example/b.flv');
  choice.offer([again, second]);
  expect(choice.best(1_000)).toBe(second);
  choice.delivered(again);
  expect(choice.best(1_000)).toBe(again);
});

test('when all failed, all are tried again', () => {
  const choice = new VariantChoice();
  choice.offer([best]);
  choice.setAside(best, 0);
  choice.forgive();
  expect(choice.best(1)).toBe(best);
});

test('a look without streams takes none away', () => {
  const choice = new VariantChoice();
  choice.offer([best]);
  choice.offer([]);
  expect(choice.best(0)).toBe(best);
});
