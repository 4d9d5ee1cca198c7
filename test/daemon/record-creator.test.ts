import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runs } from '../ingest/synthetic-broadcast.ts';
import { House } from './house.ts';

const A = '7300000000000000001';
const B = '7300000000000000002';

const spoolOf = async (house: House): Promise<string[]> =>
  (await readdir(join(house.root, 'spool', 'alice'))).filter((name) => name !== 'lock.sqlite').sort();

/** Sealed, true, and with every picture that was sent of its room, once and in order. */
async function expectWhole(house: House, session: string, except: { missing?: string } = {}): Promise<void> {
  const { manifest, untrue, pictures } = await house.account(session);
  expect(untrue).toEqual([]);
  expect(manifest.sealedAt).not.toBeNull();
  expect(pictures).toEqual([...new Set(pictures)].toSorted((a, b) => a - b));
  const sent = [...(house.sent.get(manifest.room.roomId) ?? [])].toSorted((a, b) => a - b);
  const there = new Set(pictures);
  expect(runs(sent.filter((n) => !there.has(n)))).toBe(except.missing ?? '');
  expect(JSON.parse(await house.text(session, 'summary.json'))).toMatchObject({
    sealedAt: manifest.sealedAt,
  });
}

describe('one recorder', () => {
  test('records a broadcast and seals it', async () => {
    const house = await House.open();
    house.broadcasts = [{ roomId: A, fromMs: 5_000, toMs: 35_000 }];
    const recorder = house.recorder({ once: true });
    await recorder.over();
    expect(recorder.outcome).toEqual({ kind: 'once', session: expect.stringContaining(A) });
    const [session = ''] = await house.sessions();
    await expectWhole(house, session);
    expect(await spoolOf(house)).toEqual([]);
    expect(house.engine.running).toBe(0);
    expect(house.clock.pendingMs).toEqual([]);
  });

  test('keeps a second one away', { tags: 'second-recorder' }, async () => {
    const house = await House.open();
    const looked = new AbortController();
    const first = house.recorder({ onLook: () => looked.abort() });
    await house.pass(60_000, looked.signal);
    const second = house.recorder();
    await expect(second.over()).rejects.toMatchObject({ code: 'HELD' });
    expect(first.isOver).toBe(false);
    await first.stopAs('interrupt');
    const third = house.recorder();
    await third.stopAs('interrupt');
    expect(third.outcome).toEqual({ kind: 'stopped' });
  });
});

