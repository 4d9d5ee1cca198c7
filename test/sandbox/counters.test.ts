/** The counters of pictures and sound are believed only because they find what was done to the media here. */
import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { encodeFlvTag, FLV_HEADER, FlvTagReader, type FlvTag } from '../../src/media/flv.ts';
import { unitOfFlvTag } from '../../src/media/flv-units.ts';
import { defaultMediaFolder, mediaPath } from '../../src/sandbox/media/folder.ts';
import { prepareMedia } from '../../src/sandbox/media/prepare.ts';
import type { MediaName } from '../../src/sandbox/media/recipes.ts';
import { accountPictures, GARBLED, lacking, pictureNumbers, readPictures } from '../support/pictures.ts';
import { accountSound, soundOffsetsMs } from '../support/sound.ts';
import { scratchFile } from './scratch.ts';

const GOP_MS = 2_133;
const THREE_GOPS_MS = 6_400;

async function tagsOf(name: MediaName, untilMs: number): Promise<FlvTag[]> {
  const folder = defaultMediaFolder();
  await prepareMedia({ folder, names: [name] });
  return new FlvTagReader()
    .push(await readFile(mediaPath(folder, name)))
    .filter(({ timestampMs }) => timestampMs < untilMs);
}

const flv = (tags: readonly FlvTag[]) =>
  scratchFile('media.flv', Buffer.concat([FLV_HEADER, ...tags.map(encodeFlvTag)]));
const isPicture = (tag: FlvTag) => tag.type === 9 && tag.data[1] === 1;
const isSound = (tag: FlvTag) => tag.type === 8 && tag.data[1] === 1;
/** The first byte of a slice that no other picture refers to. */
const DISPOSABLE_SLICE = 0x01;
const shownMs = (tag: FlvTag) => tag.timestampMs + tag.data.readIntBE(2, 3);

let small: FlvTag[];
beforeAll(async () => {
  small = await tagsOf('small', THREE_GOPS_MS);
});

describe('pictures', () => {
  test('nothing is wrong with media that was left alone', async () => {
    const { pictures, errors } = await readPictures(await flv(small));
    expect(accountPictures(pictures.map(({ number }) => number))).toEqual({
      first: 0,
      last: 191,
      count: 192,
      present: [[0, 191]],
      missing: [],
      repeats: 0,
      garbled: 0,
      backwards: 0,
    });
    expect(errors).toEqual([]);
    expect(pictures[30]!.ptsMs - pictures[0]!.ptsMs).toBeCloseTo(1_000, -1);
  });

  test('a missing picture', async () => {
    const disposable = small.find((tag) => isPicture(tag) && tag.data[9] === DISPOSABLE_SLICE);
    const number = Math.round(((shownMs(disposable!) - 67) * 30) / 1_000);
    const account = accountPictures(
      await pictureNumbers(await flv(small.filter((tag) => tag !== disposable))),
    );
    expect(account.missing).toEqual([[number, number]]);
    expect(account).toMatchObject({ repeats: 0, backwards: 0 });
  });

  test('a picture that others refer to', async () => {
    const reference = small
      .filter(isPicture)
      .find((tag) => shownMs(tag) - tag.timestampMs > 90 && tag.timestampMs > 1_000);
    const account = accountPictures(
      await pictureNumbers(await flv(small.filter((tag) => tag !== reference))),
    );
    expect(account.missing.length + account.garbled).toBeGreaterThan(0);
  });

  test('a repeated GOP', async () => {
    const second = small.filter(({ timestampMs }) => timestampMs >= GOP_MS && timestampMs < 2 * GOP_MS);
    const at = small.indexOf(second.at(-1)!) + 1;
    const later = (tag: FlvTag) => ({ ...tag, timestampMs: tag.timestampMs + GOP_MS });
    const tags = [...small.slice(0, at), ...second.map(later), ...small.slice(at).map(later)];
    expect(accountPictures(await pictureNumbers(await flv(tags)))).toMatchObject({
      missing: [],
      repeats: 64,
      backwards: 1,
    });
  });

  test('pictures of another size under the wrong header', async () => {
    const other = (await tagsOf('small-landscape', THREE_GOPS_MS)).filter(
      (tag) => isPicture(tag) && tag.timestampMs >= GOP_MS,
    );
    const tags = [...small.filter(({ timestampMs }) => timestampMs < GOP_MS), ...other];
    const account = accountPictures(await pictureNumbers(await flv(tags)));
    expect(account.garbled + account.missing.length).toBeGreaterThan(0);
    expect(lacking([[0, 150]], account.present)[0]![0]).toBeLessThanOrEqual(64);
  });

  test('numbers that went round are straightened', () => {
    expect(accountPictures([3_070, 3_071, 0, 1])).toMatchObject({
      first: 3_070,
      last: 3_073,
      missing: [],
      backwards: 0,
    });
    expect(accountPictures([1, 3_071, 0], 3_073)).toMatchObject({ first: 3_071, last: 3_073, backwards: 1 });
    expect(accountPictures([5, GARBLED, 7])).toMatchObject({ missing: [[6, 6]], garbled: 1 });
    expect(accountPictures([GARBLED])).toMatchObject({ first: null, last: null, missing: [], garbled: 1 });
  });
});

