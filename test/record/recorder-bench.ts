/** A session's recorder between scripted connections and looks, a real spool, and a clock that is stepped. */
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { Timeline } from '../../src/ingest/timeline.ts';
import type { SourceEnd, SourceItem } from '../../src/ingest/source.ts';
import { LivestowError } from '../../src/kernel/errors.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import type { MediaUnit } from '../../src/media/packet.ts';
import type { LiveRoom, Look } from '../../src/model/look.ts';
import type { JournalEntry } from '../../src/model/manifest.ts';
import type { Variant } from '../../src/model/variant.ts';
import { SessionRecorder, type RecorderOutcome } from '../../src/record/session-recorder.ts';
import { SessionRecording } from '../../src/record/session-recording.ts';
import { SessionSpool } from '../../src/spool/session-spool.ts';
import { DiskGuard, type DiskShare } from '../../src/spool/disk-guard.ts';
import { ManualClock } from '../manual-clock.ts';
import { audio, media, video } from '../spool/numbered-media.ts';
import { scratchFolder } from '../spool/scratch.ts';
import { passInSteps } from './disk-at-rest.ts';
import { PlainEngine } from './plain-engine.ts';

export const ROOM = '7300000000000000001';
export const SESSION = `20261122T000000Z-${ROOM}`;
const READ_MS = 200;

export const room = (roomId = ROOM): LiveRoom => ({
  roomId,
  title: null,
  coverUrl: null,
  startedAt: null,
  viewerCount: 0,
  enterCount: 0,
  streams: [],
});
const meta = { requestId: 'r', creditsCharged: 1, cached: false };
const profile = { handle: 'alice', platformUserId: null, displayName: null, avatarUrl: null };
export const live = (roomId = ROOM): Look => ({ status: 'live', profile, room: room(roomId), meta });
export const offline = (): Look => ({ status: 'offline', profile, meta });

export const variant = (qualityKey: string, url: string): Variant => ({
  id: `h264/${qualityKey}/flv`,
  codecFamily: 'h264',
  source: 'primary',
  qualityKey,
  qualityLabel: null,
  protocol: 'flv',
  url,
  width: null,
  height: null,
  bitrateBps: null,
  audioOnly: false,
});

/** What a connection does; the bench tells it where the broadcast is. */
export type Script = (
  bench: RecorderBench,
  signal: AbortSignal,
) => AsyncGenerator<SourceItem, SourceEnd, undefined>;

/** Media from the live edge's keyframe on for so long, then the end. */
export const flows = (forMs: number): Script =>
  async function* flow(bench, signal) {
    const startMs = bench.clock.monotonic();
    let atMs = Math.floor(startMs / 1_000) * 1_000;
    let head: MediaUnit[] = [video, audio];
    while (bench.clock.monotonic() - startMs < forMs) {
      const toMs = bench.clock.monotonic();
      const units: MediaUnit[] = [...head, ...media(atMs, toMs).map((packet) => ({ ...packet }))];
      head = [];
      atMs = toMs;
      if (units.length > 0) yield { kind: 'media', units, arrivedAtMs: bench.clock.monotonic(), bytes: 1 };
      await bench.clock.delay(READ_MS, signal);
    }
    return { reason: 'closed' };
  };

const NOTHING: readonly SourceItem[] = [];

/** An answer that is no media. */
export const refused: Script = async function* refuse(bench, signal) {
  yield* NOTHING;
  await bench.clock.delay(20, signal);
  throw new LivestowError('MEDIA_HTTP', 'refused', { context: { status: 404 } });
};

/** What a CDN has in its cache, and nothing after it; leaves the connection to what follows. */
export const burst: Script = async function* cached(bench) {
  const toMs = bench.clock.monotonic();
  const units: MediaUnit[] = [video, audio, ...media(Math.floor(toMs / 1_000) * 1_000, toMs + 1)];
  yield {
    kind: 'media',
    units: units.map((unit) => ({ ...unit })),
    arrivedAtMs: bench.clock.monotonic(),
    bytes: 1,
  };
  return { reason: 'closed' };
};

/** Nothing at all, on an open connection. */
export const silent: Script = async function* stay(bench, signal) {
  yield* NOTHING;
  await bench.clock.delay(1e9, signal);
  return { reason: 'closed' };
};

/** One connection's script behind the other. */
export const followed = (first: Script, second: Script): Script =>
  async function* both(bench, signal) {
    yield* first(bench, signal);
    return yield* second(bench, signal);
  };

