import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { listSessions } from '../../src/archive/catalogue.ts';
import { openSession } from '../../src/archive/session-reader.ts';
import { sessionKeys } from '../../src/layout/keys.ts';
import { buildSession, LANDSCAPE, publish, tempStore } from './fixture.ts';

const HOUR = 3_600_000;
const T = Date.UTC(2026, 10, 22, 14, 0, 0);
const small = { epochs: [LANDSCAPE] };

test('sessions of all creators are listed, newest first', async () => {
  await using temp = await tempStore();
  const first = await buildSession(temp.store, { ...small, handle: 'alice', foundAtMs: T });
  const second = await buildSession(temp.store, { ...small, handle: 'bob', foundAtMs: T + HOUR });
  const third = await buildSession(temp.store, { ...small, handle: 'alice', foundAtMs: T + 2 * HOUR });
  const listed = await listSessions(temp.store);
  expect(listed.map((entry) => entry.session)).toEqual([third.session, second.session, first.session]);
  expect(listed[1]).toMatchObject({
    handle: 'bob',
    problem: null,
    summary: { handle: 'bob', width: 320, height: 180, segments: 2, endCause: 'room-ended' },
  });
});

test('an empty store and a store full of other things list nothing', async () => {
  await using temp = await tempStore();
  expect(await listSessions(temp.store)).toEqual([]);
  for (const key of [
    'creators/alice/creator.json',
    'creators/alice/notes/a.txt',
    'creators/UPPER/20261122T140307Z-1/x',
    'x/y',
  ]) {
    await temp.store.put(key, { bytes: Buffer.from('{}') });
  }
  expect(await listSessions(temp.store)).toEqual([]);
});

describe('a session whose list entry is not there', () => {
  test.each([
    ['no summary', [sessionKeys.summary]],
    ['neither summary nor manifest', [sessionKeys.summary, sessionKeys.manifest]],
  ])('%s: it is listed from what is', async (_, missing) => {
    await using temp = await tempStore();
    const { prefix, session } = await buildSession(temp.store, small);
    for (const key of missing) await rm(join(temp.root, prefix, key));
    expect(await listSessions(temp.store)).toMatchObject([
      { session, problem: null, summary: { title: 'Tea & talk', segments: 2 } },
    ]);
  });

  test('torn summary: it is listed from the manifest', async () => {
    await using temp = await tempStore();
    const { prefix } = await buildSession(temp.store, small);
    await temp.store.put(`${prefix}summary.json`, { bytes: Buffer.from('{"format":"livestow/1"') });
    expect(await listSessions(temp.store)).toMatchObject([{ problem: null, summary: { segments: 2 } }]);
  });

  test('nothing but a segment: it has begun', async () => {
    await using temp = await tempStore();
    await temp.store.put('creators/alice/20261122T140307Z-1/segments/0001-0001-000001.ts', {
      bytes: Buffer.from('x'),
    });
    const session = '20261122T140307Z-1';
    expect(await listSessions(temp.store)).toEqual([
      { handle: 'alice', session, summary: null, problem: null },
    ]);
    await expect(openSession(temp.store, { handle: 'alice', session })).rejects.toMatchObject({
      code: 'MANIFEST',
    });
  });

  test('one that a newer livestow wrote is listed, and does not keep the others from it', async () => {
    await using temp = await tempStore();
    const newer = await buildSession(temp.store, { ...small, foundAtMs: T + HOUR });
    await buildSession(temp.store, { ...small, foundAtMs: T });
    await publish(temp.store, { ...newer, manifest: { ...newer.manifest, format: 'livestow/2' } });
    const journal = `{"type":"term","at":"2026-01-01T00:00:00Z","format":"livestow/2","hold":{}}\n`;
    await temp.store.put(`${newer.prefix}journal/0001-000001.ndjson`, { bytes: Buffer.from(journal) });
    expect(await listSessions(temp.store)).toMatchObject([
      { summary: null, problem: expect.stringContaining('livestow/2') },
      { summary: { segments: 2 } },
    ]);
  });
});

