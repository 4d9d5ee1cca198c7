/** A page in a real browser of which everything that goes wrong is noted, and what tests look at on it. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { expect } from 'vitest';
import {
  CODE_BITS,
  CODE_ROWS,
  codeBlockPixels,
  decodePictureCode,
} from '../../src/sandbox/media/picture-code.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const SIZES = {
  desktop: { viewport: { width: 1280, height: 900 } },
  phone: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true },
} satisfies Record<string, BrowserContextOptions>;

/**
 * Runs `use` on a fresh page; nothing may have gone wrong on it at the end.
 * @param refused a status that the browser notes because the test provokes it
 */
export async function onPage<T>(
  browser: Browser,
  origin: string,
  use: (page: Page) => Promise<T>,
  options: BrowserContextOptions = SIZES.desktop,
  refused?: number,
): Promise<T> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const wrong: string[] = [];
  page.on('pageerror', (error) => wrong.push(`error: ${error.message}`));
  page.on('console', (message) => {
    const isProvoked = refused !== undefined && message.text().includes(`status of ${refused}`);
    if (message.type() === 'error' && !isProvoked) wrong.push(`console: ${message.text()}`);
  });
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(`${origin}/`) && !url.startsWith('blob:')) wrong.push(`request: ${url}`);
  });
  try {
    const result = await use(page);
    expect(wrong).toEqual([]);
    return result;
  } finally {
    await context.close();
  }
}

interface Violation {
  id: string;
  impact: string;
  nodes: { target: string[] }[];
}

/** What an accessibility checker finds that keeps somebody out: serious and critical. */
export async function barriers(page: Page): Promise<string[]> {
  // By the debugger: the page itself may run nothing that it did not bring.
  await page.evaluate(AXE);
  const violations = await page.evaluate<Violation[]>(
    `axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations)`,
  );
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`);
}

/** Wider than the window: then it has to be moved sideways to be read. */
export const isTooWide = (page: Page): Promise<boolean> =>
  page.evaluate<boolean>('document.documentElement.scrollWidth > document.documentElement.clientWidth');

/** The sandbox's number in the picture that the page's player shows now; undefined where none can be read. */
export async function numberShown(page: Page): Promise<number | undefined> {
  const width = await page.evaluate<number>(`document.querySelector('#video').videoWidth`);
  const block = codeBlockPixels(width);
  const pixels = await page.evaluate<number[]>(`(() => {
    const video = document.querySelector('#video');
    const canvas = new OffscreenCanvas(${CODE_BITS * block}, ${CODE_ROWS * block});
    const context = canvas.getContext('2d');
    context.drawImage(video, 0, 0);
    const blocks = [];
    for (let row = 0; row < ${CODE_ROWS}; row += 1)
      for (let bit = 0; bit < ${CODE_BITS}; bit += 1)
        blocks.push(context.getImageData((bit + 0.5) * ${block}, (row + 0.5) * ${block}, 1, 1).data[1]);
    return blocks;
  })()`);
  return decodePictureCode(Uint8Array.from(pixels));
}

/** The number in the small picture over the time line: read from its sheet, at the place that the page shows. */
export async function numberPreviewed(
  page: Page,
  source: { width: number; height: number },
): Promise<number | undefined> {
  const pixels = await page.evaluate<number[]>(`(async () => {
    const frame = document.querySelector('#preview-picture');
    const [x, y] = frame.dataset.picture.split(',').map(Number);
    const image = new Image();
    image.src = /url\\("(.*)"\\)/.exec(getComputedStyle(frame).backgroundImage)[1];
    await image.decode();
    const [width, height] = [frame.clientWidth, frame.clientHeight];
    const scale = Math.min(width / ${source.width}, height / ${source.height});
    const left = x + (width - ${source.width} * scale) / 2;
    const top = y + (height - ${source.height} * scale) / 2;
    const block = ${codeBlockPixels(source.width)} * scale;
    const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0);
    const blocks = [];
    for (let row = 0; row < ${CODE_ROWS}; row += 1)
      for (let bit = 0; bit < ${CODE_BITS}; bit += 1)
        blocks.push(context.getImageData(Math.floor(left + (bit + 0.5) * block), Math.floor(top + (row + 0.5) * block), 1, 1).data[1]);
    return blocks;
  })()`);
  return decodePictureCode(Uint8Array.from(pixels));
}

/** Until this expression is true on the page, which lets nothing be evaluated that it did not bring. */
export async function until(page: Page, expression: string): Promise<void> {
  await expect.poll(() => page.evaluate<boolean>(`Boolean(${expression})`), { timeout: 20_000 }).toBe(true);
}
