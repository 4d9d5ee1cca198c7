/** What is sealed stays as it is, byte for byte, whoever comes by; what cannot be read is left to somebody who looks. */
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { removeSession } from '../../src/archive/remove-session.ts';
import { verifySession } from '../../src/archive/verify.ts';
import { recoverSpool, type Recovered } from '../../src/daemon/recover.ts';
import { reindex, type Reindexed } from '../../src/daemon/reindex.ts';
import { sessionPrefix } from '../../src/layout/keys.ts';
import { digest } from '../ship/session-bench.ts';
import { House } from './house.ts';

const A = '7300000000000000001';

/** What each object of the session holds, and when it was written, to the nanosecond. */
async function snapshot(house: House, session: string): Promise<Record<string, string>> {
  const folder = join(house.root, 'store', sessionPrefix('alice', session));
  const all: Record<string, string> = {};
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const { mtimeNs, ino } = await stat(path, { bigint: true });
    all[path.slice(folder.length)] = `${digest(await readFile(path))} ${ino} ${mtimeNs}`;
  }
  return all;
}

async function collect<T>(of: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const each of of) all.push(each);
  return all;
}

async function recover(house: House): Promise<Recovered[]> {
  const { signal } = new AbortController();
  return collect(recoverSpool(house.deps(signal), signal));
}

async function mend(house: House): Promise<Reindexed[]> {
  const { store, clock } = house;
  return collect(reindex({ store, clock, signal: new AbortController().signal, onProgress: () => {} }));
}

/** A session of a room that is over, sealed; and the house as a crash left it right before its spool was removed. */
async function sealedWithLeftover(): Promise<{ house: House; session: string }> {
  const house = await House.open();
  house.broadcasts = [
    { roomId: A, fromMs: 0, toMs: 12_000 },
    { roomId: A, fromMs: 60_000, toMs: 72_000 },
  ];
  let copy: House | undefined;
  house.store.onPut = async (key) => {
    if (key.startsWith('index/') && (await house.manifest((await house.sessions())[0]!)).sealedAt !== null)
      copy ??= await house.asLeftByCrash();
  };
  await house.recorder({ once: true }).over();
  const [session = ''] = await house.sessions();
  return { house: copy!, session };
}

describe('a sealed session', () => {
  test('is the same after its room was recorded again, and after recover, reindex and verify', async () => {
    const { house, session } = await sealedWithLeftover();
    // The crash came before the last of what lists show.
    await mend(house);
    const before = await snapshot(house, session);
    expect(Object.keys(before).length).toBeGreaterThan(8);

    await house.pass(61_000 - house.clock.monotonic());
    expect(await readdir(join(house.root, 'spool', 'alice'))).toContain(session);
    house.store.written.length = 0;
    await house.recorder({ once: true }).over();
    expect(await house.sessions()).toHaveLength(2);
    expect(await recover(house)).toEqual([]);
    expect((await mend(house)).map(({ outcome }) => outcome)).toEqual(['kept', 'kept']);
    const ref = { handle: 'alice', session };
    expect(await verifySession(house.store, ref, { depth: 'sizes', ffmpeg: '' })).toMatchObject({ ok: true });

    const after = await snapshot(house, session);
    const bytes = (of: Record<string, string>) =>
      Object.entries(of).map(([key, state]) => [key, state.split(' ')[0]]);
    expect(bytes(after)).toEqual(bytes(before));
    // What lists show may be written again, the same. Nothing else is.
    const touched = Object.keys(after).filter((key) => after[key] !== before[key]);
    expect(touched.filter((key) => key !== 'summary.json')).toEqual([]);
    const written = house.store.written
      .filter((key) => key.includes(session))
      .map((key) => key.split('/').at(-1));
    expect(new Set(written)).toEqual(new Set([`${session}~alice.json`, 'summary.json']));
  });
});

/** By `rm`, with `--force` where it is not sealed. */
async function remove({ store, clock }: House, session: string): Promise<void> {
  const { signal } = new AbortController();
  const options = { reason: 'rm', evenUnsealed: true, clock, signal };
  const removal = await removeSession(store, { handle: 'alice', session }, options);
  expect(removal.outcome).toBe('removed');
}

