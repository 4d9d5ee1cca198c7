/** Recorders that are stopped and killed: what was safe at that moment, and what must be so for ever. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { expect } from 'vitest';
import { filesIn } from './archive-copy.ts';
import { expectFaithful, expectLaidOut, expectNothingLeft, type Expected } from './faithful.ts';
import type { SessionAccount } from './account.ts';
import type { LivestowProcess } from './livestow-process.ts';
import { hasEnded, runningProcesses } from './processes.ts';
import type { World } from './world.ts';

export type Victim = 'livestow' | 'ffmpeg' | 'both';

export interface Kill {
  atMs: number;
  /** Closed segments at that moment, in the store or in the spool. */
  closed: string[];
}

/** Kills without warning, and sees that no ffmpeg goes on alone. */
export async function killNow(world: World, run: LivestowProcess, victim: Victim): Promise<Kill> {
  const recording = await run.recordingProcesses();
  const atMs = Date.now();
  if (victim !== 'livestow') for (const pid of recording) process.kill(pid, 'SIGKILL');
  if (victim !== 'ffmpeg') await run.killHard();
  await Promise.all(recording.map(hasEnded));
  if (victim !== 'ffmpeg') expect(await world.leaks()).toEqual([]);
  return { atMs, closed: await closedSegments(world) };
}

/** Stops processes for so long, and lets them go on. */
export async function suspend(pids: readonly number[], ms: number): Promise<void> {
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  await after(ms);
  const running = new Set((await runningProcesses()).map(({ pid }) => pid));
  for (const pid of pids) if (running.has(pid)) process.kill(pid, 'SIGCONT');
}

/** So long after the keyframe of this GOP went out. */
export async function momentAfterGop(world: World, gop: number, delayMs: number): Promise<void> {
  await world.gopSent(gop);
  await after(delayMs);
}

/**
 * Lets the broadcast end and the recorder see it, then interrupts the recorder: what takes ten seconds more is to be sure
 * that it is over, and has tests of its own.
 */
export async function interruptAfterTheEnd(world: World, run: LivestowProcess): Promise<void> {
  const ended = await world.happens('the end', ({ type }) => type === 'ended');
  const endedAtMs = world.wallMs(ended.atMs) - 100;
  await run.until('it sees the end', ({ entries }) =>
    entries.some(({ event, time }) => event === 'media-broke' && Date.parse(time) >= endedAtMs),
  );
  run.kill('SIGINT');
  expect(await run.exited).toEqual({ code: 130, signal: null });
}

/** Lets this recorder have media for so many GOPs, then ends the broadcast and has it sealed. */
export async function recordToTheEnd(world: World, run: LivestowProcess, gops = 3): Promise<void> {
  await run.until('media flows', (process) => process.events('media').length > 0);
  await world.gopSent(world.gopsSent + gops - 1);
  world.sandbox.end('alice');
  await interruptAfterTheEnd(world, run);
}

/** What a journal names was whole on disk: from then on it must not be lost. */
async function closedSegments(world: World): Promise<string[]> {
  const journals = (await filesIn(world.spool)).filter((path) => /\/journal\/[^/]+\.ndjson$/.test(path));
  const texts = await Promise.all(journals.map((path) => readFile(join(world.spool, path), 'utf8')));
  const lines = texts.flatMap((text) => text.split('\n').slice(0, -1));
  return lines.flatMap((line) => {
    const entry = JSON.parse(line) as { type: string; segment?: { key: string } };
    return entry.type === 'segment' && entry.segment ? [entry.segment.key] : [];
  });
}

/** The one session there is, sealed after all, with everything that was closed before the kills. */
export async function expectSurvived(
  world: World,
  kills: readonly Kill[],
  expected: Expected = {},
): Promise<SessionAccount> {
  const session = await world.session();
  expectFaithful(world, session, {
    epochs: 'h264 360x640',
    gaps: 'recorder-down',
    endCause: 'stopped',
    cutAtMs: kills.map(({ atMs }) => atMs),
    ...expected,
  });
  const keys = session.manifest.segments.map(({ key }) => key);
  for (const { closed } of kills) expect(keys).toEqual(expect.arrayContaining(closed));
  await expectLaidOut(session);
  await expectNothingLeft(world);
  return session;
}
