/**
 * `npm run bench`: what recording costs, of livestow and of others, on the same stream in the same run. The recorders take
 * turns, round after round, because a machine is never the same for long; what counts is their ratio. Nothing here passes
 * or fails: the figures and what they are for stand in docs/performance.md.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { TICK_MS } from '../src/sandbox/cdn/ticker.ts';
import { measure, type Measured } from './measure.ts';
import { ffmpeg, livestow, streamlink, ytDlp, type Recorder } from './recorders.ts';
import { table } from './report.ts';
import { S3Server } from './s3.ts';

const USAGE = `usage: npm run bench -- [options]
  --recordings 10,30   how many streams at once; several numbers are measured one after another
  --seconds 60         length of each measured window
  --warm-up 60         seconds before it, for the compiler to settle
  --rounds 2           how often all of it is done
  --only a,b           of: ffmpeg, streamlink, yt-dlp, livestow, builtin, builtin-fmp4, livestow-s3
  --at-once            all creators go live in one moment: all segments close together
  --tick MS            the source sends what has come due this often (${TICK_MS}); with 10 nearly each frame by itself
  --folder DIR         where recorders write, on the disk that is meant (${tmpdir()})
  --json FILE          the figures as JSON; - for standard output
  --profile DIR        CPU profiles of livestow's process, for a look with Chrome or speedscope`;

const { values } = parseArgs({
  options: {
    recordings: { type: 'string', default: '10,30' },
    seconds: { type: 'string', default: '60' },
    'warm-up': { type: 'string', default: '60' },
    rounds: { type: 'string', default: '2' },
    only: { type: 'string' },
    'at-once': { type: 'boolean', default: false },
    tick: { type: 'string', default: String(TICK_MS) },
    folder: { type: 'string', default: tmpdir() },
    json: { type: 'string' },
    profile: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const tickMs = Number(values.tick);
const say = (text: string): void => void process.stderr.write(`${text}\n`);

if (values.help) {
  process.stdout.write(`${USAGE}\n`);
} else if (process.platform !== 'linux') {
  say('The bench reads /proc and needs Linux.');
  process.exitCode = 1;
} else if (!(tickMs >= 1)) {
  say('--tick: milliseconds, 1 or more');
  process.exitCode = 2;
} else {
  await bench();
}

async function bench(): Promise<void> {
  const folder = await mkdtemp(join(values.folder, 'livestow-bench-'));
  const wanted = values.only?.split(',');
  const nodeArguments =
    values.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${values.profile}`];
  if (values.profile !== undefined) await mkdir(values.profile, { recursive: true });
  let server: S3Server | undefined;
  const measured: Measured[] = [];
  try {
    const recorders: Recorder[] = [
      ffmpeg,
      streamlink,
      ytDlp,
      livestow('livestow', { nodeArguments }),
      livestow('builtin', { engine: 'builtin', nodeArguments }),
      // What becomes fragmented MP4 is H.265, which this machine's ffmpeg may not even read.
      livestow('builtin-fmp4', { engine: 'builtin', media: 'portrait-hevc', nodeArguments }),
    ];
    const taking: Recorder[] = [];
    for (const recorder of recorders) {
      const missing = await recorder.missing();
      if (wanted?.includes(recorder.name) === false) continue;
      if (missing === undefined) taking.push(recorder);
      else say(`${recorder.name} is left out: ${missing}`);
    }
    if (wanted?.includes('livestow-s3') !== false) {
      try {
        server = await S3Server.start(join(folder, 's3'));
        taking.push(livestow('livestow-s3', { bucket: await server.newBucket(), nodeArguments }));
      } catch {
        say('livestow-s3 is left out: no S3 server could be started');
      }
    }
    const rounds = Number(values.rounds);
    for (let round = 1; round <= rounds; round += 1) {
      for (const streams of values.recordings.split(',').map(Number)) {
        for (const recorder of taking) {
          say(`round ${round} of ${rounds}: ${recorder.name}, ${streams} streams`);
          const result = await measure(recorder, {
            streams,
            seconds: Number(values.seconds),
            warmUpSeconds: Number(values['warm-up']),
            atOnce: values['at-once'],
            tickMs,
            folder,
          });
          measured.push(result);
          say(JSON.stringify(result));
        }
      }
    }
  } finally {
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
    await report(measured);
  }
}

async function report(measured: readonly Measured[]): Promise<void> {
  const [cpu] = cpus();
  const machine = {
    cpus: cpus().length,
    model: cpu?.model ?? 'unknown',
    kernel: release(),
    node: process.version,
  };
  const json = `${JSON.stringify({ machine, options: values, measured }, null, 1)}\n`;
  if (values.json === '-') process.stdout.write(json);
  else if (values.json !== undefined) await writeFile(values.json, json);
  if (values.json !== '-' && measured.length > 0) process.stdout.write(`${table(measured)}\n`);
}
