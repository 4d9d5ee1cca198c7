/** Spools that somebody else was in: what is whole is archived, and nothing is destroyed that livestow does not understand. */
import { execFileSync } from 'node:child_process';
import {
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { recoverSpool, type Recovered } from '../../src/daemon/recover.ts';
import { createLogger } from '../../src/kernel/logger.ts';
import { decodeJournal } from '../../src/layout/journal.ts';
import { diskAtRest } from '../record/disk-at-rest.ts';
import { House } from './house.ts';

const ROOM = '7300000000000000001';

interface Crashed {
  house: House;
  session: string;
  folder: string;
}

const BROADCAST = { roomId: ROOM, fromMs: 0, toMs: 60_000 };
const CRASH_AT_MS = 18_500;

/** Made once: what a recorder leaves that is killed in the middle: journals, segments that were not shipped, a tail. */
let image: Promise<{ root: string; sent: House['sent'] }> | undefined;

async function makeImage(): Promise<{ root: string; sent: House['sent'] }> {
  const house = await House.open();
  house.broadcasts = [BROADCAST];
  // From the second segment on, the store is away.
  house.store.fails = (_, key) => /00000[2-9]\.ts$|journal/.test(key);
  house.recorder();
  await house.pass(CRASH_AT_MS);
  await diskAtRest();
  const root = await mkdtemp(join(tmpdir(), 'livestow-crashed-'));
  await cp(house.root, root, { recursive: true });
  return { root, sent: house.sent };
}

afterAll(async () => {
  if (image) await rm((await image).root, { recursive: true });
});

async function crashed(): Promise<Crashed> {
  image ??= makeImage();
  const { root, sent } = await image;
  const house = await House.open();
  await cp(root, house.root, { recursive: true });
  await house.clock.advance(CRASH_AT_MS);
  house.broadcasts = [BROADCAST];
  for (const [room, pictures] of sent) house.sent.set(room, new Set(pictures));
  const [session = ''] = await sessionsIn(house);
  return { house, session, folder: join(house.root, 'spool', 'alice', session) };
}

const sessionsIn = async (house: House): Promise<string[]> =>
  (await readdir(join(house.root, 'spool', 'alice'))).filter((name) => !name.startsWith('lock'));

async function recover(house: House, said: string[] = []): Promise<Recovered[]> {
  const log = createLogger({ level: 'warn', destination: { write: (line) => void said.push(line) } });
  const over = new AbortController();
  const recovering = Array.fromAsync(
    recoverSpool({ ...house.deps(new AbortController().signal), log }, over.signal),
  ).finally(() => over.abort());
  await house.pass(600_000, over.signal);
  return recovering;
}

/** Recovers twice; the second time changes nothing. */
async function recoverTwice(house: House, said: string[] = []): Promise<Recovered[]> {
  const first = await recover(house, said);
  const once = await contentsOf(house.root);
  const second = await recover(house);
  expect(second.map(({ outcome }) => outcome)).toEqual(
    first.map(({ outcome }) => outcome).filter((outcome) => outcome !== 'sealed'),
  );
  expect(await contentsOf(house.root)).toEqual(once);
  return first;
}

async function contentsOf(root: string): Promise<Map<string, string>> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const contents = new Map<string, string>();
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.name.startsWith('lock.sqlite'))
      contents.set(path.slice(root.length), entry.isFile() ? await readFile(path, 'latin1') : '');
  }
  return contents;
}

/** Sealed, true to its manifest, and with all of these segments. */
async function expectArchived(house: House, session: string, keys: readonly string[]): Promise<void> {
  const { manifest, untrue, pictures } = await house.account(session);
  expect(manifest.sealedAt).not.toBeNull();
  expect(untrue).toEqual([]);
  expect(manifest.segments.map(({ key }) => key)).toEqual(expect.arrayContaining([...keys]));
  const sent = house.sent.get(ROOM) ?? new Set();
  expect(pictures.filter((picture) => !sent.has(picture))).toEqual([]);
  expect(new Set(pictures).size).toBe(pictures.length);
}

const segmentsIn = (text: string): string[] =>
  decodeJournal(text, 'journal').flatMap((entry) => (entry.type === 'segment' ? [entry.segment.key] : []));

async function newestJournal(folder: string): Promise<string> {
  const names = (await readdir(join(folder, 'journal'))).sort();
  return join(folder, 'journal', names.at(-1) ?? '');
}

