import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import {
  findFfmpeg,
  hevcInFlvOf,
  installHint,
  parseFormats,
  parseInputProtocols,
  parseVersion,
} from '../../src/ffmpeg/capabilities.ts';

const folder = mkdtempSync(join(tmpdir(), 'livestow-capabilities-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('versions', () => {
  const said = (version: string, libavformat: string) =>
    `ffmpeg version ${version} Copyright (c) 2000-2026 the FFmpeg developers\nbuilt with gcc 12\nlibavutil      57. 28.100 / 57. 28.100\nlibavformat    ${libavformat} / ${libavformat}\n`;

  test.each([
    ['5.1.9-0+deb12u1', '59. 27.100', { major: 59, minor: 27 }, 'none'],
    ['6.0', '60.  3.100', { major: 60, minor: 3 }, 'none'],
    ['n6.1.1', '60. 16.100', { major: 60, minor: 16 }, 'enhanced'],
    ['7.1.5-0+deb13u1', '61.  7.100', { major: 61, minor: 7 }, 'enhanced'],
    ['8.0', '62.  3.100', { major: 62, minor: 3 }, 'legacy'],
    ['N-118000-g0123abcdef', '62.  1.100', { major: 62, minor: 1 }, 'legacy'],
  ])('%s', (version, libavformat, number, hevc) => {
    const parsed = parseVersion(said(version, libavformat));
    expect(parsed).toEqual({ version, libavformat: number });
    expect(hevcInFlvOf(number)).toBe(hevc);
  });

  test('what is no ffmpeg has none', () => {
    expect(parseVersion('GNU bash, version 5.2')).toBeUndefined();
    expect(parseVersion('')).toBeUndefined();
  });
});

test('formats, of old and new versions', () => {
  const text = `File formats:
 D. = Demuxing supported
 .E = Muxing supported
 --
 D  flv             FLV (Flash Video)
 D  matroska,webm   Matroska / WebM
  E segment         segment
 DE mpegts          MPEG-TS (MPEG-2 Transport Stream)
 D d alsa            ALSA audio input
`;
  expect([...parseFormats(text)].toSorted()).toEqual([
    'alsa',
    'flv',
    'matroska',
    'mpegts',
    'segment',
    'webm',
  ]);
});

test('protocols to read from', () => {
  const text = 'Supported file protocols:\nInput:\n  file\n  pipe\nOutput:\n  tee\n';
  expect([...parseInputProtocols(text)]).toEqual(['file', 'pipe']);
});

test.each([
  ['darwin', '', 'brew install ffmpeg'],
  ['linux', 'ID=debian\nVERSION_ID="12"\n', 'apt-get install -y ffmpeg'],
  ['linux', 'ID=linuxmint\nID_LIKE="ubuntu debian"\n', 'apt-get install -y ffmpeg'],
  ['linux', 'ID=fedora\n', 'dnf install -y ffmpeg-free'],
  ['linux', 'ID="alpine"\n', 'apk add ffmpeg'],
  ['linux', 'ID=whatever\n', 'package manager'],
  ['linux', '', 'package manager'],
] as const)('what to install on %s %j', (platform, release, command) => {
  expect(installHint(platform, release)).toContain(command);
});

describe('the ffmpeg that is here', () => {
  test('is found on the PATH, with all that livestow needs', async () => {
    const found = await findFfmpeg();
    expect(found).toMatchObject({ path: 'ffmpeg', probePath: 'ffprobe', lacks: [] });
    expect(found.libavformat.major).toBeGreaterThanOrEqual(59);
    expect(found.demuxers.has('flv') && found.muxers.has('segment') && found.protocols.has('pipe')).toBe(
      true,
    );
  });

  test('is the one that LIVESTOW_FFMPEG names, with the ffprobe beside it', async () => {
    const real = execFileSync('sh', ['-c', 'command -v ffmpeg'], { encoding: 'utf8' }).trim();
    const found = await findFfmpeg({ LIVESTOW_FFMPEG: real, PATH: process.env['PATH'] });
    expect(found).toMatchObject({ path: real, lacks: [] });
    expect(found.probePath).toMatch(/ffprobe$/);
  });

  test('is said to be missing, with what to do', async () => {
    await expect(findFfmpeg({ PATH: folder })).rejects.toMatchObject({
      code: 'FFMPEG_MISSING',
      hint: expect.stringMatching(/LIVESTOW_FFMPEG/),
    });
  });

  test('is not any executable of that name', async () => {
    const fake = join(folder, 'fake');
    writeFileSync(fake, '#!/bin/sh\necho hello\n');
    chmodSync(fake, 0o755);
    await expect(findFfmpeg({ LIVESTOW_FFMPEG: fake })).rejects.toMatchObject({ code: 'FFMPEG_MISSING' });
  });

  test('may lack something, and that is named', async () => {
    const small = join(folder, 'small');
    const lines = 'ffmpeg version 4.4.1 x\nlibavformat    58. 76.100 / 58. 76.100';
    writeFileSync(small, `#!/bin/sh\ncase "$*" in *-version) printf '${lines}\\n';; esac\n`);
    chmodSync(small, 0o755);
    const { lacks } = await findFfmpeg({ LIVESTOW_FFMPEG: small, PATH: process.env['PATH'] });
    expect(lacks).toEqual(
      expect.arrayContaining(['version 5.1 or later', 'demuxer flv', 'muxer segment', 'protocol pipe']),
    );
  });
});
