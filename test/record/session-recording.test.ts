import { readFileSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Timeline, type TimelineItem } from '../../src/ingest/timeline.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import type { JournalEntry } from '../../src/model/manifest.ts';
import { SessionRecording } from '../../src/record/session-recording.ts';
import { SessionSpool } from '../../src/spool/session-spool.ts';
import { ManualClock } from '../manual-clock.ts';
import { readTail } from '../../src/spool/tail.ts';
import { limitFiles } from '../spool/full-disk.ts';
import { audio, media, variant, video } from '../spool/numbered-media.ts';
import { scratchFolder } from '../spool/scratch.ts';
import { diskAtRest } from './disk-at-rest.ts';
import { PlainEngine } from './plain-engine.ts';

const SESSION = '20261122T000000Z-7300000000000000001';
const SEGMENT_MS = 2_000;

async function bench({ dueBeforeMs = 0 }: { dueBeforeMs?: number | null } = {}) {
  const spool = await SessionSpool.open(await scratchFolder(), 'alice', SESSION);
  spool.beginTerm(1);
  onTestFinished(() => spool.cutJournal().catch(() => {}));
  const clock = new ManualClock();
  const timeline = new Timeline();
  const engine = new PlainEngine();
  const giveUp = new AbortController();
  const recording = new SessionRecording({
    spool,
    timeline,
    clock,
    log: silentLogger(),
    term: 1,
    container: null,
    mediaDueSinceMs: dueBeforeMs === null ? null : clock.now() - dueBeforeMs,
    lastSegmentKey: null,
    withheldBefore: [],
    told: [],
    segmentDurationMs: SEGMENT_MS,
    engineFor: () => engine,
    signal: giveUp.signal,
  });
  /** Media of this time arrives as it is made. */
  const take = async (fromMs: number, toMs: number): Promise<void> => {
    for (let atMs = fromMs; atMs < toMs; atMs += 200) {
      const packets = media(atMs, Math.min(toMs, atMs + 200)).map((packet) => ({
        ...packet,
        dtsMs: packet.dtsMs - 60_000,
      }));
      const units = atMs === fromMs ? [video, audio, ...packets] : packets;
      await give(timeline.push(units, clock.now() + Math.min(toMs, atMs + 200)));
    }
  };
  const give = (items: readonly TimelineItem[]): Promise<void> => recording.take(items, variant);
  /** The clock runs until the step is done. */
  const passing = async <T>(step: Promise<T>): Promise<T> => {
    const over = new AbortController();
    const settled = step.finally(() => over.abort());
    settled.catch(() => {});
    while (!over.signal.aborted) {
      await diskAtRest();
      if (!over.signal.aborted) await clock.advance(1_000);
    }
    return settled;
  };
  const story = async (): Promise<string[]> => {
    await spool.cutJournal();
    return (await spool.earlier()).entries.flatMap(tell);
  };
  return { spool, clock, timeline, engine, giveUp, recording, take, give, passing, story };
}

/** What matters of the journal, in its order. */
function tell(entry: JournalEntry): string[] {
  const name = (key: string | null): string => key?.slice(-11, -3) ?? 'nothing';
  if (entry.type === 'epoch') return [`epoch ${entry.epoch.epoch}`];
  if (entry.type === 'segment') {
    const { key, epoch, firstDtsMs, lastDtsMs } = entry.segment;
    return [`segment ${epoch}${name(key).slice(1)}: ${firstDtsMs - 60_000}-${lastDtsMs - 60_000}`];
  }
  if (entry.type === 'gap')
    return [
      `gap of ${(entry.gap.ms / 1_000).toFixed(1)} s after ${name(entry.gap.after)}: ${entry.gap.cause}`,
    ];
  return [];
}

describe('the journal', () => {
  test('has epochs before their segments, and gaps behind the segments that they follow', async () => {
    const { take, give, timeline, recording, story } = await bench();
    await take(0, 3_500);
    await give(timeline.connect('connection-lost'));
    await take(6_000, 9_000);
    await recording.end();
    expect(await story()).toEqual([
      'epoch 1',
      'segment 1-000001: 0-1960',
      'segment 1-000002: 2000-3480',
      'gap of 2.5 s after 1-000002: connection-lost',
      'epoch 2',
      'segment 2-000001: 6000-7960',
      'segment 2-000002: 8000-8960',
    ]);
  });

  test('has the head before everything', async () => {
    const { take, recording, story } = await bench({ dueBeforeMs: 7_000 });
    await take(0, 1_000);
    await recording.end();
    expect(await story()).toEqual([
      'epoch 1',
      'gap of 7.0 s after nothing: found-late',
      'segment 1-000001: 0-960',
    ]);
  });

  test('has what is missing beside a segment as soon as it has the segment: a crash leaves both or none', async () => {
    const { spool, take, give, timeline, recording } = await bench({ dueBeforeMs: 7_000 });
    const withEach: Record<string, string[]> = {};
    spool.on('object', ({ key }) => {
      const lines = readFileSync(join(spool.folder, 'journal', '0001-000001.ndjson'), 'utf8').split('\n');
      const entries = lines.flatMap((line) => (line === '' ? [] : [JSON.parse(line) as JournalEntry]));
      withEach[key] = entries.flatMap((entry) => (entry.type === 'gap' ? [entry.gap.cause] : []));
    });
    await take(0, 1_500);
    await give(timeline.connect('connection-lost'));
    await take(6_000, 9_000);
    await recording.end();
    expect(withEach['segments/0001-0001-000001.ts']).toEqual(['found-late', 'connection-lost']);
  });

  test('says that there was no media when there was none, but not of a term that others follow', async () => {
    const ended = await bench({ dueBeforeMs: 7_000 });
    await ended.recording.end();
    expect(await ended.story()).toEqual(['gap of 7.0 s after nothing: no-media']);
    const drained = await bench({ dueBeforeMs: 7_000 });
    await drained.recording.drain();
    expect(await drained.story()).toEqual([]);
  });

  test('says what no engine survived', async () => {
    const { take, recording, engine, passing, story } = await bench({ dueBeforeMs: 7_000 });
    engine.diesAt = ({ dtsMs }) => dtsMs < 61_000;
    await passing(take(0, 3_000));
    await recording.end();
    expect(await story()).toEqual([
      'gap of 7.0 s after nothing: found-late',
      'gap of 1.0 s after nothing: engine-failed',
      'epoch 1',
      'segment 1-000001: 1000-2960',
    ]);
  });
});

