/** Drives an engine with real packets in a folder of its own, and looks at what comes out with ffprobe. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import type { LivestowError } from '../../src/kernel/errors.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import type { MediaPacket } from '../../src/media/packet.ts';
import type { ClosedInit, ClosedSegment, Engine, EpochSink, EpochSpec } from '../../src/record/engine.ts';
import { createBuiltinEngine } from '../../src/record/builtin/builtin-engine.ts';
import { createFfmpegEngine, type FfmpegEngineOptions } from '../../src/record/ffmpeg/ffmpeg-engine.ts';
import { folder, type Units } from '../media/made.ts';

export const newFolder = (): string => mkdtempSync(join(folder, 'epoch-'));

export interface Recording {
  folder: string;
  sink: EpochSink;
  inits: ClosedInit[];
  segments: ClosedSegment[];
  /** Resolves when this many segments were handed over. */
  handedOver(count: number): Promise<void>;
}

export type EngineName = Engine['name'];

export interface RecordOptions extends Partial<EpochSpec> {
  /** ffmpeg unless said otherwise. */
  by?: EngineName;
  engine?: Partial<FfmpegEngineOptions>;
}

function engineOf(name: EngineName, options: Partial<FfmpegEngineOptions> = {}): Engine {
  const logger = silentLogger();
  return name === 'builtin'
    ? createBuiltinEngine({ logger })
    : createFfmpegEngine({ ffmpegPath: 'ffmpeg', clock: systemClock, logger, ...options });
}

export async function beginRecording(units: Units, options: RecordOptions = {}): Promise<Recording> {
  const { by = 'ffmpeg', engine: engineOptions, ...spec } = options;
  const engine = engineOf(by, engineOptions);
  const inits: ClosedInit[] = [];
  const segments: ClosedSegment[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  const home = options.folder ?? newFolder();
  const sink = await engine.open(
    {
      term: 1,
      epoch: 1,
      video: units.video,
      audio: units.audio,
      container: 'mpegts',
      segmentDurationMs: 3_000,
      firstSegment: 1,
      ...spec,
      folder: home,
    },
    {
      onInit: (init) => inits.push(init),
      onSegment(segment) {
        segments.push(segment);
        for (const { count, resolve } of waiting) if (segments.length >= count) resolve();
      },
    },
  );
  const handedOver = (count: number): Promise<void> =>
    segments.length >= count
      ? Promise.resolve()
      : new Promise((resolve) => {
          waiting.push({ count, resolve });
        });
  return { folder: home, sink, inits, segments, handedOver };
}

/** Writes in pieces, as a network gives them. */
export async function feed(sink: EpochSink, packets: readonly MediaPacket[], piece = 5): Promise<void> {
  for (let at = 0; at < packets.length; at += piece) await sink.write(packets.slice(at, at + piece));
}

export async function record(units: Units, options: RecordOptions = {}): Promise<Recording> {
  const recording = await beginRecording(units, options);
  await feed(recording.sink, units.packets);
  await recording.sink.end();
  return recording;
}

/** Pictures that a decoder gets out of the segment alone (behind its init). Throws when it complains. */
export function decodedPictures(
  segment: Pick<ClosedSegment, 'path'>,
  init?: Pick<ClosedInit, 'path'>,
): number {
  const bytes = [...(init ? [readFileSync(init.path)] : []), readFileSync(segment.path)];
  const said = execFileSync(
    'ffmpeg',
    'ffmpeg -v error -xerror -i pipe:0 -map 0:v -fps_mode passthrough -f framecrc pipe:1'.split(' ').slice(1),
    { input: Buffer.concat(bytes), stdio: ['pipe', 'pipe', 'pipe'] },
  );
  return said.toString().match(/^\d/gm)?.length ?? 0;
}

/** The error of a promise that has to reject with ENGINE. */
export async function engineError(work: Promise<unknown>): Promise<LivestowError> {
  const [end] = await Promise.allSettled([work]);
  if (end.status === 'fulfilled') throw new Error('It did not reject.');
  expect(end.reason).toMatchObject({ name: 'LivestowError', code: 'ENGINE' });
  return end.reason as LivestowError;
}

/** An executable in a new folder; `$1…` are ffmpeg's arguments. */
export function script(body: string): { path: string; pidFile: string } {
  const home = newFolder();
  const path = join(home, 'ffmpeg');
  const pidFile = join(home, 'pid');
  writeFileSync(path, `#!/bin/sh\necho $$ > '${pidFile}'\n${body}\n`);
  chmodSync(path, 0o755);
  return { path, pidFile };
}

/** The real ffmpeg, whose process id can be read. */
export const observedFfmpeg = (): { path: string; pidFile: string } => script('exec ffmpeg "$@"');

export const pidIn = (pidFile: string): number => Number(readFileSync(pidFile, 'utf8'));

export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
