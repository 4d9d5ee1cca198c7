/** What each kind of job does, on real stores with real media. */
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { listSessions } from '../../src/archive/catalogue.ts';
import { sessionKeys } from '../../src/layout/keys.ts';
import { buildSession, LANDSCAPE, tempStore, type BuiltSession, type TempStore } from '../archive/fixture.ts';
import { Performing } from './performing.ts';

const DAY = 86_400_000;
const T = Date.UTC(2026, 10, 20, 12);

let template: TempStore;
/** Three of alice, a day after another, one of bob, and one of bob that is being recorded. */
let sessions: BuiltSession[];
let bobs: BuiltSession;
beforeAll(async () => {
  template = await tempStore();
  const build = (spec: Parameters<typeof buildSession>[1]) =>
    buildSession(template.store, { epochs: [LANDSCAPE], ...spec });
  sessions = [
    await build({ foundAtMs: T }),
    await build({
      foundAtMs: T + DAY,
      epochs: [LANDSCAPE, { ...LANDSCAPE, codec: 'h265' }],
      container: 'fmp4',
    }),
    await build({ foundAtMs: T + 2 * DAY }),
  ];
  bobs = await build({ handle: 'bob', foundAtMs: T + 3 });
  await build({ handle: 'bob', foundAtMs: T + 2.5 * DAY, state: 'recording' });
});
afterAll(() => template[Symbol.asyncDispose]());

let jobs: Performing;
beforeEach(async () => {
  jobs = await Performing.make();
  await cp(template.root, jobs.archive, { recursive: true });
  return () => jobs[Symbol.asyncDispose]();
});

const there = async (): Promise<string[]> =>
  (await listSessions(jobs.storeAt(jobs.archive)))
    .filter(({ summary }) => summary?.sealedAt)
    .map(({ handle, session }) => `${handle}/${session}`)
    .toSorted();
const nameOf = ({ handle, session }: BuiltSession): string => `${handle}/${session}`;
const spoil = (session: BuiltSession, key: string): Promise<void> =>
  writeFile(join(jobs.archive, session.prefix, key), 'torn');
const [first, second, third] = [() => sessions[0]!, () => sessions[1]!, () => sessions[2]!];

describe('prune', () => {
  test('removes what is beyond the limits, of everybody', async () => {
    expect(await jobs.run({ kind: 'prune', olderThan: '50h' }, { job: 'nightly' })).toEqual({
      message: expect.stringMatching(/^3 sessions, .* removed$/),
      problems: [],
    });
    expect(await there()).toEqual([nameOf(third())]);
    expect(jobs.told).toHaveLength(3);
    expect(await jobs.run({ kind: 'prune', olderThan: '50h' })).toEqual({
      message: 'nothing removed',
      problems: [],
    });
  });

  test('of the named creators, and of those of a group, alone', async () => {
    await jobs.run({ kind: 'prune', maxSessions: 1, creators: ['alice'] });
    expect(await there()).toEqual([nameOf(third()), nameOf(bobs)].toSorted());
    jobs.watched = [{ handle: 'bob', group: 'vip', store: jobs.archive }];
    await jobs.run({ kind: 'prune', olderThan: '1h', groups: ['vip'] });
    expect(await there()).toEqual([nameOf(third())]);
  });

  test('a group without members is nobody, not everybody', async () => {
    const all = await there();
    await jobs.run({ kind: 'prune', olderThan: '1h', groups: ['empty'] });
    await jobs.run({ kind: 'prune', olderThan: '1h', creators: ['stranger'] });
    expect(await there()).toEqual(all);
  });

  test('what is damaged stays and is a problem', async () => {
    await spoil(first(), 'segments/0001-0001-000001.ts');
    const { problems } = await jobs.run({ kind: 'prune', maxSessions: 2, creators: ['alice'] });
    expect(problems).toEqual([
      expect.stringMatching(new RegExp(`^@alice ${first().session} stays: damaged: truncated segments/`)),
    ]);
    expect(await there()).toEqual([nameOf(first()), nameOf(third()), nameOf(bobs)].toSorted());
  });

  test('archives of creators that have one of their own are pruned as well', async () => {
    const elsewhere = join(jobs.folder, 'elsewhere');
    await cp(template.root, elsewhere, { recursive: true });
    jobs.watched = [{ handle: 'bob', group: null, store: elsewhere }];
    await jobs.run({ kind: 'prune', olderThan: '1h' });
    expect(await there()).toEqual([]);
    const left = await listSessions(jobs.storeAt(elsewhere));
    expect(left.filter(({ summary }) => summary?.sealedAt)).toEqual([]);
  });
});

