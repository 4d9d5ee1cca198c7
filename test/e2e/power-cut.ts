/**
 * Power cuts of a recording that really took place: for moments of its log of disk operations, what a power cut then may
 * leave is put on a real disk, and the real recovery has to make a true archive of it.
 */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { expect } from 'vitest';
import { listRefs } from '../../src/archive/catalogue.ts';
import { verifySession } from '../../src/archive/verify.ts';
import type { RoomDeps } from '../../src/daemon/record-room.ts';
import { recoverSpool, type Recovered } from '../../src/daemon/recover.ts';
import { SessionPictures } from '../../src/daemon/session-pictures.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createLogger } from '../../src/kernel/logger.ts';
import { decodeJournal } from '../../src/layout/journal.ts';
import { parseJournalKey, sessionPrefix } from '../../src/layout/keys.ts';
import { decodeManifest } from '../../src/layout/manifest.ts';
import { MpegTsDemuxer } from '../../src/media/mpegts.ts';
import { isConfig } from '../../src/media/packet.ts';
import type { Manifest, Segment } from '../../src/model/manifest.ts';
import { createBuiltinEngine } from '../../src/record/builtin/builtin-engine.ts';
import { Uploads } from '../../src/ship/uploads.ts';
import { DiskGuard } from '../../src/spool/disk-guard.ts';
import { openStore } from '../../src/store/open-store.ts';
import { filesIn } from './archive-copy.ts';
import { momentAfterGop } from './cut.ts';
import { DiskModel, readDiskLog, type DiskNote, type DiskState, type Fate } from './disk-log.ts';
import type { World } from './world.ts';

export interface NotedRecording {
  root: string;
  notes: DiskNote[];
  /** Fingerprints of every picture and frame of sound of the whole archive. */
  media: ReadonlySet<string>;
}

export interface NotedOptions {
  /** So many GOPs are recorded before it is interrupted. */
  gops: number;
  /** Drained after this one, and started again. */
  drainAfterGop?: number;
}

/** The environment of a world in which recorders note what they do to the disk. */
export const noted = (engine: string): Record<string, string> => ({
  NODE_OPTIONS: `--import=${new URL('disk-recorder.ts', import.meta.url).href}`,
  LIVESTOW_ENGINE: engine,
  LIVESTOW_SEGMENT_DURATION: '1s',
});

/** Records Alice's broadcast into one sealed session, and notes what that does to the disk. */
export async function recordNoted(
  world: World,
  { gops, drainAfterGop }: NotedOptions,
): Promise<NotedRecording> {
  let run = await world.record();
  if (drainAfterGop !== undefined) {
    await momentAfterGop(world, drainAfterGop, 500);
    run.kill('SIGTERM');
    expect(await run.exited).toEqual({ code: 0, signal: null });
    run = world.livestow('record', 'alice', '--once');
    await run.until('media flows', (process) => process.events('media').length > 0);
    await world.gopSent(world.gopsSent + gops);
  } else await momentAfterGop(world, gops, 500);
  run.kill('SIGINT');
  expect(await run.exited).toEqual({ code: 130, signal: null });
  const notes = await readDiskLog(join(world.folder, 'disk.log'), world.folder);
  const archive = join(world.folder, 'archive');
  const segments = (await filesIn(archive)).filter((path) => path.endsWith('.ts'));
  const prints = await Promise.all(
    segments.map(async (path) => mediaIn(await readFile(join(archive, path)))),
  );
  return { root: world.folder, notes, media: new Set(prints.flat()) };
}

/** Fingerprints of what is in a segment. */
function mediaIn(segment: Buffer): string[] {
  const demuxer = new MpegTsDemuxer();
  return [...demuxer.push(segment), ...demuxer.flush()].flatMap((unit) =>
    isConfig(unit) ? [] : [`${unit.kind} ${createHash('sha1').update(unit.data).digest('base64')}`],
  );
}

export interface PowerCut {
  /** The first so many notes had begun. */
  at: number;
  fate: string;
  state: DiskState;
  /** Segments of which a journal's line was synced. */
  owed: Map<string, Segment>;
}

/** Who wrote and synced a line has promised it: that its name leads to it was for him to see to. */
const PROMISED: Fate = { name: 'promised', names: (folder) => folder.now, content: (file) => file.synced };

