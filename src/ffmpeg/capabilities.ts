/**
 * Which ffmpeg is here and what it can do, asked of the binaries themselves. `LIVESTOW_FFMPEG` names one (a path, or a
 * command); otherwise it is looked up on the PATH. ffprobe is taken from beside it, or from the PATH.
 */
import { execa } from 'execa';
import { readFile } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { LivestowError } from '../kernel/errors.ts';

export const FFMPEG_VARIABLE = 'LIVESTOW_FFMPEG';

/**
 * What HEVC in FLV is to this ffmpeg: nothing, readable as enhanced RTMP (6.1), or also with the legacy codec id 12 that
 * these CDNs send (8.0). It reads nothing at all without an error where it can't: exit 0 and no video.
 */
export type HevcInFlv = 'none' | 'enhanced' | 'legacy';

export interface FfmpegCapabilities {
  path: string;
  /** Undefined when there is none: probing and export are not to be had then. */
  probePath: string | undefined;
  /** As it calls itself: `5.1.9-0+deb12u1`, `n7.1`, `N-118000-g…`. */
  version: string;
  /** Major and minor of libavformat, which builds from a snapshot have too. */
  libavformat: { major: number; minor: number };
  readsHevcInFlv: HevcInFlv;
  demuxers: ReadonlySet<string>;
  muxers: ReadonlySet<string>;
  /** Those that can be read from. */
  protocols: ReadonlySet<string>;
  /** What livestow needs and this build lacks, such as `muxer segment`; empty when all is well. */
  lacks: readonly string[];
}

/** That of ffmpeg 5; nothing older is tried. */
const OLDEST_LIBAVFORMAT = 59;

const NEEDED = {
  demuxers: ['flv', 'matroska', 'mpegts', 'mov'],
  muxers: ['segment', 'mpegts', 'mp4'],
  protocols: ['pipe', 'file'],
} as const;

/** Throws FFMPEG_MISSING with the command that installs it on this system. */
export async function findFfmpeg(
  env: Record<string, string | undefined> = process.env,
  signal?: AbortSignal,
): Promise<FfmpegCapabilities> {
  const path = env[FFMPEG_VARIABLE]?.trim() || 'ffmpeg';
  const run = (binary: string, ...args: string[]): Promise<string | undefined> =>
    outputOf(binary, args, env, signal);
  const head = await run(path, '-version');
  const version = head === undefined ? undefined : parseVersion(head);
  if (!version) throw await missing(path);
  const [probePath, demuxers, muxers, protocols] = await Promise.all([
    findFfprobe(path, run),
    run(path, '-hide_banner', '-demuxers'),
    run(path, '-hide_banner', '-muxers'),
    run(path, '-hide_banner', '-protocols'),
  ]);
  const found = {
    demuxers: parseFormats(demuxers ?? ''),
    muxers: parseFormats(muxers ?? ''),
    protocols: parseInputProtocols(protocols ?? ''),
  };
  return {
    path,
    probePath,
    ...version,
    readsHevcInFlv: hevcInFlvOf(version.libavformat),
    ...found,
    lacks: lacksOf(version.libavformat, found),
  };
}

/** From the first lines of `ffmpeg -version`; undefined when it is no ffmpeg. */
export function parseVersion(text: string): Pick<FfmpegCapabilities, 'version' | 'libavformat'> | undefined {
  const version = /^ffmpeg version (\S+)/m.exec(text)?.[1];
  const library = /^libavformat\s+(\d+)\.\s*(\d+)\./m.exec(text);
  if (version === undefined || !library) return undefined;
  return { version, libavformat: { major: Number(library[1]), minor: Number(library[2]) } };
}

/** 60.16 is ffmpeg 6.1, 62 is 8.0. */
export function hevcInFlvOf({ major, minor }: FfmpegCapabilities['libavformat']): HevcInFlv {
  if (major >= 62) return 'legacy';
  return major >= 61 || (major === 60 && minor >= 16) ? 'enhanced' : 'none';
}