test('a removed session is not listed, not even from its manifest, and cannot be opened', async () => {
  await using temp = await tempStore();
  const built = await buildSession(temp.store, small);
  await publish(temp.store, {
    ...built,
    manifest: { ...built.manifest, deletedAt: new Date(T).toISOString() },
  });
  expect(await listSessions(temp.store)).toEqual([]);
  await rm(join(temp.root, built.prefix, 'summary.json'));
  expect(await listSessions(temp.store)).toEqual([]);
  await expect(openSession(temp.store, built)).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

describe('by handle', () => {
  test('an account’s sessions under all of its handles, whichever is asked for; a stranger’s are left out', async () => {
    await using temp = await tempStore();
    const of = { ...small, platformUserId: '42' };
    const before = await buildSession(temp.store, { ...of, handle: 'alice', foundAtMs: T });
    const during = await buildSession(temp.store, {
      ...of,
      handle: 'alice',
      handleNow: 'alicia',
      foundAtMs: T + HOUR,
    });
    const after = await buildSession(temp.store, { ...of, handle: 'alicia', foundAtMs: T + 2 * HOUR });
    await buildSession(temp.store, { ...small, handle: 'bob', foundAtMs: T + 3 * HOUR });
    const expected = [after.session, during.session, before.session];
    for (const handle of ['alice', 'alicia']) {
      expect((await listSessions(temp.store, { handle })).map((entry) => entry.session)).toEqual(expected);
    }
    expect(await listSessions(temp.store, { handle: 'carol' })).toEqual([]);
  });

  test('accounts that the API does not name are not taken for one', async () => {
    await using temp = await tempStore();
    await buildSession(temp.store, { ...small, handle: 'alice', platformUserId: null });
    await buildSession(temp.store, { ...small, handle: 'bob', platformUserId: null });
    expect(await listSessions(temp.store, { handle: 'bob' })).toMatchObject([{ handle: 'bob' }]);
  });
});

describe('opening', () => {
  test('a sealed session is its manifest', async () => {
    await using temp = await tempStore();
    const built = await buildSession(temp.store);
    expect(await openSession(temp.store, built)).toEqual({
      ref: built,
      manifest: built.manifest,
      source: 'manifest',
      manifestProblem: null,
    });
  });

  test('an unsealed one is what its journals say, which may be more than its manifest does', async () => {
    await using temp = await tempStore();
    const built = await buildSession(temp.store, { state: 'recording' });
    const behind = { ...built.manifest, segments: built.manifest.segments.slice(0, 1) };
    await publish(temp.store, { ...built, manifest: behind });
    expect((await openSession(temp.store, built)).manifest).toEqual(built.manifest);
    expect((await openSession(temp.store, built, { quick: true })).manifest).toEqual(behind);
  });

  test('a sealed one with a torn manifest is what its journals say, and the problem is told', async () => {
    await using temp = await tempStore();
    const built = await buildSession(temp.store);
    await temp.store.put(`${built.prefix}manifest.json`, { bytes: Buffer.from('{') });
    expect(await openSession(temp.store, built)).toMatchObject({
      source: 'journals',
      manifestProblem: expect.stringContaining('not JSON'),
      manifest: { segments: built.manifest.segments, gaps: built.manifest.gaps },
    });
  });

  test('journals beyond nine are taken in the order of their numbers', async () => {
    await using temp = await tempStore();
    const { prefix, ...ref } = await buildSession(temp.store, { ...small, state: 'crashed' });
    const sample = (viewers: number): string =>
      `{"type":"credits","at":"2026-01-01T00:00:00Z","charged":${viewers},"lookups":1}\n`;
    const file = (bytes: number): string =>
      `{"type":"file","at":"2026-01-01T00:00:00Z","file":{"key":"room.json","bytes":${bytes},"sha256":"${'0'.repeat(64)}"}}\n`;
    for (let n = 2; n <= 12; n += 1) {
      await temp.store.put(prefix + sessionKeys.journal(1, n), { bytes: Buffer.from(sample(n) + file(n)) });
    }
    expect((await openSession(temp.store, ref)).manifest).toMatchObject({
      files: [{ key: 'room.json', bytes: 12 }],
      credits: { charged: 2 + 77, lookups: 2 + 11 },
    });
  });
});
