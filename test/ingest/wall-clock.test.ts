import { describe, expect, test } from 'vitest';
import { WallClock } from '../../src/ingest/wall-clock.ts';

const NOON = Date.UTC(2026, 10, 22, 12);
const HOUR_MS = 3_600_000;

/** Arrivals are told from 0 on, and 60 s of the line had come at noon. */
function atNoon(): WallClock {
  const wall = new WallClock(NOON);
  wall.begin();
  wall.saw(60_000, 0);
  return wall;
}

describe('the machine’s clock is set', () => {
  test('forward: UTC follows from there on, the live edge stays where it was', () => {
    const wall = atNoon();
    wall.set(70_000, NOON + HOUR_MS);
    wall.saw(70_000, 10_000);
    expect(wall.utcOf(69_999)).toBe(NOON + 9_999);
    expect(wall.utcOf(70_000)).toBe(NOON + HOUR_MS + 10_000);
    expect(wall.lateMs(80_000, 20_500)).toBe(500);
  });

  test('back: UTC goes on as it was, and the next process is told the truth', () => {
    const wall = atNoon();
    wall.set(70_000, NOON - HOUR_MS);
    wall.saw(70_000, 10_000);
    expect(wall.utcOf(70_000)).toBe(NOON + 10_000);
    expect(wall.lateMs(80_000, 20_500)).toBe(500);
    expect(wall.wallMs + 70_000).toBe(NOON - HOUR_MS + 10_000);
  });

  test('to and fro: UTC never goes back', () => {
    const wall = atNoon();
    wall.set(70_000, NOON - HOUR_MS);
    wall.set(71_000, NOON + 5_000);
    wall.set(72_000, NOON - 5_000);
    expect([69_000, 70_000, 71_000, 72_000].map((dtsMs) => wall.utcOf(dtsMs) - NOON)).toEqual([
      9_000, 10_000, 16_000, 17_000,
    ]);
  });

  test('before there is any media', () => {
    const wall = new WallClock(NOON);
    wall.set(0, NOON + HOUR_MS);
    wall.begin();
    wall.saw(60_000, 0);
    expect(wall.utcOf(60_000)).toBe(NOON + HOUR_MS);
  });
});

test('an earlier process’s media lies where it did, and what is missing is told by its edge', () => {
  const before = atNoon();
  const wall = new WallClock(NOON + 30_000);
  wall.begin(before.wallMs);
  expect(wall.utcOf(60_000)).toBe(NOON);
  // Half a minute later, by the clock of a process that begins at 0.
  expect(wall.lateMs(60_000, 0)).toBe(30_000);
});
