/** Parts of sessions, several in one file, and chapters: read back by the sandbox's numbers and by ffprobe. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { chaptersOf } from '../../src/archive/export-chapters.ts';
import { planExport } from '../../src/archive/export-plan.ts';
import { parseMoment } from '../../src/archive/export-range.ts';
import { exportSessions, type Export, type ExportOptions } from '../../src/archive/export.ts';
import type { Gap, Manifest } from '../../src/model/manifest.ts';
import { readPictures } from '../support/pictures.ts';
import { buildSession, tempStore, type BuiltSession, type SessionSpec, type TempStore } from './fixture.ts';
import { FPS } from './media.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const TALL = { width: 360, height: 640, seconds: 6, numbered: true };
const WIDE = { width: 640, height: 360, seconds: 4, numbered: true };
/** When the first picture was live. */
const T = Date.UTC(2026, 10, 22, 14, 3, 7, 200);
const FOUND = T;

let temp: TempStore;
let alice: BuiltSession;
let later: BuiltSession;
let folder: string;
beforeAll(async () => {
  temp = await tempStore();
  alice = await buildSession(temp.store, { foundAtMs: FOUND, epochs: [TALL, WIDE] });
  later = await buildSession(temp.store, { foundAtMs: FOUND + 3_600_000, epochs: [WIDE] });
});
afterAll(() => temp[Symbol.asyncDispose]());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'livestow-export-'));
  return () => rm(folder, { recursive: true, force: true });
});

const moment = (text: string) => parseMoment(text)!;
const run = (built: BuiltSession[], options: Partial<ExportOptions> = {}): Promise<Export> =>
  exportSessions(temp.store, built, {
    out: join(folder, 'tea.mp4'),
    force: false,
    ffmpegPath: 'ffmpeg',
    ...options,
  });

/** Numbers of the pictures in a file of pictures of one width. */
const numbersIn = async (path: string): Promise<number[]> =>
  (await readPictures(path)).pictures.map(({ number }) => number);
const numbers = (fromSecond: number, toSecond: number): number[] =>
  Array.from({ length: (toSecond - fromSecond) * FPS }, (_, i) => fromSecond * FPS + i);

async function chaptersIn(path: string): Promise<{ fromMs: number; toMs: number; title: string }[]> {
  const { stdout } = await execa('ffprobe', ['-v', 'error', '-show_chapters', '-of', 'json', path]);
  const { chapters } = JSON.parse(stdout) as {
    chapters: { start_time: string; end_time: string; tags: { title: string } }[];
  };
  return chapters.map(({ start_time, end_time, tags: { title } }) => ({
    fromMs: Math.round(Number(start_time) * 1000),
    toMs: Math.round(Number(end_time) * 1000),
    title,
  }));
}