describe('verify', () => {
  const verified = (): string[] => jobs.told.map((line) => line.replace(/:.*/, ''));

  test('reads back those first that were never read back, then those of longest ago', async () => {
    const each: string[][] = [];
    for (let n = 0; n < 3; n += 1) {
      await jobs.run({ kind: 'verify', sample: 2 });
      each.push(verified());
      await jobs.clock.advance(1_000);
    }
    expect(each).toEqual([
      [`@alice ${first().session}`, `@bob ${bobs.session}`],
      [`@alice ${second().session}`, `@alice ${third().session}`],
      [`@alice ${first().session}`, `@bob ${bobs.session}`],
    ]);
  });

  test.each([
    ['25%', 1],
    ['1%', 1],
    ['51%', 3],
    ['100%', 4],
    [10, 4],
  ])('a sample of %j of four sessions', async (sample, count) => {
    const { message } = await jobs.run({ kind: 'verify', sample });
    expect(message).toMatch(new RegExp(`^${count} of 4 sealed sessions read back, `));
  });

  test('finds what is altered without a change of size', { tags: 'object-altered' }, async () => {
    const path = join(jobs.archive, third().prefix, 'segments/0001-0001-000001.ts');
    const bytes = await readFile(path);
    bytes[1_000] = (bytes[1_000] ?? 0) ^ 1;
    await writeFile(path, bytes);
    const { problems } = await jobs.run({ kind: 'verify', sample: '100%', decode: true });
    expect(problems).toEqual([
      expect.stringMatching(new RegExp(`^@alice ${third().session}: altered segments/0001-0001-000001.ts`)),
    ]);
  });

  test('stopped in the middle, it goes on with the rest the next time', async () => {
    const stop = new AbortController();
    jobs.onProgress = (_done, note) => {
      if (note.startsWith('@bob')) stop.abort(new Error('enough'));
    };
    await expect(jobs.run({ kind: 'verify', sample: '100%' }, { signal: stop.signal })).rejects.toThrow(
      'enough',
    );
    expect(verified()).toEqual([`@alice ${first().session}`]);
    jobs.onProgress = () => {};
    await jobs.run({ kind: 'verify', sample: 3 });
    expect(verified()).toEqual([
      `@bob ${bobs.session}`,
      `@alice ${second().session}`,
      `@alice ${third().session}`,
    ]);
  });
});

describe('export', () => {
  const films = (): string => join(jobs.folder, 'films');
  const job = (more: Record<string, unknown> = {}) => ({ kind: 'export', to: films(), ...more });
  const made = async (): Promise<string[]> =>
    (await readdir(films(), { recursive: true })).filter((name) => name.endsWith('.mp4')).toSorted();

  test('makes a playable MP4 of each session that is sealed from then on, and never twice', async () => {
    expect(await jobs.run(job())).toEqual({ message: '0 sessions exported, 0 B', problems: [] });
    const later = await buildSession(jobs.storeAt(jobs.archive), {
      epochs: [LANDSCAPE],
      foundAtMs: jobs.clock.now() + DAY,
    });
    await jobs.clock.advance(2 * DAY);
    expect(await jobs.run(job())).toMatchObject({ message: expect.stringMatching(/^1 session exported, /) });
    expect(await made()).toEqual([`alice/${later.session}.mp4`]);
    const { stdout } = await execa('ffprobe', [
      ...'-v error -count_frames -select_streams v:0 -show_entries stream=nb_read_frames -of csv=p=0'.split(
        ' ',
      ),
      join(films(), `alice/${later.session}.mp4`),
    ]);
    const pictures = later.manifest.segments.reduce((sum, segment) => sum + segment.pictures, 0);
    expect(Number(stdout)).toBe(pictures);

    // Also when somebody took it away.
    await rm(films(), { recursive: true });
    expect(await jobs.run(job())).toMatchObject({ message: '0 sessions exported, 0 B' });
  });

  test('since a date, or of all that there ever was; each run of one codec is a file', async () => {
    await jobs.run(job({ since: new Date(T + 2 * DAY).toISOString().slice(0, 10), creators: ['alice'] }));
    expect(await made()).toEqual([`alice/${third().session}.mp4`]);
    await jobs.run(job({ since: 'ever' }));
    expect(await made()).toEqual([
      `alice/${first().session}.mp4`,
      `alice/${second().session}-2.mp4`,
      `alice/${second().session}.mp4`,
      `alice/${third().session}.mp4`,
      `bob/${bobs.session}.mp4`,
    ]);
    expect((await readdir(films())).toSorted()).toEqual(['alice', 'bob']);
  });

  test('what is there already is left alone, with a lost ledger too', async () => {
    await mkdir(join(films(), 'alice'), { recursive: true });
    const mine = join(films(), `alice/${third().session}.mp4`);
    await writeFile(mine, 'mine');
    await jobs.run(job({ since: 'ever', creators: ['alice'] }));
    expect(await readFile(mine, 'utf8')).toBe('mine');
    expect(jobs.told).toContain(`@alice ${third().session}: is there already`);
  });

  test('what is damaged is left out and told; what has no room is tried again', async () => {
    await spoil(first(), 'segments/0001-0001-000001.ts');
    const all = { since: 'ever', creators: ['alice'] };
    jobs.reserveBytes = Number.MAX_SAFE_INTEGER;
    const { problems } = await jobs.run(job(all));
    expect(problems).toHaveLength(3);
    expect(problems[0]).toContain('no room to make it');
    expect(await made()).toEqual([]);
    jobs.reserveBytes = 0;
    expect((await jobs.run(job(all))).problems).toEqual([
      expect.stringMatching(new RegExp(`^@alice ${first().session}: without segments/0001-0001-000001.ts: `)),
    ]);
    expect(await made()).toContain(`alice/${first().session}.mp4`);
    expect((await jobs.run(job(all))).problems).toEqual([]);
  });

  test('stopped in the middle, it leaves nothing half-made, and is gone on with', async () => {
    const stop = new AbortController();
    jobs.onProgress = (done, note) => {
      if (note.includes(second().session) && done > 0.5) stop.abort(new Error('enough'));
    };
    const all = job({ since: 'ever', creators: ['alice'] });
    await expect(jobs.run(all, { signal: stop.signal })).rejects.toThrow('enough');
    expect(await made()).toEqual([`alice/${first().session}.mp4`]);
    expect(await readdir(films())).toEqual(['alice']);
    jobs.onProgress = () => {};
    expect(await jobs.run(all)).toMatchObject({ message: expect.stringMatching(/^2 sessions exported/) });
    expect(await made()).toHaveLength(4);
  });
});

