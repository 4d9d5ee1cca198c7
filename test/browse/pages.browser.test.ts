/** The pages of an archive in a real browser, at the size of a desk and of a phone. */
import { mkdir } from 'node:fs/promises';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildSession, LANDSCAPE, PORTRAIT, tempStore, type TempStore } from '../archive/fixture.ts';
import { CANARY } from '../e2e/canary.ts';
import { openBrowser } from './browser.ts';
import { browse, type Browsed } from './browsed.ts';
import { barriers, isTooWide, onPage, SIZES, until } from './watched-page.ts';

const HOSTILE = '"><img src=x onerror=alert(1)>\u202e\u0007 & tea';
const TOKEN = `admin-${CANARY}`;
const DAY_MS = 24 * 3_600_000;

let browser: Browser;
let temp: TempStore;
let site: Browsed;
let path: string;
beforeAll(async () => {
  [browser, temp] = await Promise.all([openBrowser(), tempStore()]);
  const epochs = [PORTRAIT, { ...LANDSCAPE, missingMs: 3_000 }];
  const built = await buildSession(temp.store, { title: 'Painting the garden', epochs });
  const foundAtMs = Date.UTC(2026, 10, 20);
  await buildSession(temp.store, { handle: 'bob', title: HOSTILE, foundAtMs });
  await buildSession(temp.store, {
    handle: 'bob',
    title: 'x'.repeat(900),
    foundAtMs: foundAtMs - DAY_MS,
    roomId: '8',
  });
  await buildSession(temp.store, {
    handle: 'carol',
    title: null,
    foundAtMs: foundAtMs - 2 * DAY_MS,
    state: 'recording',
  });
  site = await browse(temp.store);
  path = `/sessions/alice/${built.session}/`;
});
afterAll(async () => {
  await browser.close();
  await site[Symbol.asyncDispose]();
  await temp[Symbol.asyncDispose]();
});

/** For somebody to look at: LIVESTOW_SCREENSHOTS names a folder. */
async function screenshot(page: Page, name: string): Promise<void> {
  const folder = process.env['LIVESTOW_SCREENSHOTS'];
  if (folder === undefined) return;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
}

describe.each(Object.entries(SIZES))('on a %s', (size, options) => {
  test.each(['archive', 'session', 'settings', 'creator', 'search', 'nothing'])(
    'the page %s is whole, and keeps nobody out',
    async (name) => {
      const paths: Record<string, string> = {
        archive: '/archive',
        session: path,
        settings: '/settings',
        creator: '/archive?creator=bob',
        search: '/archive?text=garden&gaps=yes&sort=length',
        nothing: '/archive?text=nothing-at-all',
      };
      await onPage(
        browser,
        site.url,
        async (page) => {
          await page.goto(`${site.url}${paths[name] ?? ''}`, { waitUntil: 'networkidle' });
          expect(await barriers(page)).toEqual([]);
          expect(await isTooWide(page)).toBe(false);
          await screenshot(page, `${name}-${size}`);
        },
        { ...options, colorScheme: size === 'phone' ? 'light' : 'dark' },
      );
    },
  );
});

const titles = async (page: Page): Promise<string[]> =>
  (await page.locator('.card h3').allTextContents()).map((title) => title.trim());

test('sessions are found as one types, and the address keeps what was typed', async () => {
  await onPage(browser, site.url, async (page) => {
    await page.goto(`${site.url}/archive`);
    expect(await titles(page)).toHaveLength(4);
    await page.keyboard.press('/');
    await page.keyboard.type('gard');
    await expect.poll(() => titles(page)).toEqual(['Painting the garden']);
    expect((await page.textContent('#found-title'))?.trim()).toBe('1 session found');
    expect(new URL(page.url()).search).toBe('?text=gard');
    await page.reload();
    expect(await titles(page)).toEqual(['Painting the garden']);
    await page.fill('input[type=search]', '@BOB');
    await expect.poll(() => titles(page)).toHaveLength(2);
    await page.fill('input[type=search]', '');
    await page.click('summary:text("Filters")');
    await page.selectOption('select[name=sealed]', 'no');
    await expect.poll(async () => (await titles(page)).length).toBe(1);
    expect(await page.textContent('.card')).toContain('@carol');
  });
});

test('a day of the calendar leads to what was recorded then', async () => {
  await onPage(browser, site.url, async (page) => {
    await page.goto(`${site.url}/archive?creator=bob`);
    await page.click('.calendar a[aria-label^="2026-11-20"]');
    expect(await titles(page)).toHaveLength(1);
    expect((await titles(page))[0]).toContain('"><img src=x onerror=alert(1)>');
  });
});

test('everything can be reached by the keyboard, past the navigation', async () => {
  await onPage(browser, site.url, async (page) => {
    await page.goto(`${site.url}/archive`);
    await page.keyboard.press('Tab');
    expect(await page.evaluate<string>('document.activeElement.textContent')).toBe('Skip to the content');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    expect(await page.evaluate<string>('document.activeElement.name')).toBe('text');
  });
});

test('an MP4 is made while one watches its progress, and is fetched', async () => {
  await onPage(browser, site.url, async (page) => {
    await page.goto(`${site.url}${path}`);
    await page.click('text=Make an MP4');
    const link = page.locator('#exports a[download]');
    await link.waitFor({ timeout: 30_000 });
    const download = page.waitForEvent('download');
    await link.click();
    expect((await download).suggestedFilename()).toMatch(/^alice-20261122T140307Z-7412\.mp4$/);
    await page.click('text=Remove');
    await until(page, `document.querySelectorAll('#exports li').length === 0`);
  });
});

test('somebody signs in, looks, shares a link, and signs out', async () => {
  const guarded = await browse(temp.store, { LIVESTOW_TOKEN: TOKEN });
  try {
    const link = await onPage(browser, guarded.url, async (page) => {
      await page.goto(`${guarded.url}${path}`);
      expect(await barriers(page)).toEqual([]);
      await page.fill('#token', TOKEN);
      await page.keyboard.press('Enter');
      await page.waitForURL(`**${path}`);
      await page.click('text=Make a link');
      const shared = await page.inputValue('input.link');
      await page.click('text=Sign out');
      await page.waitForURL('**/sign-in*');
      await page.goto(`${guarded.url}/archive`);
      expect(new URL(page.url()).pathname).toBe('/sign-in');
      return shared;
    });
    await onPage(browser, guarded.url, async (page) => {
      await page.goto(link);
      await until(page, `document.querySelector('#video').readyState >= 2`);
      expect(await page.textContent('h1')).toBe('Painting the garden');
      expect(await page.locator('nav a').count()).toBe(0);
    });
  } finally {
    await guarded[Symbol.asyncDispose]();
  }
});