describe('a part', () => {
  test.each<[string, string | undefined, string | undefined, [number, number]]>([
    ['from a place', '4', undefined, [4, 6]],
    ['from within a segment, which is in it whole', '00:00:03', undefined, [2, 6]],
    ['to a place', undefined, '0:04', [0, 4]],
    ['to within a segment', undefined, '2.5', [0, 4]],
    ['between two', '2', '4', [2, 4]],
    ['between two instants', '2026-11-22T14:03:09.200Z', '2026-11-22T15:03:11+01:00', [2, 4]],
    ['from before the beginning to after the end', '2020-01-01T00:00:00Z', '99:00:00', [0, 6]],
  ])('%s', async (_, from, to, [first, last]) => {
    const built = await buildSession(temp.store, { roomId: 'part', foundAtMs: FOUND, epochs: [TALL] });
    const { files } = await run([built], {
      from: from === undefined ? undefined : moment(from),
      to: to === undefined ? undefined : moment(to),
    });
    expect(files).toMatchObject([
      {
        fromMs: first * 1000,
        toMs: last * 1000,
        durationMs: (last - first) * 1000,
        startsAt: new Date(T + first * 1000).toISOString(),
      },
    ]);
    expect(await numbersIn(files[0]!.path)).toEqual(numbers(first, last));
  });

  test('of H.265', async () => {
    const built = await buildSession(temp.store, { roomId: 'h265', epochs: [{ ...TALL, codec: 'h265' }] });
    const { files } = await run([built], { from: moment('2'), to: moment('4') });
    expect(await numbersIn(files[0]!.path)).toEqual(numbers(2, 4));
  });

  test('with nothing in it is refused, and nothing is written', async () => {
    for (const [from, to] of [
      ['5', '4'],
      ['5', '5'],
      ['11', undefined],
      [undefined, '0'],
    ])
      await expect(
        run([alice], {
          from: from === undefined ? undefined : moment(from),
          to: to === undefined ? undefined : moment(to),
        }),
      ).rejects.toMatchObject({ code: 'USAGE' });
  });

  const holed = (): Manifest => {
    const { segments, ...rest } = alice.manifest;
    const shifted = segments.map((segment, i) =>
      i < 2
        ? segment
        : { ...segment, startsAt: new Date(Date.parse(segment.startsAt) + 60_000).toISOString() },
    );
    const [from, to] = [T + 4_000, T + 64_000].map((ms) => new Date(ms).toISOString());
    const gap: Gap = { after: segments[1]!.key, from: from!, to: to!, ms: 60_000, cause: 'stall' };
    return { ...rest, segments: shifted, gaps: [...rest.gaps, gap] };
  };

  test('whose moments lie in a gap begins behind it, and ends before it', () => {
    const sessions = [{ ref: alice, manifest: holed() }];
    const inGap = moment('2026-11-22T14:03:30Z');
    const keysOf = (range: Parameters<typeof planExport>[2]) =>
      planExport(sessions, 'x.mp4', range).flatMap(({ epochs }) =>
        epochs.flatMap(({ segments }) => segments.map(({ segment }) => segment.key)),
      );
    const all = alice.manifest.segments.map(({ key }) => key);
    expect(keysOf({ from: inGap })).toEqual(all.slice(2));
    expect(keysOf({ to: inGap })).toEqual(all.slice(0, 2));
  });

  test('a gap within an epoch is a chapter, unless the file begins behind it', () => {
    const sessions = [{ ref: alice, manifest: holed() }];
    const titles = (range: Parameters<typeof planExport>[2]) =>
      planExport(sessions, 'x.mp4', range).map(({ epochs }) => chaptersOf(epochs));
    expect(titles({})).toEqual([
      [
        { fromMs: 0, toMs: 4000, title: '2026-11-22 14:03:07 UTC, h264 360x640' },
        {
          fromMs: 4000,
          toMs: 6000,
          title: '2026-11-22 14:04:11 UTC, h264 360x640, after 1m missing (stall)',
        },
        { fromMs: 6000, toMs: 10_000, title: '2026-11-22 14:04:13 UTC, h264 640x360' },
      ],
    ]);
    expect(titles({ from: moment('4') })).toEqual([
      [
        { fromMs: 0, toMs: 2000, title: '2026-11-22 14:04:11 UTC, h264 360x640' },
        { fromMs: 2000, toMs: 6000, title: '2026-11-22 14:04:13 UTC, h264 640x360' },
      ],
    ]);
  });
});

