import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openSession } from '../../src/archive/session-reader.ts';
import { viewerSamples, viewersOf } from '../../src/archive/viewers.ts';
import { encodeJournalEntry } from '../../src/layout/journal.ts';
import { sessionKeys } from '../../src/layout/keys.ts';
import { encodeManifest } from '../../src/layout/manifest.ts';
import { openStore } from '../../src/store/open-store.ts';
import { CliFolder } from '../cli/run.ts';
import { buildSession, LANDSCAPE, tempStore } from './fixture.ts';

const AT = '2026-11-22T14:10:00.000Z';
const sample = (viewers: number): object => ({ at: AT, viewers, enters: 1, title: null });

test('of a session that goes on, viewers are those of its journals', async () => {
  await using temp = await tempStore();
  const built = await buildSession(temp.store, { epochs: [LANDSCAPE], state: 'recording' });
  const entries = [10, 3, 5].map((viewers) =>
    encodeJournalEntry({ type: 'sample', at: AT, viewers, enters: 1, title: null }),
  );
  await temp.store.put(built.prefix + sessionKeys.journal(1, 9), { bytes: Buffer.from(entries.join('')) });
  const samples = await viewerSamples(temp.store, await openSession(temp.store, built));
  expect(viewersOf(samples)).toEqual({ samples: 3, min: 3, max: 10, mean: 6 });
});

test('where nobody looked, they are not known', () => {
  expect(viewersOf([])).toBeNull();
});

test('show tells them, the variants, and each segment with its hash', async () => {
  await using folder = await CliFolder.make();
  const store = openStore(join(folder.path, 'archive'));
  const built = await buildSession(store);
  const lines = [sample(7), 'no sample', sample(9)].map((line) => JSON.stringify(line)).join('\n');
  const bytes = Buffer.from(`${lines}\n{torn`);
  await store.put(built.prefix + sessionKeys.samples, { bytes });
  const file = { key: sessionKeys.samples, bytes: bytes.length, sha256: '0'.repeat(64) };
  const manifest = { ...built.manifest, files: [...built.manifest.files, file] };
  await store.put(built.prefix + sessionKeys.manifest, { bytes: Buffer.from(encodeManifest(manifest)) });

  const { stdout } = await folder.run(['show', '@alice', '--segments']);
  expect(stdout).toMatch(/^viewers +7 to 9, 8 in the mean of 2 looks$/m);
  expect(stdout).toMatch(/^Variants\n {2}h264\/primary\/origin\/flv +0:10 +2 epochs$/m);
  for (const { key } of built.manifest.segments) expect(stdout).toContain(`${key} `);
  expect(stdout).toContain(built.manifest.segments[0]?.sha256);
  expect(JSON.parse((await folder.run(['show', '@alice', '--json'])).stdout)).toMatchObject({
    session: built.session,
    viewers: { samples: 2, min: 7, max: 9, mean: 8 },
  });
  store.close();
});
