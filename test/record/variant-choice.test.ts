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
  expect(choice.best(15_000)).toBe(best);
});

test('who fails again and again is left alone longer, until it brought a minute of media', () => {
  const choice = new VariantChoice();
  choice.offer([best, second]);
  const untilMs = (fromMs: number): number => {
    choice.setAside(best, fromMs);
    let atMs = fromMs;
    while (choice.best(atMs) !== best) atMs += 1_000;
    return atMs - fromMs;
  };
  expect([untilMs(0), untilMs(100_000), untilMs(200_000)]).toEqual([15_000, 30_000, 60_000]);
  for (let n = 0; n < 10; n += 1) untilMs(1e6 * n);
  expect(untilMs(1e8)).toBe(600_000);
  choice.delivered(best, 59_000);
  expect(untilMs(2e8)).toBe(600_000);
  choice.delivered(best, 60_000);
  expect(untilMs(3e8)).toBe(15_000);
});

test('to spare the disk: the least bitrate of the same codec', () => {
  const rated = (id: string, bitrateBps: number | null, codecFamily: 'h264' | 'h265' = 'h264') => ({
    ...variant(id),
    bitrateBps,
    codecFamily,
  });
  const [origin, hd, sd] = [rated('origin', 4e6), rated('hd', 2e6), rated('sd', 1e6)];
  const [unknown, h265] = [rated('ld', null), rated('h265', 5e5, 'h265')];
  const choice = new VariantChoice();
  choice.offer([origin, hd, unknown, sd, h265]);
  choice.spare(true);
  expect(choice.best(0)).toBe(sd);
  expect(choice.better(origin, 0)).toBe(sd);
  expect(choice.better(sd, 0)).toBeUndefined();
  for (const expected of [hd, origin, unknown, h265]) {
    choice.setAside(choice.best(0)!, 0);
    expect(choice.best(0)).toBe(expected);
  }
  choice.spare(false);
  expect(choice.best(15_000)).toBe(origin);
  expect(choice.better(sd, 15_000)).toBe(origin);
});

test('one that ranks above another, unless it just failed', () => {
  const choice = new VariantChoice();
  choice.offer([best, second]);
  expect(choice.better(best, 0)).toBeUndefined();
  expect(choice.better(second, 0)).toBe(best);
  choice.setAside(best, 0);
  expect(choice.better(second, 14_000)).toBeUndefined();
  expect(choice.better(second, 15_000)).toBe(best);
  expect(choice.better(variant('gone'), 15_000)).toBeUndefined();
});

test('new addresses do not make one good that failed, media does', () => {
  const choice = new VariantChoice();
  choice.offer([best, second]);
  choice.setAside(best, 0);
  const again = variant('origin', 'https://cdn.example/b.flv');
  choice.offer([again, second]);
  expect(choice.best(1_000)).toBe(second);
  choice.delivered(again, 5_000);
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