describe('chapters', () => {
  test('stand in the file, each with its time of day', async () => {
    const { files } = await run([alice]);
    expect(files).toMatchObject([{ chapters: 2 }]);
    expect(await chaptersIn(files[0]!.path)).toEqual([
      { fromMs: 0, toMs: 6000, title: '2026-11-22 14:03:07 UTC, h264 360x640' },
      { fromMs: 6000, toMs: 10_000, title: '2026-11-22 14:03:13 UTC, h264 640x360' },
    ]);
  });

  test.each<[string, SessionSpec, Partial<ExportOptions>]>([
    ['where there would be one alone', { epochs: [WIDE] }, {}],
    ['where none are wanted', { epochs: [TALL, WIDE] }, { chapters: false }],
  ])('none %s', async (_, spec, options) => {
    const built = await buildSession(temp.store, { roomId: 'plain', ...spec });
    const { files } = await run([built], options);
    expect(files).toMatchObject([{ chapters: 0 }]);
    expect(await chaptersIn(files[0]!.path)).toEqual([]);
  });

  test('count what is in the file, where something was left out', async () => {
    const built = await buildSession(temp.store, { roomId: 'lost', epochs: [TALL, WIDE] });
    await rm(join(temp.root, built.prefix, 'segments/0001-0001-000002.ts'));
    const { files } = await run([built]);
    expect(await chaptersIn(files[0]!.path)).toMatchObject([
      { fromMs: 0, toMs: 4000 },
      { fromMs: 4000, toMs: 8000 },
    ]);
  });
});

describe('several sessions', () => {
  test('follow one another by time, each once, whatever the order they are named in', async () => {
    const { files, sessions, session } = await run([later, alice, later]);
    expect(sessions.map((ref) => ref.session)).toEqual([alice.session, later.session]);
    expect(session).toBe(alice.session);
    expect(files).toMatchObject([{ durationMs: 14_000, epochs: 3 }]);
    expect((await readPictures(files[0]!.path)).pictures).toHaveLength(14 * FPS);
    expect((await chaptersIn(files[0]!.path)).map(({ fromMs, title }) => [fromMs, title])).toEqual([
      [0, '2026-11-22 14:03:07 UTC, h264 360x640'],
      [6000, '2026-11-22 14:03:13 UTC, h264 640x360'],
      [10_000, '2026-11-22 15:03:07 UTC, h264 640x360'],
    ]);
  });

  test('a part may reach from one into the next', async () => {
    const { files } = await run([alice, later], {
      from: moment('8'),
      to: moment('2026-11-22T15:03:09Z'),
    });
    expect(files).toMatchObject([{ fromMs: 8000, toMs: 12_000 }]);
    expect(await numbersIn(files[0]!.path)).toEqual([...numbers(8, 10), ...numbers(0, 2)]);
  });

  test('of two creators are refused', async () => {
    const bob = await buildSession(temp.store, { handle: 'bob', roomId: 'bob', epochs: [WIDE] });
    await expect(run([alice, bob])).rejects.toMatchObject({ code: 'USAGE' });
  });

  test('of one who was renamed are joined', async () => {
    const renamed = await buildSession(temp.store, {
      handle: 'alicia',
      platformUserId: 'id-of-alice',
      foundAtMs: T + 7_200_000,
      epochs: [WIDE],
    });
    expect((await run([alice, renamed])).files).toMatchObject([{ durationMs: 14_000 }]);
  });
});

describe('the command', () => {
  const livestow = (...args: string[]) =>
    execa(process.execPath, [MAIN, 'export', ...args, '-o', 'tea.mp4', '--store', temp.root], {
      cwd: folder,
      reject: false,
    });

  test('says where a part really begins and ends', async () => {
    const { stdout, exitCode } = await livestow(alice.session, '--from', '0:03', '--to', '0:05');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/ h264 {2}0:04 {2}.* from 0:02 \(live at 2026-11-22T14:03:09\.200Z\) to 0:06$/);
  });

  test('joins, and says so as JSON', async () => {
    const { stdout } = await livestow(alice.session, later.session, '--no-chapters', '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      sessions: [{ session: alice.session }, { session: later.session }],
      files: [{ durationMs: 14_000, chapters: 0 }],
    });
  });

  test.each(['soon', '-5', '1:2:3:4', '2026-11-22', '2026-11-22T14:05:00'])(
    'a moment written as %j: exit 2, with the accepted forms',
    async (text) => {
      const { exitCode, stderr } = await livestow(alice.session, `--from=${text}`);
      expect(exitCode).toBe(2);
      expect(stderr).toContain('1:30, 00:10:00');
    },
  );
});
