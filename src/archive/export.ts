/**
 * A session as playable MP4: its segments are fetched into a folder beside the output (where there must be room for a
 * file of that size anyway), compared with the manifest, and remuxed. What is damaged is left out and named; the rest
 * of a broadcast is worth having.
 */
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import PQueue from 'p-queue';
import { exportMp4, type ExportedEpoch } from '../ffmpeg/jobs.ts';
import { LivestowError } from '../kernel/errors.ts';
import { isMissing } from '../kernel/files.ts';
import type { ArchivedFile } from '../model/manifest.ts';
import type { Store } from '../store/store.ts';
import { planExport, type PlannedEpoch, type PlannedFile } from './export-plan.ts';
import type { Finding } from './finding.ts';
import { keyIn, openSession, type SessionRef } from './session-reader.ts';
import { compareObject } from './verify-object.ts';

const FETCHES_AT_ONCE = 4;

export interface ExportOptions {
  /** Path of the (first) file. */
  out: string;
  /** Replace files that are there. */
  force: boolean;
  ffmpegPath: string;
  /** Of ffmpeg, from 0 to 19. */
  niceness?: number;
  /** From 0 to 1: half of it is fetching, half is writing. */
  onProgress?: (done: number) => void;
  signal?: AbortSignal | undefined;
}

export interface ExportedFile extends Pick<PlannedFile, 'path' | 'codec' | 'durationMs'> {
  epochs: number;
  bytes: number;
}

export interface Export extends SessionRef {
  sealed: boolean;
  files: ExportedFile[];
  /** Damaged objects whose media is not in the files. */
  leftOut: Finding[];
}

/**
 * Throws NOT_FOUND, USAGE when a file is in the way or its folder is not there, FFMPEG_FAILED, what the store throws,
 * and the signal's reason. Nothing half-made is left behind.
 */
export async function exportSession(store: Store, ref: SessionRef, options: ExportOptions): Promise<Export> {
  try {
    return await exportAll(store, ref, options);
  } catch (error) {
    // Streams and processes give errors of their own when they are ended in the middle.
    options.signal?.throwIfAborted();
    throw error;
  }
}

async function exportAll(store: Store, ref: SessionRef, options: ExportOptions): Promise<Export> {
  const { out, force, onProgress, signal } = options;
  const { manifest } = await openSession(store, ref, { signal });
  const planned = planExport(manifest, out);
  if (planned.length === 0) throw new LivestowError('NOT_FOUND', `${ref.session} has no media`);
  await checkPlaces(planned, force);
  const totalBytes = planned.reduce((sum, { bytes }) => sum + bytes, 0);
  let doneBytes = 0;
  const advance = (bytes: number): void => {
    doneBytes += bytes;
    onProgress?.(Math.min(1, doneBytes / (2 * totalBytes)));
  };
  const result: Export = { ...ref, sealed: manifest.sealedAt !== null, files: [], leftOut: [] };
  for (const file of planned) {
    const made = await inFolderBeside(out, async (folder) => {
      const fetching = new SegmentFetch({ store, prefix: keyIn(ref, ''), folder, onBytes: advance, signal });
      const epochs = await fetching.fetch(file.epochs);
      result.leftOut.push(...fetching.damaged);
      return epochs.length === 0 ? undefined : write(file, epochs, options, advance);
    });
    if (made) result.files.push(made);
  }
  onProgress?.(1);
  return result;
}

async function write(
  file: PlannedFile,
  epochs: readonly ExportedEpoch[],
  { ffmpegPath, niceness = 0, signal }: ExportOptions,
  advance: (bytes: number) => void,
): Promise<ExportedFile> {
  let written = 0;
  const onProgress = (done: number): void => {
    advance((done - written) * file.bytes);
    written = done;
  };
  await exportMp4({
    epochs,
    out: file.path,
    ffmpegPath,
    niceness,
    onProgress,
    ...(signal ? { signal } : {}),
  });
  const durationMs = epochs.reduce((sum, epoch) => sum + epoch.durationMs, 0);
  const { size: bytes } = await stat(file.path);
  return { path: file.path, codec: file.codec, epochs: epochs.length, durationMs, bytes };
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
  prefix: string;
  folder: string;
  onBytes: (bytes: number) => void;
  signal: AbortSignal | undefined;
}

/** Brings the objects of epochs into a folder, each compared with the manifest on the way. */
class SegmentFetch {
  readonly damaged: Finding[] = [];
  readonly #deps: FetchDeps;

  constructor(deps: FetchDeps) {
    this.#deps = deps;
  }

  /** Epochs of which something can be shown. */
  async fetch(planned: readonly PlannedEpoch[]): Promise<ExportedEpoch[]> {
    const epochs: ExportedEpoch[] = [];
    for (const { epoch, segments } of planned) {
      const { init: key, initBytes, initSha256 } = epoch;
      const said = key === null ? undefined : { key, bytes: initBytes ?? 0, sha256: initSha256 ?? '' };
      const init = said && (await this.#bring(said));
      if (said && init === undefined) continue;
      const queue = new PQueue({ concurrency: FETCHES_AT_ONCE });
      const paths = await queue
        .addAll(segments.map((segment) => () => this.#bring(segment)))
        .finally(() => queue.clear());
      const there = paths.filter((path) => path !== undefined);
      const durationMs = segments.reduce((sum, s, i) => sum + (paths[i] === undefined ? 0 : s.durationMs), 0);
      if (there.length > 0)
        epochs.push({ ...(init === undefined ? {} : { init }), segments: there, durationMs });
    }
    return epochs;
  }

  /** Where it lies now; undefined when it is damaged. */
  async #bring(said: ArchivedFile): Promise<string | undefined> {
    const { store, prefix, folder, onBytes, signal } = this.#deps;
    signal?.throwIfAborted();
    const { finding, bytes } = await compareObject(store, prefix, said, { onBytes, keep: true, signal });
    if (finding) {
      this.damaged.push(finding);
      return undefined;
    }
    const path = join(folder, basename(said.key));
    await writeFile(path, bytes);
    return path;
  }
}
