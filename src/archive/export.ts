/**
 * Sessions, or a part of them, as playable MP4: their segments are fetched into a folder beside the output (where there
 * must be room for a file of that size anyway), compared with the manifest, and remuxed. What is damaged is left out and
 * named; the rest of a broadcast is worth having.
 */
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import PQueue from 'p-queue';
import { exportMp4, type ExportedEpoch } from '../ffmpeg/jobs.ts';
import { LivestowError } from '../kernel/errors.ts';
import { isMissing } from '../kernel/files.ts';
import { initOf } from '../layout/objects.ts';
import type { ArchivedFile } from '../model/manifest.ts';
import type { Store } from '../store/store.ts';
import { chapterMetadata, chaptersOf } from './export-chapters.ts';
import {
  planExport,
  type ExportedSession,
  type ExportRange,
  type PlannedEpoch,
  type PlannedFile,
  type PlannedSegment,
} from './export-plan.ts';
import type { Finding } from './finding.ts';
import { keyIn, openSession, type SessionRef } from './session-reader.ts';
import { compareObject } from './verify-object.ts';

const FETCHES_AT_ONCE = 4;

export interface ExportOptions extends ExportRange {
  /** Path of the (first) file. */
  out: string;
  /** Replace files that are there. */
  force: boolean;
  /** Where epochs begin and something is missing; true unless told. */
  chapters?: boolean;
  ffmpegPath: string;
  /** Of ffmpeg, from 0 to 19. */
  niceness?: number;
  /** Told how much is to be fetched before anything is; nothing is when it rejects. */
  onPlanned?: (bytes: number) => Promise<void>;
  /** From 0 to 1: half of it is fetching, half is writing. */
  onProgress?: (done: number) => void;
  signal?: AbortSignal | undefined;
}

export interface ExportedFile extends Pick<PlannedFile, 'path' | 'codec' | 'durationMs'> {
  epochs: number;
  chapters: number;
  bytes: number;
  /** Where on the recording's time line it begins and ends: a range is widened to whole segments. */
  fromMs: number;
  toMs: number;
  /** When its first picture was live. */
  startsAt: string;
}

/** Of the first session, when there are several. */
export interface Export extends SessionRef {
  /** Of all: in the order in which they are in the files. */
  sessions: SessionRef[];
  sealed: boolean;
  files: ExportedFile[];
  /** Damaged objects whose media is not in the files. */
  leftOut: (Finding & SessionRef)[];
}

/** As `exportSessions`. */
export const exportSession = (store: Store, ref: SessionRef, options: ExportOptions): Promise<Export> =>
  exportSessions(store, [ref], options);

/**
 * Puts sessions of one creator behind one another, in the order in which they were found. Throws NOT_FOUND, USAGE when a
 * file is in the way, its folder is not there, the sessions are not of one creator or nothing is in the range,
 * FFMPEG_FAILED, what the store throws, and the signal's reason. Nothing half-made is left behind.
 */
export async function exportSessions(
  store: Store,
  refs: readonly SessionRef[],
  options: ExportOptions,
): Promise<Export> {
  try {
    return await exportAll(store, refs, options);
  } catch (error) {
    // Streams and processes give errors of their own when they are ended in the middle.
    options.signal?.throwIfAborted();
    throw error;
  }
}

async function exportAll(store: Store, refs: readonly SessionRef[], options: ExportOptions): Promise<Export> {
  const { out, force, onProgress, signal } = options;
  const sessions = await openAll(store, refs, signal);
  const [first] = sessions;
  if (!first) throw new LivestowError('USAGE', 'no session was named');
  const planned = planExport(sessions, out, options);
  if (planned.length === 0) {
    if (options.from || options.to) throw new LivestowError('USAGE', 'nothing was recorded in this range');
    throw new LivestowError('NOT_FOUND', `${first.ref.session} has no media`);
  }
  await checkPlaces(planned, force);
  const totalBytes = planned.reduce((sum, { bytes }) => sum + bytes, 0);
  await options.onPlanned?.(totalBytes);
  let doneBytes = 0;
  const advance = (bytes: number): void => {
    doneBytes += bytes;
    onProgress?.(Math.min(1, doneBytes / (2 * totalBytes)));
  };
  const result: Export = {
    handle: first.ref.handle,
    session: first.ref.session,
    sessions: sessions.map(({ ref: { handle, session } }) => ({ handle, session })),
    sealed: sessions.every(({ manifest }) => manifest.sealedAt !== null),
    files: [],
    leftOut: [],
  };
  for (const file of planned) {
    const made = await inFolderBeside(out, async (folder) => {
      const fetching = new SegmentFetch({ store, folder, onBytes: advance, signal });
      const epochs = await fetching.fetch(file.epochs);
      result.leftOut.push(...fetching.damaged);
      return epochs.length === 0 ? undefined : write(file, epochs, folder, options, advance);
    });
    if (made) result.files.push(made);
  }
  onProgress?.(1);
  return result;
}

