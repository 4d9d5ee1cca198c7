/** What a session's recorder makes of a clock that is set, and of a process that stood still. */
import { describe, expect, test } from 'vitest';
import { StopRequest } from '../../src/kernel/stop-request.ts';
import type { JournalEntry } from '../../src/model/manifest.ts';
import { flows, followed, live, offline, RecorderBench, refused, silent } from './recorder-bench.ts';

const HOUR_MS = 3_600_000;

/** Runs, ends the recording, and gives what is in the journal. */
async function recorded(bench: RecorderBench, forMs: number): Promise<JournalEntry[]> {
  await bench.run(forMs);
  bench.stop.abort(new StopRequest('interrupt'));
  await bench.pass(1_000);
  await bench.recording.end();
  return bench.entries();
}

const events = (entries: readonly JournalEntry[], name: string) =>
  entries.flatMap((entry) => (entry.type === 'event' && entry.event === name ? [entry.detail] : []));
const gapsIn = (entries: readonly JournalEntry[]) =>
  entries.flatMap((entry) => (entry.type === 'gap' ? [{ ms: entry.gap.ms, cause: entry.gap.cause }] : []));
const startsIn = (entries: readonly JournalEntry[]): number[] =>
  entries.flatMap((entry) => (entry.type === 'segment' ? [Date.parse(entry.segment.startsAt)] : []));
const durations = (entries: readonly JournalEntry[]): number =>
  entries.reduce((sum, entry) => sum + (entry.type === 'segment' ? entry.segment.durationMs : 0), 0);

describe('the machine’s clock is set', { tags: 'clock-jump' }, () => {
  test.for([HOUR_MS, -HOUR_MS, 5_000, -5_000])('by %i ms: a hole is as long as it was', async (byMs) => {
    const hole = followed(refused, flows(Infinity));
    const bench = await RecorderBench.open({
      scripts: [flows(20_000), refused, refused, hole, flows(Infinity)],
    });
    const startMs = bench.clock.now();
    bench.clock.after(10_000, () => bench.clock.set(byMs));
    const entries = await recorded(bench, 60_000);
    expect(events(entries, 'clock-step')).toEqual([{ ms: byMs }]);
    expect(bench.looksAtMs.length).toBeGreaterThan(0);
    const gaps = gapsIn(entries);
    expect(gaps).toMatchObject([{ cause: 'connection-lost' }]);
    expect(gaps[0]!.ms).toBeGreaterThan(500);
    expect(gaps[0]!.ms).toBeLessThan(12_000);
    expect(durations(entries) + gaps[0]!.ms).toBeGreaterThan(59_000);
    expect(durations(entries) + gaps[0]!.ms).toBeLessThan(62_000);
    const starts = startsIn(entries);
    expect(starts.toSorted((a, b) => a - b)).toEqual(starts);
    const lastMs = starts.at(-1)! - startMs;
    expect(lastMs).toBeGreaterThan(Math.max(0, byMs) + 50_000);
    expect(lastMs).toBeLessThan(Math.max(0, byMs) + 62_000);
  });

  test('again and again, while media flows: nothing is missing', async () => {
    const bench = await RecorderBench.open();
    for (const [i, byMs] of [700, -HOUR_MS, 24 * HOUR_MS, -900].entries()) {
      bench.clock.after(3_000 * (i + 1), () => bench.clock.set(byMs));
    }
    const entries = await recorded(bench, 20_000);
    expect(events(entries, 'clock-step')).toHaveLength(4);
    expect(gapsIn(entries)).toEqual([]);
    expect(durations(entries)).toBeGreaterThan(19_000);
    expect(bench.attempts).toHaveLength(1);
  });

  test('while it holds: the hold lasts as long as any', async () => {
    const bench = await RecorderBench.open({ scripts: [flows(9_000), refused], maxHoldMs: 120_000 });
    bench.clock.after(30_000, () => bench.clock.set(HOUR_MS));
    expect(await bench.run()).toMatchObject({ kind: 'ended', cause: 'media-lost' });
    expect(bench.clock.monotonic()).toBeGreaterThan(128_000);
    expect(bench.clock.monotonic()).toBeLessThan(131_000);
  });
});

describe('the process stands still', { tags: 'suspended' }, () => {
  test('for longer than a stall, and the connection has kept everything: nothing is missing', async () => {
    const bench = await RecorderBench.open();
    bench.clock.after(10_100, () => bench.clock.suspend(20_000));
    const entries = await recorded(bench, 60_000);
    expect(events(entries, 'suspended')).toEqual([{ ms: 20_000 }]);
    expect(gapsIn(entries)).toEqual([]);
    expect(bench.attempts).toHaveLength(1);
    expect(durations(entries)).toBeGreaterThan(58_000);
  });

  test('and the CDN has hung up meanwhile: that is not the CDN’s fault', async () => {
    const bench = await RecorderBench.open({ scripts: [flows(15_000), flows(Infinity)] });
    bench.clock.after(10_100, () => bench.clock.suspend(20_000));
    const entries = await recorded(bench, 60_000);
    const gaps = gapsIn(entries);
    expect(gaps).toMatchObject([{ cause: 'recorder-down' }]);
    expect(gaps[0]!.ms).toBeGreaterThan(18_000);
    expect(gaps[0]!.ms).toBeLessThan(21_000);
  });

  test('and the connection is dead behind it: that is found out, and is not the CDN’s fault', async () => {
    const bench = await RecorderBench.open({
      scripts: [followed(flows(15_000), silent), flows(Infinity)],
    });
    bench.clock.after(10_100, () => bench.clock.suspend(20_000));
    const entries = await recorded(bench, 60_000);
    expect(gapsIn(entries)).toMatchObject([{ cause: 'recorder-down' }]);
    expect(bench.attempts).toHaveLength(2);
  });

  test('long before a connection breaks: that is the CDN’s fault', async () => {
    const bench = await RecorderBench.open({
      scripts: [flows(60_000), followed(silent, refused), flows(Infinity)],
    });
    bench.clock.after(10_100, () => bench.clock.suspend(20_000));
    const entries = await recorded(bench, 90_000);
    expect(gapsIn(entries).map(({ cause }) => cause)).not.toContain('recorder-down');
    expect(gapsIn(entries)).toHaveLength(1);
  });

  test('for hours in a hold: it looks and waits anew before it gives up', async () => {
    const bench = await RecorderBench.open({ scripts: [flows(9_000), refused], maxHoldMs: 120_000 });
    bench.clock.after(100_000, () => bench.clock.suspend(2 * HOUR_MS));
    expect(await bench.run(4 * HOUR_MS)).toMatchObject({ kind: 'ended', cause: 'media-lost' });
    const wokeAtMs = 100_000 + 2 * HOUR_MS;
    expect(bench.clock.monotonic() - wokeAtMs).toBeGreaterThan(119_000);
    expect(bench.clock.monotonic() - wokeAtMs).toBeLessThan(122_000);
    const first = bench.looksAtMs.find((atMs) => atMs >= wokeAtMs);
    expect(first! - wokeAtMs).toBeLessThan(1_500);
    expect(bench.attempts.filter(({ atMs }) => atMs >= wokeAtMs).length).toBeGreaterThan(5);
  });

  test('between two looks that say offline: both count only when both are new', async () => {
    const looks = [offline, live, live];
    const bench = await RecorderBench.open({
      scripts: [flows(9_000), refused, refused, flows(Infinity)],
      looks,
    });
    bench.clock.after(9_700, () => bench.clock.suspend(HOUR_MS));
    await bench.run(HOUR_MS + 60_000);
    expect(bench.recorder.phase).toBe('recording');
  });
});
