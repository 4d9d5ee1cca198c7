import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exportSession } from '../../src/archive/export.ts';
import { startPlayer, type PlayerServer } from '../../src/archive/player-server.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { openBrowser } from './browser.ts';
import { buildSession, tempStore, type SessionSpec, type TempStore } from './fixture.ts';

let browser: Browser;
let temp: TempStore;
beforeAll(async () => {
  [browser, temp] = await Promise.all([openBrowser(), tempStore()]);
});
afterAll(async () => {
  await browser.close();
  await temp[Symbol.asyncDispose]();
});

interface Played {
  duration: number;
  endedAt: number;
  /** Sizes in the order in which they were shown. */
  sizes: string[];
  /** Longest step of the clock between two looks at it, in seconds of media. */
  longestStep: number;
  decoded: number;
}

/** Plays what the page's video element has from its first to its last second. A text: the tests know no DOM. */
const PLAY_TO_END = `(async () => {
  const video = document.querySelector('video');
  const sizes = [];
  let last = 0;
  let longestStep = 0;
  const look = () => {
    longestStep = Math.max(longestStep, video.currentTime - last);
    last = video.currentTime;
    const size = video.videoWidth + 'x' + video.videoHeight;
    if (sizes.at(-1) !== size && video.videoWidth > 0) sizes.push(size);
  };
  video.addEventListener('timeupdate', look);
  video.addEventListener('resize', look);
  video.muted = true;
  video.playbackRate = 2;
  const ended = new Promise((resolve, reject) => {
    video.addEventListener('ended', resolve, { once: true });
    video.addEventListener('error', () => reject(new Error(video.error.message)), { once: true });
  });
  await video.play();
  await ended;
  const { totalVideoFrames: decoded } = video.getVideoPlaybackQuality();
  return { duration: video.duration, endedAt: video.currentTime, sizes, longestStep, decoded };
})()`;

const playToEnd = (page: Page): Promise<Played> => page.evaluate<Played>(PLAY_TO_END);

/** Everything that goes wrong on the page, and every request that leaves it. */
function watch(page: Page, server: PlayerServer): string[] {
  const wrong: string[] = [];
  page.on('pageerror', (error) => wrong.push(`error: ${error.message}`));
  page.on('console', (message) => message.type() === 'error' && wrong.push(`console: ${message.text()}`));
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(server.pageUrl) && !url.startsWith('blob:')) wrong.push(`request: ${url}`);
  });
  return wrong;
}

async function onPage<T>(
  spec: SessionSpec,
  use: (page: Page, server: PlayerServer) => Promise<T>,
): Promise<T> {
  const built = await buildSession(temp.store, spec);
  const server = await startPlayer(temp.store, built, { port: 0, clock: systemClock });
  const page = await browser.newPage();
  try {
    const wrong = watch(page, server);
    await page.goto(server.pageUrl);
    const result = await use(page, server);
    expect(wrong).toEqual([]);
    return result;
  } finally {
    await page.close();
    await server.close();
  }
}

test('index.m3u8 plays from its first to its last second across epochs of different sizes', async () => {
  const played = await onPage({ roomId: 'ts' }, playToEnd);
  expect(played.sizes).toEqual(['180x320', '320x180']);
  expect(played.duration).toBeCloseTo(10, 0);
  expect(played.endedAt).toBeCloseTo(played.duration, 1);
  expect(played.longestStep).toBeLessThan(1.5);
  expect(played.decoded).toBeGreaterThan(140);
});

test('the same in fragmented MP4', async () => {
  const played = await onPage({ roomId: 'mp4', container: 'fmp4' }, playToEnd);
  expect(played.sizes).toEqual(['180x320', '320x180']);
  expect(played.endedAt).toBeCloseTo(10, 0);
});

test('the exported MP4 plays to its end', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'livestow-export-'));
  const page = await browser.newPage();
  try {
    const built = await buildSession(temp.store, { roomId: 'export' });
    const out = join(folder, 'tea.mp4');
    await exportSession(temp.store, built, { out, force: false, ffmpegPath: 'ffmpeg' });
    await page.goto(pathToFileURL(out).href);
    const played = await playToEnd(page);
    expect(played.sizes).toEqual(['180x320', '320x180']);
    expect(played.duration).toBeCloseTo(10, 0);
    expect(played.endedAt).toBeCloseTo(played.duration, 1);
    expect(played.decoded).toBeGreaterThan(140);
  } finally {
    await page.close();
    await rm(folder, { recursive: true, force: true });
  }
});

test('the page says what it plays, in the creator’s words and as text only', async () => {
  const title = '<img src=x onerror="document.title=1"> Tea';
  await onPage({ roomId: 'title', title }, async (page, server) => {
    await page.waitForSelector('#gaps tr');
    expect(await page.textContent('#title')).toBe(title);
    expect(await page.locator('main img').count()).toBe(0);
    expect(await page.textContent('#facts')).toContain('@alice');
    expect(await page.textContent('#facts')).toContain('h264 320×180');
    expect(await page.textContent('#gaps')).toContain('found-late');
    expect(await page.textContent('#address')).toBe(server.playlistUrl);
    expect(await page.isVisible('#problem')).toBe(false);
  });
});
