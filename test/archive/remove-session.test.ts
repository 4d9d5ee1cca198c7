import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { listRemoved, listSessions } from '../../src/archive/catalogue.ts';
import { holdSession, releaseSession } from '../../src/archive/hold.ts';
import { planPrune } from '../../src/archive/prune.ts';
import {
  finishRemoval,
  notedRemovals,
  removeSession,
  type RemoveOptions,
} from '../../src/archive/remove-session.ts';
import { resolveSession } from '../../src/archive/resolve-session.ts';
import { openSession, readManifest } from '../../src/archive/session-reader.ts';
import { verifySession } from '../../src/archive/verify.ts';
import { reindex } from '../../src/daemon/reindex.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { isLivestowError } from '../../src/kernel/errors.ts';
import { parseJournalKey, removalKey } from '../../src/layout/keys.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import type { Store } from '../../src/store/store.ts';
import { BreakingStore } from './breaking-store.ts';
import {
  buildSession,
  LANDSCAPE,
  PORTRAIT,
  publish,
  tempStore,
  type BuiltSession,
  type TempStore,
} from './fixture.ts';

const DAY = 86_400_000;
const T = Date.UTC(2026, 10, 22, 14, 3, 7);
const { signal } = new AbortController();
const options: RemoveOptions = { reason: 'rm', clock: systemClock, signal };
const NO_LIMITS = { maxAgeMs: null, maxBytes: null, maxSessions: null };
const noPolicy = { each: NO_LIMITS, all: NO_LIMITS, keepAtLeast: 0 };

/** Two sessions of alice, of which the older one is removed, and one of bob that is not sealed. */
let template: TempStore;
let old: BuiltSession;
let young: BuiltSession;
let bob: BuiltSession;
beforeAll(async () => {
  template = await tempStore();
  old = await buildSession(template.store, { foundAtMs: T });
  young = await buildSession(template.store, { foundAtMs: T + DAY, epochs: [LANDSCAPE] });
  bob = await buildSession(template.store, { handle: 'bob', epochs: [PORTRAIT], state: 'recording' });
});
afterAll(() => template[Symbol.asyncDispose]());

async function copyOfArchive(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'livestow-archive-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  await cp(template.root, root, { recursive: true });
  return root;
}

const keysIn = async (store: Store, prefix: string): Promise<string[]> => {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key.slice(prefix.length));
  return keys;
};

const sessionsIn = async (store: Store): Promise<string[]> =>
  (await listSessions(store)).map(({ session }) => session);

async function reindexed(store: Store): Promise<void> {
  const deps = { store, clock: systemClock, signal, onProgress: () => {} };
  for await (const { outcome } of reindex(deps)) expect(outcome).not.toBe('unreadable');
}

/** `whole`, or what is wrong with the older session. */
async function verified(store: Store): Promise<string> {
  return verifySession(store, old, { depth: 'hashes', ffmpeg: '' }).then(
    ({ findings }) => findings.map(({ kind, key }) => `${kind} ${key}`).join() || 'whole',
    (error: unknown) => (isLivestowError(error) ? error.code : String(error)),
  );
}

async function isRemovedWhole(store: Store): Promise<void> {
  expect(await keysIn(store, old.prefix)).toEqual(['manifest.json']);
  expect(await keysIn(store, 'index/sessions/')).toEqual(
    [`${bob.session}~bob.json`, `${young.session}~alice.json`].sort(),
  );
  expect(await keysIn(store, 'index/removals/')).toEqual([]);
  expect(await keysIn(store, 'index/changes/')).toContainEqual(
    expect.stringMatching(new RegExp(`~${old.session}~alice\\.json$`)),
  );
  expect(await listRemoved(store)).toMatchObject([{ session: old.session, isUnfinished: false }]);
  expect(await verifySession(store, young, { depth: 'hashes', ffmpeg: '' })).toMatchObject({ ok: true });
}