/** In order of time, each once. */
async function openAll(
  store: Store,
  refs: readonly SessionRef[],
  signal: AbortSignal | undefined,
): Promise<ExportedSession[]> {
  const named = new Map(refs.map((ref) => [`${ref.handle}/${ref.session}`, ref]));
  const sessions: ExportedSession[] = [];
  for (const ref of named.values()) {
    const { manifest } = await openSession(store, ref, { signal });
    sessions.push({ ref, manifest });
  }
  const creators = new Set(
    sessions.map(({ manifest: { creator } }) => creator.platformUserId ?? creator.handle),
  );
  if (creators.size > 1)
    throw new LivestowError('USAGE', 'these sessions are not of one creator', {
      hint: 'export them one by one',
    });
  return sessions.sort((a, b) => Date.parse(a.manifest.foundAt) - Date.parse(b.manifest.foundAt));
}

/** What can be shown of an epoch, and where it lies. */
interface FetchedEpoch extends PlannedEpoch {
  files: ExportedEpoch;
}

async function write(
  file: PlannedFile,
  epochs: readonly FetchedEpoch[],
  folder: string,
  { ffmpegPath, niceness = 0, chapters: wanted = true, signal }: ExportOptions,
  advance: (bytes: number) => void,
): Promise<ExportedFile> {
  let written = 0;
  const onProgress = (done: number): void => {
    advance((done - written) * file.bytes);
    written = done;
  };
  const chapters = wanted ? chaptersOf(epochs) : [];
  const metadata = join(folder, 'chapters.txt');
  if (chapters.length > 0) await writeFile(metadata, chapterMetadata(chapters));
  await exportMp4({
    epochs: epochs.map(({ files }) => files),
    ...(chapters.length > 0 ? { metadata } : {}),
    out: file.path,
    ffmpegPath,
    niceness,
    onProgress,
    ...(signal ? { signal } : {}),
  });
  const segments = epochs.flatMap((epoch) => epoch.segments);
  const [first, last] = [segments[0], segments.at(-1)];
  const { size: bytes } = await stat(file.path);
  return {
    path: file.path,
    codec: file.codec,
    epochs: epochs.length,
    chapters: chapters.length,
    durationMs: segments.reduce((sum, { segment }) => sum + segment.durationMs, 0),
    bytes,
    fromMs: first?.fromMs ?? 0,
    toMs: last ? last.fromMs + last.segment.durationMs : 0,
    startsAt: first?.segment.startsAt ?? '',
  };
}

async function checkPlaces(planned: readonly PlannedFile[], force: boolean): Promise<void> {
  for (const { path } of planned) {
    const found = await stat(path).catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw new LivestowError('USAGE', `${path} cannot be written`, { cause: error });
    });
    if (found?.isDirectory())
      throw new LivestowError('USAGE', `${path} is a folder`, { hint: 'name a file in it' });
    if (found && !force)
      throw new LivestowError('USAGE', `${path} exists already`, { hint: '--force replaces it' });
  }
}

async function inFolderBeside<T>(out: string, use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(dirname(out), `.${basename(out)}.parts-`)).catch((cause: unknown) => {
    throw new LivestowError('USAGE', `${dirname(out)} cannot be written to`, {
      cause,
      hint: 'name a folder that is there',
    });
  });
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface FetchDeps {
  store: Store;
  folder: string;
  onBytes: (bytes: number) => void;
  signal: AbortSignal | undefined;
}

/** Brings the objects of epochs into a folder, each compared with the manifest on the way. */
class SegmentFetch {
  readonly damaged: (Finding & SessionRef)[] = [];
  readonly #deps: FetchDeps;
  /** Sessions have objects of the same names. */
  #brought = 0;

  constructor(deps: FetchDeps) {
    this.#deps = deps;
  }

  /** Epochs of which something can be shown. */
  async fetch(planned: readonly PlannedEpoch[]): Promise<FetchedEpoch[]> {
    const epochs: FetchedEpoch[] = [];
    for (const { ref, epoch, segments } of planned) {
      const said = initOf(epoch);
      const init = said === null ? undefined : await this.#bring(ref, said);
      if (said !== null && init === undefined) continue;
      const queue = new PQueue({ concurrency: FETCHES_AT_ONCE });
      const paths = await queue
        .addAll(
          segments.map(
            ({ segment }) =>
              () =>
                this.#bring(ref, segment),
          ),
        )
        .finally(() => queue.clear());
      const there = segments.flatMap((each, i): { each: PlannedSegment; path: string }[] => {
        const path = paths[i];
        return path === undefined ? [] : [{ each, path }];
      });
      if (there.length === 0) continue;
      epochs.push({
        ref,
        epoch,
        segments: there.map(({ each }) => each),
        files: {
          ...(init === undefined ? {} : { init }),
          segments: there.map(({ path }) => path),
          durationMs: there.reduce((sum, { each }) => sum + each.segment.durationMs, 0),
        },
      });
    }
    return epochs;
  }

  /** Where it lies now; undefined when it is damaged. */
  async #bring(ref: SessionRef, said: ArchivedFile): Promise<string | undefined> {
    const { store, folder, onBytes, signal } = this.#deps;
    signal?.throwIfAborted();
    const { finding, bytes } = await compareObject(store, keyIn(ref, ''), said, {
      onBytes,
      keep: true,
      signal,
    });
    if (finding) {
      const { handle, session } = ref;
      this.damaged.push({ ...finding, handle, session });
      return undefined;
    }
    this.#brought += 1;
    const path = join(folder, `${this.#brought}-${basename(said.key)}`);
    await writeFile(path, bytes);
    return path;
  }
}
