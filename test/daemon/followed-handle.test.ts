/** Creators that are renamed: who is asked for, and what the archive remembers. */
import { describe, expect, test } from 'vitest';
import { FollowedHandles } from '../../src/daemon/followed-handle.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createLogger } from '../../src/kernel/logger.ts';
import type { Look } from '../../src/model/look.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { scratchFolder } from '../spool/scratch.ts';

const meta = { requestId: 'r', creditsCharged: 1, cached: false };

/** An API that knows accounts by what they are called now, and answers to old handles if it says so. */
async function api({
  archived,
  redirects = {},
}: { archived?: string; redirects?: Record<string, string> } = {}) {
  const accounts = new Map([['alice', '1']]);
  const asked: string[] = [];
  const said: string[] = [];
  const store = new DirectoryStore(await scratchFolder());
  if (archived !== undefined)
    await store.put('creators/alice/creator.json', { bytes: Buffer.from(archived) });
  const followed = new FollowedHandles({
    store,
    clock: systemClock,
    ask: (handle, calledNow): Promise<Look> => {
      expect(handle).toBe('alice');
      asked.push(calledNow);
      const now = redirects[calledNow] ?? calledNow;
      const platformUserId = accounts.get(now);
      if (platformUserId === undefined) return Promise.resolve({ status: 'not-found', meta });
      const profile = { handle: now, platformUserId, displayName: null, avatarUrl: null };
      return Promise.resolve({ status: 'offline', profile, meta });
    },
    log: createLogger({ level: 'warn', destination: { write: (line) => void said.push(line) } }),
  });
  const look = (): Promise<Look> => followed.look('alice', new AbortController().signal);
  return { accounts, asked, said, look, redirects };
}

/** Alice is called alice.new, which an answer to her old handle told; nobody answers to that any more. */
async function renamed() {
  const made = await api({ redirects: { alice: 'alice.new' } });
  made.accounts.clear();
  made.accounts.set('alice.new', '1');
  await made.look();
  made.accounts.clear();
  delete made.redirects['alice'];
  return made;
}

describe('a creator', () => {
  test('that keeps its handle is asked for by it, once a look', async () => {
    const { look, asked, said } = await api();
    expect(await look()).toMatchObject({ status: 'offline', meta: { creditsCharged: 1 } });
    await look();
    expect(asked).toEqual(['alice', 'alice']);
    expect(said).toEqual([]);
  });

  test('whose answer bears another handle is asked for by that one, and it is told once', async () => {
    const { accounts, redirects, look, asked, said } = await api();
    await look();
    accounts.delete('alice');
    accounts.set('alice.new', '1');
    redirects['alice'] = 'alice.new';
    await look();
    // By now the old one may be anybody's.
    delete redirects['alice'];
    accounts.set('alice', '2');
    expect(await look()).toMatchObject({ profile: { platformUserId: '1' } });
    expect(asked).toEqual(['alice', 'alice', 'alice.new']);
    expect(said).toHaveLength(1);
    expect(said[0]).toContain('@alice is called @alice.new now');
  });

  test('that is renamed back is found again', async () => {
    const { accounts, look, asked } = await renamed();
    accounts.set('alice', '1');
    expect(await look()).toMatchObject({ status: 'offline', meta: { creditsCharged: 2 } });
    await look();
    expect(asked).toEqual(['alice', 'alice.new', 'alice', 'alice']);
  });

  test('that nobody knows any more is asked for by what the archive says that it was called last', async () => {
    const { accounts, look, asked } = await api({ archived: '{"calledNow":"alice.new","more":1}' });
    accounts.clear();
    accounts.set('alice.new', '1');
    expect(await look()).toMatchObject({ status: 'offline', profile: { handle: 'alice.new' } });
    await look();
    expect(asked).toEqual(['alice', 'alice.new', 'alice.new']);
  });

  test('that is away for a while under its new handle is found when it is back', async () => {
    const { accounts, look, asked } = await renamed();
    for (let times = 0; times < 3; times += 1) expect(await look()).toMatchObject({ status: 'not-found' });
    // Each handle once, then by turns.
    expect(asked.slice(1)).toEqual(['alice.new', 'alice', 'alice', 'alice.new']);
    accounts.set('alice.new', '1');
    const found = [await look(), await look()].filter(({ status }) => status === 'offline');
    expect(found.length).toBeGreaterThan(0);
    asked.length = 0;
    await look();
    expect(asked).toEqual(['alice.new']);
  });

  test('whose old handle somebody else has taken is not mixed up with them', async () => {
    const { accounts, look } = await renamed();
    accounts.set('alice', '2');
    for (let times = 0; times < 4; times += 1) expect(await look()).toMatchObject({ status: 'not-found' });
  });

  test.for<[what: string, archived: string | undefined]>([
    ['that nobody ever knew', undefined],
    ['that the archive knows by the same handle', '{"calledNow":"alice"}'],
    ['of which the archive says nothing of use', '{"calledNow":"../../etc"}'],
    ['of which the archive cannot be read', 'not JSON'],
  ])('%s is not found, for one request a look', async ([, archived]) => {
    const { accounts, look, asked } = await api(archived === undefined ? {} : { archived });
    accounts.clear();
    expect(await look()).toMatchObject({ status: 'not-found' });
    expect(await look()).toMatchObject({ status: 'not-found' });
    expect(asked).toEqual(['alice', 'alice']);
  });

  test('whose handle somebody else bears now is told', async () => {
    const { accounts, look, said } = await api();
    await look();
    accounts.set('alice', '2');
    await look();
    await look();
    expect(said).toHaveLength(1);
    expect(said[0]).toContain('somebody else is called @alice now');
  });
});