test('a removed session is gone for every reader, and its tombstone says when and why', async () => {
  const store = new DirectoryStore(await copyOfArchive());
  const before = await keysIn(store, old.prefix);
  expect(await removeSession(store, old, { ...options, reason: 'prune: older than 90d' })).toEqual({
    handle: 'alice',
    session: old.session,
    outcome: 'removed',
    objects: before.length - 1,
    bytes: old.manifest.segments.reduce((sum, { bytes }) => sum + bytes, 0),
  });
  await isRemovedWhole(store);
  expect(await sessionsIn(store)).toEqual([young.session, bob.session]);
  await expect(openSession(store, old)).rejects.toMatchObject({
    code: 'NOT_FOUND',
    message: expect.stringMatching(/ was removed at 2.*Z: prune: older than 90d$/),
  });
  await expect(verifySession(store, old, { depth: 'sizes', ffmpeg: '' })).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
  await expect(removeSession(store, old, options)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await reindexed(store);
  await isRemovedWhole(store);
  const { manifest } = await readManifest(store, old);
  expect(manifest).toMatchObject({
    session: old.session,
    creator: old.manifest.creator,
    room: old.manifest.room,
    coverage: old.manifest.coverage,
    sealedAt: old.manifest.sealedAt,
    deletedAt: expect.any(String),
    segments: [],
    files: [],
    deletion: { reason: 'prune: older than 90d', segments: 5, finishedAt: expect.any(String) },
  });
});

test('a beginning of an id that fits a removed session and another one means the other', async () => {
  const store = new DirectoryStore(await copyOfArchive());
  await expect(resolveSession(store, 'alice/2026')).rejects.toMatchObject({ code: 'AMBIGUOUS' });
  await removeSession(store, old, options);
  expect(await resolveSession(store, 'alice/2026')).toMatchObject({ session: young.session });
  expect(await resolveSession(store, old.session)).toMatchObject({ session: old.session });
});

test('objects go in the order of their writing turned round, after the tombstone', async () => {
  const store = new BreakingStore(await copyOfArchive());
  await removeSession(store, old, options);
  const kindOf = (change: string): string => {
    const [verb = '', key = ''] = change.split(' ');
    const name = key.replace(old.prefix, '');
    if (name.startsWith('index/')) return `${verb} ${name.split('/')[1]}`;
    if (parseJournalKey(name)) return `${verb} journal`;
    return `${verb} ${name.replace(/^segments\/.*/, 'segment').replace(/.*m3u8$/, 'playlist')}`;
  };
  const kinds = store.changes.map(kindOf);
  expect(kinds.filter((kind, index) => kind !== kinds[index - 1])).toEqual([
    // A note, and before it whether anything may be deleted here.
    'delete removals',
    'put removals',
    'put manifest.json',
    'delete sessions',
    'delete summary.json',
    'delete playlist',
    'delete room.json',
    'delete journal',
    'delete segment',
    // For whoever keeps a list.
    'put changes',
    'put manifest.json',
    'delete removals',
  ]);
});

test(
  'broken off at any of its changes, it is all there or gone, and the next prune finishes it',
  { tags: 'removal-broken-off' },
  async () => {
    const whole = new BreakingStore(await copyOfArchive());
    await removeSession(whole, old, options);
    const keys = await keysIn(template.store, old.prefix);
    const outcomes = { there: 0, gone: 0 };
    for (let changes = 0; changes < whole.changes.length; changes += 1) {
      const root = await copyOfArchive();
      const breaking = new BreakingStore(root, changes);
      await expect(removeSession(breaking, old, options)).rejects.toMatchObject({ message: /broken off/ });
      expect([breaking.changes.length, breaking.broken]).toEqual([changes, expect.any(Number)]);
      expect(breaking.broken).toBeGreaterThan(0);

      const store = new DirectoryStore(root);
      const { manifest } = await readManifest(store, old);
      const isGone = manifest?.deletedAt !== null;
      outcomes[isGone ? 'gone' : 'there'] += 1;
      const left = isGone ? [young, bob] : [young, bob, old];
      expect((await sessionsIn(store)).sort()).toEqual(left.map(({ session }) => session).sort());
      expect(await verified(store)).toBe(isGone ? 'NOT_FOUND' : 'whole');

      await reindexed(store);
      const plan = await planPrune(store, { handles: [], policy: noPolicy, clock: systemClock, signal });
      expect(plan.remove).toEqual([]);
      for (const ref of plan.unfinished) await finishRemoval(store, ref, options);
      expect(await notedRemovals(store)).toEqual([]);
      expect(await verified(store)).toBe(isGone ? 'NOT_FOUND' : 'whole');
      expect(await keysIn(store, old.prefix)).toEqual(isGone ? ['manifest.json'] : keys);
    }
    expect(outcomes.there).toBe(3);
    expect(outcomes.gone).toBeGreaterThan(12);
  },
);

test('what lost its note too is found by reindex', { tags: 'removal-broken-off' }, async () => {
  const root = await copyOfArchive();
  await expect(removeSession(new BreakingStore(root, 8), old, options)).rejects.toThrow('broken off');
  await rm(join(root, 'index'), { recursive: true });
  const store = new DirectoryStore(root);
  expect(await sessionsIn(store)).toEqual([young.session, bob.session]);
  expect(await listRemoved(store)).toMatchObject([{ isUnfinished: true }]);
  await reindexed(store);
  expect(await notedRemovals(store)).toEqual([{ handle: 'alice', session: old.session }]);
  expect(await removeSession(store, old, options)).toMatchObject({ outcome: 'finished' });
  await isRemovedWhole(store);
});

test('what a newer livestow began to remove is left to it', async () => {
  const store = new DirectoryStore(await copyOfArchive());
  await publish(store, { ...old, manifest: { ...old.manifest, format: 'livestow/2' } });
  await store.put(removalKey(old.session, 'alice'), { bytes: Buffer.from('{}') });
  const before = await keysIn(store, '');
  expect(await finishRemoval(store, old, options)).toMatchObject({
    outcome: 'refused',
    refusal: { kind: 'unreadable' },
  });
  expect(await keysIn(store, '')).toEqual(before);
});

describe('refused, with nothing changed', () => {
  test('a held session, until it is released', async () => {
    const store = new DirectoryStore(await copyOfArchive());
    await holdSession(store, old, { reason: 'asked for', clock: systemClock, signal });
    const before = await keysIn(store, '');
    expect(await removeSession(store, old, options)).toMatchObject({
      outcome: 'refused',
      refusal: { kind: 'held', detail: expect.stringMatching(/^held since 2.*: asked for$/) },
    });
    expect(await keysIn(store, '')).toEqual(before);
    expect(await verifySession(store, old, { depth: 'sizes', ffmpeg: '' })).toMatchObject({ findings: [] });
    await releaseSession(store, old);
    expect(await removeSession(store, old, options)).toMatchObject({ outcome: 'removed' });
  });

  test('a hold that cannot be read is one', async () => {
    const root = await copyOfArchive();
    await writeFile(join(root, old.prefix, 'hold.json'), '{');
    expect(await removeSession(new DirectoryStore(root), old, options)).toMatchObject({
      refusal: { kind: 'held' },
    });
  });

  test('one that is not sealed, unless it is forced', async () => {
    const store = new DirectoryStore(await copyOfArchive());
    expect(await removeSession(store, bob, options)).toMatchObject({ refusal: { kind: 'unsealed' } });
    expect(await removeSession(store, bob, { ...options, evenUnsealed: true })).toMatchObject({
      outcome: 'removed',
    });
    expect(await keysIn(store, bob.prefix)).toEqual(['manifest.json']);
  });

  test('one of a newer livestow, forced or not', async () => {
    const store = new DirectoryStore(await copyOfArchive());
    await publish(store, { ...old, manifest: { ...old.manifest, format: 'livestow/2' } });
    expect(await removeSession(store, old, { ...options, evenUnsealed: true })).toMatchObject({
      refusal: { kind: 'unreadable', detail: expect.stringContaining('livestow/2') },
    });
  });
});

describe('a plan', () => {
  const beyondOne = { ...noPolicy, each: { ...NO_LIMITS, maxSessions: 1 } };
  const planOf = (store: Store, handles: string[] = []) =>
    planPrune(store, { handles, policy: beyondOne, clock: systemClock, signal });

  test('names what goes and why; an unsealed session stays without a word', async () => {
    const store = new DirectoryStore(await copyOfArchive());
    const bytes = old.manifest.segments.reduce((sum, segment) => sum + segment.bytes, 0);
    const { handle, session } = old;
    const reason = 'more than 1 sessions of a creator';
    expect(await planOf(store)).toEqual({
      remove: [{ handle, session, bytes, reason }],
      refused: [],
      unfinished: [],
    });
    expect(await planOf(store, ['bob'])).toEqual({ remove: [], refused: [], unfinished: [] });
    await expect(planOf(store, ['carol'])).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('a damaged session stays and is told, and a younger one goes in its place', async () => {
    const root = await copyOfArchive();
    await writeFile(join(root, old.prefix, 'segments/0001-0001-000002.ts'), 'torn');
    expect(await planOf(new DirectoryStore(root))).toMatchObject({
      remove: [{ session: young.session }],
      refused: [
        { session: old.session, refusal: { kind: 'damaged', detail: expect.stringContaining('truncated') } },
      ],
    });
    expect(await readdir(join(root, old.prefix))).toContain('summary.json');
  });
});