/** The names in what `-demuxers` and `-muxers` print: ` D  matroska,webm  Matroska / WebM`. */
export function parseFormats(text: string): Set<string> {
  const names = new Set<string>();
  for (const [, list = ''] of text.matchAll(/^ [D ][E ][d ]? *(\S+) /gm)) {
    if (list !== '=') for (const name of list.split(',')) names.add(name);
  }
  return names;
}

/** The names between `Input:` and `Output:`. */
export function parseInputProtocols(text: string): Set<string> {
  const section = /^Input:\s*$([\s\S]*?)(?:^Output:|$(?![\s\S]))/m.exec(text)?.[1] ?? '';
  return new Set(section.split(/\s+/).filter((name) => name !== ''));
}

function lacksOf(
  libavformat: FfmpegCapabilities['libavformat'],
  found: Record<keyof typeof NEEDED, Set<string>>,
): string[] {
  const kinds = ['demuxers', 'muxers', 'protocols'] as const;
  return [
    ...(libavformat.major < OLDEST_LIBAVFORMAT ? ['version 5.1 or later'] : []),
    ...kinds.flatMap((kind) =>
      NEEDED[kind].filter((name) => !found[kind].has(name)).map((name) => `${kind.slice(0, -1)} ${name}`),
    ),
  ];
}

async function findFfprobe(
  ffmpegPath: string,
  run: (binary: string, ...args: string[]) => Promise<string | undefined>,
): Promise<string | undefined> {
  const beside = ffmpegPath.includes(sep) ? [join(dirname(ffmpegPath), 'ffprobe')] : [];
  for (const candidate of [...beside, 'ffprobe']) {
    if ((await run(candidate, '-version'))?.startsWith('ffprobe version')) return candidate;
  }
  return undefined;
}

/** What it prints; undefined when it can't be run or fails. */
async function outputOf(
  binary: string,
  args: string[],
  env: Record<string, string | undefined>,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const { stdout, failed } = await execa(binary, args, {
    reject: false,
    stdin: 'ignore',
    extendEnv: false,
    env: { PATH: env['PATH'], LD_LIBRARY_PATH: env['LD_LIBRARY_PATH'] },
    timeout: 10_000,
    ...(signal ? { cancelSignal: signal } : {}),
  });
  signal?.throwIfAborted();
  return failed ? undefined : stdout;
}

async function missing(ffmpegPath: string): Promise<LivestowError> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return new LivestowError('FFMPEG_MISSING', `ffmpeg was not found (tried ${JSON.stringify(ffmpegPath)}).`, {
    hint: `${installHint(process.platform, release)} Or set ${FFMPEG_VARIABLE} to its path.`,
  });
}

/** The one command that installs ffmpeg here. `osRelease` is the text of /etc/os-release. */
export function installHint(platform: NodeJS.Platform, osRelease: string): string {
  if (platform === 'darwin') return 'Install it with: brew install ffmpeg';
  const lists = [...osRelease.matchAll(/^ID(?:_LIKE)?="?([^"\n]+)"?$/gm)];
  const ids = new Set(lists.flatMap(([, list = '']) => list.split(' ')));
  const command = INSTALLERS.find(([id]) => ids.has(id))?.[1];
  return command === undefined
    ? 'Install ffmpeg 5.1 or later with the package manager of this system.'
    : `Install it with: ${command}`;
}

const INSTALLERS: readonly [string, string][] = [
  ['debian', 'sudo apt-get update && sudo apt-get install -y ffmpeg'],
  ['ubuntu', 'sudo apt-get update && sudo apt-get install -y ffmpeg'],
  ['fedora', 'sudo dnf install -y ffmpeg-free'],
  ['rhel', 'sudo dnf install -y ffmpeg-free'],
  ['alpine', 'sudo apk add ffmpeg'],
  ['arch', 'sudo pacman -S --noconfirm ffmpeg'],
  ['suse', 'sudo zypper install -y ffmpeg'],
];
