/** Who is measured: recorders that read an address each, and livestow with all of its pipeline in one process. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { TalkingChild } from './child.ts';
import { memoryOf } from './process-tree.ts';
import type { RecorderReport } from './recorder-process.ts';
import type { Bucket } from './s3.ts';
import type { Source, SourceMedia } from './source.ts';

export interface Recorder {
  name: string;
  /** H.264 unless said otherwise. */
  media?: SourceMedia;
  /** Why it cannot take part. */
  missing(): Promise<string | undefined>;
  /** Begins to record all streams of a source into a folder; lets the source go live. */
  start(source: Source, folder: string): Promise<Recording>;
}

export interface Recording {
  /** Their trees are what it costs. */
  roots: number[];
  /** Memory of livestow's process while it watched the creators and none was live. */
  idleBytes: number | undefined;
  end(): Promise<RecorderReport | undefined>;
}

const SEGMENT_SECONDS = 6;
/** As `scripts/livestow` starts Node. */
export const AS_LAUNCHED = ['--max-semi-space-size=6', '--heap-growing-percent=200'];
/** What a process needs until nothing of its start is going on any more. */
const SETTLE_MS = 5_000;

/** What has no blank in it, as on a command line. */
const words = (line: string): string[] => line.trim().split(/\s+/);

export const ffmpeg = perAddress('ffmpeg', '-version', (address, path) => [
  ...words('-hide_banner -nostdin -loglevel error -i'),
  address,
  ...words(`-map 0 -c copy -f segment -segment_time ${SEGMENT_SECONDS} -segment_format mpegts`),
  `${path}-%06d.ts`,
]);

export const streamlink = perAddress('streamlink', '--version', (address, path) =>
  words('--quiet --output').concat(`${path}.flv`, `httpstream://${address}`, 'best'),
);

export const ytDlp = perAddress('yt-dlp', '--version', (address, path) =>
  words('--quiet --no-warnings --no-part --output').concat(`${path}.flv`, address),
);

/** One process a stream. */
function perAddress(
  program: string,
  versionFlag: string,
  argumentsFor: (address: string, path: string) => string[],
): Recorder {
  return {
    name: program,
    missing: () =>
      promisify(execFile)(program, [versionFlag]).then(
        () => undefined,
        () => `${program} is not installed`,
      ),
    async start(source, folder) {
      await source.goLive();
      const addresses = await source.addresses();
      const children = addresses.map((address, n) =>
        spawn(program, argumentsFor(address, join(folder, String(n))), { stdio: 'ignore' }),
      );
      return {
        roots: children.map(({ pid }) => pid ?? 0),
        idleBytes: undefined,
        end: async () => {
          await Promise.all(children.map(endProcess));
          return undefined;
        },
      };
    },
  };
}

async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGINT');
  await Promise.race([exit, setTimeout(SETTLE_MS)]);
  child.kill('SIGKILL');
  await exit;
}

export function livestow(
  name: string,
  options: {
    /** Where it ships to; a folder without one. */
    bucket?: Bucket;
    engine?: 'ffmpeg' | 'builtin';
    media?: SourceMedia;
    nodeArguments?: readonly string[];
  } = {},
): Recorder {
  const { bucket, engine = 'ffmpeg', media = 'portrait', nodeArguments = [] } = options;
  return {
    name,
    media,
    missing: async () => undefined,
    async start(source, folder) {
      const script = `${import.meta.dirname}/recorder-process.ts`;
      const child = new TalkingChild(
        process.execPath,
        [...AS_LAUNCHED, ...nodeArguments, script, ...source.handles],
        {
          cwd: folder,
          env: {
            LIVESTOW_API_KEY: source.apiKey,
            LIVESTOW_API_URL: source.apiUrl,
            LIVESTOW_MEDIA_HOSTS: '127.0.0.1',
            LIVESTOW_STORE: bucket?.location ?? join(folder, 'archive'),
            LIVESTOW_SPOOL: join(folder, 'spool'),
            LIVESTOW_ENGINE: engine,
            LIVESTOW_POLL_INTERVAL: '1s',
            LIVESTOW_LOG_LEVEL: 'error',
            ...bucket?.env,
          },
        },
      );
      await child.hear();
      await setTimeout(SETTLE_MS);
      const idleBytes = await memoryOf([child.pid]);
      await source.goLive();
      await child.hear();
      return {
        roots: [child.pid],
        idleBytes,
        end: async () => {
          child.endInput();
          const report = await child.hear<RecorderReport>();
          await child.ended();
          return report;
        },
      };
    },
  };
}
