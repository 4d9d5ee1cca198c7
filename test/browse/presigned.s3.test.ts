/** Media from the store itself: where its CORS rules let a page fetch it there, and by way of livestow where not. */
import { PutBucketCorsCommand, S3Client } from '@aws-sdk/client-s3';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStore } from '../../src/store/open-store.ts';
import { buildSession } from '../archive/fixture.ts';
import { bucketOn, s3Server } from '../support/s3-servers.ts';
import { openBrowser } from './browser.ts';
import { browse } from './browsed.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser.close());

const PLAY = `(async () => {
  const video = document.querySelector('#video');
  video.muted = true;
  video.playbackRate = 4;
  const ended = new Promise((resolve) => video.addEventListener('ended', resolve, { once: true }));
  await video.play();
  await ended;
  return video.currentTime;
})()`;

/** Plays a session to its end; says from where its segments came, and that no page had a key. */
async function segmentsPlayed({
  hasCors,
}: {
  hasCors: boolean;
}): Promise<{ fromStore: number; fromLivestow: number }> {
  const server = await s3Server('radosgw');
  const { url, credentials } = await bucketOn('radosgw');
  await using ending = new AsyncDisposableStack();
  const store = openStore(url, { s3: { credentials } });
  ending.defer(() => store.close());
  const built = await buildSession(store);
  const site = await browse(store);
  ending.use(site);
  if (hasCors) {
    const client = new S3Client({ ...server, forcePathStyle: true, credentials: server });
    const rule = { AllowedOrigins: [site.url], AllowedMethods: ['GET'], AllowedHeaders: ['*'] };
    await client.send(
      new PutBucketCorsCommand({ Bucket: new URL(url).host, CORSConfiguration: { CORSRules: [rule] } }),
    );
    client.destroy();
  }
  const page = await browser.newPage();
  ending.defer(() => page.close());
  const got = { fromStore: 0, fromLivestow: 0 };
  const texts: Promise<string>[] = [];
  page.on('response', (response) => {
    const isSegment = new URL(response.url()).pathname.includes('/segments/');
    if (isSegment && response.ok() && !response.request().headers()['range']) {
      if (response.url().startsWith(site.url)) got.fromLivestow += 1;
      else got.fromStore += 1;
    }
    if (!isSegment && response.url().startsWith(site.url) && response.ok()) texts.push(response.text());
  });
  await page.goto(`${site.url}/sessions/alice/${built.session}/`);
  await expect
    .poll(() => page.evaluate<number>(`document.querySelector('#video').readyState`), { timeout: 20_000 })
    .toBeGreaterThan(1);
  expect(await page.evaluate<number>(PLAY)).toBeGreaterThan(9);
  for (const text of await Promise.all(texts)) expect(text).not.toContain(server.secretAccessKey);
  return got;
}

test('where the store lets pages fetch, every segment comes from there', async () => {
  const { fromStore, fromLivestow } = await segmentsPlayed({ hasCors: true });
  expect([fromStore >= 5, fromLivestow]).toEqual([true, 0]);
});

test('where it does not, they come by way of livestow', async () => {
  const { fromStore, fromLivestow } = await segmentsPlayed({ hasCors: false });
  expect([fromStore, fromLivestow >= 5]).toEqual([0, true]);
});
