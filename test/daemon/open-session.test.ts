/** A session goes on in the store that has what was shipped of it, and in no other. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { openSession } from '../../src/daemon/open-session.ts';
import { createLogger } from '../../src/kernel/logger.ts';
import { encodeJournalEntry } from '../../src/layout/journal.ts';
import { sessionPrefix } from '../../src/layout/keys.ts';
import { openStore } from '../../src/store/open-store.ts';
import { at, epoch, segment, term } from '../layout/sample.ts';
import { ManualClock } from '../manual-clock.ts';
import { SessionSpool } from '../../src/spool/session-spool.ts';
import { scratchFolder } from '../spool/scratch.ts';

const INIT = 'segments/0001-0001-init.mp4';
const JOURNAL = 'journal/0001-000001.ndjson';
const [first, second] = [1, 2].map((n) => segment(1, 1, n, { key: `segments/0001-0001-00000${n}.m4s` }));
const told = [
  term(1),
  epoch(1, 1, { init: INIT, initBytes: 4, initSha256: '0'.repeat(64) }),
  first!,
  second!,
];
const KEYS = [INIT, first!.segment.key, second!.segment.key];
const { session } = told[0] as ReturnType<typeof term>;

interface Left {
  /** What the journals name and is in the spool still. */
  here: readonly string[];
  /** What the store that is asked has. */
  there: readonly string[];
  /** The store that was noted; null: an earlier livestow noted none. */
  noted: 'this' | 'another' | null;
  /** Told as lost. */
  lost?: readonly string[];
  /** The store can't be asked. */
  isAway?: boolean;
  /** All that the journal tells of media cannot be read. */
  isTorn?: boolean;
  /** Something else lies among the journals. */
  hasStranger?: boolean;
}

const opening = async (left: Left) => {
  const root = await scratchFolder();
  const write = async (path: string, text: string): Promise<void> => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  };
  const location = left.isAway ? 's3://away?endpoint=http://127.0.0.1:1&pathStyle=true' : join(root, 'this');
  const credentials = { accessKeyId: 'nobody', secretAccessKey: 'nothing' };
  const store = openStore(location, { retry: { tries: 1 }, s3: { credentials } });
  const lost = (left.lost ?? []).map((key) => ({ type: 'lost' as const, at: at(20_000), key }));
  const [begun = '', ...rest] = [...told, ...lost].map(encodeJournalEntry);
  const lines = begun + rest.map((line) => (left.isTorn ? line.replace(':', ';') : line)).join('');
  await write(`spool/alice/${session}/${JOURNAL}`, lines);
  if (left.hasStranger) await write(`spool/alice/${session}/journal/.notes`, 'of somebody');
  for (const key of left.here) await write(`spool/alice/${session}/${key}`, 'here');
  for (const key of left.there)
    await write(`this/${sessionPrefix('alice', session)}${key}`, key === JOURNAL ? lines : 'there');
  const log = createLogger({ level: 'silent' });
  const spoolRoot = join(root, 'spool');
  const spool = await SessionSpool.open(spoolRoot, 'alice', session, log);
  const another = `directory ${join(root, 'another')}`;
  if (left.noted) await spool.noteStore(left.noted === 'this' ? store.description : another);
  return openSession('alice', session, { spoolRoot, store, clock: new ManualClock(), log });
};

test.each<[string, Left]>([
  ['nothing was shipped', { here: KEYS, there: [], noted: 'another' }],
  ['some of it is there', { here: [], there: KEYS, noted: 'this' }],
  ['the store is called otherwise now', { here: [], there: KEYS, noted: 'another' }],
  ['nobody noted the store, and it is this', { here: [], there: KEYS, noted: null }],
  ['what is not here is told as lost', { here: [INIT], there: [], noted: 'this', lost: KEYS.slice(1) }],
  ['the store is away, and it is this', { here: [], there: [], noted: 'this', isAway: true }],
  ['nothing was shipped, with a stranger', { here: KEYS, there: [], noted: 'another', hasStranger: true }],
  ['a journal is torn, and the store is noted', { here: [], there: [], noted: 'this', isTorn: true }],
  ['a journal is torn, and some media is there', { here: [], there: KEYS, noted: 'another', isTorn: true }],
])('it goes on: %s', async (_, left) => {
  expect(await opening(left)).toMatchObject({ session, term: 2 });
});

const ELSEWHERE = /it is in directory .*another: with no livestow running/;
const NOWHERE = /right store, and there \(a disk that is not mounted\?\)/;
test.each<[string, Left, RegExp]>([
  ['the init alone was shipped, elsewhere', { here: KEYS.slice(1), there: [], noted: 'another' }, ELSEWHERE],
  ['there is a journal of it at most', { here: [], there: [JOURNAL], noted: 'another' }, ELSEWHERE],
  [
    'the store is away, and it is another',
    { here: [], there: [], noted: 'another', isAway: true },
    ELSEWHERE,
  ],
  [
    'a journal is torn',
    { here: KEYS, there: [], noted: 'another', isTorn: true },
    /lines .* are lost.*another: with/,
  ],
  ['the store is empty', { here: [], there: [], noted: 'this' }, NOWHERE],
  ['nobody noted the store, and it is not this', { here: [], there: [], noted: null }, NOWHERE],
])('it waits for its store: %s', async (_, left, hint) => {
  await expect(opening(left)).rejects.toMatchObject({ code: 'SPOOL', hint: expect.stringMatching(hint) });
});