describe('a drain', () => {
  test('leaves the session open; the next start goes on as term 2, and nothing is lost or there twice', async () => {
    for (const drainAtMs of [9_300, 12_300]) {
      const house = await House.open();
      house.broadcasts = [{ roomId: A, fromMs: 0, toMs: 40_000 }];
      const first = house.recorder();
      await house.pass(drainAtMs);
      await first.stopAs('drain');
      expect(first.outcome).toEqual({ kind: 'stopped' });
      const [session = ''] = await house.sessions();
      const drained = await house.account(session);
      expect(drained.manifest.sealedAt).toBeNull();
      // All that ends at a keyframe is in the store, and the manifest knows it.
      expect(drained.pictures.at(-1)).toBe(Math.floor(drainAtMs / 1_000) * 25 - 1);
      expect(drained.untrue).toEqual([]);
      const second = house.recorder({ once: true });
      await second.over();
      expect(await house.sessions()).toEqual([session]);
      await expectWhole(house, session);
      const { manifest } = await house.account(session);
      expect(new Set(manifest.segments.map(({ term }) => term))).toEqual(new Set([1, 2]));
      expect(manifest.gaps).toEqual([]);
      expect(manifest.segments.map(({ firstDtsMs }) => firstDtsMs)).toEqual(
        manifest.segments.map(({ firstDtsMs }) => firstDtsMs).toSorted((a, b) => a - b),
      );
    }
  });

  test('and a later start: the time between is a gap, once', async () => {
    const house = await House.open();
    house.broadcasts = [{ roomId: A, fromMs: 0, toMs: 60_000 }];
    const first = house.recorder();
    await house.pass(12_300);
    await first.stopAs('drain');
    await house.pass(10_000);
    const second = house.recorder({ once: true });
    await second.over();
    const [session = ''] = await house.sessions();
    await expectWhole(house, session);
    const { manifest } = await house.account(session);
    expect(manifest.gaps.map(({ cause }) => cause)).toEqual(['recorder-down']);
    // Pictures up to 12.2 s or so, then from a keyframe on.
    expect(Math.abs(manifest.gaps[0]!.ms - 9_700)).toBeLessThan(500);
    const { liveMs } = manifest.coverage;
    expect(Math.abs(liveMs - 60_000)).toBeLessThan(300);
  });

  test('when the room is over by the next start, that seals it with the open GOP', async () => {
    const house = await House.open();
    house.broadcasts = [{ roomId: A, fromMs: 0, toMs: 20_000 }];
    const first = house.recorder();
    await house.pass(12_300);
    await first.stopAs('drain');
    await house.pass(20_000);
    const second = house.recorder({ noWait: true });
    await second.over();
    expect(second.outcome).toEqual({ kind: 'not-live' });
    const [session = ''] = await house.sessions();
    await expectWhole(house, session);
    expect((await house.manifest(session)).endCause).toBe('interrupted');
  });

  test('before any media: the head gap is noted once', async () => {
    const house = await House.open();
    house.broadcasts = [{ roomId: A, fromMs: 0, toMs: 40_000 }];
    house.isCdnDown = true;
    const first = house.recorder();
    await house.pass(8_000);
    await first.stopAs('drain');
    house.isCdnDown = false;
    const second = house.recorder({ once: true });
    await second.over();
    const [session = ''] = await house.sessions();
    await expectWhole(house, session);
    const { manifest } = await house.account(session);
    expect(manifest.gaps.map(({ after, cause }) => [after, cause])).toEqual([[null, 'found-late']]);
    expect(Math.abs(manifest.coverage.liveMs - 40_000)).toBeLessThan(300);
  });
});