export interface BenchOptions {
  /** In order of the connections; the last one goes on for ever. */
  scripts?: Script[] | ((variant: Variant, n: number) => Script);
  /** In order of the looks; the last one goes on for ever. */
  looks?: (() => Look)[];
  /** How long each look takes, from its number. */
  lookMs?: (n: number) => number;
  rank?: (looks: number) => Variant[];
  maxHoldMs?: number;
  maxDurationMs?: number | null;
  sampleIntervalMs?: number;
  /** Where the spool lies, with so much of its disk that is not to be used. */
  disk?: { folder: string; reserveBytes: number };
}

export class RecorderBench {
  readonly clock = new ManualClock();
  readonly engine = new PlainEngine();
  readonly stop = new AbortController();
  readonly looksAtMs: number[] = [];
  readonly attempts: { atMs: number; id: string; url: string }[] = [];
  spool!: SessionSpool;
  recording!: SessionRecording;
  recorder!: SessionRecorder;
  disk!: DiskShare;
  outcome: RecorderOutcome | undefined;

  static async open(options: BenchOptions = {}): Promise<RecorderBench> {
    const bench = new RecorderBench();
    const root = options.disk?.folder ?? (await scratchFolder());
    bench.spool = await SessionSpool.open(join(root, 'spool'), 'alice', SESSION);
    bench.spool.beginTerm(1);
    onTestFinished(async () => {
      await bench.recording.abandon();
      await bench.spool.cutJournal().catch(() => {});
    });
    const timeline = new Timeline(0, bench.clock.now() - bench.clock.monotonic());
    bench.recording = new SessionRecording({
      spool: bench.spool,
      timeline,
      clock: bench.clock,
      log: silentLogger(),
      term: 1,
      container: null,
      mediaDueSinceMs: bench.clock.now(),
      lastSegmentKey: null,
      withheldBefore: [],
      told: [],
      segmentDurationMs: 6_000,
      engineFor: () => bench.engine,
      signal: new AbortController().signal,
    });
    const {
      scripts = [flows(Infinity)],
      looks = [live],
      rank = () => [variant('origin', 'https://cdn.example/a')],
    } = options;
    const guard = new DiskGuard({
      folder: root,
      reserveBytes: options.disk?.reserveBytes ?? 0,
      clock: bench.clock,
      log: silentLogger(),
    });
    bench.disk = await guard.join();
    bench.recorder = new SessionRecorder(room(), {
      recordedBefore: null,
      disk: bench.disk,
      recording: bench.recording,
      timeline,
      openSource: (chosen, signal) => {
        bench.attempts.push({ atMs: bench.clock.monotonic(), id: chosen.id, url: chosen.url });
        const n = bench.attempts.length - 1;
        const script = Array.isArray(scripts) ? scripts[Math.min(n, scripts.length - 1)] : scripts(chosen, n);
        if (!script) throw new Error('no script');
        return script(bench, signal);
      },
      look: async (signal) => {
        bench.looksAtMs.push(bench.clock.monotonic());
        await bench.clock.delay(options.lookMs?.(bench.looksAtMs.length - 1) ?? 50, signal);
        const answer = looks[Math.min(bench.looksAtMs.length - 1, looks.length - 1)];
        if (!answer) throw new Error('no look');
        return answer();
      },
      rank: () => rank(bench.looksAtMs.length),
      onRoom: () => {},
      clock: bench.clock,
      log: silentLogger(),
      policy: { maxHoldMs: options.maxHoldMs ?? 30 * 60_000, confirmMs: 10_000 },
      stallMs: 4_000,
      sampleIntervalMs: options.sampleIntervalMs ?? 5 * 60_000,
      maxDurationMs: options.maxDurationMs ?? null,
    });
    return bench;
  }

  /** Runs until the recorder is done, or for so long at most. */
  async run(forMs = 60 * 60_000): Promise<RecorderOutcome | undefined> {
    const over = new AbortController();
    const running = this.recorder.run(this.stop.signal, 'found-late').then(
      (outcome) => {
        this.outcome = outcome;
      },
      (error: unknown) => {
        over.abort(error);
      },
    );
    const settled = running.finally(() => over.abort());
    await this.pass(forMs, over.signal);
    if (over.signal.aborted) await settled;
    if (over.signal.reason instanceof Error && over.signal.reason.name !== 'AbortError')
      throw over.signal.reason;
    return this.outcome;
  }

  /** Time passes, each step with time for what it sets off. */
  pass(ms: number, until?: AbortSignal): Promise<void> {
    return passInSteps(this.clock, 100, ms, until);
  }

  async entries(): Promise<JournalEntry[]> {
    await this.spool.cutJournal();
    return (await this.spool.earlier()).entries;
  }

  async gaps(): Promise<{ ms: number; cause: string }[]> {
    return (await this.entries()).flatMap((entry) =>
      entry.type === 'gap' ? [{ ms: entry.gap.ms, cause: entry.gap.cause }] : [],
    );
  }
}
