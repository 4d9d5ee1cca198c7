/** The finite jobs, with segments that the engine recorded: no picture lost or doubled where epochs meet. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { exportMp4, makePoster, probeMedia, type ExportedEpoch } from '../../src/ffmpeg/jobs.ts';
import { makeMp4, probe, type Units, unitsOfMp4 } from '../media/made.ts';
import { isRunning, newFolder, pidIn, record, type RecordOptions, script } from '../record/recording.ts';

interface Recorded extends ExportedEpoch {
  pictures: number;
  audioFrames: number;
}

async function recorded(units: Units, startMs: number, options: RecordOptions = {}): Promise<Recorded> {
  const first = units.packets[0]!.dtsMs;
  const packets = units.packets.map((packet) => ({ ...packet, dtsMs: packet.dtsMs - first + startMs }));
  const { segments, inits } = await record({ ...units, packets }, options);
  return {
    ...(inits[0] ? { init: inits[0].path } : {}),
    segments: segments.map(({ path }) => path),
    durationMs: segments.reduce((sum, { durationMs }) => sum + durationMs, 0),
    pictures: packets.filter(({ kind }) => kind === 'video').length,
    audioFrames: packets.filter(({ kind }) => kind === 'audio').length,
  };
}

/** A hash of each decoded picture, in order, all of one size. Throws when the decoder complains. */
const pictureHashes = (path: string, size = '160:284'): string[] =>
  execFileSync('ffmpeg', `-v error -xerror -i ${path} -map 0:v -vf scale=${size} -f framehash -`.split(' '), {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  })
    .split('\n')
    .filter((line) => /^\d/.test(line))
    .map((line) => line.split(',').at(-1)!.trim());

let portraitMp4: string;
let landscapeMp4: string;
let tallMp4: string;
let wideMp4: string;
let portrait: Units;
let landscape: Units;
let tall: Units;
let wide: Units;

beforeAll(() => {
  portraitMp4 = makeMp4('jobs-portrait', { seconds: 8 });
  portrait = unitsOfMp4(portraitMp4);
  landscapeMp4 = makeMp4('jobs-landscape', { size: '320x180', seconds: 6 });
  landscape = unitsOfMp4(landscapeMp4);
  tallMp4 = makeMp4('jobs-tall', { codec: 'h265', seconds: 6 });
  tall = unitsOfMp4(tallMp4);
  wideMp4 = makeMp4('jobs-wide', { codec: 'h265', size: '320x180', seconds: 5 });
  wide = unitsOfMp4(wideMp4);
});

async function exported(epochs: readonly Recorded[]) {
  const out = join(newFolder(), 'out.mp4');
  const progress: number[] = [];
  await exportMp4({ epochs, out, onProgress: (done) => progress.push(done) });
  const { video, audio } = probe(out);
  const dts = video.map(({ dts_time }) => Number(dts_time));
  return {
    out,
    progress,
    probed: await probeMedia(out),
    pictures: video.length,
    audioFrames: audio.length,
    /** Between one picture and the next, ms. */
    steps: dts.slice(1).map((time, at) => (time - dts[at]!) * 1_000),
    audioSteps: audio
      .slice(1)
      .map(({ pts_time }, at) => (Number(pts_time) - Number(audio[at]!.pts_time)) * 1_000),
    expected: {
      durationMs: epochs.reduce((sum, epoch) => sum + epoch.durationMs, 0),
      pictures: epochs.reduce((sum, epoch) => sum + epoch.pictures, 0),
      audioFrames: epochs.reduce((sum, epoch) => sum + epoch.audioFrames, 0),
    },
  };
}

/** Where sound outlasts the pictures of an epoch, the next picture waits for it. */
const isPictureStep = (ms: number): boolean => ms > 30 && ms < 90;

