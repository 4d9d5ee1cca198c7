/** A session that is looked at for long: what is asked of the store for it, and when it is gone. */
import { expect, onTestFinished, test } from 'vitest';
import { removeSession } from '../../src/archive/remove-session.ts';
import { WatchedSession } from '../../src/archive/watched-session.ts';
import { sessionKeys } from '../../src/layout/keys.ts';
import { encodeJournalEntry } from '../../src/layout/journal.ts';
import { CountingStore } from '../catalogue/archive.ts';
import { ManualClock } from '../manual-clock.ts';
import { buildSession, tempStore, type BuiltSession, type SessionSpec } from './fixture.ts';

interface Watching {
  store: CountingStore;
  built: BuiltSession;
  clock: ManualClock;
  watched: WatchedSession;
}

async function watching(spec: SessionSpec): Promise<Watching> {
  const temp = await tempStore();
  onTestFinished(() => temp[Symbol.asyncDispose]());
  const built = await buildSession(temp.store, spec);
  const store = new CountingStore(temp.root);
  const clock = new ManualClock();
  return { store, built, clock, watched: new WatchedSession(store, built, clock) };
}

test('one that is removed while it is looked at is gone a minute later', async () => {
  const { store, built, clock, watched } = await watching({});
  await watched.manifest();
  const signal = AbortSignal.timeout(20_000);
  await removeSession(store, built, { reason: 'a wish', clock, signal });
  await clock.advance(60_000);
  await expect(watched.manifest()).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('of one that stays its manifest is not read again and again', async () => {
  const { store, clock, watched } = await watching({});
  for (let minute = 0; minute < 60; minute += 1) {
    expect((await watched.manifest()).sealedAt).not.toBeNull();
    await clock.advance(60_000);
  }
  expect(store.gets).toBeLessThanOrEqual(2);
});

test('each journal of one that goes on is read once', async () => {
  const { store, built, watched } = await watching({ state: 'recording' });
  const put = (n: number, viewers: number): Promise<unknown> => {
    const sample = {
      type: 'sample',
      at: '2026-11-22T14:05:00.000Z',
      viewers,
      enters: 0,
      title: null,
    } as const;
    const bytes = Buffer.from(encodeJournalEntry(sample));
    return store.put(built.prefix + sessionKeys.journal(1, n), { bytes });
  };
  await put(10, 3);
  expect(await watched.records()).toMatchObject([{ viewers: 3 }]);
  const before = store.gets;
  expect(await watched.records()).toMatchObject([{ viewers: 3 }]);
  expect(store.gets).toBe(before);
  await put(11, 4);
  expect(await watched.records()).toMatchObject([{ viewers: 3 }, { viewers: 4 }]);
  expect(store.gets).toBe(before + 1);
});