describe('reindex', () => {
  test('mends each archive, and tells what it cannot', async () => {
    await rm(join(jobs.archive, first().prefix, sessionKeys.summary));
    await rm(join(jobs.archive, second().prefix, sessionKeys.manifest));
    const journals = join(jobs.archive, third().prefix, 'journal');
    await writeFile(join(jobs.archive, third().prefix, sessionKeys.manifest), 'torn');
    for (const name of await readdir(journals)) await writeFile(join(journals, name), 'torn');
    const { message, problems } = await jobs.run({ kind: 'reindex' });
    expect(message).toMatch(/^\d of 5 sessions mended$/);
    expect(jobs.told).toEqual(
      expect.arrayContaining([`@alice ${first().session}: mended`, `@alice ${second().session}: rebuilt`]),
    );
    expect(problems).toEqual([expect.stringMatching(new RegExp(`^@alice ${third().session}: `))]);
    expect(await there()).toContain(nameOf(second()));
  });
});

describe('digest', () => {
  test('tells of the sessions of its time, their gaps and what failed', async () => {
    const nowMs = jobs.clock.now();
    jobs.ledger.countFailure('STORE_UNAVAILABLE', nowMs - DAY);
    jobs.ledger.countFailure('STORE_UNAVAILABLE', nowMs - DAY + 1);
    jobs.ledger.countFailure('LOOKUP_FAILED', nowMs - 3_600_000);
    jobs.ledger.countFailure('LOOKUP_FAILED', nowMs - 9 * DAY);
    const run = { kind: 'prune', by: 'schedule', scheduledMs: null, missedSinceMs: null } as const;
    const id = jobs.ledger.begin({ ...run, job: 'nightly', startedMs: nowMs - DAY });
    jobs.ledger.end(id, { outcome: 'failed', message: '', problems: [] }, nowMs);

    await jobs.run({ kind: 'digest', period: '50h' }, { job: 'news' });
    await jobs.run({ kind: 'digest', period: '7d' }, { job: 'news' });
    const [day, week] = jobs.events;
    expect(day).toMatchObject({
      type: 'digest',
      job: 'news',
      from: new Date(nowMs - 50 * 3_600_000).toISOString(),
      to: new Date(nowMs).toISOString(),
      sessions: 1,
      creators: 1,
      recordedMs: 4_000,
      liveMs: 6_000,
      gaps: [{ cause: 'found-late', count: 1, ms: 2_000 }],
      credits: 2,
      failures: [
        { code: 'STORE_UNAVAILABLE', count: 2 },
        { code: 'LOOKUP_FAILED', count: 1 },
      ],
      jobs: [{ job: 'nightly', outcome: 'failed', count: 1 }],
    });
    expect(week).toMatchObject({ sessions: 4, creators: 2, gaps: [{ count: 4, ms: 8_000 }], credits: 8 });
  });

  test('one begins where the one before ended', async () => {
    const sealedMs = Date.parse(third().manifest.sealedAt ?? '');
    const counts: number[] = [];
    for (const dueMs of [sealedMs, sealedMs + DAY, sealedMs + 2 * DAY]) {
      await jobs.run({ kind: 'digest', creators: ['alice'] }, { dueMs });
      const event = jobs.events.at(-1);
      counts.push(event?.type === 'digest' ? event.sessions : -1);
    }
    expect(counts).toEqual([1, 1, 0]);
  });
});
