/** A storyboard is made while a session is sealed, and a seal never fails for it, nor waits for long. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { SessionPictures, type PictureDeps } from '../../src/daemon/session-pictures.ts';
import { createLogger } from '../../src/kernel/logger.ts';
import { StopRequest, type StopKind } from '../../src/kernel/stop-request.ts';
import { foldSession } from '../../src/layout/fold.ts';
import { SessionSpool } from '../../src/spool/session-spool.ts';
import { openStore } from '../../src/store/open-store.ts';
import { term } from '../layout/sample.ts';
import { ManualClock } from '../manual-clock.ts';
import { scratchFolder } from '../spool/scratch.ts';
import { live } from '../watch/looks.ts';

const { manifest } = foldSession([term(1)], 1);
const BOTH = ['storyboard.jpg', 'storyboard.vtt'];
type Make = PictureDeps['makeStoryboard'];
const made: Make = async () => ({ jpg: Buffer.from('picture'), vtt: 'WEBVTT\n' });

/** Hangs until it is told to end, as a store may that is away. */
function hanging() {
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const make: Make = (_ref, _manifest, signal) =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
      begin();
    });
  return { make, begun };
}

async function sealing(makeStoryboard: Make) {
  const root = await scratchFolder();
  const clock = new ManualClock();
  const spool = await SessionSpool.open(join(root, 'spool'), 'alice', manifest.session);
  const [giveUp, stop] = [new AbortController(), new AbortController()];
  const pictures = new SessionPictures({
    store: openStore(join(root, 'store')),
    clock,
    read: () => Promise.reject(new Error('no pictures here')),
    makePoster: () => Promise.reject(new Error('no posters here')),
    makeStoryboard,
    signal: giveUp.signal,
  });
  const begin = (look: ReturnType<typeof live> | null) =>
    pictures.begin({ spool, look, log: createLogger({ level: 'silent' }) });
  const begun = begin(null);
  return {
    clock,
    spool,
    giveUp,
    begin,
    stop: (kind: StopKind): void => stop.abort(new StopRequest(kind)),
    keys: () => begun.storyboard(manifest, stop.signal),
  };
}

test('what was made lies in the spool, to be shipped with the session', async () => {
  const { spool, keys, clock } = await sealing(async (ref, given, signal) => {
    expect([ref, given]).toEqual([{ handle: 'alice', session: manifest.session }, manifest]);
    return made(ref, given, signal);
  });
  expect(await keys()).toEqual(BOTH);
  expect(await readFile(spool.filePath('storyboard.jpg'), 'utf8')).toBe('picture');
  expect(await readFile(spool.filePath('storyboard.vtt'), 'utf8')).toBe('WEBVTT\n');
  expect(clock.nextMs).toBeNull();
});

test.each<[string, Make]>([
  ['there are no pictures', async () => undefined],
  ['it cannot be made', () => Promise.reject(new Error('no room'))],
])('none when %s', async (_, make) => {
  expect(await (await sealing(make)).keys()).toEqual([]);
});

test('one that takes too long is given up', async () => {
  const { make, begun } = hanging();
  const { keys, clock } = await sealing(make);
  const waiting = keys();
  await begun;
  await clock.advance(15_000);
  expect(await waiting).toEqual([]);
});

test('a drain waits for none', async () => {
  const { keys, stop } = await sealing(made);
  stop('drain');
  expect(await keys()).toEqual([]);
});

test.each(['drain', 'interrupt'] as const)('%s ends one that is being made', async (kind) => {
  const { make, begun } = hanging();
  const { keys, stop } = await sealing(make);
  const waiting = keys();
  await begun;
  stop(kind);
  expect(await waiting).toEqual([]);
});

test('a recording that was ended by hand gets one all the same', async () => {
  const { keys, stop } = await sealing(made);
  stop('interrupt');
  expect(await keys()).toEqual(BOTH);
});

test('giving up ends it whatever was asked', async () => {
  const { make, begun } = hanging();
  const { keys, stop, giveUp } = await sealing(make);
  stop('interrupt');
  const waiting = keys();
  await begun;
  giveUp.abort();
  expect(await waiting).toEqual([]);
});

describe('one that an earlier try to seal left', () => {
  const left = async () => {
    const world = await sealing(async () => undefined);
    for (const key of BOTH) await world.spool.writeFile(key, 'earlier');
    return world;
  };

  test('is shipped, whoever waits: it may be in the store by now', async () => {
    const { keys, stop, spool } = await left();
    stop('drain');
    expect(await keys()).toEqual(BOTH);
    expect(await readFile(spool.filePath('storyboard.jpg'), 'utf8')).toBe('earlier');
  });

  test('is forgotten when the recording goes on', async () => {
    const { keys, begin } = await left();
    await begin(live()).finished();
    expect(await keys()).toEqual([]);
  });
});