describe('a journal', { tags: 'spool-damaged' }, () => {
  test('that is cut anywhere: what its whole lines tell is archived', async () => {
    const base = await crashed();
    const path = await newestJournal(base.folder);
    const bytes = await readFile(path);
    expect(segmentsIn(bytes.toString())).not.toEqual([]);
    const cuts = Array.from({ length: 3 }, (_, i) => Math.floor((bytes.length * (i + 1)) / 4) + i);
    for (const length of cuts) {
      const { house } = await crashed();
      await truncate(path.replace(base.house.root, house.root), length);
      const whole = bytes.subarray(0, bytes.lastIndexOf(10, length - 1) + 1).toString();
      expect(await recoverTwice(house)).toMatchObject([{ outcome: 'sealed' }]);
      await expectArchived(house, base.session, length === 0 ? [] : segmentsIn(whole));
    }
  });

  test.for<[what: string, tail: Buffer, isKept: boolean]>([
    ['garbage', Buffer.from('no line of ours\nnor this'), true],
    ['zeros', Buffer.alloc(5_000), false],
    ['zeros, and the end of a line', Buffer.concat([Buffer.alloc(500), Buffer.from('"x"}\n')]), false],
    ['a line of 10 MB', Buffer.from(`${'x'.repeat(10_000_000)}\n`), true],
  ])('with %s at its end: all before it is archived, and it is kept', async ([, tail, isKept]) => {
    const { house, session, folder } = await crashed();
    const path = await newestJournal(folder);
    const text = await readFile(path, 'utf8');
    await writeFile(path, Buffer.concat([Buffer.from(text), tail]));
    const said: string[] = [];
    const recovered = await recoverTwice(house, said);
    const aside = `${folder}.set-aside`;
    expect(recovered).toMatchObject([{ outcome: 'sealed', aside: isKept ? aside : undefined }]);
    expect(said.some((line) => line.includes(aside))).toBe(isKept);
    await expectArchived(house, session, segmentsIn(text));
    const kept = await readFile(path.replace(folder, aside)).catch(() => null);
    expect(kept?.equals(Buffer.concat([Buffer.from(text), tail])) ?? false).toBe(isKept);
  });

  test('with a segment’s line overwritten: a gap tells, and the segment’s file is kept', async () => {
    const { house, session, folder } = await crashed();
    const path = await newestJournal(folder);
    const lines = (await readFile(path, 'utf8')).split('\n');
    const at = lines.findIndex((line) => line.includes('"type":"segment"'));
    const [lost = ''] = segmentsIn(`${lines[at]}\n`);
    const rest = segmentsIn(lines.toSpliced(at, 1).join('\n'));
    expect(rest).not.toEqual([]);
    const media = await readFile(join(folder, lost));
    await rm(join(folder, 'tail'), { recursive: true });
    await writeFile(path, lines.with(at, '#'.repeat(lines[at]!.length)).join('\n'));
    expect(await recoverTwice(house)).toMatchObject([{ outcome: 'sealed' }]);
    await expectArchived(house, session, rest);
    const { gaps } = await house.manifest(session);
    expect(gaps.filter(({ cause }) => cause === 'lost-locally')).toHaveLength(1);
    expect((await readFile(join(`${folder}.set-aside`, lost))).equals(media)).toBe(true);
  });

  test('copied under another name is no second journal', async () => {
    const { house, session, folder } = await crashed();
    const first = join(folder, 'journal/0001-000001.ndjson');
    const second = await newestJournal(folder);
    await cp(first, join(folder, 'journal/0002-000001.ndjson'));
    await cp(second, join(folder, 'journal/0001-000077.ndjson'));
    expect(await recoverTwice(house)).toMatchObject([{ outcome: 'sealed' }]);
    await expectArchived(house, session, segmentsIn(await house.text(session, 'journal/0001-000001.ndjson')));
    expect((await readdir(join(`${folder}.set-aside`, 'journal'))).sort()).toEqual([
      '0001-000077.ndjson',
      '0002-000001.ndjson',
    ]);
  });

  test.for<[what: string, damage: (path: string) => Promise<void>]>([
    ['is missing', (path) => rm(path)],
    ['is empty', (path) => truncate(path, 0)],
    ['was altered', (path) => writeFile(path, 'something else')],
    [
      'is a folder',
      (path) =>
        rm(path)
          .then(() => mkdir(path))
          .then(() => {}),
    ],
  ])('names a segment that %s: a gap, and the rest is archived', async ([, damage]) => {
    const { house, session, folder } = await crashed();
    const [key = '', ...rest] = (await readdir(join(folder, 'segments')))
      .sort()
      .map((name) => `segments/${name}`);
    await damage(join(folder, key));
    expect(await recoverTwice(house)).toMatchObject([{ outcome: 'sealed' }]);
    await expectArchived(house, session, rest);
    const { gaps, segments } = await house.manifest(session);
    expect(segments.map((segment) => segment.key)).not.toContain(key);
    expect(gaps).toContainEqual(expect.objectContaining({ cause: 'lost-locally' }));
  });
});

