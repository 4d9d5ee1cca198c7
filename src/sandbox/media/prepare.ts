/** Makes what is missing in the cache folder. Idempotent; safe when several processes do it at once. */
import { rm, writeFile } from 'node:fs/promises';
import PQueue from 'p-queue';
import { FFMPEG_VARIABLE } from '../../ffmpeg/capabilities.ts';
import { encodeImage, encodePictures, encodeSound } from './encode.ts';
import { imagePath, makeOnce, mediaPath, soundPath } from './folder.ts';
import { LOOP_PICTURES } from './grid.ts';
import { muxFlv } from './mux.ts';
import { IMAGE_NAMES, MEDIA_NAMES, RECIPES, type MediaName } from './recipes.ts';

export interface PrepareProgress {
  name: MediaName;
  /** 0 to 1. */
  fraction: number;
}

export interface PrepareOptions {
  folder: string;
  /** All, unless told. */
  names?: readonly MediaName[];
  /** The executable; `LIVESTOW_FFMPEG` or `ffmpeg` unless told. */
  ffmpeg?: string;
  signal?: AbortSignal;
  /** Only called for what has to be made. */
  onProgress?: (progress: PrepareProgress) => void;
}

/** Two at once: the source of the pictures is one thread, the encoder another. */
const ENCODERS_AT_ONCE = 2;

/** Rejects with FFMPEG_MISSING, FFMPEG_FAILED, or the signal's reason. */
export async function prepareMedia(options: PrepareOptions): Promise<void> {
  const {
    folder,
    names = MEDIA_NAMES,
    ffmpeg = process.env[FFMPEG_VARIABLE] || 'ffmpeg',
    signal,
    onProgress,
  } = options;
  const encode = { ffmpeg, ...(signal ? { signal } : {}) };
  await makeOnce(soundPath(folder), (path) => encodeSound(path, encode));
  const queue = new PQueue({ concurrency: ENCODERS_AT_ONCE });
  const images = IMAGE_NAMES.map(
    (name) => () => makeOnce(imagePath(folder, name), (path) => encodeImage(path, name, encode)),
  );
  const media = [...new Set(names)].map(
    (name) => () =>
      makeOnce(mediaPath(folder, name), async (path) => {
        const onPicture = (done: number) => onProgress?.({ name, fraction: done / LOOP_PICTURES });
        await makeFlv(path, name, soundPath(folder), { ...encode, onPicture });
      }),
  );
  await queue.addAll([...images, ...media]);
}

async function makeFlv(
  path: string,
  name: MediaName,
  sound: string,
  options: Parameters<typeof encodePictures>[2],
): Promise<void> {
  const recipe = RECIPES[name];
  if (!recipe) {
    await writeFile(path, await muxFlv(recipe, null, sound));
    return;
  }
  const pictures = `${path}.mp4`;
  try {
    await encodePictures(pictures, recipe, options);
    await writeFile(path, await muxFlv(recipe, pictures, sound));
  } finally {
    await rm(pictures, { force: true });
  }
}
