import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listSessions } from '../../src/archive/catalogue.ts';
import { downloadSession } from '../../src/archive/download.ts';
import { exportSession } from '../../src/archive/export.ts';
import { resolveSession } from '../../src/archive/resolve-session.ts';
import { makeStoryboard } from '../../src/archive/storyboard.ts';
import { verifySession } from '../../src/archive/verify.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { Store } from '../../src/store/store.ts';
import { play } from '../browse/browsed.ts';
import { s3Bucket } from '../support/s3-servers.ts';
import { tilesOf } from '../support/storyboard.ts';
import { buildSession } from './fixture.ts';

let store: Store;
beforeAll(async () => {
  const { url, credentials } = await s3Bucket();
  store = openStore(url, { s3: { credentials } });
});
afterAll(() => store.close());

test('a bucket is listed, verified, played in parts, exported, downloaded and drawn', async () => {
  const built = await buildSession(store, { handle: 'alice' });
  expect(await listSessions(store)).toMatchObject([{ session: built.session, summary: { segments: 5 } }]);
  const ref = await resolveSession(store, built.session.slice(0, 10));
  expect(await verifySession(store, ref, { depth: 'decode', ffmpeg: 'ffmpeg' })).toMatchObject({
    ok: true,
    findings: [],
  });

  const player = await play(store, ref);
  const [first] = built.manifest.segments;
  const answer = await fetch(new URL(first?.key ?? '', player.pageUrl), {
    headers: { Range: 'bytes=188-375' },
  });
  expect(answer.status).toBe(206);
  const part = Buffer.from(await answer.arrayBuffer());
  expect([part.length, part[0]]).toEqual([188, 0x47]);
  await player.close();

  const folder = await mkdtemp(join(tmpdir(), 'livestow-export-'));
  const made = await exportSession(store, ref, {
    out: join(folder, 'tea.mp4'),
    force: false,
    ffmpegPath: 'ffmpeg',
  });
  expect(made).toMatchObject({ files: [{ durationMs: 10_000 }], leftOut: [] });
  expect(await downloadSession(store, ref, { into: folder })).toMatchObject({ damaged: [], objects: 6 });
  await rm(folder, { recursive: true });

  const storyboard = await makeStoryboard(store, ref, { ffmpegPath: 'ffmpeg' });
  expect(tilesOf(storyboard!.vtt).map(({ fromMs }) => fromMs)).toEqual([0, 2000, 4000, 6000, 8000]);

  await store.delete(`${built.prefix}${first?.key ?? ''}`);
  expect(await verifySession(store, ref, { depth: 'sizes', ffmpeg: '' })).toMatchObject({
    ok: false,
    findings: [{ kind: 'missing', key: first?.key }],
  });
});