/** The states that differ, at the moments that are asked for. */
export function* powerCuts(
  { root, notes }: NotedRecording,
  fatesAt: (moment: number) => readonly Fate[],
): Generator<PowerCut> {
  const disk = new DiskModel(root);
  const seen = new Set<string>();
  for (const [i, note] of notes.entries()) {
    if (!disk.apply(note)) continue;
    const fates = fatesAt(i);
    if (fates.length === 0) continue;
    const owed = owedBy(disk.left(PROMISED));
    for (const fate of fates) {
      const state = disk.left(fate);
      // The same state may be one that more was promised of.
      const print = `${printOf(state)} ${[...owed.keys()].join()}`;
      if (seen.has(print)) continue;
      seen.add(print);
      yield { at: i + 1, fate: fate.name, state, owed };
    }
  }
}

const hashes = new WeakMap<Buffer, string>();
const hashOf = (bytes: Buffer): string => {
  const known = hashes.get(bytes) ?? createHash('sha1').update(bytes).digest('base64');
  hashes.set(bytes, known);
  return known;
};
const printOf = (state: DiskState): string =>
  [...state]
    .map(([path, bytes]) => `${path} ${bytes === null ? '/' : hashOf(bytes)}`)
    .sort()
    .join('\n');

function owedBy(state: DiskState): Map<string, Segment> {
  const owed = new Map<string, Segment>();
  for (const [path, bytes] of state) {
    if (bytes === null || !/\/journal\/[^/]+$/.test(path) || !parseJournalKey(path.split('/').at(-1) ?? ''))
      continue;
    for (const entry of decodeJournal(bytes.toString('utf8'), path)) {
      if (entry.type === 'segment') owed.set(entry.segment.key, entry.segment);
    }
  }
  return owed;
}

/** A machine that comes up again with this on its disk. */
export class Disk implements AsyncDisposable {
  readonly root: string;
  /** What the recoveries said, by level. */
  readonly said: { level: number; msg: string }[] = [];

  private constructor(root: string) {
    this.root = root;
  }

  static async with(state: DiskState): Promise<Disk> {
    const root = await mkdtemp(join(tmpdir(), 'livestow-cut-'));
    const made = new Set<string>();
    for (const [path, bytes] of state) {
      const folder = join(root, bytes === null ? path : dirname(path));
      if (!made.has(folder)) await mkdir(folder, { recursive: true });
      made.add(folder);
      if (bytes !== null) await writeFile(join(root, path), bytes);
    }
    return new Disk(root);
  }

  get spool(): string {
    return join(this.root, 'spool');
  }

  async recover(): Promise<Recovered[]> {
    const log = createLogger({
      level: 'warn',
      destination: {
        write: (line) => void this.said.push(JSON.parse(line) as { level: number; msg: string }),
      },
    });
    const store = openStore(join(this.root, 'archive'));
    const never = (): Promise<never> => Promise.reject(new Error('a recovery asks nobody'));
    const giveUp = AbortSignal.timeout(60_000);
    const deps: RoomDeps = {
      spoolRoot: this.spool,
      store,
      disk: new DiskGuard({ folder: this.spool, reserveBytes: 0, clock: systemClock, log }),
      uploads: new Uploads({ atOnce: 4, clock: systemClock, log }),
      clock: systemClock,
      log,
      writer: { name: 'livestow', version: '0.0.0' },
      settings: {
        maxHoldMs: 1_000,
        sampleIntervalMs: 1_000,
        segmentDurationMs: 2_000,
        stallTimeoutMs: 1_000,
        maxDurationMs: null,
        priority: 0,
      },
      openSource: () => {
        throw new Error('a recovery asks nobody');
      },
      look: never,
      rank: () => [],
      engineFor: () => createBuiltinEngine({ logger: log }),
      pictures: new SessionPictures({
        store,
        clock: systemClock,
        read: never,
        makePoster: never,
        makeStoryboard: () => Promise.resolve(undefined),
        signal: giveUp,
      }),
      giveUp,
    };
    const recovered = await Array.fromAsync(recoverSpool(deps, giveUp));
    store.close();
    return recovered;
  }

  /** Every path, with what it holds. */
  async listing(): Promise<Map<string, string>> {
    const paths = await readdir(this.root, { recursive: true, withFileTypes: true });
    const entries = paths
      .filter(({ name }) => !name.startsWith('lock.sqlite'))
      .map(async (entry): Promise<[string, string]> => {
        const path = join(entry.parentPath, entry.name);
        return [relative(this.root, path), entry.isFile() ? hashOf(await readFile(path)) : '/'];
      });
    return new Map(await Promise.all(entries));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }
}

