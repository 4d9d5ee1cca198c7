/** One recorder, so many streams, one window of time: what it cost. */
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { memoryOf, treeTime } from './process-tree.ts';
import type { Delay } from './recorder-process.ts';
import type { Recorder } from './recorders.ts';
import { Source, STREAM_BITS_PER_SECOND } from './source.ts';

export interface Plan {
  streams: number;
  /** Length of the window. */
  seconds: number;
  /** Before it: connections are made, first segments closed, posters drawn. */
  warmUpSeconds: number;
  /** All creators go live in one moment, so that all segments close in one moment. */
  atOnce: boolean;
  /** How often the source sends what has come due. */
  tickMs: number;
  /** What it writes lies in a folder of its own below. */
  folder: string;
}

export interface Measured {
  recorder: string;
  streams: number;
  /** Of one core, all processes and threads together, per stream, in the window. */
  cpuPercent: number;
  /** livestow's own process, without its children. */
  ownCpuPercent: number | undefined;
  /** Proportional set size per stream, mean of three looks within the window. */
  memoryBytes: number;
  /** livestow's own process while it recorded, less what it had while it only watched, per stream. */
  ownMemoryBytes: number | undefined;
  idleMemoryBytes: number | undefined;
  /** Of objects that were verified in the store within the window. */
  sinceWritten: Quantiles | undefined;
  sinceSpooled: Quantiles | undefined;
  /** What it had recorded at the end, of what was sent since the first creator went live. */
  recordedShare: number;
}

export interface Quantiles {
  count: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

const LOOKS = 3;
/** One that has less did not record what was sent, and its costs mean nothing. */
const LEAST_RECORDED = 0.7;

export async function measure(recorder: Recorder, plan: Plan): Promise<Measured> {
  const { streams, seconds, atOnce, tickMs } = plan;
  const folder = await mkdtemp(join(plan.folder, `${recorder.name}-`));
  const source = await Source.start(streams, { atOnce, media: recorder.media ?? 'portrait', tickMs });
  try {
    const startedAtMs = performance.now();
    const recording = await recorder.start(source, folder);
    const { roots, idleBytes } = recording;
    await setTimeout(plan.warmUpSeconds * 1_000);

    const fromMs = Date.now();
    const fromMonotonicMs = performance.now();
    const before = await treeTime(roots);
    let [memory, ownMemory] = [0, 0];
    for (let look = 1; look <= LOOKS; look += 1) {
      await setTimeout(fromMonotonicMs + (look * seconds * 1_000) / (LOOKS + 1) - performance.now());
      const { pids } = await treeTime(roots);
      memory += (await memoryOf(pids)) / LOOKS;
      ownMemory += (await memoryOf(roots)) / LOOKS;
    }
    await setTimeout(fromMonotonicMs + seconds * 1_000 - performance.now());
    const after = await treeTime(roots);
    const tookMs = performance.now() - fromMonotonicMs;
    const toMs = Date.now();

    const sentSeconds = (performance.now() - startedAtMs) / 1_000;
    const writtenBytes = await bytesIn(folder);
    const report = await recording.end();
    const recordedSeconds = report ? report.recordedMs / 1_000 : (8 * writtenBytes) / STREAM_BITS_PER_SECOND;
    const recordedShare = recordedSeconds / streams / sentSeconds;
    if (recordedShare < LEAST_RECORDED) {
      throw new Error(`${recorder.name} recorded ${Math.round(100 * recordedShare)} % of what was sent`);
    }
    const percent = (ms: number): number => (100 * ms) / tookMs / streams;
    const own = idleBytes === undefined ? undefined : percent(after.rootsMs - before.rootsMs);
    const delays = report?.delays.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs);
    return {
      recorder: recorder.name,
      streams,
      cpuPercent: percent(after.rootsMs + after.childrenMs - before.rootsMs - before.childrenMs),
      ownCpuPercent: own,
      memoryBytes: memory / streams,
      ownMemoryBytes: idleBytes === undefined ? undefined : (ownMemory - idleBytes) / streams,
      idleMemoryBytes: idleBytes,
      sinceWritten: delays && quantiles(delays, 'sinceWrittenMs'),
      sinceSpooled: delays && quantiles(delays, 'sinceSpooledMs'),
      recordedShare,
    };
  } finally {
    await source.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

function quantiles(delays: readonly Delay[], of: 'sinceWrittenMs' | 'sinceSpooledMs'): Quantiles | undefined {
  const sorted = delays.map((delay) => delay[of]).sort((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  if (sorted.length === 0) return undefined;
  return { count: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

async function bytesIn(folder: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(folder, { recursive: true })) {
    const found = await stat(join(folder, name)).catch(() => undefined);
    if (found?.isFile()) bytes += found.size;
  }
  return bytes;
}
