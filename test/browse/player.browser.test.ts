/** The player in a real browser: plays to the end over epochs and gaps, and scrubs to the right picture. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exportSession } from '../../src/archive/export.ts';
import {
  buildSession,
  LANDSCAPE,
  PORTRAIT,
  publish,
  tempStore,
  type BuiltSession,
  type SessionSpec,
  type TempStore,
} from '../archive/fixture.ts';
import { FPS } from '../archive/media.ts';
import { openBrowser } from './browser.ts';
import { play } from './browsed.ts';
import { barriers, isTooWide, numberPreviewed, numberShown, onPage, SIZES, until } from './watched-page.ts';

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
  /** Seconds of media that were jumped over. */
  skipped: number;
  decoded: number;
}

/** Plays what the page's video element has from its first to its last second. A text: the tests know no DOM. */
const PLAY_TO_END = `(async () => {
  const video = document.querySelector('video');
  const sizes = [];
  const look = () => {
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
  let skipped = 0;
  for (let i = 1; i < video.played.length; i += 1) skipped += video.played.start(i) - video.played.end(i - 1);
  return { duration: video.duration, endedAt: video.currentTime, sizes, skipped, decoded };
})()`;

const playToEnd = (page: Page): Promise<Played> => page.evaluate<Played>(PLAY_TO_END);

async function onSession<T>(
  spec: SessionSpec,
  use: (page: Page, playlistUrl: string, built: BuiltSession) => Promise<T>,
  size: keyof typeof SIZES = 'desktop',
): Promise<T> {
  const built = await buildSession(temp.store, spec);
  const server = await play(temp.store, built);
  try {
    return await onPage(
      browser,
      new URL(server.pageUrl).origin,
      async (page) => {
        await page.goto(server.pageUrl);
        await until(page, `document.querySelector('#video').readyState >= 2`);
        return use(page, server.playlistUrl, built);
      },
      SIZES[size],
    );
  } finally {
    await server.close();
  }
}

const NUMBERED = { width: 320, height: 568, numbered: true };
/** Two sizes, and five seconds that are missing between them; 18 s are recorded. */
const EPOCHS = [
  { ...NUMBERED, seconds: 10 },
  { width: 568, height: 320, numbered: true, seconds: 8, missingMs: 5_000 },
];

test('index.m3u8 plays from its first to its last second across epochs of different sizes', async () => {
  const played = await onSession({ roomId: 'ts' }, playToEnd);
  expect(played.sizes).toEqual(['180x320', '320x180']);
  expect(played.duration).toBeCloseTo(10, 0);
  expect(played.endedAt).toBeCloseTo(played.duration, 1);
  expect(played.skipped).toBeLessThan(0.3);
  expect(played.decoded).toBeGreaterThan(140);
});

test('across a gap in which the picture changed its size', async () => {
  const epochs = [PORTRAIT, { ...LANDSCAPE, missingMs: 20_000 }];
  const played = await onSession({ roomId: 'gap', epochs }, playToEnd);
  expect(played.sizes).toEqual(['180x320', '320x180']);
  expect(played.endedAt).toBeCloseTo(10, 0);
  expect(played.skipped).toBeLessThan(0.3);
});