/** After a power cut and two recoveries, nothing is wrong. */
export async function expectArchived(
  cut: PowerCut,
  media: ReadonlySet<string>,
  ffmpeg: string | null = null,
): Promise<void> {
  const faults = await faultsAfter(cut, media, ffmpeg);
  expect(faults, `${cut.fate}, after ${cut.at} operations`).toEqual([]);
}

async function faultsAfter(
  cut: Pick<PowerCut, 'state' | 'owed'>,
  media: ReadonlySet<string>,
  ffmpeg: string | null,
): Promise<string[]> {
  await using disk = await Disk.with(cut.state);
  const recovered = await disk.recover();
  const faults: string[] = [];
  for (const found of recovered) {
    if (found.outcome !== 'sealed')
      faults.push(`${found.outcome}: ${'error' in found ? String(found.error) : ''}`);
  }
  const once = await disk.listing();
  const again = await disk.recover();
  if (again.length > 0) faults.push(`a second recovery finds ${again.map(({ outcome }) => outcome).join()}`);
  const twice = await disk.listing();
  const changed = [...new Set([...once.keys(), ...twice.keys()])].filter(
    (path) => once.get(path) !== twice.get(path),
  );
  if (changed.length > 0) faults.push(`a second recovery changes ${changed.join()}`);
  for (const path of once.keys()) {
    if (/^spool\/[^/]+\/./.test(path) && !path.includes('.set-aside')) faults.push(`left: ${path}`);
  }
  faults.push(...(await faultsOfArchive(join(disk.root, 'archive'), cut.owed, media, ffmpeg)));
  return faults;
}

async function faultsOfArchive(
  folder: string,
  owed: ReadonlyMap<string, Segment>,
  media: ReadonlySet<string>,
  ffmpeg: string | null,
): Promise<string[]> {
  const faults: string[] = [];
  const store = openStore(folder);
  const archived = new Map<string, Segment>();
  for (const ref of await listRefs(store)) {
    const prefix = join(folder, sessionPrefix(ref.handle, ref.session));
    const text = await readFile(join(prefix, 'manifest.json'), 'utf8').catch(() => undefined);
    if (text === undefined) {
      faults.push(`${ref.session} has no manifest`);
      continue;
    }
    const manifest = decodeManifest(text, ref.session);
    if (manifest.sealedAt === null) faults.push(`${ref.session} is not sealed`);
    const depth = ffmpeg === null ? 'hashes' : 'decode';
    const { findings } = await verifySession(store, ref, { depth, ffmpeg: ffmpeg ?? '' });
    faults.push(...findings.map(({ kind, key, detail }) => `verify: ${kind} ${key} ${detail}`));
    for (const segment of manifest.segments) {
      archived.set(segment.key, segment);
      const prints = mediaIn(await readFile(join(prefix, segment.key)));
      const strangers = prints.filter((print) => !media.has(print));
      if (strangers.length > 0)
        faults.push(`${segment.key} holds ${strangers.length} packets that nobody sent`);
    }
    faults.push(...undeclared(manifest));
    for (const { key } of manifest.files.filter(({ key: name }) => name.endsWith('.jpg'))) {
      const jpeg = await readFile(join(prefix, key));
      if (jpeg.toString('hex', 0, 2) !== 'ffd8' || jpeg.toString('hex', jpeg.length - 2) !== 'ffd9')
        faults.push(`${key} is no picture`);
    }
  }
  store.close();
  for (const [key, { sha256 }] of owed) {
    if (archived.get(key)?.sha256 !== sha256) faults.push(`not archived, though a journal had it: ${key}`);
  }
  return faults;
}

const GAP_LEAST_MS = 100;

/** Time between segments of which no gap tells. */
function undeclared({ segments, gaps }: Manifest): string[] {
  return segments.slice(1).flatMap((segment, i) => {
    const before = segments[i]!;
    const endMs = Date.parse(before.startsAt) + before.durationMs;
    const missingMs = Date.parse(segment.startsAt) - endMs;
    const toldMs = gaps
      .filter(
        ({ from, to }) =>
          Date.parse(from) >= endMs - 50 && Date.parse(to) <= Date.parse(segment.startsAt) + 50,
      )
      .reduce((sum, { ms }) => sum + ms, 0);
    return missingMs - toldMs > GAP_LEAST_MS
      ? [`${missingMs} ms before ${segment.key}, told: ${toldMs}`]
      : [];
  });
}
