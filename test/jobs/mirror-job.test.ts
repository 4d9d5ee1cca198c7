/** A mirror over real directory stores: what is copied, gone on with, told, and left alone. */
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { listSessions } from '../../src/archive/catalogue.ts';
import { holdSession } from '../../src/archive/hold.ts';
import { removeSession } from '../../src/archive/remove-session.ts';
import { verifySession } from '../../src/archive/verify.ts';
import { creatorFile, sessionKeys } from '../../src/layout/keys.ts';
import type { Store } from '../../src/store/store.ts';
import { buildSession, LANDSCAPE, tempStore, type BuiltSession, type TempStore } from '../archive/fixture.ts';
import { keysIn, Performing } from './performing.ts';

const DAY = 86_400_000;
const T = Date.UTC(2026, 10, 20, 12);
const { signal } = new AbortController();

let template: TempStore;
let first: BuiltSession;
let second: BuiltSession;
beforeAll(async () => {
  template = await tempStore();
  const build = (spec: Parameters<typeof buildSession>[1]) =>
    buildSession(template.store, { epochs: [LANDSCAPE], ...spec });
  first = await build({ foundAtMs: T });
  second = await build({ foundAtMs: T + DAY, epochs: [{ ...LANDSCAPE, codec: 'h265' }] });
  await build({ handle: 'bob', foundAtMs: T, state: 'recording' });
  await template.store.put(creatorFile('alice'), { bytes: Buffer.from('{"handle":"alice"}\n') });
});
afterAll(() => template[Symbol.asyncDispose]());

let jobs: Performing;
let to: string;
let job: Record<string, unknown>;
beforeEach(async () => {
  jobs = await Performing.make();
  await cp(template.root, jobs.archive, { recursive: true });
  to = join(jobs.folder, 'mirror');
  job = { kind: 'mirror', to };
  return () => jobs[Symbol.asyncDispose]();
});

const mirror = (): Store => jobs.storeAt(to);
const mirrored = async (): Promise<string[]> =>
  (await listSessions(mirror())).map(({ session }) => session).toSorted();
const verified = async (store: Store, session: BuiltSession) => {
  const { ok, findings, pictures } = await verifySession(store, session, {
    depth: 'decode',
    ffmpeg: 'ffmpeg',
  });
  return { ok, findings, pictures };
};
/** Counts what a store is asked to put. */
function counting(store: Store): { store: Store; puts: string[] } {
  const puts: string[] = [];
  const put: Store['put'] = async (key, body, options) => {
    const done = await store.put(key, body, options);
    puts.push(key);
    return done;
  };
  return { store: Object.assign(Object.create(store) as Store, store, { put }), puts };
}

describe('a mirror', () => {
  test('is an archive of all that is sealed, that verifies by itself', async () => {
    expect(await jobs.run(job)).toEqual({
      message: expect.stringMatching(/^2 sessions copied, .*[KM]iB$/),
      problems: [],
    });
    expect(await mirrored()).toEqual([first.session, second.session]);
    for (const session of [first, second]) {
      expect(await verified(mirror(), session)).toMatchObject({ ok: true, findings: [] });
      for (const key of await keysIn(jobs.storeAt(jobs.archive), session.prefix))
        expect(await readFile(join(to, key))).toEqual(await readFile(join(jobs.archive, key)));
    }
    expect(await keysIn(mirror(), creatorFile('alice'))).toHaveLength(1);
    expect(await keysIn(mirror(), 'creators/bob')).toEqual([]);
  });

  test('copies nothing twice, and asks the mirror, not its memory', async () => {
    await jobs.run(job);
    const { store, puts } = counting(mirror());
    jobs.put(to, store);
    expect(await jobs.run(job)).toMatchObject({ message: '0 sessions copied, 0 B' });
    expect(puts).toEqual([]);
    await rm(join(to, first.prefix), { recursive: true });
    expect(await jobs.run(job)).toMatchObject({ message: expect.stringMatching(/^1 session copied/) });
    expect(await mirrored()).toEqual([first.session, second.session]);
  });

  test('of some creators alone', async () => {
    await jobs.run({ ...job, creators: ['bob'] });
    expect(await keysIn(mirror())).toEqual([]);
  });

  test('of itself is refused', async () => {
    await expect(jobs.run({ ...job, to: jobs.archive })).rejects.toMatchObject({ code: 'CONFIG' });
  });
});