describe('what livestow did not write', { tags: 'spool-damaged' }, () => {
  test('outlives the seal, at every level and of every kind', async () => {
    const { house, session, folder } = await crashed();
    const levels = ['', 'journal', 'segments', 'files', 'engine', 'engine/1-1', 'tail'];
    for (const level of levels) {
      const at = join(folder, level);
      await writeFile(join(at, 'notes.txt'), `precious: ${level}`);
      await mkdir(join(at, 'photos'));
      await writeFile(join(at, 'photos', 'one.jpg'), `picture: ${level}`);
      await symlink('/etc/hostname', join(at, 'link'));
      execFileSync('mkfifo', [join(at, 'pipe')]);
    }
    await writeFile(join(folder, 'tail', '0001-000099.flv'), 'no FLV');
    await mkdir(join(folder, 'tail', '0000-000001.flv'));
    expect(await recoverTwice(house)).toMatchObject([{ outcome: 'sealed', aside: `${folder}.set-aside` }]);
    await expectArchived(house, session, []);
    const kept = [...(await contentsOf(`${folder}.set-aside`)).keys()];
    for (const level of levels) {
      const at = level === '' ? '' : `/${level}`;
      for (const name of ['notes.txt', 'photos/one.jpg', 'link', 'pipe'])
        expect(kept).toContain(`${at}/${name}`);
    }
    expect(kept).toEqual(expect.arrayContaining(['/tail/0001-000099.flv', '/tail/0000-000001.flv']));
    expect(await sessionsIn(house)).toEqual([`${session}.set-aside`]);
  });

  test('in the place of a folder of ours', async () => {
    const { house, session, folder } = await crashed();
    for (const name of ['files', 'engine', 'tail']) {
      await rm(join(folder, name), { recursive: true });
      await writeFile(join(folder, name), `precious: ${name}`);
    }
    expect(await recoverTwice(house)).toMatchObject([{ outcome: 'sealed' }]);
    await expectArchived(house, session, []);
    expect((await readdir(`${folder}.set-aside`)).sort()).toEqual(['engine', 'files', 'tail']);
  });

  test('beside sessions and creators is left where it is, and no lock is put into it', async () => {
    const { house, session } = await crashed();
    const spool = join(house.root, 'spool');
    const strangers = ['Not a handle', 'music', 'alice/photos', 'alice/keep.sealed', 'alice/x.set-aside'];
    for (const name of strangers) {
      await mkdir(join(spool, name), { recursive: true });
      await writeFile(join(spool, name, 'precious'), name);
    }
    await symlink(join(spool, 'alice'), join(spool, 'bob'));
    await writeFile(join(spool, 'carol'), 'a file');
    const said: string[] = [];
    expect(await recoverTwice(house, said)).toMatchObject([{ session, outcome: 'sealed' }]);
    for (const name of strangers) {
      expect(await readdir(join(spool, name))).toEqual(['precious']);
    }
    for (const name of ['Not a handle', 'alice/photos', 'alice/keep.sealed', 'bob', 'carol'])
      expect(said.join('')).toContain(join(spool, name));
  });
});

describe('a session', { tags: 'spool-damaged' }, () => {
  test.for<[what: string, damage: (crashed: Crashed) => Promise<string>]>([
    [
      'that was copied',
      async ({ folder, session }) => {
        await cp(folder, `${folder}-copy`, { recursive: true });
        return `${session}-copy`;
      },
    ],
    [
      'of a newer livestow',
      async ({ folder, session }) => {
        const other = session.replace(/-\d+$/, '-7300000000000000009');
        const copy = folder.replace(session, other);
        await cp(folder, copy, { recursive: true });
        const path = join(copy, 'journal/0001-000001.ndjson');
        const text = (await readFile(path, 'utf8')).replaceAll(session, other);
        await writeFile(path, `${text.replaceAll('livestow/1', 'livestow/2')}{"torn`);
        return other;
      },
    ],
    [
      'without a beginning',
      async ({ folder, session }) => {
        const other = session.replace(/-\d+$/, '-7300000000000000009');
        await cp(folder, folder.replace(session, other), { recursive: true });
        await rm(join(folder.replace(session, other), 'journal/0001-000001.ndjson'));
        return other;
      },
    ],
  ])('%s is left as it is, and said to be; the others are sealed', async ([, damage]) => {
    const base = await crashed();
    const { house, session, folder } = base;
    const foreign = await damage(base);
    const before = await contentsOf(folder.replace(session, foreign));
    const recovered = await recoverTwice(house);
    expect(recovered.find((each) => each.session === foreign)).toMatchObject({
      outcome: 'left',
      error: { code: 'MANIFEST', hint: expect.any(String) },
    });
    expect(recovered.find((each) => each.session === session)).toMatchObject({ outcome: 'sealed' });
    expect(await contentsOf(folder.replace(session, foreign))).toEqual(before);
    await expectArchived(house, session, []);
  });

  test('that cannot be gone on with does not keep its room from being recorded', async () => {
    const { house, session, folder } = await crashed();
    await rename(folder, `${folder}-was`);
    await mkdir(folder);
    await writeFile(join(folder, 'journal'), 'a file');
    await rename(join(`${folder}-was`, 'journal'), join(folder, 'journal.old'));
    await rm(`${folder}-was`, { recursive: true });
    const recorder = house.recorder({ once: true });
    await recorder.over();
    expect(recorder.sealed).toHaveLength(1);
    const [sealed = ''] = recorder.sealed;
    await expectArchived(house, sealed, []);
    expect(await sessionsIn(house)).toEqual([`${session}.set-aside`]);
    expect((await readdir(`${folder}.set-aside`)).sort()).toEqual(['journal', 'journal.old']);
  });
});