describe('a removed session', () => {
  test('stays removed: its room is recorded as another session, and nothing left of it is shipped', async () => {
    const { house, session } = await sealedWithLeftover();
    await remove(house, session);
    const before = await snapshot(house, session);
    expect(Object.keys(before)).toEqual(['manifest.json']);

    await house.pass(61_000 - house.clock.monotonic());
    const recorder = house.recorder({ once: true });
    await recorder.over();
    expect(recorder.sealed).toEqual([expect.not.stringContaining(session)]);
    expect(await recover(house)).toEqual([]);
    expect((await mend(house)).map((each) => each.session)).toEqual(recorder.sealed);
    expect(await snapshot(house, session)).toEqual(before);
    expect(await readdir(join(house.root, 'spool', 'alice'))).toEqual(['lock.sqlite']);
  });

  test('that was not sealed is not gone on with', async () => {
    const house = await House.open();
    house.broadcasts = [{ roomId: A, fromMs: 0, toMs: 60_000 }];
    const first = house.recorder();
    await house.pass(20_000);
    await first.stopAs('drain');
    const [session = ''] = await house.sessions();
    expect((await house.manifest(session)).sealedAt).toBeNull();
    await remove(house, session);
    const before = await snapshot(house, session);

    const second = house.recorder({ once: true });
    await second.over();
    expect(second.sealed).toEqual([expect.not.stringContaining(session)]);
    const { untrue, manifest } = await house.account(second.sealed[0] ?? '');
    expect([untrue, manifest.endCause]).toEqual([[], 'room-ended']);
    expect(await recover(house)).toEqual([]);
    expect(await snapshot(house, session)).toEqual(before);
  });

  test('of which media lies in the spool is told, and that is left alone', async () => {
    const house = await House.open();
    house.broadcasts = [{ roomId: A, fromMs: 0, toMs: 60_000 }];
    const first = house.recorder();
    await house.pass(16_000);
    house.store.fails = (operation, key) => operation === 'put' && key.includes('/segments/');
    await house.pass(16_000);
    const left = await house.asLeftByCrash();
    first.giveUp.abort();
    first.stop.abort();
    await first.over();
    const [session = ''] = await left.sessions();
    await remove(left, session);
    expect(await recover(left)).toMatchObject([{ session, outcome: 'left', error: { code: 'SPOOL' } }]);
    expect((await readdir(join(left.root, 'spool/alice', session, 'segments'))).length).toBeGreaterThan(0);
    expect(Object.keys(await snapshot(left, session))).toEqual(['manifest.json']);
  });
});

describe('a manifest in the store that cannot be read', { tags: 'manifest-lost' }, () => {
  test('may be a sealed one: the room is recorded as another session, and the leftover waits for reindex', async () => {
    const { house, session } = await sealedWithLeftover();
    await mend(house);
    const path = join(house.root, 'store', sessionPrefix('alice', session), 'manifest.json');
    await writeFile(path, (await readFile(path, 'utf8')).slice(0, 300));
    const before = await snapshot(house, session);

    await house.pass(61_000 - house.clock.monotonic());
    const recorder = house.recorder({ once: true });
    await recorder.over();
    expect(recorder.outcome).toMatchObject({ kind: 'unsealed', sessions: [session] });
    expect(recorder.sealed).toEqual([expect.not.stringContaining(session)]);
    expect(await recover(house)).toMatchObject([{ session, outcome: 'left', error: { code: 'MANIFEST' } }]);
    expect(await snapshot(house, session)).toEqual(before);

    const done = await mend(house);
    expect(done.find((each) => each.session === session)).toMatchObject({ outcome: 'rebuilt', sealed: true });
    expect(await recover(house)).toEqual([]);
    expect(await readdir(join(house.root, 'spool', 'alice'))).toEqual(['lock.sqlite']);
    const { untrue, manifest } = await house.account(session);
    expect([untrue, manifest.gaps]).toEqual([[], []]);
  });
});
