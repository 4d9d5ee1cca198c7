/**
 * What is measured of livestow: the composition root that the commands use, recording all creators of the command line in
 * one process, with the settings of its environment. Prints `"watching"` when all are watched and `"recording"` when all
 * are recorded; on the end of its standard input it ends the recordings, ships and seals, and prints one line with every
 * object's way into the store.
 */
import { statSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { loadConfig } from '../src/config/load.ts';
import { composeRecorder } from '../src/daemon/compose.ts';
import { recordCreator } from '../src/daemon/record-creator.ts';
import { systemClock } from '../src/kernel/clock.ts';
import { createLogger } from '../src/kernel/logger.ts';
import { StopRequest } from '../src/kernel/stop-request.ts';
import { fixedCadence } from '../src/watch/cadence.ts';

export interface Delay {
  handle: string;
  key: string;
  /** When it was verified in the store, UTC milliseconds. */
  atMs: number;
  /** Since ffmpeg wrote the last byte of it. */
  sinceWrittenMs: number;
  /** Since it stood in the spool, closed, checked and journaled. */
  sinceSpooledMs: number;
}

export interface RecorderReport {
  outcomes: string[];
  /** Media in sealed sessions, all together. */
  recordedMs: number;
  delays: Delay[];
}

const handles = process.argv.slice(2);
const say = (what: unknown): void => void process.stdout.write(`${JSON.stringify(what)}\n`);
const { config } = await loadConfig({ flags: {}, env: process.env, cwd: process.cwd() });
const log = createLogger({ level: config.logLevel });
const recorder = await composeRecorder({ config, clock: systemClock, log, version: '0' });
const stop = new AbortController();
const delays: Delay[] = [];
let recordedMs = 0;
const watched = new Set<string>();
const recorded = new Set<string>();

const outcomes = Promise.all(
  handles.map(async (handle) => {
    let session = '';
    const onShipped = (key: string, sinceSpooledMs: number): void => {
      const { mtimeMs } = statSync(join(config.spool, handle, session, key));
      const atMs = Date.now();
      delays.push({ handle, key, atMs, sinceWrittenMs: atMs - mtimeMs, sinceSpooledMs });
    };
    const outcome = await recordCreator(
      {
        handle,
        once: true,
        noWait: false,
        cadence: fixedCadence(config.pollIntervalMs ?? 1_000),
        onLook: () => {
          if (!watched.has(handle) && watched.add(handle).size === handles.length) say('watching');
        },
        onSession: (live) => {
          session = live.session;
          if (recorded.add(handle).size === handles.length) say('recording');
        },
        onSealed: ({ coverage }) => {
          recordedMs += coverage.recordedMs;
        },
      },
      { ...recorder.deps, onShipped },
      stop.signal,
    );
    return outcome.kind;
  }),
);
await text(process.stdin);
stop.abort(new StopRequest('interrupt'));
say({ outcomes: await outcomes, recordedMs, delays } satisfies RecorderReport);
await recorder.close();