describe('a disk in trouble', () => {
  const WHOLE = [
    'epoch 1',
    'segment 1-000001: 0-1960',
    'segment 1-000002: 2000-3960',
    'segment 1-000003: 4000-4960',
  ];

  test('a folder that is none for a while: everything is there afterwards, once', async () => {
    const { spool, clock, take, recording, passing, story } = await bench();
    await take(0, 1_500);
    const [segments, aside] = [join(spool.folder, 'segments'), join(spool.folder, 'elsewhere')];
    await rename(segments, aside);
    await writeFile(segments, 'no folder');
    await take(1_500, 5_000);
    for (let i = 0; i < 3; i += 1) {
      await diskAtRest();
      await clock.advance(1_000);
    }
    expect(
      await spool.earlier().then(({ entries }) => entries.filter(({ type }) => type === 'segment')),
    ).toEqual([]);
    await rm(segments);
    await rename(aside, segments);
    await passing(recording.end());
    expect(await story()).toEqual(WHOLE);
  });

  test('a journal that cannot grow for a while', async () => {
    const { clock, take, recording, passing, story } = await bench();
    await take(0, 1_500);
    await diskAtRest();
    // The engine's files are longer; they come before and after.
    const free = await limitFiles(100);
    recording.event('an event that must wait');
    for (let i = 0; i < 3; i += 1) {
      await diskAtRest();
      await clock.advance(1_000);
    }
    await free();
    await take(1_500, 5_000);
    await passing(recording.end());
    expect(await story()).toEqual(WHOLE);
  });

  test('no folder for the next epoch’s engine: it is waited for', async () => {
    const { spool, clock, take, give, timeline, recording, passing, story } = await bench();
    await take(0, 1_000);
    const engine = join(spool.folder, 'engine');
    await rename(engine, `${engine}-elsewhere`);
    await writeFile(engine, 'no folder');
    await give(timeline.connect('connection-lost'));
    const next = take(3_000, 4_000);
    await diskAtRest();
    await clock.advance(1_000);
    await rm(engine);
    await rename(`${engine}-elsewhere`, engine);
    await passing(next);
    await passing(recording.end());
    expect(await story()).toEqual([
      'epoch 1',
      'segment 1-000001: 0-960',
      'gap of 2.0 s after 1-000001: connection-lost',
      'epoch 2',
      'segment 2-000001: 3000-3960',
    ]);
  });

  test('a segment that somebody deleted before it was taken over is a gap', async () => {
    const { spool, take, engine, recording, story } = await bench();
    engine.onClosed = async ({ n, path }) => {
      if (n === 2) await rm(path);
    };
    await take(0, 5_000);
    await recording.end();
    expect(await story()).toEqual([
      'epoch 1',
      'segment 1-000001: 0-1960',
      'gap of 2.0 s after 1-000001: lost-locally',
      'segment 1-000003: 4000-4960',
    ]);
    expect((await spool.objectKeys()).size).toBeGreaterThan(0);
  });

  test('that stays: the end is not waited for when everything is given up', async () => {
    const { spool, take, recording, giveUp } = await bench();
    await take(0, 1_500);
    await rm(join(spool.folder, 'segments'), { recursive: true });
    const ending = recording.end();
    await diskAtRest();
    const reason = new Error('given up');
    giveUp.abort(reason);
    await expect(ending).rejects.toBe(reason);
  });
});

test('a recording that is abandoned leaves nothing running, and its media in the tail', async () => {
  const { take, recording, engine, spool } = await bench();
  await take(0, 1_500);
  await recording.abandon();
  expect(engine.running).toBe(0);
  expect((await readTail(spool.tailFolder))?.units.filter((unit) => 'data' in unit)).toHaveLength(
    media(0, 1_500).length,
  );
});

test(
  'a stream that changes its configuration with every picture has a few engines at once, and loses none',
  { tags: ['hostile-bytes', 'picture-changed'] },
  async () => {
    const { give, timeline, recording, engine, story } = await bench();
    let most = 0;
    let closing: (() => void)[] = [];
    // An engine takes its time to close: as long as another may be opened.
    engine.onClosed = () =>
      new Promise((resolve) => {
        most = Math.max(most, engine.running);
        closing.push(resolve);
        setTimeout(() => {
          const open = closing;
          closing = [];
          for (const close of open) close();
        }, 20);
      });
    const pictures = 60;
    const units = Array.from({ length: pictures }, (_, n) => [
      { ...video, record: Buffer.concat([video.record.subarray(0, -1), Buffer.from([n])]) },
      { kind: 'video' as const, dtsMs: n * 40, compositionMs: 0, key: true, data: Buffer.from(`${n}`) },
    ]);
    await give(timeline.push([video, audio, ...units.flat()], 0));
    await give(timeline.finish());
    await recording.end();
    const told = await story();
    expect(told.filter((line) => line.startsWith('segment'))).toHaveLength(pictures);
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(4);
  },
);