describe('a crash', () => {
  test('at any moment: what was sent before and after is there once, but for what came while it was down', async () => {
    const house = await House.open();
    house.broadcasts = [{ roomId: A, fromMs: 1_000, toMs: 30_000 }];
    house.recorder({ once: true });
    const copies: House[] = [];
    for (const ms of [1_500, 1_900, 2_700, 2_500, 5_000]) {
      await house.pass(ms);
      copies.push(await house.asLeftByCrash());
    }
    for (const copy of copies) {
      // The clock is shared: by now the room is further on, or over.
      const next = copy.recorder({ once: copy.onAir !== undefined, noWait: copy.onAir === undefined });
      await next.over();
      const sessions = await copy.sessions();
      expect(sessions).toHaveLength(1);
      await expectWhole(copy, sessions[0]!);
      expect(await spoolOf(copy)).toEqual([]);
    }
  });

  test('after a crash, before the first segment of the term is closed: what the first cost is told once', async () => {
    const first = await House.open();
    first.broadcasts = [{ roomId: A, fromMs: 0, toMs: 60_000 }];
    first.recorder();
    await first.pass(11_500);
    const second = await first.asLeftByCrash();
    await second.pass(2_000);
    second.recorder();
    await second.pass(1_900);
    const third = await second.asLeftByCrash();
    const last = third.recorder({ once: true });
    await last.over();
    const [session = ''] = await third.sessions();
    const { manifest } = await third.account(session);
    expect(manifest.gaps.map(({ cause }) => cause)).toEqual(['recorder-down']);
    expect(Math.abs(manifest.coverage.liveMs - 60_000)).toBeLessThan(300);
  });

  test('between sealing and removing the spool: the next start removes it, and mends what lists show', async () => {
    const house = await House.open();
    house.broadcasts = [{ roomId: A, fromMs: 0, toMs: 12_000 }];
    const recorder = house.recorder({ once: true });
    let copy: House | undefined;
    house.store.onPut = async (key) => {
      // The manifest is sealed when the summary is written for the last time.
      if (!key.endsWith('/summary.json')) return;
      const [session = ''] = await house.sessions();
      if ((await house.manifest(session)).sealedAt !== null) copy ??= await house.asLeftByCrash();
    };
    await recorder.over();
    const [session = ''] = await house.sessions();
    expect(await spoolOf(copy!)).toEqual([session]);
    const before = await copy!.manifest(session);
    expect(before.sealedAt).not.toBeNull();
    const next = copy!.recorder({ noWait: true });
    await next.over();
    expect(next.sealed).toEqual([]);
    expect(await spoolOf(copy!)).toEqual([]);
    expect(await copy!.manifest(session)).toEqual(before);
    await expectWhole(copy!, session);
  });

  test('between them, and the room is live again: a sealed session is not opened again', async () => {
    const house = await House.open();
    house.broadcasts = [
      { roomId: A, fromMs: 0, toMs: 12_000 },
      { roomId: A, fromMs: 60_000, toMs: 80_000 },
    ];
    const recorder = house.recorder({ once: true });
    let copy: House | undefined;
    house.store.onPut = async (key) => {
      if (key.startsWith('index/') && (await house.manifest((await house.sessions())[0]!)).sealedAt !== null)
        copy ??= await house.asLeftByCrash();
    };
    await recorder.over();
    await house.pass(62_000 - house.clock.monotonic());
    const [session = ''] = await house.sessions();
    const before = await copy!.text(session, 'manifest.json');
    const next = copy!.recorder({ once: true });
    await next.over();
    expect(await copy!.text(session, 'manifest.json')).toBe(before);
    expect(await copy!.sessions()).toHaveLength(2);
    expect(await spoolOf(copy!)).toEqual([]);
  });

  test('before anything was written: an empty folder is no session', async () => {
    const house = await House.open();
    await mkdir(join(house.root, 'spool', 'alice', `20261121T000000Z-${B}`, 'journal'), { recursive: true });
    const recorder = house.recorder({ noWait: true });
    await recorder.over();
    expect(recorder.outcome).toEqual({ kind: 'not-live' });
    expect(await spoolOf(house)).toEqual([]);
    expect(await house.sessions()).toEqual([]);
  });

  test('leaves a session of a room that is over: sealed while another room is recorded', async () => {
    const house = await House.open();
    house.broadcasts = [
      { roomId: A, fromMs: 0, toMs: 20_000 },
      { roomId: B, fromMs: 21_000, toMs: 60_000 },
    ];
    house.recorder();
    await house.pass(15_500);
    const copy = await house.asLeftByCrash();
    await house.pass(10_000);
    const recorder = copy.recorder({ once: true });
    await copy.pass(8_000);
    expect(recorder.sealed).toEqual([expect.stringContaining(A)]);
    await recorder.over();
    const sessions = await copy.sessions();
    expect(sessions.map((session) => session.split('-')[1])).toEqual([A, B]);
    for (const session of sessions) await expectWhole(copy, session);
  });

  test('leaves journals that nobody can read: the room is recorded all the same, as another session', async () => {
    const house = await House.open();
    house.broadcasts = [{ roomId: A, fromMs: 0, toMs: 40_000 }];
    house.recorder();
    await house.pass(10_500);
    const copy = await house.asLeftByCrash();
    const [broken = ''] = await spoolOf(copy);
    await writeFile(
      join(copy.root, 'spool', 'alice', broken, 'journal', '0001-000001.ndjson'),
      'garbage\n{}\n',
    );
    await copy.pass(1_000);
    const recorder = copy.recorder({ once: true });
    await recorder.over();
    expect(recorder.outcome).toMatchObject({ kind: 'unsealed', sessions: [broken] });
    const sealed = (await copy.sessions()).find((session) => session !== broken)!;
    expect((await copy.manifest(sealed)).sealedAt).not.toBeNull();
    // It is there for somebody to look at.
    expect(await spoolOf(copy)).toEqual([broken]);
  });
});

