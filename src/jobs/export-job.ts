/**
 * Makes an MP4 of each session that was sealed since the job was there, once: what it has made is noted, and a file that
 * is there already is left alone. The first file of a session is put last, so that where it is, all are.
 */
import { mkdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { exportSession } from '../archive/export.ts';
import type { JobOf } from '../config/jobs.ts';
import { counted } from '../kernel/amounts.ts';
import { formatBytes } from '../kernel/byte-size.ts';
import type { Clock } from '../kernel/clock.ts';
import { isLivestowError, messageOf } from '../kernel/errors.ts';
import { freeBytes } from '../kernel/files.ts';
import type { Store } from '../store/store.ts';
import { itemOf, nameOf, type SealedSession } from './job-archives.ts';
import type { JobLedger } from './job-ledger.ts';
import type { JobReport, RunContext } from './job-run.ts';

/** Recording comes first. */
const NICENESS = 15;

export interface ExportJobDeps {
  sessions: readonly SealedSession[];
  target: Store;
  ledger: JobLedger;
  clock: Clock;
  ffmpegPath: (signal: AbortSignal) => Promise<string>;
  /** For what is being made; removed at the end, and at the beginning. */
  workFolder: string;
  /** Of its disk, so much stays free. */
  reserveBytes: number;
}

export async function exportJob(
  settings: JobOf<'export'>,
  context: RunContext,
  deps: ExportJobDeps,
): Promise<JobReport> {
  const { job, signal, progress } = context;
  const { ledger, clock, workFolder } = deps;
  const scope = `export ${job}`;
  const made = ledger.marks(scope);
  const sinceMs = sinceOf(settings, () => ledger.firstSeenMs(job, clock.now()));
  const due = deps.sessions.filter(
    (session) => Date.parse(session.summary.sealedAt) >= sinceMs && !made.has(itemOf(session)),
  );
  const done = { sessions: 0, bytes: 0, problems: [] as string[] };
  try {
    for (const [index, session] of due.entries()) {
      signal.throwIfAborted();
      await rm(workFolder, { recursive: true, force: true });
      await mkdir(workFolder, { recursive: true });
      const onProgress = (part: number): void => progress((index + part) / due.length, nameOf(session));
      if (await exportOne(session, { ...deps, ...context, onProgress, done }))
        ledger.mark(scope, itemOf(session), clock.now());
    }
  } finally {
    await rm(workFolder, { recursive: true, force: true });
  }
  const { sessions, bytes, problems } = done;
  return { message: `${counted(sessions, 'session')} exported, ${formatBytes(bytes)}`, problems };
}

function sinceOf({ since }: JobOf<'export'>, firstSeenMs: () => number): number {
  if (since === undefined) return firstSeenMs();
  return since === 'ever' ? -Infinity : Date.parse(since);
}

interface OneExport extends ExportJobDeps, RunContext {
  onProgress: (part: number) => void;
  done: { sessions: number; bytes: number; problems: string[] };
}

/** @returns whether it is dealt with: a later run need not look at it again */
async function exportOne(session: SealedSession, one: OneExport): Promise<boolean> {
  const { target, workFolder, signal, tell, done } = one;
  const { handle, session: id, store } = session;
  if (await target.head(`${handle}/${id}.mp4`, signal)) {
    tell(`${nameOf(session)}: is there already`);
    return true;
  }
  // What is fetched and what is made of it lie there together.
  const free = await freeBytes(workFolder);
  const needed = 2 * session.summary.bytes + one.reserveBytes;
  if (free < needed) {
    done.problems.push(
      `${nameOf(session)}: no room to make it: ${formatBytes(needed)} are needed in ${workFolder}, ${formatBytes(free)} are free`,
    );
    return false;
  }
  const made = await exportSession(store, session, {
    out: join(workFolder, `${id}.mp4`),
    force: true,
    ffmpegPath: await one.ffmpegPath(signal),
    niceness: NICENESS,
    onProgress: one.onProgress,
    signal,
  }).catch((error: unknown) => {
    // Removed since it was listed, or without media: nothing to export, now or later.
    if (isLivestowError(error, 'NOT_FOUND')) return { files: [], leftOut: [] };
    // That is this session's trouble: it is tried again, and others are not kept waiting for it.
    if (isLivestowError(error, 'FFMPEG_FAILED')) return error;
    throw error;
  });
  if (made instanceof Error) {
    done.problems.push(`${nameOf(session)}: ${made.message}`);
    return false;
  }
  const { files, leftOut } = made;
  for (const { path, bytes } of files.toReversed()) {
    const key = `${handle}/${basename(path)}`;
    const body = { file: path, size: bytes, immutable: true };
    try {
      await target.put(key, body, { ifAbsent: true, contentType: 'video/mp4', signal });
    } catch (error) {
      if (!isLivestowError(error, 'STORE_EXISTS')) throw error;
      done.problems.push(`${nameOf(session)}: ${key} is there already and stays: ${messageOf(error)}`);
      continue;
    }
    done.bytes += bytes;
    tell(`${nameOf(session)}: ${key} (${formatBytes(bytes)})`);
  }
  done.problems.push(...leftOut.map(({ key, detail }) => `${nameOf(session)}: without ${key}: ${detail}`));
  if (files.length > 0) done.sessions += 1;
  return true;
}