test('the same in fragmented MP4', async () => {
  const played = await onSession({ roomId: 'mp4', container: 'fmp4' }, playToEnd);
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

/** The time line's place of a second of the broadcast, of 2 s before it was found, 10 s, 5 s missing, 8 s. */
async function placeOf(page: Page, second: number): Promise<{ x: number; y: number }> {
  const box = await page.locator('#scrubber').boundingBox();
  if (!box) throw new Error('there is no time line');
  return { x: box.x + (box.width * (second + 2)) / 25, y: box.y + box.height - 8 };
}

const settled = (page: Page): Promise<void> =>
  until(
    page,
    `!document.querySelector('#video').seeking && document.querySelector('#video').readyState >= 2`,
  );
const secondShown = (page: Page): Promise<number> =>
  page.evaluate<number>(`document.querySelector('#video').currentTime`);

describe('scrubbing', () => {
  test.for([
    ['into the first epoch', 4.2, 4.2, NUMBERED],
    ['behind the gap', 18.5, 13.5, { width: 568, height: 320 }],
  ] as const)(
    '%s shows the picture of that moment, small and large',
    async ([, moment, position, source]) => {
      await onSession({ roomId: 'scrub', epochs: EPOCHS }, async (page) => {
        await until(page, `document.querySelector('#storyboard').track.cues?.length > 0`);
        const { x, y } = await placeOf(page, moment);
        await page.mouse.move(x, y);
        // Keyframes are two seconds apart: the small picture is of the one before, at most two segments ago.
        const small = await numberPreviewed(page, source);
        expect(small).toBeLessThanOrEqual(position * FPS + 1);
        expect(small).toBeGreaterThanOrEqual((position - 4.1) * FPS);
        await page.mouse.click(x, y);
        await settled(page);
        expect(await secondShown(page)).toBeCloseTo(position, 0);
        const shown = await numberShown(page);
        expect(Math.abs((shown ?? Infinity) - (await secondShown(page)) * FPS)).toBeLessThanOrEqual(4);
      });
    },
  );

  test('where something is missing leads to what comes next, and says why', async () => {
    await onSession({ roomId: 'scrub', epochs: EPOCHS }, async (page) => {
      const { x, y } = await placeOf(page, 12);
      await page.mouse.move(x, y);
      expect(await page.textContent('#preview-words')).toBe(
        'missing 0:05: the CDN kept the connection open and sent nothing',
      );
      await page.mouse.click(x, y);
      await settled(page);
      expect(await secondShown(page)).toBeCloseTo(10, 1);
      expect(await numberShown(page)).toBeCloseTo(10 * FPS, -1);
    });
  });

  test('by the keyboard, as a slider that says where it is', async () => {
    await onSession({ roomId: 'scrub', epochs: EPOCHS }, async (page) => {
      await page.locator('#scrubber').focus();
      await page.keyboard.press('ArrowRight');
      await settled(page);
      expect(await secondShown(page)).toBeCloseTo(5, 1);
      await page.keyboard.press('ArrowRight');
      await page.keyboard.press('ArrowRight');
      await settled(page);
      expect(await secondShown(page)).toBeCloseTo(15, 1);
      await expect.poll(() => page.getAttribute('#scrubber', 'aria-valuetext')).toMatch(/^0:1[45] of 0:18, /);
      await page.keyboard.press('Home');
      await settled(page);
      expect(await secondShown(page)).toBe(0);
    });
  });
});

test('keys play, change the speed, and lead to gaps', async () => {
  await onSession({ roomId: 'scrub', epochs: EPOCHS }, async (page) => {
    await page.keyboard.press('n');
    await settled(page);
    expect(await secondShown(page)).toBeCloseTo(7, 1);
    await page.keyboard.press('>');
    expect(await page.inputValue('#speed')).toBe('1.25');
    await page.keyboard.press('m');
    await page.keyboard.press('k');
    await until(page, `!document.querySelector('#video').paused`);
    await page.keyboard.press(' ');
    await until(page, `document.querySelector('#video').paused`);
    await page.keyboard.press('5');
    await settled(page);
    expect(await secondShown(page)).toBeCloseTo(9, 0);
  });
});

test('the page of a session that goes on grows with it, and goes on to lead where one wants', async () => {
  await onSession({ roomId: 'growing', state: 'recording' }, async (page, _, built) => {
    const { manifest } = built;
    const last = manifest.segments.at(-1)!;
    const from = manifest.coverage.liveMs + Date.parse(manifest.foundAt);
    const [begins, ends] = [from, from + 5_000].map((ms) => new Date(ms).toISOString()) as [string, string];
    const gap = { after: last.key, from: begins, to: ends, ms: 5_000, cause: 'stall' as const };
    const grown = { ...manifest, revision: manifest.revision + 1, gaps: [...manifest.gaps, gap] };
    await publish(temp.store, { ...built, manifest: grown });
    await expect.poll(() => page.locator('[data-part="gaps"] tbody tr').count(), { timeout: 20_000 }).toBe(2);
    await page.click('[data-part="gaps"] tbody tr:last-child a');
    await settled(page);
    expect(await secondShown(page)).toBeCloseTo(7, 0);
    await expect
      .poll(() =>
        page.evaluate<number>(`parseFloat(document.querySelector('#playhead').style.insetInlineStart)`),
      )
      .toBeGreaterThan(40);
    await publish(temp.store, { ...built, manifest: { ...grown, revision: 9, sealedAt: ends } });
    await expect.poll(() => page.locator('.badge.live').count(), { timeout: 20_000 }).toBe(0);
  });
}, 60_000);

test.for(Object.keys(SIZES) as (keyof typeof SIZES)[])(
  'the page says what it plays, in the creator’s words and as text only: on a %s',
  async (size) => {
    const title = '<img src=x onerror="document.title=1"> Tea \u202e\u0000';
    await onSession(
      { roomId: 'title', title, epochs: EPOCHS },
      async (page) => {
        expect(await page.textContent('h1')).toContain('<img src=x onerror="document.title=1"> Tea');
        expect(await page.textContent('h1')).not.toContain('\u202e');
        expect(await page.locator('main img').count()).toBe(0);
        const text = await page.textContent('main');
        for (const told of ['@alice', 'h264 320×568', 'h264 568×320', 'stall', 'found-late', 'recorded from'])
          expect(text).toContain(told);
        expect(await page.isVisible('#problem')).toBe(false);
        expect(await barriers(page)).toEqual([]);
        expect(await isTooWide(page)).toBe(false);
      },
      size,
    );
  },
);