describe('a store', () => {
  const down = (house: House): void => {
    house.store.fails = () => true;
  };

  test('that cannot be reached at the start does not keep anything from being recorded', async () => {
    const house = await House.open();
    house.broadcasts = [{ roomId: A, fromMs: 0, toMs: 30_000 }];
    down(house);
    const recorder = house.recorder({ once: true });
    await house.pass(20_000);
    expect(house.sent.get(A)?.size).toBeGreaterThan(300);
    house.store.fails = () => false;
    await recorder.over();
    const [session = ''] = await house.sessions();
    await expectWhole(house, session);
  });

  test('that cannot be reached when a leftover waits to be asked for: new media first', async () => {
    const house = await House.open();
    house.broadcasts = [
      { roomId: A, fromMs: 0, toMs: 10_000 },
      { roomId: B, fromMs: 30_000, toMs: 60_000 },
    ];
    house.recorder();
    await house.pass(8_500);
    const copy = await house.asLeftByCrash();
    await house.pass(22_000);
    down(copy);
    const recorder = copy.recorder({ once: true });
    await copy.pass(12_000);
    expect(copy.sent.get(B)?.size).toBeGreaterThan(200);
    copy.store.fails = () => false;
    await recorder.over();
    for (const session of await copy.sessions()) await expectWhole(copy, session);
    expect(await copy.sessions()).toHaveLength(2);
  });

  test('that is slow: the same room again while its session is being sealed is another session', async () => {
    const house = await House.open();
    house.broadcasts = [
      { roomId: A, fromMs: 0, toMs: 12_000 },
      { roomId: A, fromMs: 40_000, toMs: 60_000 },
    ];
    // Nothing of the first session's seal gets through until the second is on.
    house.store.fails = (operation) => operation === 'put' && house.clock.monotonic() < 50_000;
    const recorder = house.recorder();
    await house.pass(120_000);
    await recorder.stopAs('interrupt');
    const sessions = await house.sessions();
    expect(sessions).toHaveLength(2);
    expect(recorder.sealed.toSorted()).toEqual(sessions);
    const accounts = await Promise.all(sessions.map((session) => house.account(session)));
    expect(accounts.map(({ untrue }) => untrue)).toEqual([[], []]);
    expect(accounts[1]!.pictures[0]).toBe(40_000 / 40);
    expect(accounts.flatMap(({ pictures }) => pictures)).toEqual([...house.sent.get(A)!]);
    expect(await spoolOf(house)).toEqual([]);
  });

  test('that is given up: what is recorded stays for the next start', async () => {
    const house = await House.open();
    house.broadcasts = [{ roomId: A, fromMs: 0, toMs: 12_000 }];
    house.store.fails = (operation) => operation === 'put';
    const recorder = house.recorder({ once: true });
    await house.pass(40_000);
    recorder.giveUp.abort();
    await recorder.over();
    expect(recorder.outcome).toMatchObject({ kind: 'unsealed' });
    house.store.fails = () => false;
    const next = house.recorder({ noWait: true });
    await next.over();
    const [session = ''] = await house.sessions();
    await expectWhole(house, session);
    expect((await house.manifest(session)).endCause).toBe('room-ended');
  });
});

test('something that nobody expected ends the recording; what is closed is shipped, and the next start goes on', async () => {
  const house = await House.open();
  house.broadcasts = [{ roomId: A, fromMs: 0, toMs: 60_000 }];
  let isBroken = false;
  house.engine.diesAt = () => {
    if (isBroken) throw new TypeError('a bug');
    return false;
  };
  const recorder = house.recorder();
  await house.pass(14_300);
  isBroken = true;
  await expect(recorder.over()).rejects.toThrow('a bug');
  expect(house.clock.pendingMs).toEqual([]);
  expect(house.engine.running).toBe(0);
  isBroken = false;
  const next = house.recorder({ once: true });
  await next.over();
  const [session = ''] = await house.sessions();
  await expectWhole(house, session);
});

test('session after session in one process: no listener or timer is left', async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on('warning', onWarning);
  const house = await House.open();
  const recorder = house.recorder();
  for (let i = 0; i < 8; i += 1) {
    const nowMs = house.clock.monotonic();
    house.broadcasts = [{ roomId: `73000000000000001${10 + i}`, fromMs: nowMs, toMs: nowMs + 3_000 }];
    await house.pass(24_000);
  }
  expect(recorder.sealed).toHaveLength(8);
  expect(house.clock.pendingMs.length).toBeLessThan(3);
  await recorder.stopAs('interrupt');
  expect(house.clock.pendingMs).toEqual([]);
  expect(warnings).toEqual([]);
  process.off('warning', onWarning);
});