describe('sound', () => {
  test('nothing is wrong with media that was left alone', async () => {
    const path = await flv(small);
    const account = await accountSound(path);
    expect(account).toMatchObject({ frames: small.filter(isSound).length, breaks: [], errors: [] });
    expect(account.beats.map(({ beat }) => beat)).toEqual(account.beats.map((_, i) => i));
    expect(Math.max(...(await soundOffsetsMs(path)).map(Math.abs))).toBeLessThan(10);
  });

  test('half a second is missing', async () => {
    const gone = small.filter((tag) => isSound(tag) && tag.timestampMs >= 2_200 && tag.timestampMs < 2_740);
    const account = await accountSound(await flv(small.filter((tag) => !gone.includes(tag))));
    expect(account.frames).toBe(small.filter(isSound).length - gone.length);
    expect(account.breaks).toHaveLength(1);
    expect(account.breaks[0]!.byMs).toBeGreaterThan(500);
    // An AAC frame sounds into the next one's time, so a breath of it is left.
    const breath = account.beats.find(({ beat }) => beat === 4);
    expect(breath!.heardMs).toBeLessThan(100);
  });

  test('a single frame is missing, and the timestamps hide it', async () => {
    const sound = small.filter(isSound);
    const gone = sound[100]!;
    const tags = small
      .filter((tag) => tag !== gone)
      .map((tag) =>
        isSound(tag) && tag.timestampMs > gone.timestampMs
          ? { ...tag, timestampMs: tag.timestampMs - 23 }
          : tag,
      );
    const path = await flv(tags);
    const account = await accountSound(path);
    expect(account).toMatchObject({ frames: sound.length - 1, breaks: [] });
    const offsets = await soundOffsetsMs(path);
    expect(offsets[0]).toBeGreaterThan(-10);
    expect(offsets.at(-1)).toBeLessThan(-15);
  });

  test('sound and pictures are out of step', async () => {
    const tags = small.map((tag) => (tag.type === 8 ? { ...tag, timestampMs: tag.timestampMs + 120 } : tag));
    const offsets = await soundOffsetsMs(await flv(tags));
    expect(offsets.length).toBeGreaterThan(8);
    expect(offsets.every((offset) => Math.abs(offset - 120) < 10)).toBe(true);
  });

  test('there is none', async () => {
    const path = await flv(small.filter(({ type }) => type !== 8));
    expect(await accountSound(path)).toMatchObject({ frames: 0, beats: [] });
  });
});

test('several files are read as one stream', async () => {
  const bytes = Buffer.concat([FLV_HEADER, ...small.map(encodeFlvTag)]);
  const cut = Math.floor(bytes.length / 2) + 7;
  const paths = [await scratchFile('1', bytes.subarray(0, cut)), await scratchFile('2', bytes.subarray(cut))];
  expect(await pictureNumbers(paths)).toEqual(await pictureNumbers(await flv(small)));
  expect((await accountSound(paths)).frames).toBe(
    small.filter((tag) => unitOfFlvTag(tag)?.kind === 'audio').length - 1,
  );
});