test('broken off at each of its puts, it is gone on with, and nothing is sent again', async () => {
  const { store, puts } = counting(mirror());
  const breaking = (after: number): Store =>
    Object.assign(Object.create(store) as Store, store, {
      put: (async (key, body, options) => {
        if ((after -= 1) < 0) throw new Error('broke off');
        return store.put(key, body, options);
      }) satisfies Store['put'],
    });
  const errors = new Set<string>();
  const unsound: string[] = [];
  let runs = 0;
  for (let isDone = false; !isDone && runs < 50; runs += 1) {
    // Each run gets three objects further.
    jobs.put(to, breaking(3));
    isDone = await jobs.run(job).then(
      () => true,
      (error: unknown) => !errors.add(String(error)),
    );
    // What is called sealed there is whole.
    for (const { handle, session, summary } of await listSessions(mirror())) {
      if (!summary?.sealedAt) continue;
      const built = session === first.session ? first : second;
      if (!(await verified(mirror(), built)).ok) unsound.push(`${handle}/${session} after run ${runs}`);
    }
  }
  expect([...errors]).toEqual(['Error: broke off']);
  expect(unsound).toEqual([]);
  expect(runs).toBeLessThan(50);
  expect(runs).toBeGreaterThan(3);
  expect(puts.length).toBe(new Set(puts).size);
  for (const session of [first, second])
    expect(await verified(mirror(), session)).toMatchObject({ ok: true, findings: [] });
});

describe('what is in the way', () => {
  const key = (): string => `${first.prefix}segments/0001-0001-000002.ts`;

  test('another object of that name stays, is told, and its session is not called copied', async () => {
    await mirror().put(key(), { bytes: Buffer.from('mine') });
    const { message, problems } = await jobs.run(job);
    expect(message).toMatch(/^1 session copied/);
    expect(problems).toEqual([
      `@alice ${first.session}: the mirror has another object under ${key()}: it is left as it is`,
    ]);
    expect(await readFile(join(to, key()), 'utf8')).toBe('mine');
    expect(await keysIn(mirror(), first.prefix + sessionKeys.manifest)).toEqual([]);
    expect((await jobs.run(job)).problems).toHaveLength(1);
  });

  test('damage is not copied', { tags: 'object-altered' }, async () => {
    const path = join(jobs.archive, key());
    const bytes = await readFile(path);
    bytes[500] = (bytes[500] ?? 0) ^ 1;
    await writeFile(path, bytes);
    const { problems } = await jobs.run(job);
    expect(problems).toEqual([expect.stringMatching(/damaged: altered segments\/0001-0001-000002.ts: /)]);
    expect(await keysIn(mirror(), key())).toEqual([]);
    expect(await keysIn(mirror(), first.prefix + sessionKeys.manifest)).toEqual([]);
    await cp(join(template.root, key()), path);
    expect(await jobs.run(job)).toMatchObject({ problems: [] });
    expect((await verified(mirror(), first)).ok).toBe(true);
  });
});

describe('removal and holds', () => {
  test('what was removed from the mirror is not copied again; what was removed here stays there', async () => {
    await jobs.run(job);
    const options = { reason: 'rm', clock: jobs.clock, signal };
    await removeSession(mirror(), first, options);
    await removeSession(jobs.storeAt(jobs.archive), second, options);
    expect(await jobs.run(job)).toEqual({ message: '0 sessions copied, 0 B', problems: [] });
    expect(await mirrored()).toEqual([second.session]);
  });

  test('a hold is a matter of each store', async () => {
    await holdSession(jobs.storeAt(jobs.archive), first, { reason: null, clock: jobs.clock, signal });
    await jobs.run(job);
    expect(await keysIn(mirror(), first.prefix + sessionKeys.hold)).toEqual([]);
  });
});

test('stopped, it says why, and the next run ends it', async () => {
  const stop = new AbortController();
  jobs.onProgress = (_done, note) => {
    if (note.includes(second.session)) stop.abort(new Error('enough'));
  };
  await expect(jobs.run(job, { signal: stop.signal })).rejects.toThrow('enough');
  jobs.onProgress = () => {};
  await jobs.run(job);
  expect(await mirrored()).toEqual([first.session, second.session]);
});
