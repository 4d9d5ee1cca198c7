/** The pages of a daemon in a real browser: they change as things happen, and what is ordered on them is done. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CANARY } from '../e2e/canary.ts';
import { Served } from '../web/served.ts';
import { openBrowser } from './browser.ts';
import { barriers, isTooWide, onPage, SIZES, until } from './watched-page.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser.close());

const JOBS = `
creators: [alice, { handle: bob, note: of the file }]
jobs:
  look: { kind: verify, cron: '0 4 * * *' }
`;

const stateOf = (page: Page, handle: string): Promise<string | null> =>
  page.locator(`tr[data-key="${handle}"] .badge`).first().textContent();

test('Now shows who is recorded as it happens, and the recording plays while it is made', async () => {
  const served = await Served.open();
  await onPage(browser, served.server.url, async (page) => {
    await page.goto(`${served.server.url}/`);
    expect(await page.innerText('h1')).toBe('Nobody is being recorded');
    await served.recordsAlice();
    await expect.poll(() => page.innerText('h1'), { timeout: 15_000 }).toBe('1 recording');
    expect(await page.textContent('.card')).toContain('@alice');
    // Journals and playlist come at most every 30 s.
    await expect
      .poll(() => page.evaluate<number>(`document.querySelector('.card video').currentTime`), {
        timeout: 50_000,
      })
      .toBeGreaterThan(1);
    expect(await page.evaluate<number>(`document.querySelector('.card video').videoWidth`)).toBe(360);
    expect(await barriers(page)).toEqual([]);
    await page.click('.card h2 a');
    await until(page, `document.querySelector('#video').readyState >= 2`);
    expect(await page.textContent('.badge.live')).toBe('not sealed yet');
    await page.goto(`${served.server.url}/now`);
    served.sandbox.end('alice');
    await expect.poll(() => page.innerText('h1'), { timeout: 40_000 }).toBe('Nobody is being recorded');
  });
}, 120_000);

describe.each(Object.entries(SIZES))('on a %s', (_size, options) => {
  test('each page keeps nobody out', async () => {
    const served = await Served.open({ config: JOBS });
    for (const path of ['/now', '/jobs', '/creators', '/settings', '/archive']) {
      await onPage(
        browser,
        served.server.url,
        async (page) => {
          await page.goto(`${served.server.url}${path}`);
          expect([path, await barriers(page)]).toEqual([path, []]);
          expect([path, await isTooWide(page)]).toEqual([path, false]);
        },
        options,
      );
    }
  });
});

test('creators are added, paused, noted and removed', async () => {
  const served = await Served.open();
  await onPage(
    browser,
    served.server.url,
    async (page) => {
      page.on('dialog', (dialog) => void dialog.accept());
      await page.goto(`${served.server.url}/creators`);
      await page.fill('input[name=handle]', '@Carol');
      await page.click('text=Add');
      await page.waitForSelector('tr[data-key="carol"]');
      await page.click('tr[data-key="carol"] >> text=Pause');
      await expect.poll(() => stateOf(page, 'carol')).toBe('paused');
      await page.fill('tr[data-key="bob"] input[name=note]', '<b>back</b> in May');
      await page.press('tr[data-key="bob"] input[name=note]', 'Enter');
      await expect
        .poll(async () => (await served.call('GET', '/creators/bob')).body)
        .toMatchObject({ note: '<b>back</b> in May' });
      await page.click('tr[data-key="carol"] >> text=Remove');
      await expect.poll(() => page.locator('tr[data-key="carol"]').count()).toBe(0);
      expect((await served.call('GET', '/creators/carol')).status).toBe(404);
      await page.goto(`${served.server.url}/creators`);
      await page.fill('input[name=handle]', 'alice');
      await page.click('text=Add');
      expect(await page.textContent('main')).toContain('That did not work');
    },
    SIZES.desktop,
    409,
  );
});

test('a job is run from its page, and how it went is told', async () => {
  const served = await Served.open({ config: JOBS });
  await onPage(browser, served.server.url, async (page) => {
    await page.goto(`${served.server.url}/jobs`);
    await page.click('text=Run now');
    await expect.poll(() => page.textContent('[data-part="history"]'), { timeout: 15_000 }).toContain('done');
  });
});

test('whoever may only look sees everything, and nothing to order', async () => {
  const viewer = `viewer-${CANARY}`;
  const served = await Served.open({
    token: `token-${CANARY}`,
    env: { LIVESTOW_VIEWER_TOKEN: viewer },
    config: JOBS,
  });
  await onPage(
    browser,
    served.server.url,
    async (page) => {
      await page.goto(`${served.server.url}/creators`);
      await page.fill('#token', viewer);
      await page.keyboard.press('Enter');
      await page.waitForSelector('tr[data-key="alice"]');
      expect(await page.locator('main button').count()).toBe(0);
      await page.goto(`${served.server.url}/jobs`);
      expect(await page.locator('main button').count()).toBe(0);
      const status = await page.evaluate<number>(
        `fetch('/api/v1/creators/alice/pause', { method: 'POST' }).then((a) => a.status)`,
      );
      expect(status).toBe(403);
    },
    SIZES.desktop,
    403,
  );
  expect((await served.call('GET', '/creators/alice')).body).toMatchObject({ paused: false });
});