describe('export', () => {
  test('one epoch: the same pictures, in order, once', async () => {
    const { out, expected, ...found } = await exported([await recorded(portrait, 60_000)]);
    expect(found).toMatchObject({ pictures: 240, audioFrames: expected.audioFrames });
    expect(found.probed.streams.map(({ codec }) => codec)).toEqual(['h264', 'aac']);
    expect(Math.abs(found.probed.durationMs! - 8_000)).toBeLessThan(100);
    expect(pictureHashes(out)).toEqual(pictureHashes(portraitMp4));
    expect(found.progress.at(-1)).toBe(1);
    // The index is at the front.
    const head = readFileSync(out).subarray(0, 64).toString('latin1');
    expect(head).toContain('moov');
  });

  test('epochs of two sizes with a gap, a step back and a clock that ran over between them', async () => {
    const epochs = [
      await recorded(portrait, 60_000),
      await recorded(landscape, 200_000, { epoch: 2 }),
      await recorded(portrait, 90_000, { epoch: 3 }),
      await recorded(landscape, Math.round(2 ** 33 / 90) - 3_000, { epoch: 4 }),
    ];
    const { expected, out, ...found } = await exported(epochs);
    expect(found).toMatchObject({ pictures: expected.pictures, audioFrames: expected.audioFrames });
    expect(found.steps.filter((ms) => !isPictureStep(ms))).toEqual([]);
    expect(found.audioSteps.filter((ms) => ms < 22 || ms > 80)).toEqual([]);
    expect(Math.abs(found.probed.durationMs! - expected.durationMs)).toBeLessThan(250);
    const sources = [portraitMp4, landscapeMp4, portraitMp4, landscapeMp4];
    expect(pictureHashes(out)).toEqual(sources.flatMap((path) => pictureHashes(path)));
  });

  test('a hole within an epoch is closed', async () => {
    const packets = portrait.packets.filter(({ dtsMs }) => dtsMs < 2_000 || dtsMs >= 5_000);
    const { expected, ...found } = await exported([await recorded({ ...portrait, packets }, 60_000)]);
    expect(found).toMatchObject({ pictures: 150, audioFrames: expected.audioFrames });
    expect(found.steps.filter((ms) => !isPictureStep(ms))).toEqual([]);
    expect(Math.abs(found.probed.durationMs! - 5_000)).toBeLessThan(150);
  });

  test.each(['fmp4', 'mpegts'] as const)('h265 of two sizes from %s', async (container) => {
    const epochs = [
      await recorded(tall, 60_000, { container }),
      await recorded(wide, 90_000, { container, epoch: 2 }),
    ];
    const { expected, out, ...found } = await exported(epochs);
    expect(found).toMatchObject({ pictures: 330, audioFrames: expected.audioFrames });
    expect(found.probed.streams.map(({ codec }) => codec)).toEqual(['hevc', 'aac']);
    expect(found.steps.filter((ms) => !isPictureStep(ms))).toEqual([]);
    expect(pictureHashes(out)).toEqual([tallMp4, wideMp4].flatMap((path) => pictureHashes(path)));
  });

  test('h264 from fMP4, with a part without sound', async () => {
    const silent = { ...landscape, packets: landscape.packets.filter(({ kind }) => kind === 'video') };
    const epochs = [
      await recorded(portrait, 60_000, { container: 'fmp4' }),
      await recorded(silent, 70_000, { container: 'fmp4', epoch: 2, audio: null }),
      await recorded(portrait, 80_000, { container: 'fmp4', epoch: 3 }),
    ];
    const { expected, ...found } = await exported(epochs);
    expect(found).toMatchObject({ pictures: 660, audioFrames: expected.audioFrames });
    expect(found.steps.filter((ms) => !isPictureStep(ms))).toEqual([]);
    // The silence is kept, so that sound and picture stay together.
    expect(Math.max(...found.audioSteps)).toBeGreaterThan(5_900);
  });

  test('sound alone', async () => {
    const packets = portrait.packets.filter(({ kind }) => kind === 'audio');
    const epochs = [
      await recorded({ ...portrait, packets }, 60_000, { video: null }),
      await recorded({ ...portrait, packets }, 90_000, { video: null, epoch: 2 }),
    ];
    const { expected, ...found } = await exported(epochs);
    expect(found).toMatchObject({ pictures: 0, audioFrames: expected.audioFrames });
    expect(found.audioSteps.filter((ms) => ms < 22 || ms > 50)).toEqual([]);
  });

  test('an abort ends ffmpeg and leaves no file', async () => {
    const epoch = await recorded(portrait, 60_000);
    const home = newFolder();
    const started = join(home, 'started');
    // Answers questions; works for ever.
    const { path } = script(
      `case "$*" in *pipe:0*) echo $$ > '${started}.tmp'; mv '${started}.tmp' '${started}'; exec sleep 60;; esac; exec ffmpeg "$@"`,
    );
    const out = join(newFolder(), 'out.mp4');
    const stop = new AbortController();
    const work = exportMp4({ epochs: [epoch], out, ffmpegPath: path, signal: stop.signal });
    work.catch(() => {});
    await expect.poll(() => existsSync(started), { timeout: 10_000, interval: 20 }).toBe(true);
    stop.abort(new Error('enough'));
    await expect(work).rejects.toThrow('enough');
    expect(isRunning(pidIn(started))).toBe(false);
    expect(readdirSync(join(out, '..'))).toEqual([]);
  });

  test('a segment that is gone fails the export, and leaves no file', async () => {
    const epoch = await recorded(portrait, 60_000);
    const out = join(newFolder(), 'out.mp4');
    const segments = [...epoch.segments, join(newFolder(), 'gone.ts')];
    await expect(exportMp4({ epochs: [{ ...epoch, segments }], out })).rejects.toMatchObject({
      code: 'FFMPEG_FAILED',
    });
    expect(readdirSync(join(out, '..'))).toEqual([]);
  });
});

describe('poster', () => {
  test.each([
    ['1280x720', 720, 406],
    ['160x284', 160, 284],
  ])('of %s pictures', async (size, width, height) => {
    const units = unitsOfMp4(makeMp4(`poster-${size}`, { size, seconds: 1 }));
    const { segments } = await recorded(units, 60_000);
    const out = join(newFolder(), 'poster.jpg');
    await makePoster(segments[0]!, out);
    expect(readFileSync(out).subarray(0, 3).toString('hex')).toBe('ffd8ff');
    const [stream] = (await probeMedia(out)).streams;
    expect(stream).toMatchObject({ kind: 'video', width, height });
    expect(readdirSync(join(out, '..'))).toEqual(['poster.jpg']);
  });

  test('of an init and a segment in one file, under any name', async () => {
    const { init, segments } = await recorded(tall, 60_000, { container: 'fmp4' });
    const source = join(newFolder(), 'poster-source');
    copyFileSync(init!, source);
    writeFileSync(source, readFileSync(segments[0]!), { flag: 'a' });
    const out = join(newFolder(), 'poster 100%.jpg');
    await makePoster(source, out);
    expect((await probeMedia(out)).streams[0]).toMatchObject({ width: 160, height: 284 });
  });

  test('of what is no media fails, and leaves no file', async () => {
    const source = join(newFolder(), 'text');
    writeFileSync(source, 'not media');
    const out = join(newFolder(), 'poster.jpg');
    await expect(makePoster(source, out)).rejects.toMatchObject({ code: 'FFMPEG_FAILED' });
    expect(readdirSync(join(out, '..'))).toEqual([]);
  });
});

test('probing what is not there', async () => {
  await expect(probeMedia(join(newFolder(), 'none.mp4'))).rejects.toMatchObject({ code: 'FFMPEG_FAILED' });
});
